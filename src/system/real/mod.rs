//! `Real`: the machine on which this process runs.
mod attributes;
mod bind;
mod capture;
mod children;
mod fetch;
mod lock;
mod metadata;
mod obstacle;
mod place;
mod read;
mod remove;
mod run;
mod streams;
mod temporary;
#[cfg(test)]
mod tests;
mod write;

use super::{Bind, Captured, Command, Facts, Fetch, Fetched, NewFile, Output, Stat, System};
use crate::error::Result;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// The machine on which this process runs.
#[derive(Default)]
pub struct Real {
    state_dir: PathBuf,
    facts: Facts,
    http: fetch::Http,
    children: OnceLock<File>,
}

impl Real {
    /// Returns the machine, with the directory for its stamps, kept copies and outputs.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self { state_dir: state_dir.into(), ..Self::default() }
    }
}

impl System for Real {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        read::lstat(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read::read(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        read::read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        read::list(path)
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(path)?;
        Ok(disk.f_bavail * disk.f_frsize)
    }

    fn look(&self, path: &Path) -> Result<Option<Stat>> {
        capture::look(path)
    }

    fn capture(&self, path: &Path) -> Result<Option<Captured>> {
        capture::capture(path)
    }

    fn look_into(&self, path: &Path, size: u64) -> Result<Option<(Stat, Option<Vec<u8>>)>> {
        capture::look_into(path, size)
    }

    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        write::write(path, file, approve)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        write::copy(from, to)
    }

    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
        write::make_dir(path, uid, gid, mode)
    }

    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
        write::symlink(target, path, uid, gid)
    }

    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        metadata::change_owner(path, uid, gid)
    }

    fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        metadata::change_mode(path, mode)
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

    fn uptime(&self) -> Duration {
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGUN.elapsed()
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
