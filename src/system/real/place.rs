//! Where a write lands: the open parent directory and a name in it, reached over no link that root did not make.
use crate::error::{Attempt, Error, Result};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat, openat2, readlinkat, statat,
};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path};

/// As many links as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// A name in an open directory. Nobody can swap what is above it any more.
#[derive(Debug)]
pub(super) struct Place {
    /// The parent directory, opened with `O_PATH`.
    pub(super) dir: OwnedFd,
    /// The name in it.
    pub(super) name: OsString,
}

impl Place {
    /// Opens the parent of `path`. Links on the way are followed only where root alone can have made them.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Self::find(path)?.ok_or_else(|| {
            let parent = path.parent().unwrap_or(path).display();
            Error::new(format!("opening `{parent}`")).reason("No such directory")
        })
    }

    /// Opens the parent of `path`; `None` where it is not there.
    pub(super) fn find(path: &Path) -> Result<Option<Self>> {
        let (Some(parent), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute()) else {
            return Err(Error::new(format!("writing `{}`", path.display())).reason("not an absolute path to a name"));
        };
        match open_directory(parent) {
            Ok(dir) => Ok(Some(Self { dir, name: name.to_owned() })),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(Errno::LOOP) => Err(Error::new(format!("opening `{}`", parent.display()))
                .reason("there is a link on the way, in a directory that others than root can write to")
                .remedy("name the path without the link")),
            Err(errno) => Err(errno).attempt(|| format!("opening `{}`", parent.display())),
        }
    }

    /// Returns what stands there.
    pub(super) fn stat(&self) -> Result<Option<rustix::fs::Stat>, Errno> {
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
pub(super) fn stat_in(dir: &OwnedFd, name: &OsStr) -> Result<Option<rustix::fs::Stat>, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a directory. A path without links is opened at once; else it is walked, and only root's links are followed.
fn open_directory(path: &Path) -> Result<OwnedFd, Errno> {
    match openat2(CWD, path, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // A container's seccomp profile may answer EPERM for a call that it doesn't know.
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM) => walk(path),
        opened => opened,
    }
}

fn walk(path: &Path) -> Result<OwnedFd, Errno> {
    let root = || openat(CWD, "/", DIRECTORY, Mode::empty());
    let mut at = root()?;
    // Whether nobody but root could have put what stands in `at` there, or `at` itself where it is.
    let mut trusted = true;
    let mut links = 0;
    let mut rest: VecDeque<OsString> = parts(path);
    while let Some(name) = rest.pop_front() {
        if name == "/" {
            (at, trusted) = (root()?, true);
            continue;
        }
        trusted = trusted && only_root_writes(&at)?;
        if name == ".." && !trusted {
            return Err(Errno::LOOP);
        }
        match openat(&at, &name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(next) => at = next,
            Err(Errno::NOTDIR | Errno::LOOP) if is_link(&at, &name)? => {
                links += 1;
                // A link in /proc leads elsewhere than its text says.
                if !trusted || links > MOST_LINKS || fstatfs(&at)?.f_type == rustix::fs::PROC_SUPER_MAGIC {
                    return Err(Errno::LOOP);
                }
                let target = OsString::from_vec(readlinkat(&at, &name, Vec::new())?.into_bytes());
                for part in parts(Path::new(&target)).into_iter().rev() {
                    rest.push_front(part);
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(at)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter(|part| !matches!(part, Component::CurDir));
    named.map(|part| OsStr::from_bytes(part.as_os_str().as_bytes()).to_owned()).collect()
}

fn is_link(dir: &OwnedFd, name: &OsStr) -> Result<bool, Errno> {
    Ok(stat_in(dir, name)?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink))
}

/// Returns whether root (or who runs this) alone can make and rename entries of a directory.
pub(super) fn only_root_writes(dir: &OwnedFd) -> Result<bool, Errno> {
    let stat = fstat(dir)?;
    let own = stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw();
    Ok(own && stat.st_mode & 0o022 == 0)
}
