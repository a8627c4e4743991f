//! Where a new root file system goes: the storage, whether it can take it, and what is free there.
use super::cluster;
use super::storage::Storage;
use crate::container::Room;
use crate::container::lxc::host::text;
use crate::error::{Error, Result};
use crate::recipe::nearest;
use crate::system::System;

/// What is in a storage that takes containers.
const ROOTDIR: &str = "rootdir";

/// Returns where a root file system goes and what is free there.
pub(super) fn room(sys: &dyn System, asked: Option<&str>) -> Result<Room> {
    let storage = storage(sys, asked)?;
    let mounts = text(sys, "/proc/self/mounts")?.unwrap_or_default();
    let free = storage.measured_at(&mounts).and_then(|path| sys.free_space(&path).ok());
    Ok(Room { place: storage.name, free })
}

/// Returns the storage that is asked for, else the first that holds root file systems.
pub(super) fn storage(sys: &dyn System, asked: Option<&str>) -> Result<Storage> {
    let (all, node) = (cluster::all_storages(sys)?, cluster::node(sys)?);
    let fitting: Vec<&Storage> = all.iter().filter(|one| one.unusable(&node).is_none() && one.holds(ROOTDIR)).collect();
    let Some(name) = asked else {
        return fitting.first().copied().cloned().ok_or_else(|| {
            Error::new("looking for a storage")
                .reason("no storage of this node holds root file systems")
                .remedy("allow `rootdir` in the content of one, or name it as `storage`")
        });
    };
    if let Some(found) = fitting.iter().find(|one| one.name == name) {
        return Ok((*found).clone());
    }
    let why = match all.iter().find(|one| one.name == name) {
        None => "the cluster has no such storage".to_owned(),
        Some(found) => found
            .unusable(&node)
            .unwrap_or_else(|| format!("it holds {}, and no root file systems (`rootdir`)", found.contents())),
    };
    let names: Vec<&str> = fitting.iter().map(|one| one.name.as_str()).collect();
    let near = nearest(name, names.iter().copied()).map_or(String::new(), |near| format!("did you mean `{near}`? "));
    let remedy = if names.is_empty() {
        "allow `rootdir` in the content of a storage of this node".to_owned()
    } else {
        format!("{near}Root file systems can be in {}", names.join(", "))
    };
    Err(Error::new(format!("looking for the storage `{name}`")).reason(why).remedy(remedy))
}
