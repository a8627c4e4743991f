//! `Real`: the machine on which this process runs.
#![expect(clippy::disallowed_methods, reason = "the boundary: what `System` does on a real machine")]
mod bind;
mod fetch;
mod lock;
mod place;
mod remove;
mod run;
#[cfg(test)]
mod tests;
mod write;

use super::{Bind, Command, Facts, Fetch, Fetched, FileKind, NewFile, Output, Stat, System};
use crate::error::Result;
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The machine on which this process runs.
#[derive(Default)]
pub struct Real {
    state_dir: PathBuf,
    facts: Facts,
    http: fetch::Http,
}

impl Real {
    /// Returns the machine, with the directory for its stamps, kept copies and outputs.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self { state_dir: state_dir.into(), ..Self::default() }
    }
}

impl System for Real {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match std::fs::symlink_metadata(path) {
            Ok(found) => Ok(Some(stat(&found))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Not blocking: a pipe that a user put there must not hold us up.
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).custom_flags(flags.bits().cast_signed()).open(path);
        let mut file = file.map_err(below_a_file_is_nothing)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let size = usize::try_from(found.len()).unwrap_or(0);
        if size == 0 {
            // /proc says 0, and some of its files give everything to the first read or not at all.
            let mut bytes = Vec::with_capacity(8192);
            file.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        // One byte more than its size: a read that leaves it free has seen the end.
        let mut bytes = vec![0; size + 1];
        let mut filled = 0;
        while filled != size && filled < bytes.len() {
            match file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        if filled > size {
            file.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path).map_err(below_a_file_is_nothing)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let entries = std::fs::read_dir(path)?;
        let mut names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        write::write(path, file, approve)
    }

    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
        write::make_dir(path, uid, gid, mode)
    }

    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
        write::symlink(target, path, uid, gid)
    }

    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        write::change_owner(path, uid, gid)
    }

    fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        write::change_mode(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        write::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        remove::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        remove::remove_dir(path)
    }

    fn remove_tree(&self, path: &Path) -> Result<()> {
        remove::remove_tree(path)
    }

    fn bind_into(&self, bind: &Bind<'_>) -> Result<()> {
        bind::bind_into(bind)
    }

    fn run(&self, command: &Command) -> Result<Output> {
        run::run(self, command)
    }

    fn lock_holder(&self, path: &Path) -> io::Result<Option<u32>> {
        lock::holder(path)
    }

    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        self.http.fetch(request)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}

fn stat(found: &std::fs::Metadata) -> Stat {
    let kind = found.file_type();
    let kind = if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Link
    } else {
        debug_assert!(kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device());
        FileKind::Other
    };
    Stat {
        kind,
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        size: found.len(),
        modified: found.modified().unwrap_or(UNIX_EPOCH),
        inode: (found.dev(), found.ino()),
    }
}

/// Something below what is no directory is not there.
fn below_a_file_is_nothing(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotADirectory { io::ErrorKind::NotFound.into() } else { error }
}
