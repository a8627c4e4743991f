//! `history`, to the letter: runs on the real machine below a temporary directory, and a ledger of a clock of its own.
use crate::support::place::{Place, Ran};
use crate::support::run::{finished, id, ledger_of, make, run, start};
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Counts, Event, Outcome, Sink};
use provision::id::Machine;
use provision::report::Silent;
use provision::resource::{Ack, Change};
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

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

/// One variable of each sort; the password is a hash, as `user` wants it.
const VARS: &str = "name = \"web\"\nneeds = [\"api_key\"]\n\
    [vars]\nrole = \"none\"\nsizes = [1]\nurl = \"https://example.org\"\nlogin = \"x\"\ncopy = \"{{ token }}\"\nsame = \"x\"\n\
    [secrets]\ntoken = { env = \"TOKEN\" }\n\
    [[file]]\npath = \"ROOT/f\"\ncontent = \"{{ role }} {{ sizes[0] }} {{ url }} {{ copy }} {{ same }} {{ api_key }}\\n\"\n\
    [[command]]\nname = \"login\"\nscript = \"true\"\nonce = true\nenv = { DB_PASSWORD = \"a-{{ login }}\" }\n";

#[test]
fn a_run_remembers_the_variables_it_was_given_and_of_a_secret_that_it_was_given() {
    let place = Place::new(VARS);
    let mut arguments = vec!["apply", "web.toml", "--yes"];
    for given in [
        "role=first",
        "role=lilly",
        "sizes=[3, 4]",
        "url=https://mike:pw@example.org/x",
        "login=opensesame",
        "copy=swordfish",
        "same=is tok-in-env there",
        "api_key=k",
    ] {
        arguments.extend(["--var", given]);
    }
    for _ in 0..2 {
        let ran = place.command(&arguments).env("TOKEN", "tok-in-env").output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{ran:?}");
        let expected = "  var      api_key=(secret)\n  var      copy=(secret)\n  var      login=(secret)\n  var      role=lilly\n  \
                        var      same=is (secret) there\n  var      sizes=[3, 4]\n  var      url=https://(secret)@example.org/x\n";
        let shown = history(&place, &["show", "last"]).1;
        assert!(shown.contains(expected), "{shown}");
    }
    let ledger = fs::read_to_string(place.root().join("state/ledger.jsonl")).unwrap();
    for secret in ["tok-in-env", "swordfish", "opensesame", "mike:pw", "\"k\""] {
        assert!(!ledger.contains(secret), "{secret}: {ledger}");
    }
    let json = history(&place, &["show", "last", "--json"]).1;
    assert!(json.contains(r#""vars":{"api_key":"(secret)""#), "{json}");
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

/// A place where a command that was given a secret, one that was not, and one that fails were run.
fn printing() -> Place {
    let place = Place::new(
        r#"
name = "web"
[secrets]
token = { env = "TOKEN" }
[[command]]
name = "long"
script = "seq 30; echo to stderr >&2; printf '\\033[31mred\\033[0m\\n'"
once = true
[[command]]
name = "silent"
argv = ["true"]
once = true
[[command]]
name = "secret"
argv = ["sh", "-c", "echo it is $IT | base64; echo $IT"]
env = { IT = "{{ token }}" }
once = true
[[command]]
name = "fails"
script = "echo hunter2-and-more; exit 7"
once = true
"#,
    );
    let mut apply = place.command(&["apply", "web.toml", "--yes"]);
    let ran = apply.env("TOKEN", "hunter2-and-more").output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    place
}

#[test]
fn what_programs_printed_is_kept_beside_the_ledger_and_shown_with_the_run() {
    let place = printing();
    let shown = history(&place, &["show", "last"]).1;
    let after = shown.split("printed   host/command:long  `sh -s`\n").nth(1).expect("it is there");
    let before = "  | … 12 more before; --verbose shows them\n  | 13\n  | 14\n";
    assert!(after.starts_with(before), "{shown}");
    let end = "  | 30\n  | red\n  | to stderr\n";
    assert!(after.contains(end), "{shown}");
    assert!(shown.contains("printed   host/command:fails  `sh -s`, exit 7\n  | (secret)\n"), "{shown}");
    let verbose = history(&place, &["show", "last", "--verbose"]).1;
    assert!(verbose.contains("  | 1\n  | 2\n") && !verbose.contains("more before"), "{verbose}");
    let json = history(&place, &["show", "last", "--json"]).1;
    let events: Vec<serde_json::Value> = json.trim().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    let printed: Vec<&str> =
        events.iter().filter(|event| event["event"] == "printed").map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(printed, ["host/command:long", "host/command:fails"]);
}

#[test]
fn of_a_resource_that_was_given_a_secret_nothing_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = printing();
    let runs = place.root().join("state/runs");
    let files: Vec<_> = fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let text = fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains("command:long") && !text.contains("command:secret") && !text.contains("hunter2"), "{text}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&runs), mode(&files[0])), (0o700, 0o600));
    fs::write(&files[0], format!("{text}{{\"v\":1,\"run\":\"PROV")).unwrap();
    assert!(history(&place, &["show", "last"]).1.contains("to stderr"), "a torn line hides nothing else");
    fs::remove_dir_all(&runs).unwrap();
    let (code, stdout, stderr) = history(&place, &["show", "last"]);
    assert!(code == 0 && stderr.is_empty() && !stdout.contains("printed "), "{stdout}{stderr}");
}

#[test]
fn a_run_whose_outputs_cannot_be_kept_goes_on_and_says_so_once() {
    let place = Place::new(
        "name = \"web\"\n[[command]]\nname = \"a\"\nscript = \"echo printed\"\nonce = true\n\
         [[command]]\nname = \"b\"\nscript = \"echo printed\"\nonce = true\n",
    );
    fs::create_dir(place.root().join("state")).unwrap();
    fs::set_permissions(place.root().join("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(place.root().join("state/runs"), "a file").unwrap();
    let ran = place.run(&["apply", "web.toml", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout.matches("warning: what programs print is not kept: ").count(), 1, "{ran:?}");
    assert_eq!(place.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn what_is_kept_of_a_program_a_run_and_all_runs_is_bounded() {
    let place = Place::new("");
    let state = place.root().join("state");
    let printed =
        |text: &str| Event::Printed { id: id("command:x"), program: "x".into(), code: 0, text: text.to_owned() };
    let hub = start(&state, "apply", Box::new(Silent));
    make(&*hub, "file:/x");
    for number in 0..100 {
        hub.emit(printed(&format!("{number} {}", "x".repeat(16 << 10)))).unwrap();
    }
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);
    let file = state.join("runs/PROVISION-APPLY20261120-001.jsonl");
    let length = fs::metadata(&file).unwrap().len();
    assert!((1_000_000..=(1 << 20) + 1024).contains(&length), "{length}");
    let shown = history(&place, &["show", "last"]).1;
    assert!(shown.contains("warning: what programs print from here on is not kept: 10"), "{shown}");
    let short_run = || {
        let hub = start(&state, "apply", Box::new(Silent));
        make(&*hub, "file:/x");
        hub.emit(printed("short")).unwrap();
        hub.end(0, &Tally::default()).unwrap();
    };
    (0..40).for_each(|_| short_run());
    let kept = |number: u32| state.join(format!("runs/PROVISION-APPLY20261120-{number:03}.jsonl")).exists();
    assert_eq!(fs::read_dir(state.join("runs")).unwrap().count(), 32);
    assert!(kept(41) && kept(10) && !kept(9) && !kept(1));

    // As if the clock had been set back since.
    let ahead = SystemTime::now() + Duration::from_hours(24);
    for file in fs::read_dir(state.join("runs")).unwrap() {
        File::options().append(true).open(file.unwrap().path()).unwrap().set_modified(ahead).unwrap();
    }
    (0..2).for_each(|_| short_run());
    assert!(kept(43) && kept(42), "the newest runs are those that were begun last");
}
