//! A disposable machine that is put back to how it was: its files, its units, its bridges. For tests that need it anew often.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where its files are kept, in memory.
const COPY: &str = "/run/pristine";

/// What others write all the time.
const OTHERS: [&str; 4] = ["/var/log", "/var/lib/systemd", "/var/tmp", "/lost+found"];

pub struct Pristine {
    files: BTreeMap<PathBuf, Mark>,
    units: BTreeSet<String>,
    links: BTreeSet<String>,
}

/// Inode and ctime: the same as long as nobody touched it.
type Mark = (u64, i64, i64);

impl Pristine {
    /// Keeps how this machine is now.
    pub fn take() -> Self {
        must(&["rm", "-rf", COPY]);
        must(&["cp", "-ax", "/", COPY]);
        Self { files: files(), units: units(), links: links() }
    }

    /// Puts everything back.
    pub fn put_back(&mut self) {
        let started: Vec<String> = units().difference(&self.units).cloned().collect();
        for unit in &started {
            // One whose file is gone stops all the same; one that failed is not running.
            quietly(&["systemctl", "stop", unit]);
            quietly(&["systemctl", "reset-failed", unit]);
        }
        for link in links().difference(&self.links) {
            quietly(&["ip", "link", "del", "dev", link]);
        }
        let found = files();
        let mut touched: BTreeSet<PathBuf> = BTreeSet::new();
        for path in found.keys().rev().filter(|path| !self.files.contains_key(*path)) {
            let is_dir = path.symlink_metadata().is_ok_and(|is| is.is_dir());
            let removed = if is_dir { fs::remove_dir(path) } else { fs::remove_file(path) };
            removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            touched.insert(path.clone());
        }
        let differing: Vec<PathBuf> = self
            .files
            .iter()
            .filter(|(path, mark)| found.get(*path) != Some(mark))
            .map(|(path, _)| path.clone())
            .collect();
        for path in &differing {
            put_back(path);
            touched.insert(path.clone());
        }
        for path in touched.iter().flat_map(|path| path.ancestors()) {
            if let (Some(kept), Ok(is)) = (self.files.get_mut(path), path.symlink_metadata()) {
                *kept = mark(&is);
            }
        }
        if touched.iter().any(|path| path.to_string_lossy().contains("systemd")) {
            must(&["systemctl", "daemon-reload"]);
        }
        for unit in self.units.difference(&units()) {
            quietly(&["systemctl", "start", unit]);
        }
    }
}

fn put_back(path: &Path) {
    let copy = Path::new(COPY).join(path.strip_prefix("/").expect("an absolute path"));
    let was = copy.symlink_metadata().unwrap_or_else(|error| panic!("{}: {error}", copy.display()));
    let is = path.symlink_metadata().ok();
    if !was.is_dir() {
        if is.is_some_and(|is| is.is_dir()) {
            fs::remove_dir_all(path).expect("it can go");
        }
        must(&["cp", "-a", "--remove-destination", &copy.display().to_string(), &path.display().to_string()]);
        return;
    }
    if is.is_some_and(|is| !is.is_dir()) {
        fs::remove_file(path).expect("it can go");
    }
    if !path.exists() {
        fs::create_dir(path).expect("its parent is there");
    }
    chown(path, Some(was.uid()), Some(was.gid())).expect("root may");
    fs::set_permissions(path, fs::Permissions::from_mode(was.mode() & 0o7777)).expect("root may");
}

fn mark(is: &fs::Metadata) -> Mark {
    (is.ino(), is.ctime(), is.ctime_nsec())
}

fn files() -> BTreeMap<PathBuf, Mark> {
    below(&["/"])
}

/// Returns every path of the root file system below these, parents first.
pub fn below(roots: &[&str]) -> BTreeMap<PathBuf, Mark> {
    let device = fs::symlink_metadata("/").expect("there is a root").dev();
    let mut found = BTreeMap::new();
    let mut left: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let Ok(is) = path.symlink_metadata() else { continue };
        if is.dev() != device || OTHERS.iter().any(|other| path == Path::new(other)) {
            continue;
        }
        if is.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        found.insert(path, mark(&is));
    }
    found
}

fn units() -> BTreeSet<String> {
    let kinds = "--type=service,socket,timer,path,mount,target";
    let listed = Command::new("systemctl").args(["list-units", "--plain", "--no-legend", "--full", kinds]).output();
    let text = String::from_utf8_lossy(&listed.expect("systemctl runs").stdout).into_owned();
    let unit = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, _load, state) = (words.next()?, words.next()?, words.next()?);
        matches!(state, "active" | "activating" | "reloading" | "failed").then(|| name.to_owned())
    };
    text.lines().filter_map(unit).collect()
}

fn links() -> BTreeSet<String> {
    let names = fs::read_dir("/sys/class/net").expect("/sys is there").flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn must(argv: &[&str]) {
    let output = Command::new(argv[0]).args(&argv[1..]).output().expect("it starts");
    assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn quietly(argv: &[&str]) {
    let _may_fail = Command::new(argv[0]).args(&argv[1..]).output();
}
