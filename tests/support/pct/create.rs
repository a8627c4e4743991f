//! `pct create`: the file first with nothing but a lock in it, then the disk, then what is in it.
use crate::conf::{Conf, path};
use crate::options::{pairs, parse};
use crate::{Done, lock, refuse, under};
use std::fs;
use std::path::Path;

const USAGE: &str = "create <vmid> <ostemplate> [OPTIONS]";

pub fn create(id: u32, arguments: &[String]) -> Done {
    let Some((template, arguments)) = arguments.split_first().filter(|(first, _)| !first.starts_with("--")) else {
        return refuse(2, format!("400 not enough arguments\npct {USAGE}"));
    };
    let mut options = parse(arguments, USAGE)?;
    if path(id).exists() {
        return refuse(2, format!("CT {id} already exists on node '{}'", crate::conf::node()));
    }
    let archive = match template.split_once(":vztmpl/") {
        Some(("local", name)) => format!("/var/lib/vz/template/cache/{name}"),
        Some((storage, _)) => return refuse(255, format!("storage '{storage}' does not exist")),
        None => template.clone(),
    };
    let rootfs = options.remove("rootfs").unwrap_or_else(|| "local:4".to_owned());
    let (storage, size) = rootfs.split_once(':').unwrap_or(("local", "4"));
    if storage != "local" {
        return refuse(255, format!("storage '{storage}' does not exist"));
    }
    let bytes = gibibytes(size);
    let locked = lock::lock(id)?;
    let mut conf = Conf::default();
    conf.now.insert("lock".to_owned(), "create".to_owned());
    conf.write(id)?;
    let made = fill(id, &archive, template, bytes, options.get("unprivileged").is_some_and(|on| on == "1"));
    unmount(id);
    if let Err(why) = made {
        clear(id);
        drop(fs::remove_file(path(id)));
        return refuse(255, format!("unable to create CT {id} - {why}"));
    }
    conf = Conf::default();
    let defaults = [("arch", "amd64"), ("memory", "512"), ("swap", "512"), ("ostype", "debian")];
    conf.now.extend(defaults.map(|(key, value)| (key.to_owned(), value.to_owned())));
    conf.now.insert("hostname".to_owned(), format!("CT{id}"));
    conf.now.insert("rootfs".to_owned(), format!("local:{id}/vm-{id}-disk-0.raw,size={}", shown(bytes)));
    if let Some(text) = options.remove("description") {
        conf.description = Some(format!("{}\n", text.trim_end_matches('\n')));
    }
    options.retain(|key, _| !["storage", "force", "bwlimit"].contains(&key.as_str()));
    conf.now.extend(options);
    conf.write(id)?;
    drop(locked);
    Ok(())
}

fn fill(id: u32, archive: &str, template: &str, bytes: u64, unprivileged: bool) -> Result<(), String> {
    let images = format!("/var/lib/vz/images/{id}");
    let rootfs = format!("{}/rootfs", under::home(id));
    fs::create_dir_all(&images).and_then(|()| fs::create_dir_all(&rootfs)).map_err(|error| error.to_string())?;
    println!("Formatting '{images}/vm-{id}-disk-0.raw', fmt=raw size={bytes} preallocation=off");
    fs::write(format!("{images}/vm-{id}-disk-0.raw"), "").map_err(|error| error.to_string())?;
    // The disk that a killed call leaves mounted.
    under::run(&["mount", "--bind", &rootfs, &rootfs])?;
    if !Path::new(archive).exists() {
        return Err(format!("volume '{template}' does not exist"));
    }
    println!("extracting archive '{archive}'");
    under::unpack(id, archive, unprivileged)
}

fn unmount(id: u32) {
    let rootfs = format!("{}/rootfs", under::home(id));
    while under::run(&["umount", &rootfs]).is_ok() {}
}

/// Takes away what is there of a container; not what is still mounted.
pub fn clear(id: u32) {
    let rootfs = format!("{}/rootfs", under::home(id));
    let mounted = fs::read_to_string("/proc/mounts").unwrap_or_default().contains(&format!(" {rootfs} "));
    if !mounted {
        drop(fs::remove_dir_all(under::home(id)));
        drop(fs::remove_dir_all(format!("/var/lib/vz/images/{id}")));
    }
}

/// Returns the bytes of a size in GiB, which may have a fraction.
fn gibibytes(text: &str) -> u64 {
    let size = pairs(text, "size").first().map(|(_, size)| size.clone()).unwrap_or_default();
    let (whole, fraction) = size.split_once('.').unwrap_or((&size, ""));
    let part = fraction.bytes().rev().fold(0.0, |sum, digit| (sum + f64::from(digit - b'0')) / 10.0);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sizes of tests"
    )]
    let part = (part * (1_u64 << 30) as f64) as u64;
    (whole.parse::<u64>().unwrap_or(0) << 30) + part
}

/// Returns a size as it is written down.
pub fn shown(bytes: u64) -> String {
    for (shift, unit) in [(30, 'G'), (20, 'M'), (10, 'K')] {
        if bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}
