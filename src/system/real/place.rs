//! Where a write lands: the open parent directory and a name in it, reached over no link that others than root can have
//! put there.
use crate::error::{Attempt as _, Error, Result};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, fstatfs, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// A name in an open directory. Nobody can swap what is above it any more.
#[derive(Debug)]
pub(super) struct Place {
    /// The parent directory, opened with `O_PATH`.
    pub(super) dir: OwnedFd,
    /// The name in it; `.` for `/` itself.
    pub(super) name: OsString,
}

impl Place {
    /// Opens the parent of `path`. Links on the way are followed only where root alone can have put them.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::find(path)?.ok_or_else(|| {
            let parent = path.parent().unwrap_or(path).display();
            Error::new(format!("opening `{parent}`")).reason("No such directory")
        })
    }

    /// Opens the parent of `path`; `None` where it is not there.
    pub(super) fn find(path: &Path) -> Result<Option<Self>> {
        let (parent, name) = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) if path.is_absolute() => (parent, name),
            (None, None) if path.is_absolute() => (path, OsStr::new(".")),
            _ => {
                return Err(
                    Error::new(format!("opening `{}`", path.display())).reason("not an absolute path to a name")
                );
            }
        };
        let attempt = || format!("opening `{}`", parent.display());
        match open_directory(parent) {
            Ok(dir) => Ok(Some(Self { dir, name: name.to_owned() })),
            Err(Stop::Errno(Errno::NOENT | Errno::NOTDIR)) => Ok(None),
            Err(Stop::Link(link)) => Err(Error::new(attempt())
                .reason(format!("`{}` is a link that others than root can have put there", link.display()))
                .remedy("put a directory in its place, or name the path that it leads to")),
            Err(Stop::Errno(errno)) => Err(errno).attempt(attempt),
        }
    }

    /// Returns what stands there.
    pub(super) fn stat(&self) -> Result<Option<Stat>, Errno> {
        stat_in(&self.dir, &self.name)
    }

    /// Makes what was done in the directory survive a power cut.
    pub(super) fn sync(&self) -> Result<(), Errno> {
        // O_PATH can't be synced. What can't sync its directories at all (some FUSE) says EINVAL.
        let dir = openat(&self.dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        match rustix::fs::fsync(dir) {
            Err(Errno::INVAL) => Ok(()),
            done => done,
        }
    }
}

/// Returns what stands at a name in an open directory; a link itself.
pub(super) fn stat_in(dir: &OwnedFd, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Returns whether root alone can put something at the names of a directory, all the way from `/`.
pub(super) fn is_roots_alone(directory: &Path) -> bool {
    walk(directory).is_ok_and(|(_, authors)| authors == Authors::Root)
}

/// Returns whether root (or who runs this) alone can make and rename entries of an open directory.
pub(super) fn only_root_writes(dir: &OwnedFd) -> Result<bool, Errno> {
    let stat = fstat(dir)?;
    Ok(is_own(&stat) && stat.st_mode & 0o022 == 0)
}

/// Refuses an open file that has a second name and could be anybody's, in a directory that others than root write to.
/// What belongs to the owner of that directory is theirs under any name.
pub(super) fn refuse_second_name(dir: &OwnedFd, file: &Stat) -> Result<()> {
    let looking = || "looking at its directory".to_owned();
    let linked = file.st_nlink > 1 && FileType::from_raw_mode(file.st_mode) != FileType::Directory;
    if !linked || only_root_writes(dir).attempt(looking)? {
        return Ok(());
    }
    if !is_own(file) && file.st_uid == fstat(dir).attempt(looking)?.st_uid {
        return Ok(());
    }
    Err(Error::new("looking at its other names")
        .reason("it has a second hard link, and is in a directory that others than root can write to")
        .remedy("replace it by a copy of its own, then run again"))
}

fn is_own(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What ended a walk.
#[derive(Debug)]
enum Stop {
    Errno(Errno),
    /// A link that is not followed.
    Link(PathBuf),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Who can have put what stands in a directory there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authors {
    /// Root (or who runs this) alone.
    Root,
    /// Anybody, but nobody can rename or remove what is root's, as in `/tmp`; on this device.
    Sticky(u64),
    /// Anybody.
    Anybody,
}

impl Authors {
    /// Returns who wrote in a directory that stands in one with these authors.
    fn of(self, dir: &OwnedFd) -> Result<Self, Errno> {
        let stat = fstat(dir)?;
        let is_roots = match self {
            Self::Root => is_own(&stat),
            // Something mounted there may lie about its owner.
            Self::Sticky(device) => is_own(&stat) && stat.st_dev == device,
            Self::Anybody => false,
        };
        Ok(match stat.st_mode {
            _ if !is_roots => Self::Anybody,
            mode if mode & 0o022 == 0 => Self::Root,
            mode if mode & 0o1000 != 0 => Self::Sticky(stat.st_dev),
            _ => Self::Anybody,
        })
    }
}

/// Opens a directory. A path without links is opened at once; else it is walked, and only root's links are followed.
fn open_directory(path: &Path) -> Result<OwnedFd, Stop> {
    match openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // A container's seccomp profile may answer EPERM for a call that it doesn't know.
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM) => Ok(walk(path)?.0),
        opened => Ok(opened?),
    }
}

/// Walks to a directory and returns it with those who can write in it.
fn walk(path: &Path) -> Result<(OwnedFd, Authors), Stop> {
    let root = openat(CWD, "/", DIRECTORY, Mode::empty())?;
    let authors = Authors::Root.of(&root)?;
    // `..` leads back to what was passed, whatever became of it meanwhile.
    let mut passed = vec![(root, authors)];
    let mut shown = PathBuf::from("/");
    let mut links = 0;
    let mut rest: VecDeque<OsString> = parts(path);
    while let (Some(name), Some((at, authors))) = (rest.pop_front(), passed.last()) {
        if name == "/" || name == ".." {
            let kept = if name == "/" { 1 } else { (passed.len() - 1).max(1) };
            passed.truncate(kept);
            shown = shown.components().take(kept).collect();
            continue;
        }
        match openat(at, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => {
                let authors = authors.of(&next)?;
                passed.push((next, authors));
                shown.push(&name);
            }
            Err(Errno::NOTDIR | Errno::LOOP) if is_link(at, &name)? => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Stop::Errno(Errno::LOOP));
                }
                // A link in /proc leads elsewhere than its text says.
                if *authors != Authors::Root || fstatfs(at)?.f_type == rustix::fs::PROC_SUPER_MAGIC {
                    return Err(Stop::Link(shown.join(name)));
                }
                let target = OsString::from_vec(readlinkat(at, &name, Vec::new())?.into_bytes());
                for part in parts(Path::new(&target)).into_iter().rev() {
                    rest.push_front(part);
                }
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    passed.pop().ok_or(Stop::Errno(Errno::NOENT))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter(|part| !matches!(part, Component::CurDir));
    named.map(|part| OsStr::from_bytes(part.as_os_str().as_bytes()).to_owned()).collect()
}

fn is_link(dir: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    Ok(stat_in(dir, name)?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink))
}
