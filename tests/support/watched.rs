//! A `System` that keeps which programs were run, and can cut one off in the middle.
use provision::error::Result;
use provision::system::{Bind, Captured, Command, Facts, Fetch, Fetched, NewFile, Output, Real, Stat, System};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

pub struct Watched {
    real: Real,
    ran: Mutex<Vec<String>>,
    /// A program whose command line holds this is killed after that time.
    pub cut: Mutex<Option<(&'static str, Duration)>>,
}

impl Watched {
    pub fn new(state_dir: &Path) -> Self {
        Self { real: Real::new(state_dir), ran: Mutex::default(), cut: Mutex::default() }
    }

    /// Returns the command lines that were run since the last call of this.
    pub fn take_runs(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock().unwrap())
    }
}

impl System for Watched {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.real.lstat(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.real.read(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.real.read_link(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.real.list(path)
    }
    fn free_space(&self, path: &Path) -> io::Result<u64> {
        self.real.free_space(path)
    }
    fn look(&self, path: &Path) -> Result<Option<Stat>> {
        self.real.look(path)
    }
    fn capture(&self, path: &Path) -> Result<Option<Captured>> {
        self.real.capture(path)
    }
    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        self.real.write(path, file, approve)
    }
    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.real.copy(from, to)
    }
    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
        self.real.make_dir(path, uid, gid, mode)
    }
    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.real.symlink(target, path, uid, gid)
    }
    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.real.chown(path, uid, gid)
    }
    fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        self.real.chmod(path, mode)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.real.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.real.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.real.remove_dir(path)
    }
    fn remove_tree(&self, path: &Path) -> Result<()> {
        self.real.remove_tree(path)
    }
    fn bind_into(&self, bind: &Bind<'_>) -> Result<()> {
        self.real.bind_into(bind)
    }
    fn run(&self, command: &Command) -> Result<Output> {
        let shown = command.shown();
        let cut = self.cut.lock().unwrap().filter(|(part, _)| shown.contains(part));
        self.ran.lock().unwrap().push(shown);
        match cut {
            Some((_, time)) => self.real.run(&command.clone().timeout(time)),
            None => self.real.run(command),
        }
    }
    fn lock_holder(&self, path: &Path) -> io::Result<Option<u32>> {
        self.real.lock_holder(path)
    }
    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        self.real.fetch(request)
    }
    fn now(&self) -> SystemTime {
        self.real.now()
    }
    fn uptime(&self) -> Duration {
        self.real.uptime()
    }
    fn sleep(&self, time: Duration) {
        self.real.sleep(time);
    }
    fn state_dir(&self) -> &Path {
        self.real.state_dir()
    }
    fn facts(&self) -> &Facts {
        self.real.facts()
    }
}
