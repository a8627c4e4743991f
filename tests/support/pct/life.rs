//! What a container goes through: it is listed, started, stopped, destroyed.
use crate::conf::{Conf, DIRECTORY, path};
use crate::lock::Says;
use crate::options::{number_of, pairs, take};
use crate::show::state;
use crate::{Done, create, lock, pause, refuse, under};
use std::path::Path;

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

pub fn start(id: u32, arguments: &[String]) -> Done {
    if !path(id).exists() {
        return Conf::read(id).map(drop).or_else(|crate::Refusal(_, text)| refuse(255, text));
    }
    if Conf::read(id)?.now.get("template").is_some_and(|on| on == "1") {
        return refuse(255, "you can't start a CT if it's a template");
    }
    if under::runs(id) {
        return refuse(255, format!("CT {id} already running"));
    }
    let _locked = lock::lock(id, Says::Out)?;
    let mut conf = Conf::read(id)?;
    if conf.lock() == Some("mounted") {
        conf.now.remove("lock");
    }
    if !arguments.iter().any(|option| option == "--skiplock") {
        conf.refuse_locked()?;
    }
    begin(id, conf)
}

fn begin(id: u32, mut conf: Conf) -> Done {
    if !conf.now.contains_key("arch") {
        return refuse(255, "missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 676.");
    }
    conf.settle();
    conf.write(id)?;
    parsed(&conf)?;
    for (_, value) in conf.now.iter().filter(|(key, _)| number_of(key, "net").is_some()) {
        let bridge = pairs(value, "").into_iter().find(|(key, _)| key == "bridge").map(|(_, bridge)| bridge);
        if let Some(bridge) = bridge.filter(|bridge| !Path::new("/sys/class/net").join(bridge).exists()) {
            return refuse(255, format!("bridge '{bridge}' does not exist"));
        }
    }
    under::prepare(id, &conf);
    pause::here("start");
    under::run(&["lxc-start", "-n", &id.to_string()])
        .or_else(|_| refuse(255, format!("startup for container '{id}' failed")))?;
    pause::here("started");
    Ok(())
}

/// Refuses a `rootfs` that names no volume, but how one would be made.
fn parsed(conf: &Conf) -> Done {
    let rootfs = conf.now.get("rootfs").map(|value| value.split(',').next().unwrap_or_default()).unwrap_or_default();
    match rootfs.split_once(':') {
        Some((_, name)) if !name.contains('/') => {
            refuse(255, format!("unable to parse directory volume name '{name}'"))
        }
        _ => Ok(()),
    }
}

pub fn stop(id: u32) -> Done {
    if !under::runs(id) {
        return refuse(255, format!("CT {id} not running"));
    }
    let _locked = lock::lock(id, Says::Out)?;
    Conf::read(id)?.refuse_locked()?;
    under::run(&["lxc-stop", "-n", &id.to_string(), "--kill"]).or_else(|why| refuse(255, why))?;
    stopped(id)
}

pub fn shutdown(id: u32, arguments: &[String]) -> Done {
    if !under::runs(id) {
        return refuse(255, format!("CT {id} not running"));
    }
    let _locked = lock::lock(id, Says::Out)?;
    Conf::read(id)?.refuse_locked()?;
    down(id, arguments)
}

fn down(id: u32, arguments: &[String]) -> Done {
    let mut arguments = arguments.to_vec();
    let seconds = take(&mut arguments, "--timeout").unwrap_or_else(|| "60".to_owned());
    let number = id.to_string();
    let argv = ["lxc-stop", "-n", &number, "--nokill", "--timeout", &seconds];
    if let Err(why) = under::output(&argv) {
        if take(&mut arguments, "--forceStop").is_none_or(|on| on != "1") {
            println!("{why}");
            return refuse(255, "container did not stop");
        }
        under::run(&["lxc-stop", "-n", &number, "--kill"]).or_else(|why| refuse(255, why))?;
    }
    stopped(id)
}

pub fn reboot(id: u32, arguments: &[String]) -> Done {
    if !under::runs(id) {
        return refuse(255, format!("VM {id} not running"));
    }
    let _locked = lock::lock(id, Says::Out)?;
    Conf::read(id)?.refuse_locked()?;
    down(id, arguments)?;
    begin(id, Conf::read(id)?)
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
    Conf::read(id)?;
    let _locked = lock::lock(id, Says::Err)?;
    let conf = Conf::read(id)?;
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
    if arguments.iter().any(|option| option == "--purge") {
        println!("purging CT {id} from related configurations..");
    }
    parsed(&conf)?;
    create::clear(id, &conf, take(&mut arguments.to_vec(), "--destroy-unreferenced-disks").is_some_and(|on| on == "1"));
    std::fs::remove_file(path(id)).or_else(|error| refuse(5, error.to_string()))
}

pub fn unlock(id: u32) -> Done {
    Conf::read(id)?;
    let _locked = lock::lock(id, Says::Err)?;
    let mut conf = Conf::read(id)?;
    match conf.now.remove("lock") {
        Some(_) => conf.write(id),
        None => refuse(255, "no lock found trying to remove any lock"),
    }
}
