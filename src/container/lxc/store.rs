//! A container's directory: its configuration, its root file system, and what the host must grant for them.
use super::LXC_PATH;
use super::config::{Config, ours};
use super::host::text;
use super::write::{IDS, SHIFT};
use crate::container::{Found, What};
use crate::error::{Attempt as _, Error, Result};
use crate::system::{FileKind, NewFile, System};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn home(id: u32) -> String {
    format!("{LXC_PATH}/{id}")
}

pub(super) fn rootfs_path(id: u32) -> String {
    format!("{LXC_PATH}/{id}/rootfs")
}

/// Returns the path of a container's configuration.
pub(super) fn config_path(id: u32) -> String {
    format!("{}/config", home(id))
}

pub(super) fn read_config(sys: &dyn System, id: u32) -> Result<Option<Config>> {
    Ok(text(sys, &config_path(id))?.map(|text| Config::parse(&text)))
}

pub(super) fn known_config(sys: &dyn System, id: u32) -> Result<Config> {
    let gone = || Error::new(format!("reading `{}`", config_path(id))).reason("there is no such container");
    read_config(sys, id)?.ok_or_else(gone)
}

/// Returns the ids of all containers.
pub(super) fn ids(sys: &dyn System) -> Result<Vec<u32>> {
    let names = match sys.list(Path::new(LXC_PATH)) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).attempt(|| format!("listing `{LXC_PATH}`")),
    };
    Ok(names.iter().filter_map(|name| name.to_str()?.parse().ok()).collect())
}

/// A directory without a configuration is nothing, unless there is a root file system in it; one that is empty was killed
/// off before it had one, or after.
pub(super) fn no_config(sys: &dyn System, id: u32) -> Result<Option<Found>> {
    let path = rootfs_path(id);
    if sys.lstat(Path::new(&path)).attempt(|| format!("reading `{path}`"))?.is_none() {
        let empty = sys.list(Path::new(&home(id))).is_ok_and(|names| names.is_empty());
        return Ok(empty.then(|| Found { what: What::Unfinished, ..Found::default() }));
    }
    Err(Error::new(format!("looking at container {id}"))
        .reason(format!("`{path}` is there, without a `config` beside it"))
        .remedy("move it away if it is not needed, then run again"))
}

pub(super) fn write_config(sys: &dyn System, id: u32, config: &Config) -> Result<()> {
    let (path, content) = (PathBuf::from(config_path(id)), config.to_string());
    if sys.read(&path).is_ok_and(|is| is == content.as_bytes()) {
        return Ok(());
    }
    let stat = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
    let (uid, gid, mode) = stat.map_or((0, 0, 0o644), |stat| (stat.uid, stat.gid, stat.mode));
    sys.write(&path, &NewFile { content: content.as_bytes(), uid, gid, mode }, &|_| Ok(()))
}

/// Marks a container as one that is being made or destroyed: LXC would not start it, and `found` knows it.
pub(super) fn lock(sys: &dyn System, id: u32, config: &Config, why: &str) -> Result<()> {
    let mut locked = config.clone();
    locked.set(&ours("lock"), why);
    // Not started with the host meanwhile.
    locked.set("lxc.start.auto", "0");
    write_config(sys, id, &locked)
}

/// Removes a root file system. Where the run that unpacked it was killed, its tar may go on for a moment.
pub(super) fn clear(sys: &dyn System, id: u32) -> Result<()> {
    let path = rootfs_path(id);
    for _ in 0..100 {
        if sys.remove_tree(Path::new(&path)).is_ok() {
            return Ok(());
        }
        sys.sleep(Duration::from_millis(200));
    }
    sys.remove_tree(Path::new(&path))
}

/// Lets root hand out the ids of unprivileged containers (subuid(5)).
pub(super) fn grant_ids(sys: &dyn System, path: &str) -> Result<()> {
    let lines = text(sys, path)?.unwrap_or_default();
    let covers = |line: &str| {
        let mut parts = line.split(':');
        let (who, from, count) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|part| part.trim().parse::<u32>().ok());
        let range = number(from).zip(number(count)).map(|(from, count)| from..=from.saturating_add(count));
        matches!(who, Some("root" | "0"))
            && range.is_some_and(|ids| ids.contains(&SHIFT) && ids.contains(&(SHIFT + IDS)))
    };
    if lines.lines().any(covers) {
        return Ok(());
    }
    let apart = if lines.is_empty() || lines.ends_with('\n') { "" } else { "\n" };
    let lines = format!("{lines}{apart}root:{SHIFT}:{IDS}\n");
    sys.write(Path::new(path), &NewFile { content: lines.as_bytes(), uid: 0, gid: 0, mode: 0o644 }, &|_| Ok(()))
}

/// Root of an unprivileged container is nobody here and must get to its files.
pub(super) fn reachable(sys: &dyn System) -> Result<()> {
    let missing = || Error::new(format!("reading `{LXC_PATH}`")).remedy("install the package lxc");
    let stat = sys.lstat(Path::new(LXC_PATH)).attempt(|| format!("reading `{LXC_PATH}`"))?.ok_or_else(missing)?;
    if stat.mode & 0o001 == 0 {
        return Err(Error::new(format!("making containers below `{LXC_PATH}`"))
            .reason("other users may not pass through it, and root of a container is one")
            .remedy(format!("`chmod o+x {LXC_PATH}`")));
    }
    Ok(())
}

pub(super) fn is_file(sys: &dyn System, path: &str) -> bool {
    matches!(sys.lstat(Path::new(path)), Ok(Some(stat)) if stat.kind != FileKind::Directory && stat.kind != FileKind::Link)
}
