//! What of the cluster decides about an id: which node has it, whether it is a machine's, who works on it, what storages there are.
use super::storage::{self, Storage};
use crate::container::lxc::host::text;
use crate::container::{Found, What};
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::io;
use std::path::Path;

const NODES: &str = "/etc/pve/nodes";

/// Returns what has this id though it is no container of this node.
pub(super) fn elsewhere(sys: &dyn System, id: u32) -> Result<Option<Found>> {
    let found = |what| Ok(Some(Found { what, ..Found::default() }));
    let here = node(sys)?;
    for node in nodes(sys)? {
        for kind in ["qemu-server", "lxc"] {
            let path = format!("{NODES}/{node}/{kind}/{id}.conf");
            if sys.lstat(Path::new(&path)).attempt(|| format!("reading `{path}`"))?.is_none() {
                continue;
            }
            let machine = node == here && kind == "qemu-server";
            return found(if machine { What::Machine } else { What::Elsewhere(node) });
        }
    }
    let path = format!("/etc/pve/qemu-server/{id}.conf");
    match sys.lstat(Path::new(&path)).attempt(|| format!("reading `{path}`"))? {
        Some(_) => found(What::Machine),
        None => Ok(None),
    }
}

/// Returns the ids of the containers of this node.
pub(super) fn ids(sys: &dyn System) -> Result<Vec<u32>> {
    const LXC: &str = "/etc/pve/lxc";
    let names = match sys.list(Path::new(LXC)) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).attempt(|| format!("listing `{LXC}`")),
    };
    Ok(names.iter().filter_map(|name| name.to_str()?.strip_suffix(".conf")?.parse().ok()).collect())
}

/// Returns whether a call of `pct` works on this container: it holds its lock (flock(2), as `/proc/locks` lists them).
pub(super) fn is_at_work(sys: &dyn System, id: u32) -> Result<bool> {
    let path = format!("/run/lock/lxc/pve-config-{id}.lock");
    let Some(stat) = sys.lstat(Path::new(&path)).attempt(|| format!("reading `{path}`"))? else { return Ok(false) };
    Ok(holds(&text(sys, "/proc/locks")?.unwrap_or_default(), stat.inode.1))
}

/// Returns whether a file of that inode is locked, in the lines of `/proc/locks` (proc(5)).
fn holds(locks: &str, inode: u64) -> bool {
    let locked = |line: &str| {
        let file = line.split_whitespace().find(|word| word.matches(':').count() == 2)?;
        file.rsplit(':').next()?.parse::<u64>().ok()
    };
    locks.lines().any(|line| line.contains("FLOCK") && locked(line) == Some(inode))
}

/// Returns the storages of this node.
pub(super) fn storages(sys: &dyn System) -> Result<Vec<Storage>> {
    Ok(storage::parse(text(sys, "/etc/pve/storage.cfg")?.as_deref(), &node(sys)?))
}

/// Returns the name of this node.
fn node(sys: &dyn System) -> Result<String> {
    let local = sys.read_link(Path::new("/etc/pve/local")).ok();
    let linked = local.and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()));
    if let Some(name) = linked {
        return Ok(name);
    }
    let name = text(sys, "/proc/sys/kernel/hostname")?.unwrap_or_default();
    Ok(name.trim().split('.').next().unwrap_or_default().to_owned())
}

fn nodes(sys: &dyn System) -> Result<Vec<String>> {
    match sys.list(Path::new(NODES)) {
        Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).attempt(|| format!("listing `{NODES}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_the_inode_of_its_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 812 00:1a:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 4711 00:1a:1234 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 4712 00:1a:99 0 EOF\n";
        assert!(holds(locks, 1234) && holds(locks, 99));
        assert!(!holds(locks, 77) && !holds(locks, 4711));
    }
}
