//! The ledger: what a run adds, what stays after a kill, what a change of any byte does, what is known the next time.
use crate::support::run::{finished, id, make, run, start, writer};
use proptest::prelude::*;
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Event, Outcome, Sink};
use provision::id::Machine;
use provision::ledger::{ABSENT, How, Ledger, Lock, LockError, Writer};
use provision::report::Silent;
use provision::resource::{Ack, Change, Claim};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::SystemTime;
use tempfile::TempDir;

fn state_dir() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    (dir, state)
}

fn ledger_of(state: &Path) -> PathBuf {
    state.join("ledger.jsonl")
}

fn lines(state: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(ledger_of(state)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(state: &Path) -> Vec<String> {
    lines(state).iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

fn claim(state: &Path, of: &str) -> Option<Claim> {
    Ledger::open(state).unwrap().known("web", Machine::Host, "host").claims.get(&id(of)).cloned()
}

fn tally(held: &[(&str, &str)]) -> Tally {
    let held = held.iter().map(|(of, digest)| (id(of), (*digest).to_owned())).collect::<BTreeMap<_, _>>();
    Tally { in_sync: held.len(), held, ..Tally::default() }
}

#[test]
fn a_run_that_changes_nothing_adds_one_line_with_what_newly_held() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    let ended = hub.end(0, &tally(&[("file:/etc/hosts", "d1")])).unwrap();
    let lines = lines(&state);
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert_eq!(line["run"], "PROVISION-APPLY20261120-001");
    assert_eq!(line["started"]["recipe"], "web");
    assert_eq!(line["held"]["host/file:/etc/hosts"], "d1");
    assert_eq!(line["identities"]["host"], "host");
    assert_eq!(line["counts"]["in-sync"], 1);
    assert_eq!(ended.head, Ledger::verify(&state).unwrap().head);
    assert_eq!(claim(&state, "file:/etc/hosts").unwrap().held.as_deref(), Some("d1"));
    drop(hub);
    run(&state, &[]);
    assert_eq!(events(&state), ["ended", "ended"], "and neither does the next one");
}

#[test]
fn a_run_that_changes_something_says_first_what_was_started() {
    let (_dir, state) = state_dir();
    run(&state, &["directory:/srv"]);
    assert_eq!(events(&state), ["started", "identified", "applying", "finished", "ended"]);
    let claim = claim(&state, "directory:/srv").unwrap();
    assert_eq!(claim.held.as_deref(), Some("asked"));
    assert!(claim.made);
    assert_eq!(claim.last[""], "new");
}

#[test]
fn an_intent_is_on_disk_before_emit_returns() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    let changes = vec![Change::made("/srv", "root")];
    hub.emit(Event::Applying { ids: vec![id("directory:/srv")], changes }).unwrap();
    assert_eq!(events(&state), ["started", "identified", "applying"]);
    assert!(claim(&state, "directory:/srv").unwrap().made, "what a killed run may have made is ours to take away");
}

#[test]
fn what_was_to_be_made_and_is_not_there_is_not_ours() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    let of = id("directory:/srv");
    hub.emit(Event::Applying { ids: vec![of.clone()], changes: vec![Change::made("/srv", "root")] }).unwrap();
    hub.emit(Event::Unmade { ids: vec![of.clone()] }).unwrap();
    hub.emit(finished(&of, Outcome::Failed { error: Error::new("making `/srv`") })).unwrap();
    let claim = claim(&state, "directory:/srv").unwrap();
    assert!(!claim.made && claim.failed);
    assert_eq!(Ledger::open(&state).unwrap().state().failed("web").len(), 1);
}

#[test]
fn what_was_there_before_is_never_ours() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    let of = id("file:/etc/hosts");
    let changes = vec![Change::field("/etc/hosts", "mode", Some("0600".into()), Some("0644".into()))];
    hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone() }).unwrap();
    hub.emit(finished(&of, Outcome::Changed { changes })).unwrap();
    let claim = claim(&state, "file:/etc/hosts").unwrap();
    assert!(!claim.made);
    assert_eq!(claim.last["mode"], "0644");
}

#[test]
fn what_was_taken_away_is_no_longer_ours() {
    let (_dir, state) = state_dir();
    run(&state, &["file:/x", "file:/y"]);
    let hub = start(&state, "apply", Box::new(Silent));
    for (of, digest) in [("file:/x", format!("{ABSENT}asked")), ("file:/y", String::new())] {
        let of = id(of);
        let changes = vec![Change::removed(&of.name, "new")];
        hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone() }).unwrap();
        assert!(claim(&state, &of.to_string()).unwrap().made, "until it is gone");
        let outcome = Outcome::Changed { changes };
        hub.emit(Event::Finished { id: of, outcome, phase: None, digest, absent: true }).unwrap();
    }
    let gone = claim(&state, "file:/x").unwrap();
    assert_eq!((gone.made, gone.held.as_deref()), (false, Some("absent:asked")));
    assert_eq!(claim(&state, "file:/y"), None, "destroy asks for nothing any more");
}

#[test]
fn another_machine_in_a_machines_place_voids_what_was_known() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    make(&*hub, "host/container:201");
    hub.identify(Machine::Container(201), "aa:01").unwrap();
    make(&*hub, "201/file:/x");
    let ack = Ack { who: "root".into(), when: SystemTime::UNIX_EPOCH, evidence: String::new() };
    hub.emit(Event::Acked { id: id("201/gate:claude"), ack }).unwrap();
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);

    let mut ledger = Ledger::open(&state).unwrap();
    let inside = |ledger: &Ledger, mac| ledger.known("web", Machine::Container(201), mac);
    assert_eq!((inside(&ledger, "aa:01").claims.len(), inside(&ledger, "aa:01").acks.len()), (1, 1));
    assert_eq!((inside(&ledger, "bb:02").claims.len(), inside(&ledger, "bb:02").acks.len()), (0, 0));
    assert!(ledger.known("web", Machine::Host, "host").claims[&id("host/container:201")].made);

    ledger.identify(Machine::Container(201), "bb:02");
    assert_eq!(inside(&ledger, "bb:02").claims.len(), 0);
    assert_eq!(ledger.known("web", Machine::Host, "host").claims.len(), 0, "somebody else made the one that is there");
}

#[test]
fn a_container_that_we_make_anew_starts_clean_and_is_ours() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    for mac in ["aa:01", "bb:02"] {
        make(&*hub, "host/container:201");
        hub.identify(Machine::Container(201), mac).unwrap();
        assert_eq!(hub.known(Machine::Container(201), mac).claims.len(), 0);
        make(&*hub, "201/file:/x");
    }
    assert!(hub.known(Machine::Host, "host").claims[&id("host/container:201")].made);
}

#[test]
fn what_one_recipe_claims_is_another_ones_as_well() {
    let (_dir, state) = state_dir();
    run(&state, &["file:/x"]);
    let ledger = Ledger::open(&state).unwrap();
    assert_eq!(ledger.known("other", Machine::Host, "host").claims.len(), 0);
    assert_eq!(ledger.state().others("other", &id("file:/x")).into_iter().collect::<Vec<_>>(), ["web"]);
    assert_eq!(ledger.state().others("web", &id("file:/x")).len(), 0);
}

#[test]
fn a_test_has_passed_until_something_in_its_lane_changes() {
    let (_dir, state) = state_dir();
    let of = id("201/test:inbox");
    let held = |state: &Path| {
        let known = Ledger::open(state).unwrap().known("web", Machine::Container(201), "aa:01");
        known.claims.get(&of).and_then(|claim| claim.held.clone())
    };
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Container(201), "aa:01").unwrap();
    let lane = hub.lane(Some("CT201"));
    make(&lane, "201/file:/x");
    lane.emit(finished(&of, Outcome::InSync)).unwrap();
    hub.end(0, &Tally::default()).unwrap();
    assert_eq!(held(&state).as_deref(), Some("asked"));
    drop((lane, hub));

    let hub = start(&state, "apply", Box::new(Silent));
    make(&hub.lane(Some("CT202")), "202/file:/x");
    assert_eq!(held(&state).as_deref(), Some("asked"), "another lane is not its own");
    make(&hub.lane(Some("CT201")), "201/file:/y");
    assert_eq!(held(&state), None, "even where the run ends here");
    hub.lane(Some("CT201")).emit(finished(&of, Outcome::InSync)).unwrap();
    hub.end(0, &Tally::default()).unwrap();
    assert_eq!(held(&state).as_deref(), Some("asked"));
}

#[test]
fn large_values_and_diffs_are_recorded_as_size_and_digest() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    let large = "x".repeat(5000);
    let change = Change::field("/x", "content", Some("12 B".into()), Some(large)).diff(Some("-a\n+b".into()));
    hub.emit(Event::Applying { ids: vec![id("file:/x")], changes: vec![change] }).unwrap();
    let applying = &lines(&state)[1]["changes"][0];
    assert_eq!(applying["from"], "12 B");
    assert!(applying["to"].as_str().unwrap().starts_with("5000 B "), "{applying}");
    assert_eq!(applying["diff"], serde_json::Value::Null);
}

#[test]
fn lanes_side_by_side_keep_the_chain() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    thread::scope(|scope| {
        for lane in 201..209 {
            let sink = hub.lane(Some(&format!("CT{lane}")));
            scope.spawn(move || (0..25).for_each(|file| make(&sink, &format!("{lane}/file:/{file}"))));
        }
    });
    hub.end(0, &Tally::default()).unwrap();
    let verified = Ledger::verify(&state).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    assert_eq!(verified.lines, 1 + 8 * 25 * 2 + 1);
    let seqs: Vec<u64> = lines(&state).iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b));
}

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
    text.push_str("{\"v\":2,\"before\":\"x\"}\n");
    fs::write(ledger_of(&state), &text).unwrap();
    let refusal = Ledger::open(&state).unwrap_err();
    assert_eq!(refusal.causes, ["line 2 is of format 2; this version of provision knows format 1"]);
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

#[test]
fn a_full_disk_stops_a_run_before_its_change_and_leaves_the_chain_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = dir.path().to_owned();
    // A mount of its own, seen by this thread alone, that goes with it.
    let tried = thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        let private = nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE;
        nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let options = Some("size=1m,mode=0700");
        nix::mount::mount(Some("tmpfs"), &mounted, Some("tmpfs"), nix::mount::MsFlags::empty(), options).unwrap();
        let state = mounted.join("state");
        let hub = start(&state, "apply", Box::new(Silent));
        make(&*hub, "file:/x");
        hub.emit(Event::Applying { ids: vec![id("file:/y")], changes: vec![Change::made("/y", "new")] }).unwrap();
        let full = fs::write(mounted.join("ballast"), vec![1; 2 << 20]).unwrap_err();
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        hub.emit(finished(&id("file:/y"), Outcome::Changed { changes: Vec::new() }))
            .expect("room was set aside for it");
        let emit = |number: usize| {
            let name = format!("/{number}");
            let changes = vec![Change::made(&name, "x".repeat(500))];
            hub.emit(Event::Applying { ids: vec![id(&format!("file:{name}"))], changes })
        };
        let error = (0..2000).find_map(|number| emit(number).err()).expect("the disk is full");
        assert_eq!(error.causes, ["No space left on device (os error 28)"]);
        assert_eq!(error.remedy.as_deref(), Some("free some space, then run again"));
        drop(hub);
        assert!(Ledger::verify(&state).unwrap().is_intact());
        fs::remove_file(mounted.join("ballast")).unwrap();
        run(&state, &["file:/z"]);
        assert!(Ledger::verify(&state).unwrap().is_intact());
    });
    tried.join().unwrap();
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
        hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone() }).unwrap();
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

/// Returns the bytes of a ledger with runs that change things, a quiet one and an acknowledgement.
fn sample() -> &'static [u8] {
    static SAMPLE: OnceLock<Vec<u8>> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let (_dir, state) = state_dir();
        run(&state, &["file:/x", "directory:/srv"]);
        run(&state, &[]);
        let hub = start(&state, "ack", Box::new(Silent));
        let ack = Ack { who: "lilly".into(), when: SystemTime::UNIX_EPOCH, evidence: "ünïcode".into() };
        hub.emit(Event::Acked { id: id("gate:m365"), ack }).unwrap();
        hub.end(0, &Tally::default()).unwrap();
        fs::read(ledger_of(&state)).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_ledger_cut_anywhere_recovers_to_a_whole_one(cut in 0.0..=1.0) {
        let whole = sample();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in it")]
        let length = (whole.len() as f64 * cut) as usize;
        let (_dir, state) = state_dir();
        fs::create_dir(&state).unwrap();
        fs::write(ledger_of(&state), &whole[..length]).unwrap();
        fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        drop(writer(&state));
        prop_assert!(Ledger::verify(&state).unwrap().is_intact());
        let kept = fs::read(ledger_of(&state)).unwrap();
        prop_assert_eq!(&kept[..], &whole[..kept.len()], "what was whole stays");
        prop_assert!(!whole[kept.len()..length].contains(&b'\n'), "no whole line is lost");
        run(&state, &["file:/z"]);
        prop_assert!(Ledger::verify(&state).unwrap().is_intact(), "and it goes on from there");
    }

    #[test]
    fn a_flipped_bit_is_found_wherever_it_is(place in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = sample().to_vec();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (_dir, state) = state_dir();
        fs::create_dir(&state).unwrap();
        fs::write(ledger_of(&state), &bytes).unwrap();
        prop_assert!(!Ledger::verify(&state).unwrap().is_intact());
    }

    #[test]
    fn what_is_known_while_writing_is_known_after_reading(script in prop::collection::vec((0..6_u8, 0..4_u8), 1..30)) {
        let (_dir, state) = state_dir();
        let mut ledger = None;
        let hub = start(&state, "apply", Box::new(Silent));
        hub.identify(Machine::Host, "host").unwrap();
        for (what, which) in script {
            let of = id(&format!("file:/{which}"));
            let event = match what {
                0 => Event::Applying { ids: vec![of.clone()], changes: vec![Change::made(&of.name, "x")] },
                1 => Event::Applying { ids: vec![of.clone()], changes: vec![Change::field(&of.name, "mode", None, Some("0644".into()))] },
                2 => Event::Unmade { ids: vec![of] },
                3 => finished(&of, Outcome::Changed { changes: Vec::new() }),
                4 => finished(&of, Outcome::Failed { error: Error::new("failing") }),
                _ => Event::Finished { id: of, outcome: Outcome::Changed { changes: Vec::new() }, phase: None, digest: "absent:d".into(), absent: true },
            };
            hub.emit(event).unwrap();
            let read = Ledger::open(&state).unwrap();
            prop_assert_eq!(read.known("web", Machine::Host, "host").claims, hub.known(Machine::Host, "host").claims);
            ledger = Some(read);
        }
        hub.end(0, &tally(&[("file:/1", "d1"), ("file:/2", "")])).unwrap();
        let read = Ledger::open(&state).unwrap();
        prop_assert_eq!(read.known("web", Machine::Host, "host").claims, hub.known(Machine::Host, "host").claims);
        prop_assert!(ledger.is_some());
    }
}
