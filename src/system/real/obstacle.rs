//! What root cannot write over, said before anything is written: mounts, immutable files, what is no file at all.
use super::place::Place;
use crate::error::{Attempt as _, Error, Result};
use crate::system::shell_word;
use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Refuses to put a file or link at a path.
pub(super) fn to_replacing(place: &Place, path: &Path, attempt: &dyn Fn() -> String) -> Result<()> {
    let refused = |reason: &str| Error::new(attempt()).reason(reason);
    to_entries(&place.dir, path, attempt)?;
    let Some(there) = ask(&place.dir, &place.name, AtFlags::SYMLINK_NOFOLLOW).attempt(attempt)? else { return Ok(()) };
    match FileType::from_raw_mode(u32::from(there.stx_mode)) {
        FileType::RegularFile | FileType::Symlink => to_renaming(&there, path, attempt),
        FileType::Directory => Err(refused("a directory is there").remedy("remove it, or choose another path")),
        _ => Err(refused("a device, socket or pipe is there").remedy("remove it, or choose another path")),
    }
}

/// Refuses to remove what is at a path.
pub(super) fn to_removing(dir: &OwnedFd, name: &OsStr, path: &Path, attempt: &dyn Fn() -> String) -> Result<()> {
    let Some(there) = ask(dir, name, AtFlags::SYMLINK_NOFOLLOW).attempt(attempt)? else { return Ok(()) };
    to_entries(dir, path, attempt)?;
    to_renaming(&there, path, attempt)
}

/// Refuses to make, rename or remove entries of the directory in which `path` is.
pub(super) fn to_entries(dir: &OwnedFd, path: &Path, attempt: &dyn Fn() -> String) -> Result<()> {
    let Some(there) = ask(dir, OsStr::new(""), AtFlags::EMPTY_PATH).attempt(attempt)? else { return Ok(()) };
    flags(&there, path.parent().unwrap_or(path), attempt)
}

/// Refuses to change owner or mode of an open thing.
pub(super) fn to_changing(thing: &OwnedFd, path: &Path, attempt: &dyn Fn() -> String) -> Result<()> {
    let Some(there) = ask(thing, OsStr::new(""), AtFlags::EMPTY_PATH).attempt(attempt)? else { return Ok(()) };
    flags(&there, path, attempt)
}

fn to_renaming(there: &Statx, path: &Path, attempt: &dyn Fn() -> String) -> Result<()> {
    if there.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
        return Err(Error::new(attempt())
            .reason("something is mounted there, so that nothing can take its place")
            .remedy(format!("run `umount {}`, or change what is mounted there", shell_word(&path.to_string_lossy()))));
    }
    flags(there, path, attempt)
}

fn flags(there: &Statx, path: &Path, attempt: &dyn Fn() -> String) -> Result<()> {
    let kinds = [(StatxAttributes::IMMUTABLE, "immutable", "i"), (StatxAttributes::APPEND, "append-only", "a")];
    let Some((_, what, flag)) = kinds.iter().find(|(flag, ..)| there.stx_attributes.contains(*flag)) else {
        return Ok(());
    };
    let path = path.to_string_lossy();
    Err(Error::new(attempt())
        .reason(format!("`{path}` is {what} (chattr +{flag})"))
        .remedy(format!("run `chattr -{flag} {}`, then run again", shell_word(&path))))
}

/// Returns kind and attributes of a thing; `None` where nothing is there, or the kernel is too old to tell.
fn ask(dir: &OwnedFd, name: &OsStr, flags: AtFlags) -> Result<Option<Statx>, Errno> {
    match statx(dir, name, flags | AtFlags::NO_AUTOMOUNT, StatxFlags::TYPE | StatxFlags::MODE) {
        Ok(there) => Ok(Some(there)),
        Err(Errno::NOENT | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno),
    }
}
