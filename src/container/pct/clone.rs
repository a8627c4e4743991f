//! Cloning on Proxmox: `pct clone` copies the base with its configuration, of which nothing but the files is to stay.
use super::conf::Conf;
use super::grow::grow;
use super::tool::pct;
use super::{CALL, cluster, known_conf, read, recover, write};
use crate::container::lxc::rootfs::{shifted, to_its_end};
use crate::container::renew::{FORGET, KEYS};
use crate::container::{Found, Set, Settings, edits};
use crate::error::{Attempt as _, Error, Result};
use crate::system::{Command, System};
use std::path::Path;
use std::time::Duration;

/// The description of a clone that is not its own yet.
const UNFINISHED: &str = "provision: a clone that is being made";

/// Of a clone's configuration these are its base's and stay: what it is, and its disks.
const STAYS: [&str; 9] =
    ["arch", "cmode", "console", "hostname", "ostype", "rootfs", "tty", "unprivileged", "description"];

/// Returns whether a killed run left this clone half made.
pub(super) fn is_unfinished(conf: &Conf) -> bool {
    conf.description.as_ref().is_some_and(|text| text.trim_end() == UNFINISHED)
}

/// Makes a clone of a template.
pub(super) fn clone(sys: &dyn System, id: u32, settings: &Settings, base: u32, timeout: Duration) -> Result<()> {
    let (clone, origin) = (id.to_string(), base.to_string());
    if super::read_conf(sys, id)?.is_some() {
        recover::recover(sys, id)?;
        // A clone that is killed leaves the base locked as well.
        if known_conf(sys, base)?.now.get("lock").is_some_and(|lock| lock == "disk") {
            pct(sys, ["unlock".to_owned(), origin.clone()], CALL)?;
        }
    }
    let mut argv = ["clone", &origin, &clone, "--description", UNFINISHED].map(str::to_owned).to_vec();
    if let Some(hostname) = &settings.hostname {
        argv.extend(["--hostname".to_owned(), hostname.clone()]);
    }
    argv.extend(full(sys, settings, &read::settings(&known_conf(sys, base)?))?);
    pct(sys, argv, timeout)?;
    configure(sys, id, settings)?;
    renew(sys, id, settings)?;
    // Last: from here on it is a container like others.
    let mut last = vec!["set".to_owned(), clone];
    match &settings.description {
        Some(text) => last.extend(["--description".to_owned(), text.clone()]),
        None => last.extend(["--delete", "description"].map(str::to_owned)),
    }
    pct(sys, last, CALL)
}

/// Returns what asks for a full copy: where the storage can link none, or another one is asked.
fn full(sys: &dyn System, settings: &Settings, base: &Settings) -> Result<Vec<String>> {
    let moves = settings.storage.as_ref().filter(|asked| Some(*asked) != base.storage.as_ref());
    let storages = cluster::storages(sys)?;
    let links = storages.iter().any(|one| Some(&one.name) == base.storage.as_ref() && one.links());
    let full = (moves.is_some() || !links).then_some(["--full", "1"]);
    let to = moves.map(|storage| ["--storage", storage.as_str()]);
    Ok(full.into_iter().chain(to).flatten().map(str::to_owned).collect())
}

/// Gives a clone the settings that are asked of it, and takes those away that are its base's.
fn configure(sys: &dyn System, id: u32, settings: &Settings) -> Result<()> {
    let mut conf = known_conf(sys, id)?;
    let before: Vec<String> = conf.now.keys().cloned().collect();
    let volume = |key: &str, value: &str| key.starts_with("mp") && !value.starts_with('/');
    conf.now.retain(|key, value| STAYS.contains(&key.as_str()) || key.starts_with("unused") || volume(key, value));
    conf.description = settings.description.clone().map(|text| format!("{text}\n"));
    let found = Found { settings: read::settings(&conf), ..Found::default() };
    let mut argv = vec!["set".to_owned(), id.to_string()];
    let mut size = None;
    let going = before.iter().filter(|key| !conf.now.contains_key(*key) && !fixed(key)).cloned().collect::<Vec<_>>();
    for edit in edits(settings, &found) {
        if let Set::Disk(disk) = &edit.set {
            size = Some(*disk);
        }
        if let Some((option, value)) = write::argument(&conf, &edit.set)? {
            conf.now.insert(option.trim_start_matches("--").to_owned(), value.clone());
            argv.extend([option, value]);
        }
    }
    let going: Vec<String> = going.into_iter().filter(|key| !conf.now.contains_key(key)).collect();
    if !going.is_empty() {
        argv.extend(["--delete".to_owned(), going.join(",")]);
    }
    if argv.len() > 2 {
        pct(sys, argv, CALL)?;
    }
    size.map_or(Ok(()), |size| grow(sys, id, size))
}

/// Neither can be deleted, and both are asked of every container.
fn fixed(key: &str) -> bool {
    matches!(key, "memory" | "swap" | "lock")
}

/// Takes what is its base's out of the files of a clone that has never run.
fn renew(sys: &dyn System, id: u32, settings: &Settings) -> Result<()> {
    pct(sys, ["mount".to_owned(), id.to_string()], CALL)?;
    let rootfs = format!("/var/lib/lxc/{id}/rootfs");
    let etc = Path::new(&rootfs).join("etc");
    if sys.lstat(&etc).attempt(|| format!("reading `{}`", etc.display()))?.is_none() {
        return Err(Error::new(format!("looking into container {id}"))
            .reason(format!("`pct mount {id}` said that it is mounted, and there is no `{}`", etc.display())));
    }
    let hostname = settings.hostname.as_deref().unwrap_or("localhost");
    let inside = |script: &str| {
        let argv = ["chroot", &rootfs, "sh", "-c", script, "sh", hostname];
        to_its_end(sys, &Command::new(shifted(settings.unprivileged != Some(false), &argv)).timeout(CALL))
    };
    let renewed = inside(FORGET).and_then(|()| inside(KEYS));
    pct(sys, ["unmount".to_owned(), id.to_string()], CALL)?;
    renewed
}
