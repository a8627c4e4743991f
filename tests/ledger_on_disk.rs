//! The ledger's files: what stays after a kill, a full disk, another hand; what a checkpoint says.
use crate::support::place::Place;
use crate::support::run::{finished, id, ledger_of, make, run, start, state_dir, writer};
use nix::mount::MsFlags;
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Event, Outcome, Sink};
use provision::id::Machine;
use provision::ledger::{How, Ledger, Lock, LockError, Writer};
use provision::report::Silent;
use provision::resource::Change;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::SystemTime;

#[test]
fn a_torn_end_is_cut_off_and_said() {
    let (_dir, state) = state_dir();
    run(&state, &["file:/x"]);
    let whole = fs::read(ledger_of(&state)).unwrap();
    fs::write(ledger_of(&state), [&whole, &b"{\"v\":1,\"prev\":\"12"[..]].concat()).unwrap();
    assert_eq!(Ledger::verify(&state).unwrap().torn.map(|torn| torn.bytes), Some(17));
    assert_eq!(Ledger::open(&state).unwrap().flaws(), [""; 0], "whoever only reads may see a line being written");
    let ledger = writer(&state);
    assert_eq!(
        ledger.flaws(),
        ["the ledger ended in a torn line, left by a run that was killed: 17 bytes were cut off"]
    );
    assert_eq!(fs::read(ledger_of(&state)).unwrap(), whole);
}

#[test]
fn a_broken_chain_is_reported_and_not_repaired() {
    let (_dir, state) = state_dir();
    run(&state, &["file:/x"]);
    let text = fs::read_to_string(ledger_of(&state)).unwrap();
    let without: Vec<&str> = text.split_inclusive('\n').enumerate().filter(|(n, _)| *n != 2).map(|(_, l)| l).collect();
    fs::write(ledger_of(&state), without.concat()).unwrap();
    run(&state, &[]);
    let verified = Ledger::verify(&state).unwrap();
    assert_eq!(verified.breaks.iter().map(|found| (found.line, found.how)).collect::<Vec<_>>(), [(3, How::Loose)]);
    let error = verified.into_reasons(Error::new("verifying"));
    assert!(error.causes[0].starts_with("line 3 (byte "), "{error:?}");
}

#[test]
fn a_line_that_was_changed_last_is_said_by_the_next_run() {
    let (_dir, state) = state_dir();
    run(&state, &[]);
    let text = fs::read_to_string(ledger_of(&state)).unwrap();
    fs::write(ledger_of(&state), text.replace("\"in-sync\":0", "\"in-sync\":9")).unwrap();
    let flaws = writer(&state).flaws().to_vec();
    assert_eq!(
        flaws,
        ["the last line of the ledger was changed after it was written; `provision ledger verify` says more"]
    );
}

#[test]
fn a_ledger_of_a_newer_format_is_refused() {
    let (_dir, state) = state_dir();
    run(&state, &[]);
    let mut text = fs::read_to_string(ledger_of(&state)).unwrap();
    text.push_str("{\"v\":3,\"before\":\"x\"}\n");
    fs::write(ledger_of(&state), &text).unwrap();
    let refusal = Ledger::open(&state).unwrap_err();
    assert_eq!(refusal.causes, ["line 2 is of format 3; this version of provision knows format 2 and below"]);
    assert!(Writer::open(Lock::take(&state, "apply", SystemTime::UNIX_EPOCH).unwrap()).is_err());
    assert_eq!(fs::read_to_string(ledger_of(&state)).unwrap(), text, "untouched");
}

#[test]
fn who_only_reads_leaves_nothing_behind() {
    let (_dir, state) = state_dir();
    let ledger = Ledger::open(&state).unwrap();
    assert_eq!(ledger.key().len(), 64);
    assert!(Ledger::verify(&state).unwrap().is_intact());
    assert!(!state.exists());
}

#[test]
fn the_key_is_made_once_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, state) = state_dir();
    let key = writer(&state).key().to_owned();
    assert_eq!(writer(&state).key(), key);
    assert_eq!(Ledger::open(&state).unwrap().key(), key);
    for name in ["key", "ledger.jsonl"] {
        assert_eq!(fs::metadata(state.join(name)).unwrap().permissions().mode() & 0o7777, 0o600, "{name}");
    }
    fs::write(state.join("key"), "short").unwrap();
    assert_eq!(Ledger::open(&state).unwrap_err().causes, ["it is not 64 hexadecimal digits"]);
}

#[test]
fn a_ledger_that_is_no_file_or_stands_where_others_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let open = |state: &Path| -> Result<Writer, Error> {
        let lock = Lock::take(state, "apply", SystemTime::UNIX_EPOCH).map_err(|error| match error {
            LockError::Failed(error) => error,
            LockError::Held(_) => panic!("nobody holds it"),
        })?;
        Writer::open(lock)
    };
    let (_dir, state) = state_dir();
    fs::create_dir_all(ledger_of(&state)).unwrap();
    assert!(open(&state).is_err(), "a directory");
    fs::remove_dir(ledger_of(&state)).unwrap();
    std::os::unix::fs::symlink("/etc/hosts", ledger_of(&state)).unwrap();
    assert!(open(&state).is_err(), "a link");
    fs::remove_file(ledger_of(&state)).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let error = open(&state).unwrap_err();
    assert_eq!(error.causes, ["others can write into it (mode 0777)"]);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(state.join("lock")).unwrap();
    fs::remove_dir(&state).unwrap();
    fs::write(&state, "").unwrap();
    assert!(open(&state).is_err(), "a file in place of the state directory");
}

/// Does something with a disk of 1 MiB at `place`: a mount of its own, seen by its thread and what that starts, that goes with
/// it.
fn on_a_small_disk(place: &Path, body: impl FnOnce(&Path) + Send) {
    let tried = thread::scope(|scope| {
        let mounted = scope.spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
            let options = Some("size=1m,mode=0700");
            nix::mount::mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), options).unwrap();
            body(place);
        });
        mounted.join()
    });
    tried.unwrap();
}

/// Fills the disk, and returns what fills it.
fn fill(disk: &Path) -> PathBuf {
    let ballast = disk.join("ballast");
    let full = fs::write(&ballast, vec![1; 2 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    ballast
}

#[test]
fn a_full_disk_stops_a_run_before_its_change_and_leaves_the_chain_whole() {
    let dir = tempfile::tempdir().unwrap();
    on_a_small_disk(dir.path(), |disk| {
        let state = disk.join("state");
        let hub = start(&state, "apply", Box::new(Silent));
        make(&*hub, "file:/x");
        hub.emit(Event::Applying { ids: vec![id("file:/y")], changes: vec![Change::made("/y", "new")], absent: false })
            .unwrap();
        let ballast = fill(disk);
        hub.emit(finished(&id("file:/y"), Outcome::Changed { changes: Vec::new() }))
            .expect("room was set aside for it");
        let emit = |number: usize| {
            let name = format!("/{number}");
            let changes = vec![Change::made(&name, "x".repeat(500))];
            hub.emit(Event::Applying { ids: vec![id(&format!("file:{name}"))], changes, absent: false })
        };
        let error = (0..2000).find_map(|number| emit(number).err()).expect("the disk is full");
        assert_eq!(error.causes, ["No space left on device (os error 28)"]);
        assert_eq!(error.remedy.as_deref(), Some("free some space, then run again"));
        drop(hub);
        assert!(Ledger::verify(&state).unwrap().is_intact());
        fs::remove_file(ballast).unwrap();
        run(&state, &["file:/z"]);
        assert!(Ledger::verify(&state).unwrap().is_intact());
    });
}

#[test]
fn a_rotation_for_which_the_disk_has_no_room_stops_the_run_and_is_made_by_a_later_one() {
    let dir = tempfile::tempdir().unwrap();
    on_a_small_disk(dir.path(), |disk| {
        let state = disk.join("state");
        run(&state, &["file:/x", "file:/y"]);
        let before = fs::read(ledger_of(&state)).unwrap();
        let lock = || Lock::take(&state, "apply", SystemTime::UNIX_EPOCH).unwrap();
        let held = lock();
        let ballast = fill(disk);
        let refused = Writer::open_rotating(held, 1000).unwrap_err();
        assert_eq!(refused.attempt, format!("rotating the ledger, which has {} bytes", before.len()));
        assert_eq!(refused.causes.last().unwrap(), "No space left on device (os error 28)");
        assert_eq!(fs::read(ledger_of(&state)).unwrap(), before);
        assert!(Ledger::verify(&state).unwrap().is_intact());
        fs::remove_file(ballast).unwrap();
        drop(Writer::open_rotating(lock(), 1000).unwrap());
        let verified = Ledger::verify(&state).unwrap();
        assert!(verified.is_intact() && verified.files == 2, "{verified:?}");
    });
}

#[test]
fn a_ledger_that_cannot_be_written_stops_an_apply_before_its_first_change() {
    let place =
        Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"{{ text }}\"\n[vars]\ntext = \"a\"\n");
    let state = place.root().join("state");
    let motd = place.root().join("motd");
    fs::create_dir(&state).unwrap();
    let apply = |text: &str| place.run(&["apply", "web.toml", "--yes", "--var", &format!("text={text}")]);
    on_a_small_disk(&state, |state| {
        let ledger = ledger_of(state);
        let refused = |why: &str, what_to_do: &str| {
            let before = fs::read(&ledger).unwrap_or_default();
            let ran = apply("b");
            assert_eq!(ran.code, 1, "{why}: {ran:?}");
            assert!(ran.stderr.contains(why) && ran.stderr.contains(what_to_do), "{why}: {ran:?}");
            assert!(fs::read(&motd).is_ok_and(|text| text == b"a") || before.is_empty() && !motd.exists(), "{why}");
            assert_eq!(fs::read(&ledger).unwrap_or_default(), before, "{why}");
        };
        let ballast = fill(state);
        refused("No space left on device", "ree some space");
        fs::remove_file(&ballast).unwrap();
        assert_eq!(apply("a").code, 0);

        let ballast = fill(state);
        refused("No space left on device", "ree some space, then run again");
        fs::remove_file(ballast).unwrap();

        let remount =
            |flags| nix::mount::mount(None::<&str>, state, None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>);
        remount(MsFlags::MS_RDONLY).unwrap();
        refused("Read-only file system", "ount its file system so that it can be written");
        remount(MsFlags::empty()).unwrap();

        std::os::unix::fs::chown(&ledger, Some(1234), None).unwrap();
        refused("it belongs to uid 1234", "ive it back to the user who runs provision");
        std::os::unix::fs::chown(&ledger, Some(0), None).unwrap();
        std::os::unix::fs::chown(state, Some(1234), None).unwrap();
        refused("it belongs to uid 1234", "ive it to the user who runs provision");
        std::os::unix::fs::chown(state, Some(0), None).unwrap();

        assert_eq!(apply("b").code, 0);
        assert!(Ledger::verify(state).unwrap().is_intact());
    });
    assert_eq!(fs::read(&motd).unwrap(), b"b");
}

#[test]
fn a_long_ledger_is_opened_from_its_last_checkpoint_and_says_the_same() {
    let (_dir, state) = state_dir();
    let value = "x".repeat(1000);
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    for number in 0..300 {
        let of = id(&format!("file:/{number}"));
        let changes = vec![Change::made(&of.name, &value)];
        hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone(), absent: false }).unwrap();
        hub.emit(finished(&of, Outcome::Changed { changes })).unwrap();
    }
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);
    run(&state, &["file:/later"]);
    let known = |state: &Path| Ledger::open(state).unwrap().known("web", Machine::Host, "host").claims;
    let (resumed, head) = (known(&state), Ledger::open(&state).unwrap().head().to_owned());
    assert!(Ledger::verify(&state).unwrap().is_intact());
    let checkpoint = fs::read_to_string(state.join("claims.json")).unwrap();

    fs::remove_file(state.join("claims.json")).unwrap();
    assert_eq!((known(&state), Ledger::open(&state).unwrap().head()), (resumed.clone(), head.as_str()));
    assert_eq!(resumed.len(), 301);

    for useless in [
        "",
        "{",
        &checkpoint.replace("\"head\":\"", "\"head\":\"0"),
        &checkpoint.replace("\"length\":", "\"length\":9"),
    ] {
        fs::write(state.join("claims.json"), useless).unwrap();
        assert_eq!(known(&state), resumed, "what the ledger does not bear out is not believed");
    }
    fs::write(state.join("claims.json"), checkpoint.replace("\"made\":true", "\"made\":false")).unwrap();
    let verified = Ledger::verify(&state).unwrap();
    assert!(verified.misled && !verified.is_intact());

    fs::write(state.join("claims.json"), &checkpoint).unwrap();
    let whole = fs::read(ledger_of(&state)).unwrap();
    fs::write(ledger_of(&state), [&whole[..], b"{\"torn"].concat()).unwrap();
    assert_eq!(writer(&state).flaws().len(), 1);
    assert_eq!(fs::read(ledger_of(&state)).unwrap(), whole);
    fs::write(ledger_of(&state), &whole[..1000]).unwrap();
    assert_eq!(known(&state).len(), 0, "a ledger that was cut shorter than its checkpoint");
    fs::write(state.join("claims.new"), "half").unwrap();
    drop(writer(&state));
    assert!(!state.join("claims.new").exists());
}

#[test]
fn a_copy_of_which_a_lost_ledger_knew_is_not_taken_for_what_was_there_last() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"ours\\n\"\n");
    let motd = place.root().join("motd");
    let state = place.root().join("state");
    for theirs in ["first\n", "second\n", "third\n"] {
        fs::write(&motd, theirs).unwrap();
        assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
        fs::remove_file(state.join("ledger.jsonl")).unwrap();
        drop(fs::remove_file(state.join("claims.json")));
    }
    fs::write(&motd, "fourth\n").unwrap();
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
    assert_eq!(fs::read_to_string(&motd).unwrap(), "fourth\n");
    let copies =
        fs::read_dir(state.join("kept")).unwrap().map(|copy| fs::read_to_string(copy.unwrap().path()).unwrap());
    assert_eq!(
        copies.collect::<std::collections::BTreeSet<_>>(),
        ["first\n", "second\n", "third\n"].map(String::from).into()
    );
}
