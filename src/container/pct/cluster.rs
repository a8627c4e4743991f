//! What of the cluster decides about an id: which node has it, whether it is a machine's, what storages there are.
use super::storage::{self, Storage};
use crate::container::lxc::host::text;
use crate::container::{Found, What};
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::io;
use std::path::Path;

const NODES: &str = "/etc/pve/nodes";
/// What says which storages there are (storage.cfg(5)).
pub(super) const STORAGES: &str = "/etc/pve/storage.cfg";

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

/// Returns the storages that this node can use.
pub(super) fn storages(sys: &dyn System) -> Result<Vec<Storage>> {
    let (mut all, node) = (all_storages(sys)?, node(sys)?);
    all.retain(|one| one.unusable(&node).is_none());
    Ok(all)
}

/// Returns every storage of the cluster.
pub(super) fn all_storages(sys: &dyn System) -> Result<Vec<Storage>> {
    Ok(storage::parse(&text(sys, STORAGES)?.unwrap_or_default()))
}

/// Returns the name of this node.
pub(super) fn node(sys: &dyn System) -> Result<String> {
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
