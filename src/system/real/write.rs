//! Safe writes: whole or not at all, with owner and mode from the first moment, through no link of a user's.
use super::attributes::Attributes;
use super::capture::{self, What};
use super::obstacle;
use super::place::{Place, is_roots_alone};
use super::temporary::{self, Temporary, by_descriptor};
use crate::error::{Attempt as _, Error, Result};
use crate::system::NewFile;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::fs::{chownat, fchmod, fchown, fstat, fsync, mkdirat, openat, renameat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Puts a whole file in place.
pub(super) fn write(path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
    let attempt = || format!("writing `{}`", path.display());
    let place = Place::open(path).attempt(attempt)?;
    obstacle::to_replacing(&place, path, &attempt)?;
    let attributes = handed_on(&place, file.uid).attempt(attempt)?;
    let pour = |mut draft: &File| draft.write_all(file.content);
    let owned = (file.uid, file.gid, file.mode);
    put(&place, path, owned, attributes.as_ref(), pour, approve, &attempt)
}

/// Puts a copy of a file or link in place.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let attempt = || format!("copying `{}` to `{}`", from.display(), to.display());
    let opened = capture::open(from).attempt(attempt)?;
    let opened = opened.ok_or_else(|| Error::new(attempt()).reason("it is gone"))?;
    let is = opened.stat;
    match opened.what {
        What::Link(target) => symlink(&target, to, is.uid, is.gid),
        What::File(source) => {
            let place = Place::open(to).attempt(attempt)?;
            obstacle::to_replacing(&place, to, &attempt)?;
            let attributes = Attributes::for_copy_of(&source).attempt(attempt)?;
            let pour = |mut draft: &File| io::copy(&mut &source, &mut draft).map(drop);
            put(&place, to, (is.uid, is.gid, is.mode), Some(&attributes), pour, &|_| Ok(()), &attempt)
        }
        What::Directory(_) | What::Other => Err(Error::new(attempt()).reason("it is no file")),
    }
}

/// Puts a symbolic link in place.
pub(super) fn symlink(target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
    let attempt = || format!("linking `{}` to `{}`", path.display(), target.display());
    let place = Place::open(path).attempt(attempt)?;
    obstacle::to_replacing(&place, path, &attempt)?;
    let temporary = Temporary::link(&place, target).attempt(attempt)?;
    give(&temporary.made, uid, gid).attempt(attempt)?;
    temporary.replace().attempt(attempt)
}

/// Makes one directory.
pub(super) fn make_dir(path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
    let attempt = || format!("making the directory `{}`", path.display());
    let place = Place::open(path).attempt(attempt)?;
    if place.stat().attempt(attempt)?.is_some() {
        return Err(Error::new(attempt()).reason("something is there already"));
    }
    obstacle::to_entries(&place.dir, path, &attempt)?;
    if (uid, gid, mode & 0o7022) == (0, 0, 0) {
        return make_plain_dir(&place, mode).map_err(|error| error.during(attempt()));
    }
    let temporary = Temporary::directory(&place).attempt(attempt)?;
    give(&temporary.made, uid, gid).attempt(attempt)?;
    fchmod(&temporary.made, Mode::from_raw_mode(mode)).attempt(attempt)?;
    temporary.add().attempt(attempt)
}

/// Makes a directory that is root's, as asked, from its first moment, unless its parent or the umask has it otherwise.
fn make_plain_dir(place: &Place, mode: u32) -> Result<()> {
    let attempt = || format!("making `{}`", place.name.display());
    let mode = Mode::from_raw_mode(mode);
    mkdirat(&place.dir, &place.name, mode).attempt(attempt)?;
    let dir = temporary::open_empty_directory(place, &place.name)?;
    give(&dir, 0, 0).attempt(attempt)?;
    fchmod(&dir, mode).attempt(attempt)?;
    place.sync().attempt(attempt)
}

/// Renames within a file system.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    let attempt = || format!("renaming `{}` to `{}`", from.display(), to.display());
    let (old, new) = (Place::open(from).attempt(attempt)?, Place::open(to).attempt(attempt)?);
    obstacle::to_removing(&old.dir, &old.name, from, &attempt)?;
    obstacle::to_removing(&new.dir, &new.name, to, &attempt)?;
    obstacle::to_entries(&new.dir, to, &attempt)?;
    renameat(&old.dir, &old.name, &new.dir, &new.name).attempt(attempt)?;
    old.sync().and_then(|()| new.sync()).attempt(attempt)
}

/// Fills a temporary, gives it its owner, attributes and mode, has it approved and renames it into place.
fn put(
    place: &Place,
    path: &Path,
    (uid, gid, mode): (u32, u32, u32),
    attributes: Option<&Attributes>,
    pour: impl Fn(&File) -> io::Result<()>,
    approve: &dyn Fn(&Path) -> Result<()>,
    attempt: &dyn Fn() -> String,
) -> Result<()> {
    let (temporary, draft) = Temporary::file(place).attempt(attempt)?;
    pour(&draft).attempt(attempt)?;
    // Owner first: a change of owner clears setuid and setgid, and before the mode nobody else can read it.
    fchown(&draft, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).attempt(attempt)?;
    attributes.map_or(Ok(()), |attributes| attributes.give(&draft)).attempt(attempt)?;
    fchmod(&draft, Mode::from_raw_mode(mode)).attempt(attempt)?;
    fsync(&draft).attempt(attempt)?;
    drop(draft);
    approve(&candidate(&temporary, path)).attempt(attempt)?;
    temporary.replace().attempt(attempt)
}

/// Returns a path that leads to the temporary: beside its place, or where a user could swap it there, by its descriptor.
fn candidate(temporary: &Temporary<'_>, path: &Path) -> PathBuf {
    if path.parent().is_some_and(is_roots_alone) {
        return temporary.beside(path);
    }
    let descriptor = by_descriptor(&temporary.made).replace("self", &std::process::id().to_string());
    descriptor.into()
}

/// Returns what the file that is there hands on; a new file, or one of another owner's, has what its directory gives it.
fn handed_on(place: &Place, uid: u32) -> Result<Option<Attributes>> {
    let attempt = || "opening the file that is there".to_owned();
    let is_same = |is: &Stat| kind(is) == FileType::RegularFile && is.st_uid == uid;
    if !place.stat().attempt(attempt)?.as_ref().is_some_and(is_same) {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let old = openat(&place.dir, &place.name, flags, Mode::empty()).attempt(attempt)?;
    if !is_same(&fstat(&old).attempt(attempt)?) {
        return Ok(None);
    }
    Attributes::of(&old).map(Some)
}

fn give(made: &OwnedFd, uid: u32, gid: u32) -> Result<(), Errno> {
    chownat(made, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
