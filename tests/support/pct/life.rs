//! What a container goes through: it is listed, started, stopped, destroyed.
use crate::conf::{Conf, DIRECTORY, path};
use crate::{Done, create, lock, refuse, under};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

fn state(id: u32) -> &'static str {
    if under::runs(id) { "running" } else { "stopped" }
}

pub fn list() -> Done {
    let names = std::fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    let mut ids: Vec<u32> =
        names.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".conf")?.parse().ok()).collect();
    ids.sort_unstable();
    if !ids.is_empty() {
        println!("{:<10} {:<10} {:<12} {:<20}", "VMID", "Status", "Lock", "Name");
    }
    for id in ids {
        let conf = Conf::read(id)?;
        let name = conf.now.get("hostname").cloned().unwrap_or_else(|| format!("CT{id}"));
        println!("{id:<10} {:<10} {:<12} {name:<20}", state(id), conf.lock().unwrap_or_default());
    }
    Ok(())
}

pub fn status(id: u32) -> Done {
    Conf::read(id)?;
    println!("status: {}", state(id));
    Ok(())
}

pub fn start(id: u32) -> Done {
    if !path(id).exists() {
        return Conf::read(id).map(drop).or_else(|crate::Refusal(_, text)| refuse(255, text));
    }
    if Conf::read(id)?.now.get("template").is_some_and(|on| on == "1") {
        return refuse(255, "you can't start a CT if it's a template");
    }
    if under::runs(id) {
        return refuse(255, format!("CT {id} already running"));
    }
    let _locked = lock::lock(id)?;
    let mut conf = Conf::read(id)?;
    conf.refuse_locked()?;
    conf.settle();
    conf.write(id)?;
    under::prepare(id, &conf);
    under::run(&["lxc-start", "-n", &id.to_string()])
        .or_else(|_| refuse(255, format!("startup for container '{id}' failed")))
}

pub fn stop(id: u32) -> Done {
    if !under::runs(id) {
        return refuse(255, format!("CT {id} not running"));
    }
    let _locked = lock::lock(id)?;
    Conf::read(id)?.refuse_locked()?;
    under::run(&["lxc-stop", "-n", &id.to_string(), "--kill"]).or_else(|why| refuse(255, why))?;
    stopped(id)
}

pub fn shutdown(id: u32, arguments: &[String]) -> Done {
    if !under::runs(id) {
        return refuse(255, format!("CT {id} not running"));
    }
    let _locked = lock::lock(id)?;
    Conf::read(id)?.refuse_locked()?;
    let value = |name: &str| arguments.iter().skip_while(|option| *option != name).nth(1).map(String::as_str);
    let seconds = value("--timeout").unwrap_or("60");
    let number = id.to_string();
    if let Err(why) = under::run(&["lxc-stop", "-n", &number, "--nokill", "--timeout", seconds]) {
        if value("--forceStop") != Some("1") {
            println!("{why}");
            return refuse(255, "container did not stop");
        }
        under::run(&["lxc-stop", "-n", &number, "--kill"]).or_else(|why| refuse(255, why))?;
    }
    stopped(id)
}

/// What was pending is settled once it has stopped.
fn stopped(id: u32) -> Done {
    while under::runs(id) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let mut conf = Conf::read(id)?;
    conf.settle();
    conf.write(id)
}

pub fn destroy(id: u32, arguments: &[String]) -> Done {
    let conf = Conf::read(id)?;
    let _locked = lock::lock(id)?;
    conf.refuse_locked()?;
    if conf.now.get("protection").is_some_and(|on| on == "1") {
        return refuse(255, format!("can't remove CT {id} - protection mode enabled"));
    }
    if under::runs(id) {
        if !arguments.iter().any(|option| option == "--force") {
            return refuse(255, format!("unable to destroy CT {id} - container is running"));
        }
        println!("forced to stop CT {id} before destroying!");
        under::run(&["lxc-stop", "-n", &id.to_string(), "--kill"]).or_else(|why| refuse(255, why))?;
    }
    create::clear(id);
    std::fs::remove_file(path(id)).or_else(|error| refuse(5, error.to_string()))
}

pub fn unlock(id: u32) -> Done {
    let mut conf = Conf::read(id)?;
    match conf.now.remove("lock") {
        Some(_) => conf.write(id),
        None => refuse(255, "no lock found trying to remove any lock"),
    }
}

pub fn exec(id: u32, arguments: &[String]) -> Done {
    Conf::read(id)?;
    if !under::runs(id) {
        return refuse(255, format!("container '{id}' not running!"));
    }
    let argv: Vec<&String> = arguments.iter().skip_while(|option| *option == "--").collect();
    let error = Command::new("lxc-attach").args(["-n", &id.to_string(), "--"]).args(argv).exec();
    refuse(255, error.to_string())
}
