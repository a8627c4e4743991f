//! A `System` on this machine that ends its own process with SIGKILL at a point: before, in or after one of its calls.
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use provision::error::Result;
use provision::event::Event;
use provision::system::{Bind, Captured, Command, Facts, Fetch, Fetched, NewFile, Output, Real, Stat, System};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

/// Where it ends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Point {
    /// The number of the call.
    pub call: usize,
    pub when: When,
    /// With all its children, as when power is lost; without, they live on.
    pub whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    Before,
    /// A program, or a download, has run for so many microseconds; a file is written and not in place yet.
    During(u64),
    After,
}

/// How a call is killed in its middle.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Middle {
    /// It is one system call or a few.
    None,
    /// Once the draft of a file is whole.
    Approval,
    /// After a while.
    Timed,
}

/// A call that may have changed something.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Call {
    pub shown: String,
    /// It has a middle at which it can be killed.
    pub has_middle: bool,
    pub micros: u64,
    /// The step in which it was made, and that step's kind.
    pub step: Option<(usize, String)>,
}

pub struct Mortal {
    real: Real,
    point: Option<Point>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: Vec<Call>,
    steps: usize,
    step: Option<(usize, String)>,
}

impl Mortal {
    pub fn new(state_dir: &Path, point: Option<Point>) -> Self {
        Self { real: Real::new(state_dir), point, seen: Mutex::default() }
    }

    /// Notes an event, so that calls are known by the step in which they are made.
    pub fn note(&self, event: &Event) {
        let mut seen = self.seen.lock().expect("not poisoned");
        seen.step = match event {
            Event::Applying { ids, .. } => {
                seen.steps += 1;
                ids.first().map(|id| (seen.steps, id.kind.clone()))
            }
            _ => None,
        };
    }

    pub fn calls(&self) -> Vec<Call> {
        self.seen.lock().expect("not poisoned").calls.clone()
    }

    fn call<T>(&self, shown: String, middle: Middle, call: impl FnOnce(bool) -> T) -> T {
        let number = {
            let mut seen = self.seen.lock().expect("not poisoned");
            let step = seen.step.clone();
            seen.calls.push(Call { shown, has_middle: middle != Middle::None, micros: 0, step });
            seen.calls.len() - 1
        };
        let point = self.point.filter(|point| point.call == number);
        let (whole, when) = (point.is_some_and(|point| point.whole), point.map(|point| point.when));
        if when == Some(When::Before) {
            die(whole);
        }
        let begun = Instant::now();
        if let Some(When::During(micros)) = when
            && middle == Middle::Timed
        {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_micros(micros));
                die(whole);
            });
        }
        let outcome = call(matches!(when, Some(When::During(_))));
        if point.is_some() {
            die(whole);
        }
        let micros = u64::try_from(begun.elapsed().as_micros()).expect("not that long");
        self.seen.lock().expect("not poisoned").calls[number].micros = micros;
        outcome
    }

    fn write_call<T>(&self, what: &str, path: &Path, call: impl FnOnce(&Real) -> T) -> T {
        self.call(format!("{what} {}", path.display()), Middle::None, |_| call(&self.real))
    }
}

/// Ends this process at once; as a whole with all that it has started and that has not been handed to somebody else.
fn die(whole: bool) -> ! {
    if whole {
        let mut children = Vec::new();
        // Stopped first, so that none starts another one meanwhile.
        while let Some(child) = descendants().into_iter().find(|child| !children.contains(child)) {
            let _gone = kill(child, Signal::SIGSTOP);
            children.push(child);
        }
        for child in children {
            let _gone = kill(child, Signal::SIGKILL);
        }
    }
    let _dies = kill(Pid::this(), Signal::SIGKILL);
    loop {
        std::thread::park();
    }
}

fn descendants() -> Vec<Pid> {
    let parents: Vec<(i32, i32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may hold anything: state and parent, see proc(5).
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![Pid::this().as_raw()];
    let mut at = 0;
    while at < found.len() {
        let above = found[at];
        found.extend(parents.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid));
        at += 1;
    }
    found[1..].iter().copied().map(Pid::from_raw).collect()
}

impl System for Mortal {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.real.lstat(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.real.read(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.real.read_link(path)
    }
    fn lock_holder(&self, path: &Path) -> io::Result<Option<u32>> {
        self.real.lock_holder(path)
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
    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.write_call("copy to", to, |real| real.copy(from, to))
    }
    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        let whole = self.point.is_some_and(|point| point.whole);
        self.call(format!("write {}", path.display()), Middle::Approval, |dies| {
            let approve = |draft: &Path| {
                approve(draft).inspect(|()| {
                    if dies {
                        die(whole)
                    }
                })
            };
            self.real.write(path, file, &approve)
        })
    }
    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
        self.write_call("make", path, |real| real.make_dir(path, uid, gid, mode))
    }
    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.write_call("link", path, |real| real.symlink(target, path, uid, gid))
    }
    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.write_call("chown", path, |real| real.chown(path, uid, gid))
    }
    fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        self.write_call("chmod", path, |real| real.chmod(path, mode))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.write_call("rename to", to, |real| real.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.write_call("remove", path, |real| real.remove_file(path))
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.write_call("remove", path, |real| real.remove_dir(path))
    }
    fn remove_tree(&self, path: &Path) -> Result<()> {
        self.write_call("remove", path, |real| real.remove_tree(path))
    }
    fn bind_into(&self, bind: &Bind<'_>) -> Result<()> {
        self.write_call("mount", bind.target, |real| real.bind_into(bind))
    }
    fn run(&self, command: &Command) -> Result<Output> {
        // How often systemd is asked while a unit settles is not the same each time: no point is counted from there.
        if command.argv.starts_with(&["systemctl".to_owned(), "show".to_owned()]) {
            return self.real.run(command);
        }
        self.call(command.shown(), Middle::Timed, |_| self.real.run(command))
    }
    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        self.call(format!("fetch {}", request.url), Middle::Timed, |_| self.real.fetch(request))
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
