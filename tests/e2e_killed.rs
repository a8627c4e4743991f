//! Every case on a real machine, killed before, in and after the main act of each step of its kind, and run again: as if
//! nothing had been. Once with all its children, as when power is lost; once alone, while its children go on.
use crate::lab::on_a_disposable_machine;
use crate::support::act::Act;
use crate::support::case::{self, Case};
use crate::support::contract::{pass, same, sights};
use crate::support::killed::without_remarks;
use crate::support::mortal::{Call, Mortal, Point, When};
use crate::support::pristine::{self, Pristine};
use crate::support::recorder::Recorder;
use crate::support::web;
use provision::engine::Mode;
use provision::event::{Event, Sink, Started};
use provision::hub::{Hub, Lane};
use provision::id::Machine;
use provision::ledger::{Ledger, Lock, Writer};
use provision::report::Silent;
use provision::resource::Known;
use provision::system::Real;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const STATE: &str = "/var/lib/provision";
const RESULT: &str = "/run/e2e-killed.json";
/// Tells a child what to do.
const JOB: &str = "PROVISION_MORTAL";

#[test]
fn every_case_that_is_killed_and_run_again_is_as_if_it_had_not_been() {
    let packages = ["git", "nfs-kernel-server", "nftables", "sudo"];
    let test = "e2e_killed::every_case_that_is_killed_and_run_again_is_as_if_it_had_not_been";
    on_a_disposable_machine(test, &packages, || {
        let cases: Vec<_> = case::all().into_iter().filter(|case| case.only_fake.is_none()).collect();
        web::serve(&cases);
        let mut machine = Pristine::take();
        let (mut kills, mut broken) = (0, Vec::new());
        for case in &cases {
            let begun = Instant::now();
            match is_killed(case, &mut machine) {
                Ok(count) => kills += count,
                Err(why) => broken.push(format!("{}: {}\n  {why}", case.name, case.about)),
            }
            println!("{} {:.1} s", case.name, begun.elapsed().as_secs_f64());
        }
        assert!(broken.is_empty(), "{} of {} cases:\n\n{}", broken.len(), cases.len(), broken.join("\n\n"));
        println!("{} cases were killed {kills} times", cases.len());
    });
}

/// What a child is to do.
#[derive(Serialize, Deserialize)]
struct Job {
    case: String,
    act: usize,
    point: Option<Point>,
}

/// What a child did that was not killed.
#[derive(Serialize, Deserialize)]
struct Done {
    changes: Vec<String>,
    ends: Vec<String>,
    calls: Vec<Call>,
}

/// Kills each act of a case at each of its points; returns how many there were.
fn is_killed(case: &Case, machine: &mut Pristine) -> Result<usize, String> {
    let mut kills = 0;
    let acts = case.acts();
    for (number, act) in acts.iter().enumerate().filter(|(_, act)| !act.destroy) {
        // What was killed before may have left no stamp, and then more is to be done.
        from_the_start(case, &acts, number, machine)?;
        let whole = child(case, number, None)?.ok_or("a run that was not to be killed was")?;
        let paths = paths();
        for point in points(&whole.calls, case.name.split('/').next().unwrap_or_default()) {
            let said = |why: String| {
                let Call { shown, .. } = &whole.calls[point.call];
                let left = if point.whole { "nothing is left running" } else { "its children run on" };
                format!("{}, killed {:?} `{shown}`, {left}: {why}", act.what, point.when)
            };
            again(case, &acts, number, machine)?;
            if child(case, number, Some(point)).map_err(said)?.is_some() {
                // What it repairs was no damage a second time.
                from_the_start(case, &acts, number, machine)?;
                if child(case, number, Some(point)).map_err(said)?.is_some() {
                    return Err(said("it was not killed".to_owned()));
                }
            }
            is_made_good(case, number, act, &whole, &paths).map_err(said)?;
            kills += 1;
        }
    }
    Ok(kills)
}

/// Brings the machine to where an act begins. Where a drift was repaired, or is still to be done, is where that drift begins.
fn again(case: &Case, acts: &[Act<'_>], number: usize, machine: &mut Pristine) -> Result<(), String> {
    if (1..=case.drift.len()).contains(&number) {
        return acts[number].prepare(&mut Known::default(), &Real::new(STATE));
    }
    from_the_start(case, acts, number, machine)
}

/// Puts the machine back, and does all that comes before an act.
fn from_the_start(case: &Case, acts: &[Act<'_>], number: usize, machine: &mut Pristine) -> Result<(), String> {
    let sys = Real::new(STATE);
    machine.put_back();
    case.before.iter().try_for_each(|deed| deed.on(&sys))?;
    let is_drift = |number| (1..=case.drift.len()).contains(&number);
    for (earlier, act) in acts[..number].iter().enumerate() {
        // After a drift and its repair all is as before it, but where the next one is to be done on top of it.
        if !is_drift(earlier) || is_drift(number) {
            act.prepare(&mut Known::default(), &sys)?;
            child(case, earlier, None)?;
        }
    }
    acts[number].prepare(&mut Known::default(), &sys)
}

/// Before, in and after the longest call of each step of that kind.
fn points(calls: &[Call], kind: &str) -> Vec<Point> {
    let steps: BTreeSet<_> = calls.iter().filter_map(|call| call.step.clone()).filter(|(_, of)| of == kind).collect();
    let mut points = Vec::new();
    for step in steps {
        let made = calls.iter().enumerate().filter(|(_, call)| call.step.as_ref() == Some(&step));
        let Some((number, act)) = made.max_by_key(|(_, call)| call.micros) else { continue };
        let point = |when, whole| Point { call: number, when, whole };
        points.extend([point(When::Before, true), point(When::After, true)]);
        if act.has_middle {
            points.extend([true, false].map(|whole| point(When::During(act.micros / 2), whole)));
        }
    }
    points
}

/// What holds after the run that follows a killed one.
fn is_made_good(
    case: &Case,
    number: usize,
    act: &Act<'_>,
    whole: &Done,
    expected: &BTreeSet<PathBuf>,
) -> Result<(), String> {
    let again = child(case, number, None)?.ok_or("the run after it was killed as well")?;
    same("the ends of the run after it", &without_remarks(&again.ends), &without_remarks(&whole.ends))?;
    sights(act, &Real::new(STATE))?;
    let second = child(case, number, None)?.ok_or("the second run after it was killed as well")?;
    same("the changes of the second run after it", &second.changes, &[])?;
    let lost = |path: &&PathBuf| !path.starts_with(STATE);
    let found = paths();
    let differing = found.difference(expected).chain(expected.difference(&found).filter(lost));
    same("paths left or missing", &differing.map(|path| path.display().to_string()).collect::<Vec<_>>(), &[])?;
    let verified = Ledger::verify(Path::new(STATE)).map_err(|error| error.to_string())?;
    if verified.is_intact() { Ok(()) } else { Err(format!("the ledger: {verified:?}")) }
}

/// Returns the paths that a run may have left, without what the tools for accounts keep of the version before, and what
/// programs printed: each run has a file of that, and one that was killed is a run more, or the only one in which one did.
fn paths() -> BTreeSet<PathBuf> {
    let all = pristine::below(&["/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/usr/local", STATE]).into_keys();
    let runs = Path::new(STATE).join("runs");
    let is_file = |path: &Path| path.parent() == Some(&runs) && path.extension().is_some_and(|is| is == "jsonl");
    let printed = |path: &Path| path == runs || is_file(path);
    all.filter(|path| !path.as_os_str().as_encoded_bytes().ends_with(b"-") && !printed(path)).collect()
}

/// Applies an act in a process of its own; `None` where that was killed, as it was asked to be.
fn child(case: &Case, act: usize, point: Option<Point>) -> Result<Option<Done>, String> {
    let job = serde_json::to_string(&Job { case: case.name.clone(), act, point }).expect("a job is data");
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    command.args(["--exact", "e2e_killed::in_a_child", "--nocapture"]).env(JOB, job);
    let _none = std::fs::remove_file(RESULT);
    let output = command.output().map_err(|error| error.to_string())?;
    match output.status.signal() {
        Some(9) => return Ok(None),
        None if output.status.success() => {}
        _ => return Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()),
    }
    let text = std::fs::read(RESULT).map_err(|error| format!("reading {RESULT}: {error}"))?;
    serde_json::from_slice(&text).map(Some).map_err(|error| error.to_string())
}

/// No test by itself: what a child does.
#[test]
fn in_a_child() {
    let Ok(job) = std::env::var(JOB) else { return };
    let Job { case, act, point } = serde_json::from_str(&job).unwrap();
    let case = case::named(&case);
    let acts = case.acts();
    let sys = Mortal::new(Path::new(STATE), point);
    // A program that was being started when its parent died holds the lock until it is itself.
    let take = || Lock::take(Path::new(STATE), "apply", SystemTime::now());
    let held = take().or_else(|_| {
        std::thread::sleep(Duration::from_secs(1));
        take()
    });
    let writer = Writer::open(held.unwrap()).unwrap();
    let hub = Arc::new(Hub::writing(writer, Box::new(Silent)));
    let (recipe, file) = ("case".to_owned(), case.name.clone());
    hub.start(Started { recipe, file, command: "apply".into(), version: "0".into(), ..Started::default() }).unwrap();
    hub.identify(Machine::Host, "this").unwrap();
    let allowed = acts[..=act].iter().rev().find_map(|act| act.allowed).unwrap_or(&case.allowed).clone();
    let known = Known { allowed, ..hub.known(Machine::Host, "this") };
    let told = Told { lane: hub.lane(None), recorder: Recorder::default(), sys: &sys };
    let tally = pass(&acts[act], Mode::Apply, &known, &sys, &told).unwrap();
    hub.end(0, &tally).unwrap();
    let (changes, ends) = (told.recorder.changes(), told.recorder.ends());
    let done = Done { changes, ends, calls: sys.calls() };
    std::fs::write(RESULT, serde_json::to_string(&done).unwrap()).unwrap();
}

/// The ledger first, then who looks.
struct Told<'s> {
    lane: Lane,
    recorder: Recorder,
    sys: &'s Mortal,
}

impl Sink for Told<'_> {
    fn emit(&self, event: Event) -> provision::error::Result<()> {
        self.lane.emit(event.clone())?;
        self.sys.note(&event);
        self.recorder.emit(event)
    }
}
