//! Safe writes: whole or not at all, with owner and mode from the first moment, through no link of a user's.
use super::place::{Place, only_root_writes, stat_in};
use crate::error::{Attempt as _, Error, Result};
use crate::system::NewFile;
use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid};
use rustix::fs::{chmod, chownat, fchmod, fchown, flock, fstat, fsync, mkdirat, openat, renameat, symlinkat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Puts a whole file in place.
pub(super) fn write(path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
    let attempt = || format!("writing `{}`", path.display());
    let place = Place::open(path).attempt(attempt)?;
    refuse_directory(&place, path)?;
    let (temporary, draft) = Temporary::file(&place).attempt(attempt)?;
    let mut content = File::from(draft.try_clone().attempt(attempt)?);
    content.write_all(file.content).attempt(attempt)?;
    drop(content);
    // Owner first: a change of owner clears setuid and setgid.
    fchown(&draft, Some(Uid::from_raw(file.uid)), Some(Gid::from_raw(file.gid))).attempt(attempt)?;
    fchmod(&draft, Mode::from_raw_mode(file.mode)).attempt(attempt)?;
    fsync(&draft).attempt(attempt)?;
    approve(&path.with_file_name(&temporary.name)).attempt(attempt)?;
    temporary.still_is(&draft).attempt(attempt)?;
    temporary.rename().attempt(attempt)
}

/// Puts a symbolic link in place.
pub(super) fn symlink(target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
    let attempt = || format!("linking `{}` to `{}`", path.display(), target.display());
    let place = Place::open(path).attempt(attempt)?;
    refuse_directory(&place, path)?;
    let temporary = Temporary::link(&place, target).attempt(attempt)?;
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    chownat(&place.dir, &temporary.name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW).attempt(attempt)?;
    temporary.rename().attempt(attempt)
}

/// Makes one directory.
pub(super) fn make_dir(path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
    let attempt = || format!("making the directory `{}`", path.display());
    let place = Place::open(path).attempt(attempt)?;
    mkdirat(&place.dir, &place.name, Mode::RWXU).attempt(attempt)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(&place.dir, &place.name, flags, Mode::empty()).attempt(attempt)?;
    chownat(&dir, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH).attempt(attempt)?;
    chmod(by_descriptor(&dir), Mode::from_raw_mode(mode)).attempt(attempt)?;
    place.sync().attempt(attempt)
}

/// Changes owner and group of what stands there, a link itself.
pub(super) fn change_owner(path: &Path, uid: u32, gid: u32) -> Result<()> {
    let attempt = || format!("changing the owner of `{}`", path.display());
    let thing = open_thing(path).attempt(attempt)?;
    chownat(&thing, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH).attempt(attempt)
}

/// Changes the mode of what stands there; never through a link.
pub(super) fn change_mode(path: &Path, mode: u32) -> Result<()> {
    let attempt = || format!("changing the mode of `{}`", path.display());
    let thing = open_thing(path).attempt(attempt)?;
    if kind(&fstat(&thing).attempt(attempt)?) == FileType::Symlink {
        return Err(Error::new(attempt()).reason("it is a link, which has no mode"));
    }
    chmod(by_descriptor(&thing), Mode::from_raw_mode(mode)).attempt(attempt)
}

/// Renames within a file system.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    let attempt = || format!("renaming `{}` to `{}`", from.display(), to.display());
    let (old, new) = (Place::open(from).attempt(attempt)?, Place::open(to).attempt(attempt)?);
    renameat(&old.dir, &old.name, &new.dir, &new.name).attempt(attempt)?;
    old.sync().and_then(|()| new.sync()).attempt(attempt)
}

/// A file or link that is not in place yet. Its name is fixed, so that a rerun finds what a killed run left; a lock on a
/// file tells whether its writer still lives, wherever that runs. What was not put in place is removed.
struct Temporary<'a> {
    place: &'a Place,
    name: OsString,
    placed: bool,
}

impl<'a> Temporary<'a> {
    /// Creates an empty file that only root can read.
    fn file(place: &'a Place) -> Result<(Self, OwnedFd)> {
        let name = temporary_name(place);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let draft = anew(place, &name, || openat(&place.dir, &name, flags, Mode::RUSR | Mode::WUSR))?;
        flock(&draft, FlockOperation::NonBlockingLockExclusive).map_err(|_| busy(&name))?;
        Ok((Self { place, name, placed: false }, draft))
    }

    /// Creates a link.
    fn link(place: &'a Place, target: &Path) -> Result<Self> {
        let name = temporary_name(place);
        anew(place, &name, || symlinkat(target, &place.dir, &name))?;
        Ok(Self { place, name, placed: false })
    }

    /// Fails where the name no longer leads to the file that was written.
    fn still_is(&self, draft: &OwnedFd) -> Result<()> {
        let written = fstat(draft).attempt(|| "looking at what was written".to_owned())?;
        match stat_in(&self.place.dir, &self.name) {
            Ok(Some(there)) if (there.st_dev, there.st_ino) == (written.st_dev, written.st_ino) => Ok(()),
            _ => Err(busy(&self.name)),
        }
    }

    fn rename(mut self) -> Result<()> {
        let Place { dir, name } = self.place;
        renameat(dir, &self.name, dir, name).attempt(|| "renaming it into place".to_owned())?;
        self.placed = true;
        self.place.sync().attempt(|| "syncing its directory".to_owned())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.placed {
            // What can't be removed now is swept by the next write.
            let _swept_later = unlinkat(&self.place.dir, &self.name, AtFlags::empty());
        }
    }
}

/// Returns `.NAME.provision-new`, within the 255 bytes that a name may have.
fn temporary_name(place: &Place) -> OsString {
    let bytes = place.name.as_bytes();
    let kept = &bytes[..bytes.len().min(255 - ".".len() - ".provision-new".len())];
    OsString::from_vec([b".", kept, b".provision-new"].concat())
}

/// Creates something under the temporary's name; what a killed run left there is removed first.
fn anew<T>(place: &Place, name: &OsStr, create: impl Fn() -> Result<T, Errno>) -> Result<T> {
    let mut created = create();
    if matches!(created, Err(Errno::EXIST)) {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let left = openat(&place.dir, name, flags, Mode::empty());
        if left.is_ok_and(|left| flock(&left, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK)) {
            return Err(busy(name));
        }
        match unlinkat(&place.dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            removed => removed.attempt(|| format!("removing the leftover `{}`", name.display()))?,
        }
        created = create();
    }
    created.attempt(|| format!("creating `{}` beside it", name.display()))
}

fn busy(name: &OsStr) -> Error {
    Error::new(format!("using the temporary `{}`", name.display()))
        .reason("somebody else is writing the same file")
        .remedy("run again once that has ended")
}

fn refuse_directory(place: &Place, path: &Path) -> Result<()> {
    let attempt = || format!("writing `{}`", path.display());
    match place.stat().attempt(attempt)? {
        Some(there) if kind(&there) == FileType::Directory => {
            Err(Error::new(attempt()).reason("a directory is there").remedy("remove it, or choose another path"))
        }
        _ => Ok(()),
    }
}

/// Opens what stands at a path without opening its content. A file with a second name elsewhere is refused in a
/// directory that a user can write to: it could be anybody's.
fn open_thing(path: &Path) -> Result<OwnedFd> {
    let opening = || format!("opening `{}`", path.display());
    if path == Path::new("/") {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        return openat(rustix::fs::CWD, path, flags, Mode::empty()).attempt(opening);
    }
    let place = Place::open(path)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let thing = openat(&place.dir, &place.name, flags, Mode::empty()).attempt(opening)?;
    let stat = fstat(&thing).attempt(opening)?;
    if stat.st_nlink > 1 && kind(&stat) != FileType::Directory && !only_root_writes(&place.dir).attempt(opening)? {
        return Err(Error::new(opening())
            .reason("it has a second hard link, and is in a directory that others than root can write to")
            .remedy("replace it by a copy of its own"));
    }
    Ok(thing)
}

/// Returns the path by which a call without an `O_PATH` form reaches an open thing.
fn by_descriptor(thing: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", thing.as_raw_fd())
}

pub(super) fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
