//! `history`, to the letter: runs on the real machine below a temporary directory, and a ledger of a clock of its own.
use crate::support::place::{Place, Ran};
use crate::support::run::{finished, id, ledger_of, make, run, start};
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Counts, Event, Outcome, Sink};
use provision::id::Machine;
use provision::report::Silent;
use provision::resource::{Ack, Change};
use std::fs;
use std::time::SystemTime;

/// A ledger with a run that changed something and failed, a quiet one, an acknowledgement and one that was killed.
fn place() -> Place {
    let place = Place::new("");
    let state = place.root().join("state");
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "f00d").unwrap();
    make(&*hub, "directory:/srv");
    let lane = hub.lane(Some("CT202"));
    let git = id("202/package:git");
    let error = Error::new("running `apt-get install git`")
        .reason("exit 100")
        .output("E: Unable to locate package git\n")
        .remedy("run `apt-get update` there");
    lane.emit(Event::Applying { ids: vec![git.clone()], changes: vec![Change::made("git", "2.39")], absent: false })
        .unwrap();
    lane.emit(finished(&git, Outcome::Failed { error })).unwrap();
    hub.emit(finished(&id("gate:m365"), Outcome::Waiting { because: "not acknowledged".into(), remedy: None }))
        .unwrap();
    let counts = Counts { changed: 1, in_sync: 1, waiting: 1, failed: 1, skipped: 2, ..Counts::default() };
    let held = [(id("file:/etc/hosts"), "d".to_owned())].into();
    hub.end(1, &Tally { counts, held }).unwrap();
    drop((lane, hub));
    run(&state, &[]);
    let hub = start(&state, "ack", Box::new(Silent));
    let ack = Ack { who: "lilly".into(), when: SystemTime::UNIX_EPOCH, evidence: "ticket 4711".into() };
    hub.emit(Event::Acked { id: id("gate:m365"), ack }).unwrap();
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);
    make(&*start(&state, "destroy", Box::new(Silent)), "directory:/srv");
    place
}

fn history(place: &Place, arguments: &[&str]) -> (i32, String, String) {
    let ran: Ran = place.run(&[&["history"], arguments].concat());
    (ran.code, format!("\n{}", ran.stdout), ran.stderr)
}

#[test]
fn history_has_a_line_for_each_run_the_newest_last() {
    let expected = "
run                            begun (UTC)          command  recipe  who    exit  what came of it
PROVISION-APPLY20261120-001    2026-11-20 12:00:00  apply    web     -      1     1 changed, 1 in sync, 1 waiting, 1 failed, 2 not tried
PROVISION-APPLY20261120-002    2026-11-20 12:00:00  apply    web     -      0     0 changed, 0 in sync, 0 waiting, 0 failed
PROVISION-ACK20261120-001      2026-11-20 12:00:00  ack      web     lilly  0     host/gate:m365 passed
PROVISION-DESTROY20261120-001  2026-11-20 12:00:00  destroy  web     -      -     no end: killed, or under way; 1 taken away
";
    assert_eq!(history(&place(), &[]), (0, expected.to_owned(), String::new()));
}

#[test]
fn a_run_is_shown_event_by_event_its_failure_with_what_was_printed() {
    let expected = "
PROVISION-APPLY20261120-001
  command  apply web, from web.toml
  version  0.1.0
  begun    2026-11-20 12:00:00 UTC
12:00:01  host   machine   host is f00d
12:00:02  host   changes   host/directory:/srv  made: new
12:00:02  host   changed   host/directory:/srv
12:00:03  CT202  changes   202/package:git  made: 2.39
12:00:03  CT202  failed    202/package:git
  running `apt-get install git`
  exit 100
  | E: Unable to locate package git
  Run `apt-get update` there.
in sync, and not known to be before:
  host/file:/etc/hosts
waiting for a person:
  host/gate:m365
applied: 1 changed, 1 in sync, 1 waiting, 1 failed, 2 not tried in 4.5 s, exit 1
";
    let place = place();
    assert_eq!(history(&place, &["show", "PROVISION-APPLY20261120-001"]), (0, expected.to_owned(), String::new()));
    assert_eq!(history(&place, &["show", "apply20261120-001"]).1, expected, "an end of it, in any case");
    let ack = history(&place, &["show", "ACK20261120-001"]).1;
    assert!(ack.contains("  who      lilly\n") && ack.contains("host/gate:m365  says lilly: ticket 4711\n"), "{ack}");
    let last = history(&place, &["show", "last"]).1;
    assert!(last.ends_with("no end: this run was killed, or is still under way\n"), "{last}");
}

#[test]
fn a_run_that_is_not_there_is_an_error_that_says_what_there_is() {
    let place = place();
    let refused = |reference: &str| {
        let (code, stdout, stderr) = history(&place, &["show", reference]);
        assert_eq!((code, stdout.as_str()), (2, "\n"), "{reference}");
        stderr
    };
    assert_eq!(
        refused("PROVISION-APPLY20261120-003"),
        "error: looking for the run `PROVISION-APPLY20261120-003`\n  no run in `ROOT/state/ledger.jsonl` has such a reference\n\
         Did you mean `PROVISION-APPLY20261120-001`?\n"
    );
    assert_eq!(
        refused("yesterday"),
        "error: looking for the run `yesterday`\n  no run in `ROOT/state/ledger.jsonl` has such a reference\n\
         `provision history` lists the runs.\n"
    );
    assert_eq!(
        refused("001"),
        "error: looking for the run `001`\n  several end so: PROVISION-APPLY20261120-001, PROVISION-ACK20261120-001, \
         PROVISION-DESTROY20261120-001\nGive more of the reference.\n"
    );
}

#[test]
fn where_nothing_ran_yet_there_is_nothing_to_show_and_nothing_is_made() {
    let place = Place::new("");
    let nothing = "\nno runs yet in `ROOT/state/ledger.jsonl`\n";
    assert_eq!(history(&place, &[]), (0, nothing.to_owned(), String::new()));
    assert_eq!(history(&place, &["--json"]), (0, "\n".to_owned(), String::new()));
    let (code, _, stderr) = history(&place, &["show", "last"]);
    let expected = "error: looking for the run `last`\n  there are no runs yet in `ROOT/state/ledger.jsonl`\n";
    assert_eq!((code, stderr.as_str()), (2, expected));
    assert!(!place.root().join("state").exists());
}

#[test]
fn in_json_a_run_is_an_object_and_its_events_are_those_of_the_ledger() {
    let place = place();
    let expected = r#"
{"v":1,"run":"PROVISION-APPLY20261120-001","begun":"2026-11-20T12:00:00.500Z","command":"apply","recipe":"web","file":"web.toml","exit":1,"seconds":4.5,"counts":{"in-sync":1,"changed":1,"waiting":1,"failed":1,"failed-tests":0,"skipped":2,"due":0}}
"#;
    let runs = history(&place, &["--json"]).1;
    assert!(runs.starts_with(expected), "{runs}");
    let ack = r#""command":"ack","recipe":"web","file":"web.toml","who":"lilly","acked":["host/gate:m365"],"exit":0"#;
    assert!(runs.contains(ack), "{runs}");
    let shown = history(&place, &["show", "APPLY20261120-001", "--json"]).1;
    let ledger = fs::read_to_string(ledger_of(&place.root().join("state"))).unwrap();
    let events = |text: &str| -> Vec<serde_json::Value> {
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.map(|line| line["event"].clone()).collect()
    };
    assert_eq!(events(&shown), events(&ledger)[..events(&shown).len()]);
    assert_eq!(shown.lines().filter(|line| !line.is_empty()).count(), 7, "{shown}");
}

#[test]
fn a_line_that_cannot_be_read_is_passed_over_and_said_and_a_torn_one_is_being_written() {
    let place = place();
    let ledger = ledger_of(&place.root().join("state"));
    let text = fs::read_to_string(&ledger).unwrap();
    let whole = history(&place, &[]);
    fs::write(&ledger, format!("{text}{{\"v\":1,\"prev")).unwrap();
    assert_eq!(history(&place, &[]), whole);
    fs::write(&ledger, format!("nonsense\n{text}")).unwrap();
    let (code, stdout, stderr) = history(&place, &[]);
    let warning = "warning: 1 line of the ledger can't be read; `provision ledger verify` says more\n";
    assert_eq!((code, stdout, stderr.as_str()), (0, whole.1, warning));
    fs::write(&ledger, format!("{text}{{\"v\":3,\"other\":1}}\n")).unwrap();
    let (code, _, stderr) = history(&place, &[]);
    assert_eq!(code, 1);
    assert!(stderr.contains("is of format 3"), "{stderr}");
}

#[test]
fn who_ran_it_is_recorded() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"hello\\n\"\n");
    let mut apply = place.command(&["apply", "web.toml", "--yes"]);
    assert!(apply.env("SUDO_USER", "clara").stdout(std::process::Stdio::null()).status().unwrap().success());
    assert!(history(&place, &[]).1.contains("  web     clara  0     1 changed"), "{:?}", history(&place, &[]));
    assert!(history(&place, &["show", "last"]).1.contains("\n  who      clara\n"));
}

#[test]
fn runs_are_listed_by_lane_and_by_when_they_began() {
    let place = place();
    let references = |arguments: &[&str]| -> Vec<String> {
        let (code, stdout, stderr) = history(&place, arguments);
        assert_eq!((code, stderr.as_str()), (0, ""), "{arguments:?}");
        stdout
            .lines()
            .filter_map(|line| line.split(' ').next()?.strip_prefix("PROVISION-"))
            .map(str::to_owned)
            .collect()
    };
    let all = ["APPLY20261120-001", "APPLY20261120-002", "ACK20261120-001", "DESTROY20261120-001"];
    assert_eq!(references(&["--since", "2026-11-20"]), all);
    assert_eq!(references(&["--since", "2026-11-20 12:00"]), all);
    assert_eq!(references(&["--since", "2026-11-20 12:01"]), [""; 0]);
    assert_eq!(references(&["--lane", "CT202"]), ["APPLY20261120-001"]);
    assert_eq!(references(&["--lane", "host"]), ["APPLY20261120-001", "DESTROY20261120-001"]);
    assert_eq!(references(&["--lane", "host", "--since", "2026-11-21"]), [""; 0]);
    let none = history(&place, &["--since", "2026-11-21"]);
    assert_eq!(none.1, "\nno such run; `ROOT/state/ledger.jsonl` has 4\n");
    let json = history(&place, &["--lane", "CT202", "--json"]).1;
    assert_eq!(json.matches("\"run\":").count(), 1, "{json}");
}

#[test]
fn of_a_run_one_lane_can_be_shown_alone() {
    let place = place();
    let expected = "
PROVISION-APPLY20261120-001
  command  apply web, from web.toml
  version  0.1.0
  begun    2026-11-20 12:00:00 UTC
12:00:01  host   machine   host is f00d
12:00:03  CT202  changes   202/package:git  made: 2.39
12:00:03  CT202  failed    202/package:git
  running `apt-get install git`
  exit 100
  | E: Unable to locate package git
  Run `apt-get update` there.
applied: 1 changed, 1 in sync, 1 waiting, 1 failed, 2 not tried in 4.5 s, exit 1
";
    let show = ["show", "APPLY20261120-001", "--lane", "CT202"];
    assert_eq!(history(&place, &show), (0, expected.to_owned(), String::new()));
}

#[test]
fn a_lane_or_a_time_that_is_none_is_an_error_that_says_what_there_is() {
    let place = place();
    let refused = |arguments: &[&str]| {
        let (code, stdout, stderr) = history(&place, arguments);
        assert_eq!((code, stdout.as_str()), (2, "\n"), "{arguments:?}");
        stderr
    };
    assert_eq!(
        refused(&["--lane", "CT203"]),
        "error: looking for the lane `CT203`\n  nothing of any run was in it\nDid you mean `CT202`?\n"
    );
    assert_eq!(
        refused(&["show", "DESTROY20261120-001", "--lane", "elsewhere"]),
        "error: looking for the lane `elsewhere`\n  nothing of `PROVISION-DESTROY20261120-001` was in it\nThere is host.\n"
    );
    assert!(refused(&["--since", "yesterday"]).contains("`yesterday` is no time: `30m`, `12h`, `3d` or `2w` ago"));
}
