//! `pct clone` and `pct template`, and `pct mount`: a base is a directory like others, and each clone has a copy of it.
use crate::conf::{Conf, node, path};
use crate::lock::Says;
use crate::options::{net, number_of, pairs, parse};
use crate::{Done, call, disk, lock, refuse, under};
use std::fs;
use std::path::Path;

pub fn template(id: u32) -> Done {
    let mut conf = Conf::read(id)?;
    let _locked = lock::lock(id, Says::Err)?;
    conf.refuse_locked()?;
    if under::runs(id) {
        return refuse(255, "you can't convert a CT to template if the CT is running");
    }
    let rootfs = conf.now.get("rootfs").cloned().unwrap_or_default();
    let images = format!("/var/lib/vz/images/{id}");
    if let Err(error) = fs::rename(format!("{images}/vm-{id}-disk-0.raw"), format!("{images}/base-{id}-disk-0.raw")) {
        return refuse(255, error.to_string());
    }
    conf.now.insert("rootfs".to_owned(), rootfs.replace(&format!("/vm-{id}-"), &format!("/base-{id}-")));
    conf.now.insert("template".to_owned(), "1".to_owned());
    conf.write(id)
}

pub fn clone(id: u32, arguments: &[String]) -> Done {
    let usage = call::usage("clone");
    let Some((new, options)) = arguments.split_first() else {
        return refuse(2, format!("400 not enough arguments\n{usage}"));
    };
    let Ok(new) = new.parse::<u32>() else { return refuse(2, "newid: invalid format") };
    // No other call has it.
    let full = options.windows(2).position(|pair| pair == ["--full", "1"]);
    let mut options = options.to_vec();
    if let Some(at) = full {
        options.drain(at..at + 2);
    }
    let mut options = parse(&options, &usage)?;
    let mut base = Conf::read(id)?;
    if path(new).exists() {
        return refuse(255, format!("CT {new} already exists on node '{}'", node()));
    }
    base.refuse_locked()?;
    let volume = base.now.get("rootfs").and_then(|text| text.split(',').next()).unwrap_or_default().to_owned();
    let is_template = base.now.get("template").is_some_and(|on| on == "1");
    if is_template && full.is_none() {
        return refuse(255, format!("Linked clone feature for '{volume}' is not available"));
    }
    if under::runs(id) {
        return refuse(2, "Cannot do full clones on a running container without snapshots");
    }
    for (key, value) in &base.now {
        if number_of(key, "mp").is_some() && value.starts_with('/') {
            return refuse(255, format!("unable to clone mountpoint '{key}' (type bind)"));
        }
    }
    let _locked = lock::lock(new, Says::Out)?;
    let mut conf = Conf::default();
    conf.now.insert("lock".to_owned(), "create".to_owned());
    conf.write(new)?;
    base.now.insert("lock".to_owned(), "disk".to_owned());
    base.write(id)?;
    println!("create full clone of mountpoint rootfs ({volume})");
    let parts = base.now.get("rootfs").map(|value| pairs(value, "volume")).unwrap_or_default();
    let size = parts.iter().find(|(key, _)| key == "size").and_then(|(_, size)| disk::bytes(size)).unwrap_or(0);
    let copied = copy(id, new, size);
    base.now.remove("lock");
    base.write(id)?;
    let volume = match copied {
        Ok(volume) => volume,
        Err(why) => {
            crate::create::clear(new, &Conf::default(), true);
            drop(fs::remove_file(path(new)));
            return refuse(255, format!("clone failed: {why}"));
        }
    };
    conf = Conf { raw: base.raw, now: base.now, description: base.description, ..Conf::default() };
    conf.now.remove("template");
    conf.now.insert("rootfs".to_owned(), format!("{volume},size={}", disk::shown(size)));
    for (key, value) in conf.now.iter_mut().filter(|(key, _)| number_of(key, "net").is_some()) {
        // Without its MAC it gets a new one.
        let parts = pairs(value, "").into_iter().filter(|(name, _)| name != "hwaddr");
        let parts: Vec<String> = parts.map(|(name, value)| format!("{name}={value}")).collect();
        *value = net(key, &parts.join(",")).or_else(|why| refuse(255, why))?;
    }
    if let Some(hostname) = options.remove("hostname") {
        conf.now.insert("hostname".to_owned(), hostname);
    }
    if let Some(text) = options.remove("description") {
        conf.description = Some(format!("{}\n", text.trim_end_matches('\n')));
    }
    conf.write(new)
}

/// Copies the files of one to another, and returns the volume that it made for them.
fn copy(from: u32, to: u32, size: u64) -> Result<String, String> {
    fs::create_dir_all(under::home(to)).map_err(|error| error.to_string())?;
    let volume = disk::allocate(to, size)?;
    let [from, to] = [from, to].map(|id| format!("{}/rootfs", under::home(id)));
    // It ends with this call, as rsync does.
    under::run(&["setpriv", "--pdeathsig", "KILL", "cp", "-a", &from, &to])?;
    Ok(volume)
}

/// The directory is where the disk would be mounted; the mount is one of it over itself.
pub fn mount(id: u32) -> Done {
    let mut conf = Conf::read(id)?;
    let _locked = lock::lock(id, Says::Err)?;
    conf.refuse_locked()?;
    let rootfs = format!("{}/rootfs", under::home(id));
    conf.now.insert("lock".to_owned(), "mounted".to_owned());
    conf.write(id)?;
    under::run(&["mount", "--bind", &rootfs, &rootfs]).or_else(|why| refuse(255, why))?;
    println!("mounted CT {id} in '{rootfs}'");
    Ok(())
}

pub fn unmount(id: u32) -> Done {
    let mut conf = Conf::read(id)?;
    let _locked = lock::lock(id, Says::Err)?;
    let rootfs = format!("{}/rootfs", under::home(id));
    if conf.lock() != Some("mounted") || !Path::new(&rootfs).exists() {
        return refuse(255, format!("container '{id}' is not mounted"));
    }
    under::run(&["umount", &rootfs]).or_else(|why| refuse(255, why))?;
    conf.now.remove("lock");
    conf.write(id)
}
