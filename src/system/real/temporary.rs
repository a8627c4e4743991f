//! A file, link or directory that is not in place yet. Its name is fixed, so that a rerun finds what a killed run left; a
//! lock on a file tells whether its writer still lives, wherever that runs. What is not put in place is removed.
use super::capture::names;
use super::place::{Place, only_root_writes, stat_in};
use super::write::kind;
use crate::error::{Attempt as _, Error, Result};
use crate::system::temporary;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat};
use rustix::fs::{flock, fstat, mkdirat, openat, readlinkat, renameat, renameat_with, symlinkat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Something beside the place where it is to be.
pub(super) struct Temporary<'a> {
    place: &'a Place,
    name: OsString,
    /// What was made, whatever its name leads to by now.
    pub(super) made: OwnedFd,
    placed: bool,
}

impl<'a> Temporary<'a> {
    /// Creates an empty file that only root can read, and returns it open for writing as well.
    pub(super) fn file(place: &'a Place) -> Result<(Self, File)> {
        let name = name(place);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let writer = anew(place, &name, || openat(&place.dir, &name, flags, Mode::RUSR | Mode::WUSR))?;
        // A second descriptor: it holds the lock, and the file can be run once the writer is closed.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let is_ours = |_: &OwnedFd, is: &Stat| {
            fstat(&writer).is_ok_and(|written| (is.st_dev, is.st_ino) == (written.st_dev, written.st_ino))
        };
        let made = open_made(place, &name, flags, is_ours)?;
        let temporary = Self { place, name, made, placed: false };
        // Where nothing can be locked at all, nobody is kept out.
        if flock(&temporary.made, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(busy(&temporary.name));
        }
        Ok((temporary, writer.into()))
    }

    /// Creates a link.
    pub(super) fn link(place: &'a Place, target: &Path) -> Result<Self> {
        let name = name(place);
        anew(place, &name, || symlinkat(target, &place.dir, &name))?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let is_ours = |made: &OwnedFd, is: &Stat| {
            let leads = || readlinkat(made, "", Vec::new());
            kind(is) == FileType::Symlink
                && leads().is_ok_and(|leads| leads.to_bytes() == target.as_os_str().as_bytes())
        };
        let made = open_made(place, &name, flags, is_ours)?;
        Ok(Self { place, name, made, placed: false })
    }

    /// Creates an empty directory that only root can enter.
    pub(super) fn directory(place: &'a Place) -> Result<Self> {
        let name = name(place);
        anew(place, &name, || mkdirat(&place.dir, &name, Mode::RWXU))?;
        let made = open_empty_directory(place, &name)?;
        Ok(Self { place, name, made, placed: false })
    }

    /// Returns the path by which it is reached, given that of its place.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        path.with_file_name(&self.name)
    }

    /// Renames it into place, over a file or link that is there.
    pub(super) fn replace(self) -> Result<()> {
        self.rename(|temporary| {
            renameat(&temporary.place.dir, &temporary.name, &temporary.place.dir, &temporary.place.name)
        })
    }

    /// Renames it into place, where nothing is.
    pub(super) fn add(self) -> Result<()> {
        self.rename(|temporary| {
            let (dir, name) = (&temporary.place.dir, &temporary.place.name);
            match renameat_with(dir, &temporary.name, dir, name, RenameFlags::NOREPLACE) {
                // Some file systems don't know the flag.
                Err(Errno::INVAL | Errno::NOSYS) if temporary.place.stat()?.is_none() => {
                    renameat(dir, &temporary.name, dir, name)
                }
                renamed => renamed,
            }
        })
    }

    fn rename(mut self, rename: impl Fn(&Self) -> Result<(), Errno>) -> Result<()> {
        if !self.is_still_there() {
            return Err(busy(&self.name));
        }
        rename(&self).attempt(|| "renaming it into place".to_owned())?;
        self.placed = true;
        self.place.sync().attempt(|| "syncing its directory".to_owned())
    }

    fn is_still_there(&self) -> bool {
        let there = stat_in(&self.place.dir, &self.name).ok().flatten();
        let made = fstat(&self.made).ok();
        there.zip(made).is_some_and(|(there, made)| (there.st_dev, there.st_ino) == (made.st_dev, made.st_ino))
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.placed && self.is_still_there() {
            let is_directory = fstat(&self.made).is_ok_and(|is| kind(&is) == FileType::Directory);
            let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            // What can't be removed now is swept by the next write.
            let _swept_later = unlinkat(&self.place.dir, &self.name, flags);
        }
    }
}

/// Opens a directory that was made just now.
pub(super) fn open_empty_directory(place: &Place, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    open_made(place, name, flags, |made, _| names(made).is_ok_and(|names| names.is_empty()))
}

/// Opens what was made just now by its name: a user may have put something else there, which must not become theirs.
fn open_made(place: &Place, name: &OsStr, flags: OFlags, is_ours: impl Fn(&OwnedFd, &Stat) -> bool) -> Result<OwnedFd> {
    let attempt = || format!("opening `{}`", name.display());
    let made = match openat(&place.dir, name, flags, Mode::empty()) {
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT | Errno::NXIO) => return Err(busy(name)),
        made => made.attempt(attempt)?,
    };
    let is = fstat(&made).attempt(attempt)?;
    if is.st_uid != rustix::process::geteuid().as_raw() || !is_ours(&made, &is) {
        return Err(busy(name));
    }
    Ok(made)
}

/// Returns the path by which a call without an `O_PATH` form reaches an open thing.
pub(super) fn by_descriptor(thing: impl AsFd) -> String {
    format!("/proc/self/fd/{}", thing.as_fd().as_raw_fd())
}

fn name(place: &Place) -> OsString {
    temporary(Path::new(&place.name)).into_os_string()
}

/// Creates something under the temporary's name; what a killed run left there is removed first.
fn anew<T>(place: &Place, name: &OsStr, create: impl Fn() -> Result<T, Errno>) -> Result<T> {
    let mut created = create();
    if matches!(created, Err(Errno::EXIST)) {
        sweep(place, name)?;
        created = create();
    }
    created.attempt(|| format!("creating `{}` beside it", name.display()))
}

fn sweep(place: &Place, name: &OsStr) -> Result<()> {
    let attempt = || format!("removing the leftover `{}`", name.display());
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let is_locked = openat(&place.dir, name, flags, Mode::empty())
        .is_ok_and(|left| flock(&left, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK));
    // In a directory of theirs a user could hold a lock for ever.
    if is_locked && only_root_writes(&place.dir).attempt(attempt)? {
        return Err(busy(name));
    }
    let is_directory = stat_in(&place.dir, name).attempt(attempt)?.is_some_and(|is| kind(&is) == FileType::Directory);
    let flags = if is_directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    match unlinkat(&place.dir, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::new(attempt()).because(&errno).otherwise("remove it, then run again")),
    }
}

fn busy(name: &OsStr) -> Error {
    Error::new(format!("using the temporary `{}`", name.display()))
        .reason("somebody else is writing the same file")
        .remedy("run again once that has ended")
}
