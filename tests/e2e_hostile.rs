//! Root writes where a user swaps directories, links and names under its hands: nothing of root's is read, written or given
//! away. The user is a process of its own, with the rights of one.
use crate::lab::on_a_disposable_machine;
use crate::support::here::item;
use crate::support::recorder::Recorder;
use provision::engine::{Course, Mode, Scope, converge};
use provision::resource::Known;
use provision::system::{Body, NewFile, Real, System};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const USER: u32 = 54_321;
const TRIES: usize = 100_000;
const SECRET: &[u8] = b"root's";
/// In the environment of a hostile process: what it does, and where.
const PART: &str = "HOSTILE_PART";
const HOME: &str = "HOSTILE_HOME";

/// A process of the user's, until it is dropped.
struct Hostile(Child);

impl Hostile {
    fn start(part: &str, home: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "e2e_hostile::a_process_of_the_users", "--ignored"]);
        command.env(PART, part).env(HOME, home).uid(USER).gid(USER).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let ended = self.0.try_wait().unwrap();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        assert!(ended.is_none() || std::thread::panicking(), "the hostile process ended by itself: {ended:?}");
    }
}

#[test]
#[ignore = "what a hostile process does; the tests here start it"]
fn a_process_of_the_users() {
    let (Ok(part), Ok(home)) = (std::env::var(PART), std::env::var(HOME)) else { return };
    std::env::set_current_dir(home).unwrap();
    let exchange = |one: &str, other: &str| {
        // What root has just taken away can't be exchanged.
        let _ = renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE);
    };
    match part.as_str() {
        "directories" => loop {
            exchange("a", "trap-a");
            exchange("a/b", "trap-b");
            exchange("a", "trap-a");
            exchange("a/b", "trap-b");
            exchange("a/b/c", "trap-c");
        },
        "names" => loop {
            // What root has written over is put up anew.
            let _ = std::fs::remove_file("trap-name").or_else(|_| std::fs::remove_dir_all("trap-name"));
            let _ = symlink("/srv/race/etc/b/c/secret", "trap-name");
            for name in [".secret", ".new", "secret", "new", "tree"] {
                for at in [format!("a/b/c/{name}"), format!("a/b/c/{name}.provision-new")] {
                    exchange(&at, "trap-name");
                }
            }
        },
        "temporaries" => loop {
            exchange(".file.provision-new", "roots");
            exchange(".link.provision-new", "roots");
            exchange(".directory.provision-new", "roots-directory");
        },
        "reader" => loop {
            for name in [".key.provision-new", "key", "home/.key.provision-new", "home/key"] {
                if std::fs::read(name).is_ok_and(|read| read == SECRET) {
                    std::fs::write("home/was-read", name).unwrap();
                }
            }
        },
        part => panic!("{part}"),
    }
}

/// What root tries, how often it was done and how often it was refused.
#[derive(Default)]
struct Tried(BTreeMap<&'static str, (usize, usize)>);

impl Tried {
    fn count(&mut self, what: &'static str, done: bool) {
        let (did, refused) = self.0.entry(what).or_default();
        if done { *did += 1 } else { *refused += 1 }
    }
}

/// Returns all there is to tell of everything below a path but when it was read.
fn snapshot(path: &Path) -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let is = path.symlink_metadata().unwrap();
        if is.is_dir() {
            left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let content = if is.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        let changed = (is.mtime(), is.mtime_nsec(), is.ctime(), is.ctime_nsec());
        let tell = format!("{:o} {} {} {} {changed:?} {content:?}", is.mode(), is.uid(), is.gid(), is.ino());
        seen.insert(path, tell);
    }
    seen
}

/// Makes the same tree for root and for the user: `b/c` with a file, a tree and what is renamed.
fn tree(root: &Path, owner: u32, content: &[u8]) {
    for directory in ["", "b", "b/c", "b/c/tree", "b/c/list"] {
        let path = root.join(directory);
        std::fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
    }
    for file in ["b/c/secret", "b/c/tree/file", "b/c/list/file"] {
        let path = root.join(file);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
    }
}

#[test]
fn in_100_000_tries_a_user_who_swaps_what_is_written_gets_nothing() {
    on_a_disposable_machine("e2e_hostile::in_100_000_tries_a_user_who_swaps_what_is_written_gets_nothing", &[], || {
        let (etc, home) = (Path::new("/srv/race/etc"), Path::new("/srv/race/home"));
        std::fs::create_dir_all("/srv/race/home").unwrap();
        chown(home, Some(USER), Some(USER)).unwrap();
        tree(etc, 0, SECRET);
        tree(&home.join("a"), USER, b"theirs");
        for (link, to) in [("trap-a", ""), ("trap-b", "b"), ("trap-c", "b/c"), ("trap-name", "b/c/secret")] {
            symlink(etc.join(to), home.join(link)).unwrap();
        }
        let before = snapshot(etc);
        let hostile = [Hostile::start("directories", home), Hostile::start("names", home)];
        let begun = Instant::now();
        let mut tried = Tried::default();
        for number in 0..TRIES {
            attempt(number, home, &mut tried);
            assert!(begun.elapsed() < Duration::from_mins(4), "{number} tries only in four minutes");
        }
        drop(hostile);
        for (what, (did, refused)) in &tried.0 {
            println!("{what:>12}: {did:>7} done, {refused:>7} refused");
            assert!(*did > 0 && *refused > 0, "`{what}` is raced both ways");
        }
        let count: usize = tried.0.values().map(|(did, refused)| did + refused).sum();
        println!("{TRIES} rounds, {count} calls, 0 escapes, {:.1} s", begun.elapsed().as_secs_f64());
        assert_eq!(snapshot(etc), before, "nothing of root's was touched");
        for (path, tell) in snapshot(home) {
            assert!(!tell.contains(&format!("{SECRET:?}")), "root's content at {}", path.display());
        }
    });
}

/// Everything that can be done to a path, once.
fn attempt(number: usize, home: &Path, tried: &mut Tried) {
    let sys = Real::new("/srv/race/state");
    let c = home.join("a/b/c");
    let (secret, new, kept) = (c.join("secret"), c.join("new"), Path::new("/srv/race/kept"));
    let theirs = NewFile { content: b"theirs", uid: USER, gid: USER, mode: 0o666 };
    tried.count("write", sys.write(&secret, &theirs, &|_| Ok(())).is_ok());
    let there = sys.capture(&secret);
    assert!(!matches!(&there, Ok(Some(there)) if there.body == Body::File(SECRET.to_vec())), "root's file was read");
    tried.count("capture", there.is_ok());
    match number % 4 {
        0 => {
            tried.count("chmod", sys.chmod(&secret, 0o666).is_ok());
            tried.count("chown", sys.chown(&secret, USER, USER).is_ok());
            tried.count("look", sys.look(&secret).is_ok());
        }
        1 => {
            tried.count("make_dir", sys.make_dir(&new, USER, USER, 0o2770).is_ok());
            tried.count("make_dir'", sys.make_dir(&c.join("plain"), 0, 0, 0o755).is_ok());
            tried.count("remove_dir", sys.remove_dir(&new).is_ok());
            tried.count("remove_dir'", sys.remove_dir(&c.join("plain")).is_ok());
        }
        2 => {
            tried.count("symlink", sys.symlink(Path::new("/etc/passwd"), &new, USER, USER).is_ok());
            tried.count("remove_file", sys.remove_file(&new).is_ok());
            tried.count("copy from", sys.copy(&secret, kept).is_ok());
            let is_file = kept.symlink_metadata().is_ok_and(|is| is.is_file());
            assert!(!is_file || std::fs::read(kept).unwrap() != SECRET, "root's file was kept as the user's");
            tried.count("copy to", kept.exists() && sys.copy(kept, &secret).is_ok());
        }
        _ => {
            tried.count("rename from", sys.rename(&secret, &home.join("moved")).is_ok());
            tried.count("rename to", sys.rename(&home.join("moved"), &secret).is_ok());
            tried.count("remove_tree", sys.remove_tree(&c.join("tree")).is_ok());
            tried.count("make_dir", sys.make_dir(&c.join("tree"), USER, USER, 0o755).is_ok());
            let listed = sys.capture(&c.join("list"));
            tried.count("list", listed.is_ok());
        }
    }
}

#[test]
fn what_is_roots_in_a_users_directory_is_not_given_away_under_the_name_of_a_temporary() {
    let test = "e2e_hostile::what_is_roots_in_a_users_directory_is_not_given_away_under_the_name_of_a_temporary";
    on_a_disposable_machine(test, &[], || {
        let home = Path::new("/srv/given");
        std::fs::create_dir_all(home.join("roots-directory")).unwrap();
        chown(home, Some(USER), Some(USER)).unwrap();
        std::fs::set_permissions(home.join("roots-directory"), Permissions::from_mode(0o700)).unwrap();
        for path in ["roots", "roots-directory/file"] {
            let path = home.join(path);
            let file = NewFile { content: SECRET, uid: 0, gid: 0, mode: 0o600 };
            Real::new("/srv/state").write(&path, &file, &|_| Ok(())).unwrap();
        }
        let sys = Real::new("/srv/state");
        let hostile = Hostile::start("temporaries", home);
        let mut tried = Tried::default();
        for _ in 0..20_000 {
            let theirs = NewFile { content: b"theirs", uid: USER, gid: USER, mode: 0o666 };
            tried.count("write", sys.write(&home.join("file"), &theirs, &|_| Ok(())).is_ok());
            let linked = sys.symlink(Path::new("x"), &home.join("link"), USER, USER);
            tried.count("symlink", linked.is_ok());
            tried.count("make_dir", sys.make_dir(&home.join("directory"), USER, USER, 0o777).is_ok());
            let _swapped = sys.remove_dir(&home.join("directory"));
            // What is root's may have any of these names by now: the user's own doing.
            for name in ["file", "link", "directory", ".file.provision-new", ".link.provision-new", "roots"] {
                assert!(!is_given_away(&home.join(name)), "{name} was given away");
            }
            for name in ["directory", ".directory.provision-new", "roots-directory"] {
                assert!(!is_given_away(&home.join(name)), "{name} was given away");
            }
            if !std::fs::read(home.join("roots")).is_ok_and(|read| read == SECRET) {
                let file = NewFile { content: SECRET, uid: 0, gid: 0, mode: 0o600 };
                let _swapped = sys.write(&home.join("roots"), &file, &|_| Ok(()));
            }
        }
        drop(hostile);
        for (what, (did, refused)) in &tried.0 {
            println!("{what:>12}: {did:>7} done, {refused:>7} refused");
        }
    });
}

/// Returns whether what stands there, opened once, is root's by what it holds and not by its owner or mode.
fn is_given_away(path: &Path) -> bool {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = std::fs::OpenOptions::new();
    let Ok(mut file) = options.read(true).custom_flags(flags.bits().cast_signed()).open(path) else { return false };
    let is = file.metadata().unwrap();
    let mut content = Vec::new();
    if is.is_dir() {
        let inside = format!("/proc/self/fd/{}/file", file.as_raw_fd());
        return Path::new(&inside).exists() && (is.uid(), is.mode() & 0o777) != (0, 0o700);
    }
    file.read_to_end(&mut content).unwrap();
    content == SECRET && (is.uid(), is.mode() & 0o777) != (0, 0o600)
}

/// Applies a file of these fields and returns what was changed.
fn apply(fields: &serde_json::Value, sys: &dyn System) -> Vec<String> {
    let item = item("file", fields);
    let (known, sink) = (Known::default(), Recorder::default());
    let scope = Scope { mode: Mode::Apply, destroy: false, known: &known, sys, sink: &sink, turn: None, only: &[] };
    converge(&[item], scope, &mut Course::default()).unwrap();
    sink.changes()
}

#[test]
fn nobody_can_read_a_secret_at_any_moment_of_its_writing() {
    on_a_disposable_machine("e2e_hostile::nobody_can_read_a_secret_at_any_moment_of_its_writing", &[], || {
        let root = Path::new("/srv/secret");
        std::fs::create_dir_all(root.join("home")).unwrap();
        chown(root.join("home"), Some(USER), Some(USER)).unwrap();
        let sys = Real::new("/srv/state");
        let reader = Hostile::start("reader", root);
        let secret = NewFile { content: SECRET, uid: 0, gid: 0, mode: 0o600 };
        for _ in 0..20_000 {
            for at in ["key", "home/key"] {
                let at = root.join(at);
                let public = NewFile { content: b"public", uid: USER, gid: USER, mode: 0o644 };
                sys.write(&at, &public, &|_| Ok(())).unwrap();
                sys.write(&at, &secret, &|_| Ok(())).unwrap();
                // Given to somebody else, with what is the group's in one order or the other.
                sys.write(&at, &NewFile { gid: USER, ..secret }, &|_| Ok(())).unwrap();
            }
        }
        // Only owner and mode: the old mode is not for the new group, nor the new one for the old.
        for number in 0..5_000 {
            sys.write(&root.join("key"), &NewFile { mode: 0o640, ..secret }, &|_| Ok(())).unwrap();
            let fields =
                serde_json::json!({ "path": "/srv/secret/key", "owner": 65534, "group": USER, "mode": "0600" });
            let said = apply(&fields, &sys);
            assert_eq!(said.len(), 3, "{number}: {said:?}");
        }
        drop(reader);
        let was_read = std::fs::read_to_string(root.join("home/was-read")).ok();
        assert_eq!(was_read, None, "the secret was read");
    });
}
