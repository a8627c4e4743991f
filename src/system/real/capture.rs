//! Looking at what a write would reach: over no link that others than root can have put there, and at one thing only.
use super::place::{Place, refuse_second_name};
use super::read::{UNHURRIED, stat, whole};
use crate::error::{Attempt as _, Error, Result};
use crate::system::{Body, Captured, FileKind, Stat};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat, statat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// Returns what stands at a path.
pub(super) fn look(path: &Path) -> Result<Option<Stat>> {
    let attempt = || format!("looking at `{}`", path.display());
    let Some(place) = Place::find(path).attempt(attempt)? else { return Ok(None) };
    Ok(place.stat().attempt(attempt)?.as_ref().map(stat))
}

/// Returns what stands at a path, with its bytes where it is a file of that size.
pub(super) fn look_into(path: &Path, size: u64) -> Result<Option<(Stat, Option<Vec<u8>>)>> {
    if let Some((is, bytes)) = straight(path, size) {
        return Ok(Some((is, Some(bytes))));
    }
    let Some(is) = look(path)? else { return Ok(None) };
    if is.kind != FileKind::File || is.size != size {
        return Ok(Some((is, None)));
    }
    Ok(capture(path)?.map(|there| match there.body {
        Body::File(bytes) => (there.stat, Some(bytes)),
        Body::Directory(_) | Body::Link(_) | Body::Other => (there.stat, None),
    }))
}

/// The usual case at half the cost: a file of that size with one name, reached over no link whatsoever.
fn straight(path: &Path, size: u64) -> Option<(Stat, Vec<u8>)> {
    let fits = |is: &rustix::fs::Stat| {
        FileType::from_raw_mode(is.st_mode) == FileType::RegularFile && stat(is).size == size && is.st_nlink == 1
    };
    // What is no file is not even opened.
    let seen = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok().filter(fits)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | UNHURRIED;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()?;
    let is = fstat(&file).ok().filter(fits)?;
    let is_same = (is.st_dev, is.st_ino) == (seen.st_dev, seen.st_ino);
    let bytes = whole(file.into(), size).ok().filter(|_| is_same)?;
    Some((stat(&is), bytes))
}

/// Returns what stands at a path with what it holds.
pub(super) fn capture(path: &Path) -> Result<Option<Captured>> {
    let attempt = || format!("reading `{}`", path.display());
    let Some(opened) = open(path)? else { return Ok(None) };
    let body = match opened.what {
        What::File(file) => Body::File(whole(file, opened.stat.size).attempt(attempt)?),
        What::Directory(dir) => {
            let mut names = names(&dir).attempt(attempt)?;
            names.sort_unstable();
            Body::Directory(names)
        }
        What::Link(target) => Body::Link(target),
        What::Other => Body::Other,
    };
    Ok(Some(Captured { stat: opened.stat, body }))
}

/// What stands at a path, open.
pub(super) struct Opened {
    pub(super) stat: Stat,
    pub(super) what: What,
}

pub(super) enum What {
    File(File),
    Directory(OwnedFd),
    Link(PathBuf),
    Other,
}

/// Opens what stands at a path; `None` where nothing does. A device is not opened.
pub(super) fn open(path: &Path) -> Result<Option<Opened>> {
    let attempt = || format!("reading `{}`", path.display());
    let Some(place) = Place::find(path).attempt(attempt)? else { return Ok(None) };
    let Some(found) = place.stat().attempt(attempt)? else { return Ok(None) };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | UNHURRIED;
    let there = stat(&found);
    let what = match there.kind {
        FileKind::Other => What::Other,
        FileKind::Link => {
            let target = readlinkat(&place.dir, &place.name, Vec::new()).attempt(attempt)?;
            What::Link(OsString::from_vec(target.into_bytes()).into())
        }
        FileKind::File | FileKind::Directory => {
            let thing = openat(&place.dir, &place.name, flags, Mode::empty()).attempt(attempt)?;
            let opened = fstat(&thing).attempt(attempt)?;
            let now = stat(&opened);
            if now.kind != there.kind {
                return Err(Error::new(attempt()).reason("something else was put there meanwhile"));
            }
            refuse_second_name(&place.dir, &opened).attempt(attempt)?;
            let what = if now.kind == FileKind::File { What::File(thing.into()) } else { What::Directory(thing) };
            return Ok(Some(Opened { stat: now, what }));
        }
    };
    Ok(Some(Opened { stat: there, what }))
}

/// Returns the names in an open directory, in no order.
pub(super) fn names(dir: &OwnedFd) -> Result<Vec<OsString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
