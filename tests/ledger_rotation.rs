//! A ledger that has grown long goes on in a new file: what is known, what is shown and what the chain says stay the same.
use crate::support::run::{finished, id, ledger_of, noon, rotating, run, run_in, start, state_dir, writer};
use provision::engine::Tally;
use provision::error::Error;
use provision::event::{Event, Outcome, Sink};
use provision::id::{Id, Machine};
use provision::ledger::{How, Ledger, Lock, Writer};
use provision::report::Silent;
use provision::resource::{Change, Claim};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// With this a few runs fill a file.
const SHORT: u64 = 4096;

fn claims(state: &Path) -> BTreeMap<Id, Claim> {
    Ledger::open(state).unwrap().known("web", Machine::Host, "host").claims
}

fn references(state: &Path) -> Vec<String> {
    Ledger::history(state).unwrap().runs.into_iter().map(|run| run.reference).collect()
}

fn older(state: &Path, number: u32) -> PathBuf {
    state.join(format!("ledger-{number:04}.jsonl"))
}

/// Returns the names in a state directory.
fn names(state: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Makes a ledger of three files.
pub fn three_files(state: &Path) {
    let mut number = 0;
    while !older(state, 2).exists() {
        number += 1;
        run_in(rotating(state, SHORT), &[&format!("file:/{}", number % 3), "directory:/srv"]);
    }
    run(state, &["file:/last"]);
}

/// Returns a line with another content, sealed as its writer would.
fn forged(line: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    value.as_object_mut().unwrap().remove("sum");
    edit(&mut value);
    let mut text = value.to_string();
    text.pop();
    let sum = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut sum, byte| {
        write!(sum, "{byte:02x}").unwrap();
        sum
    });
    format!("{text},\"sum\":\"{}\"}}", &sum[..16])
}

/// Edits the lines of a file.
fn edit(path: &Path, edit: impl FnOnce(&mut Vec<String>)) {
    let mut lines: Vec<String> = fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
    edit(&mut lines);
    fs::write(path, lines.join("\n") + "\n").unwrap();
}

fn breaks(state: &Path) -> Vec<(Option<String>, usize, How)> {
    let verified = Ledger::verify(state).unwrap();
    verified.breaks.into_iter().map(|found| (found.file, found.line, found.how)).collect()
}

#[test]
fn at_16_mib_the_next_run_goes_on_in_a_new_file_that_knows_all_and_holds_the_old_head() {
    let (_dir, state) = state_dir();
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, "host").unwrap();
    let of = id("file:/x");
    let value = "x".repeat(1000);
    let changes: Vec<Change> =
        (0..1000).map(|n| Change::field("/x", n.to_string(), None, Some(value.clone()))).collect();
    for _ in 0..17 {
        hub.emit(Event::Applying { ids: vec![of.clone()], changes: changes.clone(), absent: false }).unwrap();
        hub.emit(finished(&of, Outcome::Changed { changes: Vec::new() })).unwrap();
    }
    let head = hub.end(0, &Tally::default()).unwrap().head;
    drop(hub);
    let (before, length) = (claims(&state), fs::metadata(ledger_of(&state)).unwrap().len());
    assert!(length > 16 << 20, "{length}");
    assert!(!older(&state, 1).exists(), "a run is not cut in two");

    run(&state, &["file:/y"]);
    assert_eq!(names(&state), ["claims.json", "key", "ledger-0001.jsonl", "ledger.jsonl", "lock"].map(str::to_owned));
    assert_eq!(fs::metadata(older(&state, 1)).unwrap().len(), length);
    assert_eq!(fs::metadata(older(&state, 1)).unwrap().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(ledger_of(&state)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["event"], &lines[0]["file"], &lines[0]["prev"]),
        (&"rotated".into(), &1.into(), &head.into())
    );
    let versions: Vec<u64> = lines.iter().map(|line| line["v"].as_u64().unwrap()).collect();
    assert_eq!(versions, [2, 1, 1, 1, 1], "what knows no other files refuses it");
    let after = claims(&state);
    assert_eq!((after.len(), &after[&of]), (before.len() + 1, &before[&of]));
    assert_eq!(references(&state), ["PROVISION-APPLY20261120-001", "PROVISION-APPLY20261120-002"]);
    let verified = Ledger::verify(&state).unwrap();
    assert!(verified.is_intact(), "{:?}", verified.breaks);
    assert_eq!((verified.files, verified.lines), (2, 3 + 34 + 5));
    run(&state, &[]);
    assert!(!older(&state, 2).exists(), "and it is rotated again only once it is long again");
}

#[test]
fn the_chain_the_history_and_what_is_known_go_on_over_many_files() {
    let (_dir, state) = state_dir();
    let (_other, whole) = state_dir();
    for number in 0..40 {
        let of = format!("file:/{}", number % 5);
        run_in(rotating(&state, SHORT), &[&of]);
        run(&whole, &[&of]);
        assert_eq!(claims(&state), claims(&whole), "as one that is not rotated");
    }
    assert!(older(&state, 5).exists(), "{:?}", names(&state));
    assert_eq!(references(&state), references(&whole));
    assert_eq!(references(&state).len(), 40);
    let verified = Ledger::verify(&state).unwrap();
    assert!(verified.is_intact(), "{:?}", verified.breaks);
    assert_eq!(verified.head, Ledger::open(&state).unwrap().head());
    let shown =
        |state: &Path| Ledger::history(state).unwrap().runs.into_iter().map(|run| run.events).collect::<Vec<_>>();
    assert_eq!(shown(&state), shown(&whole));
}

#[test]
fn what_is_done_to_a_rotated_file_is_found_and_where_is_said() {
    let (first, second) = (Some("ledger-0001.jsonl".to_owned()), Some("ledger-0002.jsonl".to_owned()));
    let after = |tamper: &dyn Fn(&Path)| {
        let (_dir, state) = state_dir();
        three_files(&state);
        assert_eq!(breaks(&state), []);
        tamper(&state);
        breaks(&state)
    };
    let one = first.clone();
    assert_eq!(after(&|state| fs::remove_file(older(state, 1)).unwrap()), [(one.clone(), 0, How::Missing)]);
    assert_eq!(after(&|state| edit(&older(state, 1), |lines| drop(lines.pop()))), [(second.clone(), 1, How::Loose)]);
    assert_eq!(
        after(&|state| edit(&older(state, 2), |lines| drop(lines.remove(0)))),
        [(second.clone(), 1, How::Loose)]
    );
    assert_eq!(after(&|state| edit(&ledger_of(state), |lines| drop(lines.remove(0)))), [(None, 1, How::Loose)]);
    assert_eq!(
        after(&|state| fs::write(ledger_of(state), "").unwrap()),
        [(Some("ledger.jsonl".to_owned()), 0, How::Missing)]
    );
    let changed = |lines: &mut Vec<String>| lines[0] = lines[0].replace("web.toml", "web.tom1");
    let found = after(&|state| edit(&older(state, 1), changed));
    assert_eq!(found, [(one.clone(), 1, How::Changed), (one, 2, How::Loose)]);
    let swapped = after(&|state| {
        fs::rename(older(state, 1), state.join("aside")).unwrap();
        fs::rename(older(state, 2), older(state, 1)).unwrap();
        fs::rename(state.join("aside"), older(state, 2)).unwrap();
    });
    assert_eq!(swapped, [(first, 1, How::Loose), (second.clone(), 1, How::Loose), (None, 1, How::Loose)]);
    // Who forges the sums has to forge every line after it as well, and then the head is another one.
    let forge = |line: &mut String| {
        *line =
            forged(line, |value| value["state"]["recipes"]["web"]["claims"] = Value::Object(serde_json::Map::new()));
    };
    let forgotten = after(&|state| edit(&older(state, 2), |lines| forge(&mut lines[0])));
    assert_eq!(forgotten, [(second.clone(), 1, How::Misstated), (second, 2, How::Loose), (None, 1, How::Misstated)]);
}

#[test]
fn a_rotation_that_was_killed_between_its_two_names_is_completed_by_the_next_run() {
    let (_dir, state) = state_dir();
    while fs::metadata(ledger_of(&state)).map_or(0, |found| found.len()) < SHORT {
        run(&state, &["file:/x"]);
    }
    let (before, runs, head) = (claims(&state), references(&state), Ledger::open(&state).unwrap().head().to_owned());
    fs::hard_link(ledger_of(&state), older(&state, 1)).unwrap();
    fs::write(state.join("ledger.new"), "{\"v\":2,\"prev\":\"half").unwrap();
    assert_eq!((claims(&state), references(&state)), (before.clone(), runs.clone()));
    let verified = Ledger::verify(&state).unwrap();
    assert!(verified.is_intact() && verified.files == 1 && verified.head == head, "{verified:?}");

    drop(rotating(&state, SHORT));
    assert_eq!(names(&state), ["key", "ledger-0001.jsonl", "ledger.jsonl", "lock"].map(str::to_owned));
    assert_eq!((claims(&state), references(&state)), (before, runs));
    assert_eq!(Ledger::verify(&state).unwrap().files, 2);
    assert_eq!(breaks(&state), []);
    assert_eq!(fs::metadata(older(&state, 1)).unwrap().nlink(), 1);
}

#[test]
fn another_file_in_the_place_of_the_rotated_one_stops_the_run_and_nothing_is_lost() {
    let (_dir, state) = state_dir();
    while fs::metadata(ledger_of(&state)).map_or(0, |found| found.len()) < SHORT {
        run(&state, &["file:/x"]);
    }
    fs::write(older(&state, 1), "theirs").unwrap();
    let before = fs::read(ledger_of(&state)).unwrap();
    let refused = Writer::open_rotating(Lock::take(&state, "apply", noon()).unwrap(), SHORT).unwrap_err();
    assert_eq!(refused.causes[1], "another file has that name", "{refused:?}");
    assert_eq!(fs::read(ledger_of(&state)).unwrap(), before);
    assert_eq!(fs::read(older(&state, 1)).unwrap(), b"theirs");
}

#[test]
fn a_ledger_that_lost_what_it_goes_on_from_is_no_ledger_of_a_host_without_claims() {
    for damage in ["", "{\"v\":2,\"prev\":\"torn"] {
        let (_dir, state) = state_dir();
        three_files(&state);
        fs::write(ledger_of(&state), damage).unwrap();
        let why =
            "`ledger.jsonl` is not there, or has lost its first line, with which it goes on from `ledger-0001.jsonl`";
        assert_eq!(Ledger::open(&state).unwrap_err().causes, [why]);
        assert!(Writer::open(Lock::take(&state, "apply", noon()).unwrap()).is_err());
        assert_eq!(fs::read_to_string(ledger_of(&state)).unwrap(), damage, "untouched");
        assert!(!Ledger::verify(&state).unwrap().is_intact());
    }
    let (_dir, state) = state_dir();
    three_files(&state);
    edit(&ledger_of(&state), |lines| lines[0] = lines[0].replace("\"made\":true", "\"made\":false"));
    assert!(Ledger::open(&state).is_err(), "a first line that was changed is not believed");
}

#[test]
fn what_another_version_told_in_a_form_of_its_own_is_added_up_from_the_files_before() {
    let (_dir, state) = state_dir();
    three_files(&state);
    let before = claims(&state);
    let of_another_form = |path: &Path| {
        edit(path, |lines| {
            lines[0] = forged(&lines[0], |value| {
                value["form"] = 99.into();
                value["state"] = "told in another way".into();
            });
        });
    };
    of_another_form(&ledger_of(&state));
    assert_eq!(claims(&state), before);
    of_another_form(&older(&state, 2));
    assert_eq!(claims(&state), before);
    fs::remove_file(older(&state, 1)).unwrap();
    let why = "`ledger-0001.jsonl` is not there, and what it held is told in a form that this version does not know";
    assert_eq!(Ledger::open(&state).unwrap_err().causes, [why]);
}

#[test]
fn whoever_reads_while_it_rotates_sees_one_ledger() {
    let (_dir, state) = state_dir();
    run(&state, &["file:/0"]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut runs, mut known) = (0, 0);
            loop {
                let is_last = done.load(Ordering::Relaxed);
                let history = Ledger::history(&state).unwrap();
                assert_eq!((history.unreadable, &history.missing), (0, &Vec::new()));
                assert!(history.runs.len() >= runs, "{} runs, and before {runs}", history.runs.len());
                runs = history.runs.len();
                assert_eq!(breaks(&state), []);
                let claims = claims(&state).len();
                assert!(claims >= known, "{claims} claims, and before {known}");
                known = claims;
                if is_last {
                    return runs;
                }
            }
        });
        for number in 1..=150 {
            run_in(rotating(&state, SHORT), &[&format!("file:/{}", number.min(10))]);
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(reader.join().unwrap(), 151);
    });
    assert!(older(&state, 10).exists(), "{:?}", names(&state));
    assert_eq!(references(&state).len(), 151);
}

#[test]
fn a_torn_line_is_cut_off_before_the_ledger_is_rotated_and_a_flawed_ledger_is_kept() {
    let (_dir, state) = state_dir();
    while fs::metadata(ledger_of(&state)).map_or(0, |found| found.len()) < SHORT {
        run(&state, &["file:/x"]);
    }
    let whole = fs::read(ledger_of(&state)).unwrap();
    fs::write(ledger_of(&state), [&whole[..], b"{\"v\":1,\"pr"].concat()).unwrap();
    let ledger = rotating(&state, SHORT);
    assert_eq!(ledger.flaws().len(), 1);
    drop(ledger);
    assert_eq!(fs::read(older(&state, 1)).unwrap(), whole);
    assert_eq!(breaks(&state), []);

    let (_dir, state) = state_dir();
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(ledger_of(&state), [b"nonsense\n", &whole[..]].concat()).unwrap();
    let flaws = rotating(&state, SHORT).flaws().to_vec();
    assert_eq!(flaws, ["line 1 of the ledger can't be read and is passed over; `provision ledger verify` says more"]);
    assert!(!older(&state, 1).exists());
    drop(writer(&state));
    let error = Ledger::verify(&state).unwrap().into_reasons(Error::new("verifying"));
    assert!(error.causes[0].contains("is not a line of a ledger"), "{error:?}");
}
