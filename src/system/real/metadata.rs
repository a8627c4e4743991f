//! Owner and mode of what stands at a path, changed on the thing itself, never on what a link leads to.
use super::obstacle;
use super::place::{Place, refuse_second_name};
use super::temporary::by_descriptor;
use super::write::kind;
use crate::error::{Attempt as _, Error, Result};
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chmod, chownat, fstat, openat};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Changes owner and group of what stands there, a link itself.
pub(super) fn change_owner(path: &Path, uid: u32, gid: u32) -> Result<()> {
    let attempt = || format!("changing the owner of `{}`", path.display());
    let thing = open_thing(path).attempt(attempt)?;
    obstacle::to_changing(&thing, path, &attempt)?;
    chownat(&thing, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH).attempt(attempt)
}

/// Changes the mode of what stands there; never through a link.
pub(super) fn change_mode(path: &Path, mode: u32) -> Result<()> {
    let attempt = || format!("changing the mode of `{}`", path.display());
    let thing = open_thing(path).attempt(attempt)?;
    if kind(&fstat(&thing).attempt(attempt)?) == FileType::Symlink {
        return Err(Error::new(attempt()).reason("it is a link, which has no mode"));
    }
    obstacle::to_changing(&thing, path, &attempt)?;
    chmod(by_descriptor(&thing), Mode::from_raw_mode(mode)).attempt(attempt)
}

/// Opens what stands at a path without opening its content.
fn open_thing(path: &Path) -> Result<OwnedFd> {
    let opening = || format!("opening `{}`", path.display());
    let place = Place::open(path)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let thing = openat(&place.dir, &place.name, flags, Mode::empty()).attempt(opening)?;
    refuse_second_name(&place.dir, &fstat(&thing).attempt(opening)?).attempt(opening)?;
    Ok(thing)
}
