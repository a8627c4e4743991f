//! The fake machine as a `System`: every write is counted, and the one at which it is killed is the last.
use super::disk::{Body, Disk};
use super::{PROGRAMS, Program, refuse};
use provision::error::{Attempt, Error, Result};
use provision::system::{Bind, Captured, Command, Facts, Fetch, Fetched, NewFile, Output, Stat, System, temporary};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub struct FakeMachine {
    disk: Mutex<Disk>,
    programs: BTreeMap<&'static str, Program>,
    facts: Facts,
    /// Mutating calls so far, and the one before which (even) or after which (odd: twice as many) power is lost.
    calls: Mutex<(usize, Option<usize>)>,
    ran: Mutex<Vec<String>>,
    clock: Mutex<Duration>,
    /// How far the time of day is behind, and what it falls back each time somebody waits.
    behind: Mutex<(Duration, Duration)>,
    /// Lock files that others hold: process, and until when.
    locks: Mutex<Vec<(PathBuf, u32, Duration)>>,
    /// What HTTP servers answer, by URL.
    pub web: Mutex<BTreeMap<String, (u16, Vec<u8>)>>,
}

const STATE: &str = "/var/lib/provision";

/// With this the thread unwinds when power is lost: nothing after that point happens.
pub struct PowerLost;

impl FakeMachine {
    /// Returns a machine on which nothing exists but `/`.
    pub fn bare() -> Self {
        let mut disk = Disk::default();
        let root = super::disk::Node { body: Body::Directory, uid: 0, gid: 0, mode: 0o755, inode: 0, changed: 0 };
        disk.nodes.insert(PathBuf::from("/"), root);
        Self {
            disk: Mutex::new(disk),
            programs: BTreeMap::new(),
            facts: Facts::default(),
            calls: Mutex::new((0, None)),
            ran: Mutex::default(),
            clock: Mutex::new(Duration::from_secs(2_000_000)),
            behind: Mutex::default(),
            locks: Mutex::default(),
            web: Mutex::default(),
        }
    }

    /// Returns a machine as a minimal Debian is: its directories, root and nobody, and the fake programs.
    pub fn debian() -> Self {
        let mut machine = Self::bare();
        machine.programs = PROGRAMS.iter().copied().collect();
        for path in [
            "/bin",
            "/boot",
            "/etc",
            "/etc/apt",
            "/etc/apt/sources.list.d",
            "/etc/network",
            "/etc/network/interfaces.d",
            "/etc/sudoers.d",
            "/etc/systemd",
            "/etc/systemd/system",
            "/home",
            "/opt",
            "/proc",
            "/root",
            "/run",
            "/run/systemd",
            "/run/systemd/system",
            "/srv",
            "/sys",
            "/sys/class",
            "/sys/class/net",
            "/tmp",
            "/usr",
            "/usr/bin",
            "/usr/lib",
            "/usr/local",
            "/usr/local/bin",
            "/usr/local/lib",
            "/usr/sbin",
            "/usr/share",
            "/var",
            "/var/cache",
            "/var/lib",
            "/var/lib/dpkg",
            "/var/lib/dpkg/updates",
            "/var/lib/apt",
            "/var/lib/apt/lists",
            "/var/lib/lxc",
            "/var/lib/nfs",
            "/var/log",
        ] {
            machine.dir(path);
        }
        machine.file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        );
        machine.file("/etc/group", "root:x:0:\nsudo:x:27:\nnogroup:x:65534:\n");
        machine.file("/etc/shadow", "root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n");
        machine.file("/etc/nsswitch.conf", "passwd: files systemd\ngroup: files systemd\n");
        machine.file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        machine.file("/var/lib/dpkg/status", "");
        machine
            .file("/etc/network/interfaces", "auto lo\niface lo inet loopback\nsource /etc/network/interfaces.d/*\n");
        machine.file("/etc/shells", "/bin/sh\n/bin/bash\n");
        super::lxc::host(&machine);
        for shell in ["/bin/sh", "/bin/bash", "/usr/sbin/nologin"] {
            machine.file(shell, "#!fake\n");
            machine.disk().change(Path::new(shell), |node| node.mode = 0o755).expect("just made");
        }
        for name in machine.programs.keys().copied().collect::<Vec<_>>() {
            machine.file(&format!("/usr/bin/{name}"), "#!fake\n");
            machine.disk().change(Path::new(&format!("/usr/bin/{name}")), |node| node.mode = 0o755).expect("just made");
        }
        machine
    }

    /// Puts a program on the machine.
    pub fn program(&mut self, name: &'static str, program: Program) {
        self.programs.insert(name, program);
        let path = format!("/usr/bin/{name}");
        self.file(&path, "#!fake\n");
        self.disk().change(Path::new(&path), |node| node.mode = 0o755).expect("just made");
    }

    /// Loses power: 2n before the nth mutating call from now, 2n+1 after it.
    pub fn kill_at(&self, point: Option<usize>) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner) = (0, point);
        self.facts.forget();
    }

    /// Sets the time of day back by `now`, and again by `later` each time that somebody waits.
    pub fn set_clock_back(&self, now: Duration, later: Duration) {
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner) = (now, later);
    }

    /// Has another process hold a lock file for a time.
    pub fn hold_lock(&self, path: &str, pid: u32, program: &str, time: Duration) {
        let until = *self.clock.lock().unwrap_or_else(PoisonError::into_inner) + time;
        self.locks.lock().unwrap_or_else(PoisonError::into_inner).push((path.into(), pid, until));
        self.dir(&format!("/proc/{pid}"));
        self.file(&format!("/proc/{pid}/comm"), &format!("{program}\n"));
    }

    /// Returns how many mutating calls there were since `kill_at`.
    pub fn calls(&self) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Returns the command lines that were run since the last call of this.
    pub fn take_runs(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the disk, for programs and for looking at it.
    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a directory and its parents, root's, 0755.
    pub fn dir(&self, path: &str) {
        let mut disk = self.disk();
        let mut parents: Vec<&Path> = Path::new(path).ancestors().collect();
        parents.reverse();
        for parent in parents {
            if disk.node(parent).is_none() {
                disk.put(parent, Body::Directory, 0, 0, 0o755).expect("its parent is there");
            }
        }
    }

    /// Writes a file of root's, 0644; one that is there keeps owner and mode.
    pub fn file(&self, path: &str, content: &str) {
        let mut disk = self.disk();
        if disk.node(Path::new(path)).is_some() {
            let bytes = content.as_bytes().to_vec();
            disk.change(Path::new(path), |node| node.body = Body::File(bytes)).expect("it is there");
        } else {
            disk.put(Path::new(path), Body::File(content.as_bytes().to_vec()), 0, 0, 0o644)
                .expect("its parent is there");
        }
    }

    /// Returns a file's text; empty where there is none.
    pub fn text(&self, path: &str) -> String {
        String::from_utf8_lossy(&self.disk().read(Path::new(path)).unwrap_or_default()).into_owned()
    }

    /// Returns another machine that is as this one is now.
    pub fn copy(&self) -> Self {
        Self {
            disk: Mutex::new(self.disk().clone()),
            programs: self.programs.clone(),
            facts: Facts::default(),
            calls: Mutex::new((0, None)),
            ran: Mutex::default(),
            clock: Mutex::new(*self.clock.lock().unwrap_or_else(PoisonError::into_inner)),
            behind: Mutex::new(*self.behind.lock().unwrap_or_else(PoisonError::into_inner)),
            locks: Mutex::new(self.locks.lock().unwrap_or_else(PoisonError::into_inner).clone()),
            web: Mutex::new(self.web.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }

    /// Does what a sink does with an event: that counts as well.
    pub fn record(&self, call: impl FnOnce() -> Result<()>) -> Result<()> {
        self.mutate(call)
    }

    /// Counts a mutating call; where power is lost it is the last.
    fn mutate<T>(&self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let (number, point) = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.0 += 1;
            (calls.0 - 1, calls.1)
        };
        if point.is_some_and(|point| number * 2 >= point) {
            resume_unwind(Box::new(PowerLost));
        }
        let outcome = call();
        if point.is_some_and(|point| number * 2 + 1 >= point) {
            resume_unwind(Box::new(PowerLost));
        }
        outcome
    }
}

impl FakeMachine {
    /// Fails where a link is on the way that others than root can have put there.
    fn reach(&self, path: &Path) -> Result<()> {
        self.disk().untrusted_link(path).map_or(Ok(()), |link| {
            let parent = path.parent().unwrap_or(path).display();
            let reason = format!("`{}` is a link that others than root can have put there", link.display());
            Err(Error::new(format!("opening `{parent}`")).reason(reason))
        })
    }

    /// Puts something in place in two writes: a temporary with owner and mode, and its renaming.
    fn put(
        &self,
        path: &Path,
        body: Body,
        (uid, gid, mode): (u32, u32, u32),
        approve: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<()> {
        let attempt = || format!("putting `{}`", path.display());
        self.reach(path).attempt(attempt)?;
        if self.disk().stat(path).is_some_and(|stat| stat.kind == provision::system::FileKind::Directory) {
            return Err(Error::new(attempt()).reason("a directory is there"));
        }
        let beside = temporary(path);
        self.mutate(|| {
            self.disk().remove_tree(&beside);
            self.disk().put(&beside, body, uid, gid, mode).attempt(attempt)
        })?;
        if let Err(error) = approve(&beside) {
            self.disk().remove_tree(&beside);
            return Err(error.during(attempt()));
        }
        self.mutate(|| self.disk().rename(&beside, path).attempt(attempt))
    }
}

impl System for FakeMachine {
    fn lstat(&self, path: &Path) -> io::Result<Option<Stat>> {
        Ok(self.disk().stat(path))
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk().read(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.disk().node(path).map(|node| node.body.clone()) {
            Some(Body::Link(target)) => Ok(target),
            Some(_) => Err(io::Error::from(io::ErrorKind::InvalidInput)),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.disk().list(path)
    }
    fn free_space(&self, path: &Path) -> io::Result<u64> {
        self.disk().list(path).map(|_| 1 << 40)
    }
    fn look(&self, path: &Path) -> Result<Option<Stat>> {
        self.reach(path).attempt(|| format!("looking at `{}`", path.display()))?;
        Ok(self.disk().stat(path))
    }
    fn capture(&self, path: &Path) -> Result<Option<Captured>> {
        let attempt = || format!("reading `{}`", path.display());
        self.reach(path).attempt(attempt)?;
        let Some(stat) = self.disk().stat(path) else { return Ok(None) };
        let body = self.disk().node(path).expect("it is there").body.clone();
        let body = match body {
            Body::File(bytes) => provision::system::Body::File(bytes),
            Body::Link(target) => provision::system::Body::Link(target),
            Body::Directory => provision::system::Body::Directory(self.disk().list(path).attempt(attempt)?),
        };
        Ok(Some(Captured { stat, body }))
    }
    fn write(&self, path: &Path, file: &NewFile<'_>, approve: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        let body = Body::File(file.content.to_vec());
        self.put(path, body, (file.uid, file.gid, file.mode), approve)
            .map_err(|error| Error { attempt: error.attempt.replace("putting", "writing"), ..error })
    }
    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        self.reach(from)?;
        let node = self.disk().node(from).cloned();
        let node = node.ok_or_else(|| Error::new(format!("copying `{}`", from.display())).reason("it is gone"))?;
        self.put(to, node.body, (node.uid, node.gid, node.mode), &|_| Ok(()))
    }
    fn make_dir(&self, path: &Path, uid: u32, gid: u32, mode: u32) -> Result<()> {
        let attempt = || format!("making the directory `{}`", path.display());
        if self.disk().stat(path).is_some() {
            return Err(Error::new(attempt()).reason("something is there already"));
        }
        if (uid, gid, mode & 0o7022) == (0, 0, 0) {
            self.reach(path).attempt(attempt)?;
            return self.mutate(|| self.disk().put(path, Body::Directory, uid, gid, mode).attempt(attempt));
        }
        self.put(path, Body::Directory, (uid, gid, mode), &|_| Ok(())).attempt(attempt)
    }
    fn symlink(&self, target: &Path, path: &Path, uid: u32, gid: u32) -> Result<()> {
        self.put(path, Body::Link(target.to_owned()), (uid, gid, 0o777), &|_| Ok(()))
    }
    fn chown(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        let attempt = || format!("changing the owner of `{}`", path.display());
        self.reach(path).attempt(attempt)?;
        // As the kernel does it, but for directories.
        let set = |node: &mut super::disk::Node| {
            (node.uid, node.gid) = (uid, gid);
            if matches!(node.body, Body::File(_)) {
                node.mode &= if node.mode & 0o010 == 0 { 0o3777 } else { 0o1777 };
            }
        };
        self.mutate(|| self.disk().change(path, set).attempt(attempt))
    }
    fn chmod(&self, path: &Path, mode: u32) -> Result<()> {
        let attempt = || format!("changing the mode of `{}`", path.display());
        self.reach(path).attempt(attempt)?;
        self.mutate(|| self.disk().change(path, |node| node.mode = mode).attempt(attempt))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.reach(from)?;
        self.reach(to)?;
        self.mutate(|| {
            self.disk().rename(from, to).attempt(|| format!("renaming `{}` to `{}`", from.display(), to.display()))
        })
    }
    fn remove_file(&self, path: &Path) -> Result<()> {
        self.mutate(|| {
            self.reach(path)?;
            if self.disk().stat(path).is_some_and(|stat| stat.kind == provision::system::FileKind::Directory) {
                return Err(Error::new(format!("removing `{}`", path.display())).reason("it is a directory"));
            }
            self.disk().remove_tree(path);
            Ok(())
        })
    }
    fn remove_dir(&self, path: &Path) -> Result<()> {
        self.mutate(|| {
            self.reach(path)?;
            let full = self.disk().children(path).next().is_some();
            if full {
                return Err(Error::new(format!("removing directory `{}`", path.display())).reason("it is not empty"));
            }
            self.disk().remove_tree(path);
            Ok(())
        })
    }
    fn remove_tree(&self, path: &Path) -> Result<()> {
        self.mutate(|| {
            self.reach(path)?;
            self.disk().remove_tree(path);
            Ok(())
        })
    }
    fn bind_into(&self, bind: &Bind<'_>) -> Result<()> {
        let path = format!("/proc/{}/mountinfo", bind.pid);
        let access = if bind.read_only { "ro" } else { "rw" };
        let line =
            format!("1 1 8:1 {} {} {access} - ext4 /dev/sda1 rw\n", bind.source.display(), bind.target.display());
        self.mutate(|| {
            if self.disk().node(bind.source).is_none() || self.disk().node(Path::new(&path)).is_none() {
                return Err(
                    Error::new(format!("mounting `{}`", bind.source.display())).reason("No such file or directory")
                );
            }
            self.file(&path, &(self.text(&path) + &line));
            Ok(())
        })
    }
    fn run(&self, command: &Command) -> Result<Output> {
        let name = command.argv.first().map_or("", |program| program.rsplit('/').next().unwrap_or(program));
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).push(command.shown());
        if let Some(user) = command.user.as_deref()
            && super::Table::read(self, "/etc/passwd").row(user).is_none()
        {
            return Err(Error::new(format!("running `{}`", command.shown()))
                .reason(format!("becoming user `{user}`"))
                .reason("no such user"));
        }
        let Some(program) = self.programs.get(name).copied() else {
            return Ok(refuse(127, &format!("{name}: not found\n")));
        };
        // A program that only reads is not a point at which a kill matters.
        let before = self.disk().nodes.clone();
        let (calls, point) = *self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let output = program(self, command);
        if self.disk().nodes == before {
            return Ok(output);
        }
        if point.is_some_and(|point| calls * 2 >= point) {
            self.disk().nodes = before;
        }
        self.mutate(|| Ok(output))
    }
    fn lock_holder(&self, path: &Path) -> io::Result<Option<u32>> {
        let locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let now = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(locks.iter().find(|(held, _, until)| held == path && now < *until).map(|(_, pid, _)| *pid))
    }
    fn fetch(&self, request: &Fetch<'_>) -> Result<Fetched> {
        let web = self.web.lock().unwrap_or_else(PoisonError::into_inner);
        // A login is no part of the page's name.
        let url = match request.url.split_once("://").map(|(scheme, rest)| (scheme, rest.split_once('@'))) {
            Some((scheme, Some((login, rest)))) if !login.contains('/') => format!("{scheme}://{rest}"),
            _ => request.url.to_owned(),
        };
        // Who serves one page says of every other that there is none.
        let server = |url: &str| url.split('/').nth(2).map(str::to_owned);
        let answers = web.keys().any(|page| server(page) == server(&url));
        let none = || answers.then(|| (404, b"no such page".to_vec()));
        let (status, body) = web
            .get(&url)
            .cloned()
            .or_else(none)
            .ok_or_else(|| Error::new(format!("fetching `{}`", request.url)).reason("connection refused"))?;
        Ok(Fetched { status, body })
    }
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.uptime() - self.behind.lock().unwrap_or_else(PoisonError::into_inner).0
    }
    fn uptime(&self) -> Duration {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn sleep(&self, time: Duration) {
        let mut behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        *behind = (behind.0 + behind.1, behind.1);
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
    fn state_dir(&self) -> &Path {
        Path::new(STATE)
    }
    fn facts(&self) -> &Facts {
        &self.facts
    }
}
