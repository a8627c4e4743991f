//! Where the files of a recipe come from: a directory, the binary, or memory. Nothing outside of them can be reached.
#![expect(
    clippy::disallowed_methods,
    reason = "recipes are read before there is a machine to converge: this is the boundary"
)]
use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// The files below a recipe's directory.
pub trait Files {
    /// Reads a file by its path beneath the directory.
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread>;

    /// Returns the names of the files in a directory beneath (empty, or with a slash at its end), for suggestions.
    fn names(&self, directory: &str) -> Vec<String>;
}

/// Why a file was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is not there.
    Missing,
    /// It lies outside the directory: a link leads out.
    Outside,
    /// It is a directory, a pipe or a device.
    NotAFile,
    /// Something else.
    Failed(String),
}

/// A directory of the file system.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Directory {
    /// Returns the names in it that are not UTF-8: no recipe and no command line can name those.
    pub fn unnameable(&self) -> Vec<OsString> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().err()).collect()
    }
}

impl Files for Directory {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        let root = if self.0.as_os_str().is_empty() { std::path::Path::new(".") } else { &self.0 };
        let failed = |error: &dyn std::fmt::Display| Unread::Failed(error.to_string());
        let directory = File::open(root).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Unread::Missing,
            _ => failed(&error),
        })?;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::openat2(directory, path, flags, Mode::empty(), ResolveFlags::BENEATH);
        let mut file = File::from(opened.map_err(|error| match error {
            rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => Unread::Missing,
            rustix::io::Errno::XDEV => Unread::Outside,
            other => failed(&other),
        })?);
        if !file.metadata().map_err(|error| failed(&error))?.is_file() {
            return Err(Unread::NotAFile);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| failed(&error))?;
        Ok(bytes)
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.join(directory)) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// Files in the binary, by their paths.
#[derive(Debug, Clone, Copy)]
pub struct Embedded(pub &'static [(&'static str, &'static [u8])]);

impl Files for Embedded {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        found.map(|(_, bytes)| bytes.to_vec()).ok_or(Unread::Missing)
    }

    fn names(&self, directory: &str) -> Vec<String> {
        self.0.iter().filter_map(|(name, _)| in_directory(name, directory)).collect()
    }
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        self.get(path).cloned().ok_or(Unread::Missing)
    }

    fn names(&self, directory: &str) -> Vec<String> {
        self.keys().filter_map(|name| in_directory(name, directory)).collect()
    }
}

fn in_directory(path: &str, directory: &str) -> Option<String> {
    path.strip_prefix(directory).filter(|name| !name.contains('/')).map(str::to_owned)
}
