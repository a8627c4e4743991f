//! `Empty`: a machine on which nothing exists, for the plan of a container that is not there yet.
use super::{Bind, Body, Captured, Command, Facts, Fetch, Fetched, FileKind, NewFile, Output, Stat, System};
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

/// A machine with a root directory and nothing in it; nothing can be written to it.
#[derive(Debug, Clone, Copy)]
pub struct Empty;

fn nothing<T>() -> io::Result<T> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

fn unwritable<T>() -> Result<T> {
    Err(Error::new("writing to a machine that is not there yet"))
}

impl System for Empty {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        let root = Stat {
            kind: FileKind::Directory,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            modified: self.now(),
            inode: (0, 0),
        };
        Ok((path == Path::new("/")).then_some(root))
    }
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        nothing()
    }
    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        nothing()
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        if path == Path::new("/") { Ok(Vec::new()) } else { nothing() }
    }
    fn free_space(&self, _: &Path) -> io::Result<u64> {
        nothing()
    }
    fn look(&self, path: &Path) -> Result<Option<Stat>> {
        Ok(self.lstat(path).ok().flatten())
    }
    fn capture(&self, path: &Path) -> Result<Option<Captured>> {
        Ok(self.look(path)?.map(|stat| Captured { stat, body: Body::Directory(Vec::new()) }))
    }
    fn write(&self, _: &Path, _: &NewFile<'_>, _: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        unwritable()
    }
    fn copy(&self, _: &Path, _: &Path) -> Result<()> {
        unwritable()
    }
    fn make_dir(&self, _: &Path, _: u32, _: u32, _: u32) -> Result<()> {
        unwritable()
    }
    fn symlink(&self, _: &Path, _: &Path, _: u32, _: u32) -> Result<()> {
        unwritable()
    }
    fn chown(&self, _: &Path, _: u32, _: u32) -> Result<()> {
        unwritable()
    }
    fn chmod(&self, _: &Path, _: u32) -> Result<()> {
        unwritable()
    }
    fn rename(&self, _: &Path, _: &Path) -> Result<()> {
        unwritable()
    }
    fn remove_file(&self, _: &Path) -> Result<()> {
        unwritable()
    }
    fn remove_dir(&self, _: &Path) -> Result<()> {
        unwritable()
    }
    fn remove_tree(&self, _: &Path) -> Result<()> {
        unwritable()
    }
    fn bind_into(&self, _: &Bind<'_>) -> Result<()> {
        unwritable()
    }
    fn run(&self, _: &Command) -> Result<Output> {
        Ok(Output { code: 127, ..Output::default() })
    }
    fn lock_holder(&self, _: &Path) -> io::Result<Option<u32>> {
        Ok(None)
    }
    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        Err(Error::new(format!("fetching `{}` on a machine that is not there yet", request.url)))
    }
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) {}
    fn state_dir(&self) -> &Path {
        Path::new("/var/lib/provision")
    }
    fn facts(&self) -> &Facts {
        static NONE: OnceLock<Facts> = OnceLock::new();
        NONE.get_or_init(Facts::default)
    }
}
