//! What goes wrong around a run, with the real binary: nobody reads what it says, others run as well, the clock is set back,
//! names are no text. What needs a machine of its own is in `e2e_faults.rs`.
use crate::support::place::{Place, Ran, wait_for};
use crate::support::run::{make, noon, writer};
use provision::engine::Tally;
use provision::event::Started;
use provision::hub::Hub;
use provision::report::Silent;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const FILE: &str = "name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"hello\\n\"\n";

/// Runs a command through a shell that gives it these streams.
fn through(place: &Place, arguments: &[&str], streams: &str) -> Ran {
    let command = place.command(arguments);
    let mut shell = Command::new("bash");
    shell.arg("-c").arg(format!("set -o pipefail; \"$@\" {streams}")).arg("bash");
    shell.arg(command.get_program()).args(command.get_args()).current_dir(place.root());
    Ran::of(&shell.output().unwrap(), place.root())
}

#[test]
fn a_run_that_nobody_hears_changes_what_it_should() {
    for more in [&[][..], &["--json"]] {
        for streams in ["| head -n 1", "| true", ">&-", ">&- 2>&- <&-", ">/dev/full", ">/dev/full 2>/dev/full"] {
            let place = Place::new(FILE);
            let ran = through(&place, &[&["apply", "web.toml"], more].concat(), streams);
            assert_eq!(ran.code, 0, "{streams}: {ran:?}");
            assert_eq!(fs::read_to_string(place.root().join("motd")).unwrap(), "hello\n", "{streams}");
            let again = place.run(&["apply", "web.toml"]);
            assert!(again.stdout.contains("\napplied: 0 changed, 1 in sync"), "{streams}: {again:?}");
        }
    }
}

#[test]
fn what_a_caller_hands_on_changes_nothing_that_is_done() {
    let look = "umask >ROOT/umask; touch ROOT/made; readlink /proc/self/fd/* >ROOT/open || true";
    let place =
        Place::new(&format!("name = \"web\"\n[[command]]\nname = \"look\"\nscript = \"{look}\"\nonce = true\n"));
    let command = place.command(&["apply", "web.toml"]);
    let mut shell = Command::new("dash");
    shell.args(["-c", "trap '' CHLD; umask 000; exec 7<web.toml; exec \"$@\"", "dash"]).arg(command.get_program());
    let ran = Ran::of(&shell.args(command.get_args()).current_dir(place.root()).output().unwrap(), place.root());
    assert_eq!(ran.code, 0, "{ran:?}");
    let read = |name: &str| fs::read_to_string(place.root().join(name)).unwrap();
    assert_eq!(read("umask"), "0022\n");
    assert!(!read("open").contains("web.toml"), "{}", read("open"));
    assert_eq!(fs::metadata(place.root().join("made")).unwrap().mode() & 0o777, 0o644);
}

#[test]
fn that_what_a_run_says_is_lost_is_said_once() {
    let place = Place::new(FILE);
    let why = "warning: what this run says could not be written: No space left on device (os error 28); it goes on all the same\n";
    for arguments in
        [&["plan", "web.toml"][..], &["apply", "web.toml"], &["status", "web.toml"], &["plan", "web.toml", "--json"]]
    {
        assert_eq!(through(&place, arguments, ">/dev/full").stderr, why, "{arguments:?}");
        assert_eq!(through(&place, arguments, "| true").stderr, "", "{arguments:?}: who closed the pipe knows");
    }
}

#[test]
fn of_eight_runs_that_start_at_once_one_runs_and_seven_say_who() {
    let slow = "[[command]]\nname = \"slow\"\nargv = [\"sh\", \"-c\", \"touch ROOT/begun; until [ -e ROOT/go ]; do sleep 0.05; done\"]\nonce = true\n";
    let place = Place::new(&format!("{FILE}{slow}"));
    let start = |_| {
        let mut command = place.command(&["apply", "web.toml"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut runs: Vec<_> = (0..8).map(start).collect();
    wait_for(&place.root().join("begun"));
    let (mut refused, mut running) = (Vec::new(), Vec::new());
    while refused.len() < 7 {
        for mut run in std::mem::take(&mut runs) {
            match run.try_wait().unwrap() {
                Some(status) => {
                    let mut said = String::new();
                    run.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                    refused.push((status.code(), said));
                }
                None => running.push(run),
            }
        }
        runs.append(&mut running);
        assert!(!runs.is_empty(), "{refused:#?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    let by = format!("held by pid {} (`provision apply web.toml`) since ", runs[0].id());
    for (code, said) in &refused {
        let is_named = said.contains(&by) || said.contains("held by another run");
        assert!(*code == Some(5) && is_named && said.contains("\nWait for that run to end"), "{code:?} {said}");
    }
    fs::write(place.root().join("go"), "").unwrap();
    assert_eq!(runs[0].wait().unwrap().code(), Some(0));
    assert_eq!(place.run(&["ledger", "verify"]).code, 0);
    assert!(place.run(&["apply", "web.toml"]).stdout.contains("\napplied: 0 changed, 2 in sync"));
}

#[test]
fn a_run_whose_clock_is_behind_that_of_the_last_one_knows_all_that_one_did() {
    let place = Place::new(FILE);
    let state = place.root().join("state");
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    // A century ahead.
    let later = noon() + Duration::from_hours(24 * 36_500);
    let hub = Hub::writing(writer(&state), Box::new(Silent)).clock(Arc::new(move || later));
    let (recipe, file, command) = ("web".to_owned(), "web.toml".to_owned(), "apply".to_owned());
    hub.start(Started { recipe, file, command, ..Started::default() }).unwrap();
    make(&hub, "file:/elsewhere");
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);
    let same = place.run(&["apply", "web.toml"]);
    assert!(same.code == 0 && same.stdout.contains("\napplied: 0 changed, 1 in sync"), "{same:?}");
    fs::write(place.root().join("motd"), "theirs\n").unwrap();
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("(drift)"));
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    let history = place.run(&["history"]).stdout;
    let begun: Vec<&str> = history.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(begun.len(), 4, "{history}");
    assert!(begun.iter().all(|run| begun.iter().filter(|other| *other == run).count() == 1), "{history}");
    assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
    assert!(!place.root().join("motd").exists());
    assert_eq!(place.run(&["ledger", "verify"]).code, 0);
}

#[test]
fn names_that_are_no_text_are_names() {
    let place = Place::new(
        "name = \"web\"\n[[directory]]\npath = \"ROOT/watched\"\n[[command]]\nname = \"count\"\n\
         argv = [\"sh\", \"-c\", \"echo run >>ROOT/runs\"]\nwatch = [\"ROOT/watched\"]\n",
    );
    let odd = |name: &[u8]| place.root().join(OsStr::from_bytes(name));
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    // Two that are the same once what is no text is replaced.
    for (name, runs) in [(&b"watched/caf\xe9"[..], 2), (b"watched/caf\xea", 3)] {
        File::create(odd(name)).unwrap();
        assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
        assert_eq!(fs::read_to_string(place.root().join("runs")).unwrap().lines().count(), runs);
    }
    fs::rename(odd(b"watched/caf\xea"), odd(b"watched/caf\xeb")).unwrap();
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("(drift)"), "another name is another file");
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    let kept = place.run(&["destroy", "web.toml", "--yes"]);
    assert!(kept.stdout.contains("kept: ") && odd(b"watched/caf\xe9").exists(), "{kept:?}");
    // The directory that one runs in, and that of the state.
    let directory = odd(b"\xff");
    fs::create_dir(&directory).unwrap();
    fs::copy(place.root().join("web.toml"), directory.join("web.toml")).unwrap();
    let mut there = place.command(&["apply", "web.toml"]);
    assert!(there.current_dir(&directory).status().unwrap().success());
    let mut elsewhere = Command::new(env!("CARGO_BIN_EXE_provision"));
    elsewhere.args(["apply", "web.toml", "--state-dir"]).arg(odd(b"st\xe9")).current_dir(place.root());
    assert!(elsewhere.status().unwrap().success());
    assert!(odd(b"st\xe9").join("ledger.jsonl").exists());
}

#[test]
fn text_that_is_none_is_refused_by_name() {
    let place = Place::new(
        "name = \"web\"\n[secrets]\nkey = { env = \"KEY\" }\n[[file]]\npath = \"ROOT/key\"\ncontent = \"{{ key }}\"\n",
    );
    let mut apply = place.command(&["apply", "web.toml"]);
    let ran = Ran::of(&apply.env("KEY", OsStr::from_bytes(b"caf\xe9")).output().unwrap(), place.root());
    let why = "the environment variable `KEY` is not text in UTF-8";
    assert!(ran.code == 2 && ran.stderr.contains(why), "{ran:?}");
    let mut apply = place.command(&["apply"]);
    let ran = Ran::of(&apply.arg(OsStr::from_bytes(b"caf\xe9.toml")).output().unwrap(), place.root());
    let why = "error: reading the command line\n  `caf\u{fffd}.toml` is not UTF-8\n\
               Give what it names another name, such as by `mv`.\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (2, why));
}
