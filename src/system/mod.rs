//! `System`: everything that resources and the engine may do to a machine. The real one is `Real`; tests bring a fake.
pub mod apt;
mod command;
mod download;
pub mod dpkg;
mod empty;
pub mod exports;
mod facts;
pub mod fingerprint;
pub mod git;
pub mod glob;
mod inherited;
pub mod lock;
mod login;
mod names;
pub mod network;
pub mod npm;
pub mod passwd;
pub mod process;
pub mod program;
mod real;
pub mod ssh;
pub mod state;
mod surplus;
pub mod systemctl;
pub mod unit_file;

pub use command::{Command, Output, shell_word};
pub use download::download;
pub use empty::Empty;
pub use facts::Facts;
pub use inherited::put_inherited_aside;
pub(crate) use login::without_login;
pub use names::pin_name_service;
pub use real::Real;
pub(crate) use surplus::surplus;

use crate::error::Result;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What `lstat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits with setuid, setgid and sticky (0o7777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    /// Last change of content.
    pub modified: SystemTime,
    /// Device and inode, to tell whether two paths are one file.
    pub inode: (u64, u64),
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// What stood at a path at one moment: what `lstat` tells and what it held, both of one and the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// What `lstat` tells.
    pub stat: Stat,
    /// What it held.
    pub body: Body,
}

/// What stands at a path, with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A regular file with this content.
    File(Vec<u8>),
    /// A directory with these names in it, sorted.
    Directory(Vec<OsString>),
    /// A symbolic link to this.
    Link(PathBuf),
    /// A device, socket or pipe.
    Other,
}

/// A file that is to be, whole.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Its content.
    pub content: &'a [u8],
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its mode (0o7777).
    pub mode: u32,
}

/// Something of this machine that a process with mounts of its own, such as a container's first one, is to see.
#[derive(Debug, Clone, Copy)]
pub struct Bind<'a> {
    /// The process.
    pub pid: u32,
    /// A directory or file of this machine.
    pub source: &'a Path,
    /// Where that process sees it.
    pub target: &'a Path,
    /// It can't be written there.
    pub read_only: bool,
}

/// An HTTP GET.
#[derive(Debug, Clone)]
pub struct Fetch<'a> {
    /// http or https.
    pub url: &'a str,
    /// The whole exchange must end within this.
    pub timeout: Duration,
    /// Bytes of body that are read at most.
    pub limit: u64,
    /// A longer body is an error; else it is cut off there.
    pub whole: bool,
    /// Redirects are followed; else they are the answer.
    pub follow: bool,
}

/// What an HTTP server answered.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The status code.
    pub status: u16,
    /// The body, up to the limit.
    pub body: Vec<u8>,
}

/// What resources may do to a machine. Paths are absolute. Reading a path that is not there, or below something that is
/// not a directory, is `None` or `NotFound`, never a surprise. The first four follow links as the kernel does; `look`,
/// `capture` and all that writes follow none that anybody but root can have put there.
pub trait System: Send + Sync {
    /// Returns what stands at `path` (links are not followed), `None` where nothing does.
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>>;
    /// Returns the bytes of the file at `path`.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Returns where the link at `path` points.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// Returns the names in a directory, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// Returns how many bytes are free for anybody in the file system of `path`.
    fn free_space(&self, path: &Path) -> io::Result<u64>;

    /// Returns what stands at `path`, `None` where nothing does. An error where a link is on the way that others than root
    /// can have put there.
    fn look(&self, path: &Path) -> Result<Option<Stat>>;
    /// Returns what stands at `path` with what it holds, `None` where nothing does. An error as `look` has it.
    fn capture(&self, path: &Path) -> Result<Option<Captured>>;
    /// Returns what stands at `path` as `look` does, with its bytes where it is a file of exactly that size.
    fn look_into(&self, path: &Path, size: u64) -> Result<Option<(Stat, Option<Vec<u8>>)>> {
        let Some(stat) = self.look(path)? else { return Ok(None) };
        if stat.kind != FileKind::File || stat.size != size {
            return Ok(Some((stat, None)));
        }
        Ok(self.capture(path)?.map(|there| match there.body {
            Body::File(bytes) => (there.stat, Some(bytes)),
            Body::Directory(_) | Body::Link(_) | Body::Other => (there.stat, None),
        }))
    }

    /// Puts a whole file in place: temporary beside it with owner and mode set, fsync, `approve` (given a path that leads
    /// to the temporary; an error leaves the old file), rename, fsync of the directory. A file that is replaced leaves its
    /// ACL and extended attributes to the new one if the owner stays. A temporary that a killed run left is removed.
    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()>;
    /// Puts a copy of the file or link at `from` in place at `to`, with owner, mode, ACL and extended attributes.
    fn copy(&self, from: &Path, to: &Path) -> Result<()>;
    /// Makes one directory, there with owner and mode or not at all; its parent must be there.
    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()>;
    /// Puts a symbolic link in place, replacing a file or link there in one step.
    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()>;
    /// Changes owner and group of what stands at `path`; a link itself, never what it points to.
    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()>;
    /// Changes the mode of the file or directory at `path`; fails on a link.
    fn chmod(&self, path: &Path, mode: u32) -> Result<()>;
    /// Renames within a file system, replacing a file that is there.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Removes a file or link; nothing there is no error.
    fn remove_file(&self, path: &Path) -> Result<()>;
    /// Removes an empty directory; nothing there is no error.
    fn remove_dir(&self, path: &Path) -> Result<()>;
    /// Removes a directory with all that is in it, following no link and crossing no mount; nothing there is no error.
    fn remove_tree(&self, path: &Path) -> Result<()>;

    /// Mounts something of this machine for a process; what is missing of the target's path is made.
    fn bind_into(&self, bind: &Bind<'_>) -> Result<()>;

    /// Runs a program to its end and returns what it printed and its code. Fails only where it could not be started or
    /// its time was up; a code other than 0 is the caller's to judge (`Output::success`).
    fn run(&self, command: &Command) -> Result<Output>;
    /// Returns the process that holds a lock (`fcntl`) on the file at `path`, 0 where it can't be seen from here; `None` where
    /// nobody does or nothing is there.
    fn lock_holder(&self, path: &Path) -> io::Result<Option<u32>>;
    /// Fetches a URL.
    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched>;

    /// Returns the time of day, which somebody may set.
    fn now(&self) -> SystemTime;
    /// Returns the time since some moment, whatever the time of day is set to: by this it is known how long we wait.
    fn uptime(&self) -> Duration;
    /// Waits.
    fn sleep(&self, time: Duration);
    /// Returns the directory for stamps, kept copies and outputs on this machine: `/var/lib/provision` unless told otherwise.
    fn state_dir(&self) -> &Path;
    /// Returns what was read before and still holds; the engine forgets it after each step.
    fn facts(&self) -> &Facts;
}

/// Returns where something stands until it is put in place at `path`: `.NAME.provision-new` beside it, within the 255 bytes
/// that a name may have. Fixed, so that a rerun finds what a killed run left.
pub fn temporary(path: &Path) -> PathBuf {
    const END: &[u8] = b".provision-new";
    let name = path.file_name().map_or(&b""[..], OsStr::as_bytes);
    let kept = &name[..name.len().min(255 - b".".len() - END.len())];
    path.with_file_name(OsString::from_vec([b".", kept, END].concat()))
}
