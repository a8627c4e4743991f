//! `pct create`: the file first with nothing but a lock in it, then the disks, then what is in them.
use crate::conf::{Conf, node, path};
use crate::lock::Says;
use crate::options::{number_of, pairs, parse};
use crate::{Done, call, disk, life, lock, refuse, under, wrong};
use std::fs;
use std::path::Path;

/// Told to the call, not kept.
const NOT_KEPT: [&str; 7] =
    ["storage", "force", "bwlimit", "password", "ssh-public-keys", "start", "ignore-unpack-errors"];

pub fn create(id: u32, arguments: &[String]) -> Done {
    let usage = call::usage("create");
    let Some((template, arguments)) = arguments.split_first().filter(|(first, _)| !first.starts_with("--")) else {
        return refuse(2, format!("400 not enough arguments\n{usage}"));
    };
    let mut options = parse(arguments, &usage)?;
    if options.get("password").is_some_and(|password| password.len() < 5) {
        return wrong(2, "password: value must be at least 5 characters long\n", &usage);
    }
    let keys = match options.get("ssh-public-keys").map(fs::read_to_string) {
        Some(Err(_)) => {
            let path = &options["ssh-public-keys"];
            return refuse(2, format!("can't open '{path}' - No such file or directory"));
        }
        Some(Ok(keys)) if !keys.starts_with("ssh-") => return refuse(255, "SSH public key validation error"),
        keys => keys.and_then(Result::ok),
    };
    if path(id).exists() {
        return refuse(2, format!("CT {id} already exists on node '{}'", node()));
    }
    let archive = match template.split_once(":vztmpl/") {
        Some(("local", name)) => format!("/var/lib/vz/template/cache/{name}"),
        Some((storage, _)) => return no_storage(storage),
        None => template.clone(),
    };
    options.entry("rootfs".to_owned()).or_insert_with(|| "local:4".to_owned());
    for (_, value) in options.iter().filter(|(key, _)| is_volume(key)) {
        let volume = pairs(value, "volume").into_iter().find(|(key, _)| key == "volume");
        let storage = volume.as_ref().and_then(|(_, volume)| volume.split_once(':')).map(|(storage, _)| storage);
        if let Some(storage) = storage.filter(|storage| *storage != "local") {
            return no_storage(storage);
        }
    }
    // They are looked for where it can stop.
    under::ends().thread_block().expect("a thread can block signals");
    let locked = lock::lock(id, Says::Out)?;
    let mut conf = Conf::default();
    if path(id).exists() {
        return refuse(255, format!("unable to create CT {id} - CT {id} already exists on node '{}'", node()));
    }
    conf.now.insert("lock".to_owned(), "create".to_owned());
    conf.write(id)?;
    let unprivileged = options.get("unprivileged").is_some_and(|on| on == "1");
    let hostname = options.get("hostname").cloned();
    let has_arch = options.contains_key("arch");
    let lenient = options.get("ignore-unpack-errors").is_some_and(|on| on == "1");
    let made = fill(id, &archive, template, &mut options, (unprivileged, lenient)).and_then(|()| {
        if !has_arch {
            said_of(id);
        }
        keyed(id, hostname.as_deref(), unprivileged, keys.as_deref())
    });
    unmount(id);
    if let Err(why) = made {
        clear(id, &Conf::default(), true);
        drop(fs::create_dir_all(format!("{}/rootfs", under::home(id))));
        drop(fs::remove_file(path(id)));
        return refuse(255, format!("unable to create CT {id} - {why}"));
    }
    conf = Conf::default();
    let defaults = [("arch", "amd64"), ("memory", "512"), ("swap", "512"), ("ostype", "debian")];
    conf.now.extend(defaults.map(|(key, value)| (key.to_owned(), value.to_owned())));
    conf.now.insert("hostname".to_owned(), format!("CT{id}"));
    if let Some(text) = options.remove("description") {
        conf.description = Some(format!("{}\n", text.trim_end_matches('\n')));
    }
    let starts = options.get("start").is_some_and(|on| on == "1");
    options.retain(|key, _| !NOT_KEPT.contains(&key.as_str()));
    conf.now.extend(options);
    conf.write(id)?;
    drop(locked);
    if starts { life::start(id, &[]) } else { Ok(()) }
}

fn no_storage(storage: &str) -> Done {
    refuse(255, format!("storage '{storage}' does not exist"))
}

fn is_volume(key: &str) -> bool {
    key == "rootfs" || number_of(key, "mp").is_some()
}

type Options = crate::options::Options;

fn fill(id: u32, archive: &str, template: &str, options: &mut Options, how: (bool, bool)) -> Result<(), String> {
    let (unprivileged, lenient) = how;
    let limit = options.get("bwlimit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
    let rootfs = format!("{}/rootfs", under::home(id));
    fs::create_dir_all(&rootfs).map_err(|error| error.to_string())?;
    // Its own disk first.
    for family in ["rootfs", "mp"] {
        for (_, value) in options.iter_mut().filter(|(key, _)| is_volume(key) && key.starts_with(family)) {
            *value = disk::made(id, value)?;
        }
    }
    // The disk that a killed call leaves mounted.
    under::run(&["mount", "--bind", &rootfs, &rootfs])?;
    if !Path::new(archive).exists() {
        return Err(format!("volume '{template}' does not exist"));
    }
    println!("extracting archive '{archive}'");
    under::unpack(id, archive, unprivileged, limit).or_else(|why| if lenient { Ok(()) } else { Err(why) })
}

fn said_of(id: u32) {
    if Path::new(&format!("{}/rootfs/bin/sh", under::home(id))).exists() {
        println!("Detected container architecture: amd64");
        return;
    }
    println!("open '/bin/sh' failed: No such file or directory");
    println!("Architecture detection failed: error in setup task (eval)\nFalling back to amd64.");
    println!("Use `pct set VMID --arch ARCH` to change.");
}

/// Makes the container's own host keys, and lets those in whom the call names.
fn keyed(id: u32, hostname: Option<&str>, unprivileged: bool, keys: Option<&str>) -> Result<(), String> {
    let rootfs = format!("{}/rootfs", under::home(id));
    let name = hostname.and_then(|name| name.split('.').next()).unwrap_or("localhost");
    let text = |error: std::io::Error| error.to_string();
    fs::create_dir_all(format!("{rootfs}/etc/ssh")).map_err(text)?;
    let owner = if unprivileged { "100000:100000" } else { "0:0" };
    under::run(&["chown", owner, &format!("{rootfs}/etc/ssh")])?;
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let file = format!("ssh_host_{kind}_key");
        let path = format!("{rootfs}/etc/ssh/{file}");
        println!("Creating SSH host key '{file}' - this may take some time ...");
        for old in [path.clone(), format!("{path}.pub")] {
            drop(fs::remove_file(old));
        }
        under::output(&["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", &format!("root@{name}"), "-f", &path])?;
        let said = under::output(&["ssh-keygen", "-l", "-f", &path])?;
        println!("done: {} root@{name}", said.split(' ').nth(1).unwrap_or_default());
        under::run(&["chown", owner, &path, &format!("{path}.pub")])?;
    }
    if let Some(keys) = keys {
        let directory = format!("{rootfs}/root/.ssh");
        let path = format!("{directory}/authorized_keys");
        fs::create_dir_all(&directory).map_err(text)?;
        fs::write(&path, format!("# --- BEGIN PVE ---\n{}\n# --- END PVE ---\n", keys.trim_end())).map_err(text)?;
        under::run(&["chmod", "0700", &directory, &path])?;
        under::run(&["chown", owner, &directory, &path])?;
    }
    Ok(())
}

fn unmount(id: u32) {
    let rootfs = format!("{}/rootfs", under::home(id));
    while is_mounted(&rootfs) && under::run(&["umount", &rootfs]).is_ok() {}
}

fn is_mounted(rootfs: &str) -> bool {
    fs::read_to_string("/proc/mounts").unwrap_or_default().contains(&format!(" {rootfs} "))
}

/// Takes away what is there of a container, not what is still mounted; of one that was started its rules stay. Of its disks
/// those go that its file names, or all.
pub fn clear(id: u32, conf: &Conf, all: bool) {
    let home = under::home(id);
    let images = format!("/var/lib/vz/images/{id}");
    for volume in conf.now.iter().filter(|(key, _)| is_volume(key) || number_of(key, "unused").is_some()) {
        let name =
            volume.1.split(',').next().and_then(|volume| volume.split_once('/')).map(|(_, name)| name.to_owned());
        drop(name.map(|name| {
            fs::remove_file(format!("{images}/{name}")).or_else(|_| fs::remove_dir_all(format!("{images}/{name}")))
        }));
    }
    if all {
        drop(fs::remove_dir_all(&images));
    }
    drop(fs::remove_dir(images));
    if !is_mounted(&format!("{home}/rootfs")) {
        drop(fs::remove_dir_all(format!("{home}/rootfs")));
        drop(fs::remove_file(format!("{home}/config")));
        drop(fs::remove_dir(home));
    }
}
