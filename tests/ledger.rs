//! The ledger: what a run adds, and what is known the next time.
use crate::support::place::Place;
use crate::support::run::{finished, id, ledger_of, make, run, run_of, start, state_dir, tally};
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Event, Outcome, Sink};
use provision::id::Machine;
use provision::ledger::{ABSENT, Ledger};
use provision::report::Silent;
use provision::resource::{Ack, Change, Claim};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

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
    hub.emit(Event::Applying { ids: vec![id("directory:/srv")], changes, absent: false }).unwrap();
    assert_eq!(events(&state), ["started", "identified", "applying"]);
    assert!(claim(&state, "directory:/srv").unwrap().made, "what a killed run may have made is ours to take away");
}

#[test]
fn what_was_to_be_made_and_is_not_there_is_not_ours() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    let of = id("directory:/srv");
    hub.emit(Event::Applying { ids: vec![of.clone()], changes: vec![Change::made("/srv", "root")], absent: false })
        .unwrap();
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
    hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone(), absent: false }).unwrap();
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
        hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone(), absent: true }).unwrap();
        let until = claim(&state, &of.to_string()).unwrap();
        assert!(until.made && until.last.contains_key(""), "it is known as ours until it is gone");
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
fn a_ledger_of_another_machine_is_told_by_every_command_until_an_apply_makes_it_this_ones() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/f\"\ncontent = \"f\\n\"\n");
    let here = fs::read_to_string("/etc/machine-id").unwrap();
    fs::write(place.root().join("f"), "f\n").unwrap();
    for (before, of, remedy) in [
        (
            "0123456789abcdef0123456789abcdef",
            "the machine 0123456789abcdef0123456789abcdef",
            "put 0123456789abcdef0123456789abcdef there",
        ),
        ("", "a machine without one", "take that away"),
    ] {
        let hub = start(&place.root().join("state"), "apply", Box::new(Silent));
        hub.identify(Machine::Host, before).unwrap();
        make(&*hub, &format!("file:{}", place.root().join("f").display()));
        hub.end(0, &Tally::default()).unwrap();
        drop(hub);
        let said = format!(
            "warning: `/etc/machine-id` is {} and the ledger is of {of}: nothing that it knows counts as ours here, so nothing of \
             it is ever taken away or put back. Where this disk is a copy, that is as it should be; where it is still that \
             machine, {remedy} before an apply\n",
            here.trim()
        );
        for (command, is_told) in [("plan", true), ("status", true), ("plan", true), ("apply", true), ("plan", false)] {
            let ran = place.run(&[command, "web.toml"]);
            assert_eq!([ran.stdout.as_str(), &ran.stderr].concat().contains(&said), is_told, "{command}: {ran:?}");
        }
        assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
        assert!(place.root().join("f").exists(), "it was there before us, as far as is known here");
    }
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
    drop(ledger);
    run_of(&state, "other", &["file:/x", "file:/y"]);
    let ledger = Ledger::open(&state).unwrap();
    let shared = |recipe: &str| ledger.known(recipe, Machine::Host, "host").shared.into_iter().collect::<Vec<_>>();
    assert_eq!([shared("web"), shared("other")], [[id("file:/x")], [id("file:/x")]]);
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
    hub.emit(Event::Applying { ids: vec![id("file:/x")], changes: vec![change], absent: false }).unwrap();
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
