//! `Overheard`: the machine during a step, with what the programs of the step print kept.
use crate::error::Result;
use crate::event::Event;
use crate::id::Id;
use crate::system::{Bind, Captured, Command, Facts, Fetch, Fetched, NewFile, Output, Stat, System};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Of what one program printed so much is kept, the last of it.
const KEPT: usize = 16 << 10;
/// Of what a step's programs printed so much is kept, the last of it.
const KEPT_OF_STEP: usize = 64 << 10;

/// The machine during a step.
pub(super) struct Overheard<'a> {
    sys: &'a dyn System,
    printed: Mutex<VecDeque<Printed>>,
}

struct Printed {
    program: String,
    code: i32,
    text: String,
}

impl<'a> Overheard<'a> {
    pub(super) fn new(sys: &'a dyn System) -> Self {
        Self { sys, printed: Mutex::default() }
    }

    /// Returns what was printed, as events about what the step changed.
    pub(super) fn events(self, id: &Id) -> impl Iterator<Item = Event> {
        let printed = self.printed.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter();
        printed.map(|Printed { program, code, text }| Event::Printed { id: id.clone(), program, code, text })
    }

    fn keep(&self, command: &Command, output: &Output) {
        let streams = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        let text =
            streams.iter().map(|text| text.trim_end()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        if text.is_empty() {
            return;
        }
        let text = text[text.ceil_char_boundary(text.len().saturating_sub(KEPT))..].to_owned();
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.push_back(Printed { program: command.shown(), code: output.code, text });
        while printed.iter().map(|printed| printed.text.len()).sum::<usize>() > KEPT_OF_STEP {
            printed.pop_front();
        }
    }
}

impl System for Overheard<'_> {
    fn run(&self, command: &Command) -> Result<Output> {
        let output = self.sys.run(command)?;
        self.keep(command, &output);
        Ok(output)
    }

    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.sys.lstat(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.sys.read(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.sys.read_link(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.sys.list(path)
    }
    fn free_space(&self, path: &Path) -> io::Result<u64> {
        self.sys.free_space(path)
    }

    fn look(&self, path: &Path) -> Result<Option<Stat>> {
        self.sys.look(path)
    }

    fn capture(&self, path: &Path) -> Result<Option<Captured>> {
        self.sys.capture(path)
    }

    fn look_into(&self, path: &Path, size: u64) -> Result<Option<(Stat, Option<Vec<u8>>)>> {
        self.sys.look_into(path, size)
    }

    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        self.sys.write(path, file, approve)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.sys.copy(from, to)
    }

    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
        self.sys.make_dir(path, uid, gid, mode)
    }

    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.sys.symlink(target, path, uid, gid)
    }

    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.sys.chown(path, uid, gid)
    }

    fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        self.sys.chmod(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.sys.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        self.sys.remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.sys.remove_dir(path)
    }

    fn remove_tree(&self, path: &Path) -> Result<()> {
        self.sys.remove_tree(path)
    }

    fn bind_into(&self, bind: &Bind<'_>) -> Result<()> {
        self.sys.bind_into(bind)
    }

    fn lock_holder(&self, path: &Path) -> io::Result<Option<u32>> {
        self.sys.lock_holder(path)
    }

    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        self.sys.fetch(request)
    }

    fn now(&self) -> SystemTime {
        self.sys.now()
    }
    fn uptime(&self) -> Duration {
        self.sys.uptime()
    }

    fn sleep(&self, time: Duration) {
        self.sys.sleep(time);
    }

    fn state_dir(&self) -> &Path {
        self.sys.state_dir()
    }

    fn facts(&self) -> &Facts {
        self.sys.facts()
    }
}
