//! Reading as the kernel does it: links are followed, whoever made them.
#![expect(clippy::disallowed_methods, reason = "the boundary: what `System` does on a real machine")]
use crate::system::{FileKind, Stat};
use rustix::fs::{FileType, OFlags};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Flags that keep a pipe or a terminal that a user put there from holding us up.
pub(super) const UNHURRIED: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);

pub(super) fn lstat(path: &Path) -> io::Result<Option<Stat>> {
    match rustix::fs::lstat(path).map_err(io::Error::from) {
        Ok(found) => Ok(Some(stat(&found))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.read(true).custom_flags(UNHURRIED.bits().cast_signed()).open(path);
    let file = file.map_err(below_a_file_is_nothing)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    whole(file, found.len())
}

pub(super) fn read_link(path: &Path) -> io::Result<PathBuf> {
    std::fs::read_link(path).map_err(below_a_file_is_nothing)
}

pub(super) fn list(path: &Path) -> io::Result<Vec<OsString>> {
    let entries = std::fs::read_dir(path)?;
    let mut names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

/// Reads an open regular file of that size.
pub(super) fn whole(mut file: File, size: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size).unwrap_or(0);
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

/// Returns what the kernel tells in our words.
pub(super) fn stat(found: &rustix::fs::Stat) -> Stat {
    let kind = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    };
    // What lies before 1970 counts as that.
    let seconds = u64::try_from(found.st_mtime).unwrap_or(0);
    let nanoseconds = u32::try_from(found.st_mtime_nsec).unwrap_or(0);
    Stat {
        kind,
        mode: found.st_mode & 0o7777,
        uid: found.st_uid,
        gid: found.st_gid,
        size: u64::try_from(found.st_size).unwrap_or(0),
        modified: UNIX_EPOCH + Duration::new(seconds, nanoseconds),
        inode: (found.st_dev, found.st_ino),
    }
}

/// Something below what is no directory is not there.
fn below_a_file_is_nothing(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::NotADirectory { io::ErrorKind::NotFound.into() } else { error }
}
