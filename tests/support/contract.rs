//! What every kind keeps: check on an empty root, plan writes nothing, apply, the second apply is empty, drift is repaired,
//! destroy, killed at each write and run again.
use super::case::{Case, Sight};
use super::fake::FakeMachine;
use super::recorder::Recorder;
use provision::engine::{Course, Mode, Scope, converge};
use provision::event::{Event, Outcome};
use provision::item::Item;
use provision::resource::{Change, Claim, Known};
use provision::system::{Empty, System};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

type Kept = Result<(), String>;

/// Runs the whole contract on fake machines.
pub fn on_a_fake_machine(case: &Case) -> Kept {
    fake(case).map_err(|why| format!("{}: {}\n  {why}", case.name, case.about))
}

/// Runs what a real machine keeps of the contract on this one: it is changed, and what the case made is taken away.
pub fn on_this_machine(case: &Case, sys: &dyn System) -> Kept {
    let kept = || {
        let items = case.items();
        case.before.iter().try_for_each(|deed| deed.on(sys))?;
        sys.facts().forget();
        let before = snapshot();
        run(&items, Mode::Plan, &Known::default(), sys)?;
        if let Some(path) = snapshot().symmetric_difference(&before).next() {
            return Err(format!("the plan touched {path:?}"));
        }
        let known = on_any_machine(case, &items, sys)?;
        destroys(case, &items, sys, &known)
    };
    kept().map_err(|why| format!("{}: {}\n  {why}", case.name, case.about))
}

/// Returns path, inode and ctime of all that resources may have changed.
fn snapshot() -> BTreeSet<(PathBuf, u64, i64, i64)> {
    let mut seen = BTreeSet::new();
    let roots = ["/etc", "/home", "/opt", "/srv", "/usr/local", "/var/lib/dpkg", "/var/lib/nfs", "/var/lib/provision"];
    let mut left: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let Ok(is) = path.symlink_metadata() else { continue };
        if is.is_dir() {
            left.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        seen.insert((path, is.ino(), is.ctime(), is.ctime_nsec()));
    }
    seen
}

fn fake(case: &Case) -> Kept {
    let items = case.items();
    checks_on_an_empty_root(&items)?;
    let machine = fresh(case)?;
    plan_writes_nothing(case, &items, &machine)?;
    let known = on_any_machine(case, &items, &machine)?;
    leaves_no_temporary(&machine)?;
    destroys(case, &items, &machine, &known)?;
    killed_anywhere(case, &items)
}

/// The part of the contract that a real machine keeps as well; returns the claims.
pub fn on_any_machine(case: &Case, items: &[Item], sys: &dyn System) -> Result<Known, String> {
    let mut known = case.known();
    let planned = run(items, Mode::Plan, &known, sys)?;
    same("the plan's changes", &without_after(planned.changes()), &without_after(case.changes.clone()))?;
    let applied = apply(items, &mut known, sys)?;
    same("apply's changes", &without_after(applied.changes()), &without_after(case.changes.clone()))?;
    same("apply's ends", &applied.ends(), &case.ends)?;
    sights(&case.after, sys, "after the first apply")?;
    let second = apply(items, &mut known, sys)?;
    same("the second apply's changes", &second.changes(), &[])?;
    for drift in &case.drift {
        drift.by.iter().try_for_each(|deed| deed.on(sys))?;
        sys.facts().forget();
        let planned = run(items, Mode::Plan, &known, sys)?;
        same(
            &format!("the plan after {:?}", drift.by),
            &without_after(planned.changes()),
            &without_after(drift.changes.clone()),
        )?;
        apply(items, &mut known, sys)?;
        sights(&case.after, sys, "after the drift was repaired")?;
        same("the apply after the repair", &apply(items, &mut known, sys)?.changes(), &[])?;
    }
    Ok(known)
}

fn fresh(case: &Case) -> Result<FakeMachine, String> {
    let machine = FakeMachine::debian();
    let web = case.web.iter().map(|(url, body)| (url.clone(), (200, body.clone().into_bytes())));
    machine.web.lock().expect("not poisoned").extend(web);
    case.before.iter().try_for_each(|deed| deed.on(&machine))?;
    machine.take_runs();
    Ok(machine)
}

fn checks_on_an_empty_root(items: &[Item]) -> Kept {
    let known = Known::default();
    let base = provision::id::Id::new(provision::id::Machine::Host, "container", "201");
    let mut course = Course::default();
    course.pending.opaque(&base);
    let sink = Recorder::default();
    let scope = scope(Mode::Plan, &known, &Empty, &sink);
    converge(items, scope, &mut course).map_err(|error| format!("on an empty root: {error}"))?;
    match sink.ends().iter().find(|end| end.contains(" failed: ")) {
        Some(failed) => Err(format!("on an empty root: {failed}")),
        None => Ok(()),
    }
}

fn plan_writes_nothing(case: &Case, items: &[Item], machine: &FakeMachine) -> Kept {
    let before = machine.disk().nodes.clone();
    machine.kill_at(None);
    let planned = run(items, Mode::Plan, &case.known(), machine)?;
    same("the plan's changes", &planned.changes(), &case.changes)?;
    if machine.calls() > 0 || machine.disk().nodes != before {
        return Err("the plan wrote".to_owned());
    }
    Ok(())
}

fn destroys(case: &Case, items: &[Item], machine: &dyn System, known: &Known) -> Kept {
    let sink = Recorder::default();
    let gone = Scope { destroy: true, ..scope(Mode::Apply, known, machine, &sink) };
    converge(items, gone, &mut Course::default()).map_err(|error| error.to_string())?;
    if let Some(failed) = sink.ends().iter().find(|end| end.contains(" failed: ")) {
        return Err(format!("destroy: {failed}"));
    }
    sights(&case.destroyed, machine, "after it was destroyed")
}

fn killed_anywhere(case: &Case, items: &[Item]) -> Kept {
    let count = {
        let machine = fresh(case)?;
        machine.kill_at(None);
        apply(items, &mut case.known(), &machine)?;
        machine.calls()
    };
    for point in 0..count * 2 {
        let machine = fresh(case)?;
        machine.kill_at(Some(point));
        let mut known = case.known();
        apply(items, &mut known, &machine)?;
        machine.kill_at(None);
        let when = if point % 2 == 0 { "before" } else { "after" };
        let said = |why: String| format!("killed {when} write {} of {count}: {why}", point / 2 + 1);
        let again = apply(items, &mut known, &machine)?;
        // What is remarked of something that is being made is not said again once it is there.
        let (ends, still) = (again.ends(), |end: &&String| !end.contains(" remark: ") || again.ends().contains(end));
        same("ends of the run after it", &ends, &case.ends.iter().filter(still).cloned().collect::<Vec<_>>())
            .map_err(said)?;
        sights(&case.after, &machine, "after the run after it").map_err(said)?;
        same("the second run after it", &apply(items, &mut known, &machine)?.changes(), &[]).map_err(said)?;
        leaves_no_temporary(&machine).map_err(said)?;
    }
    Ok(())
}

fn leaves_no_temporary(machine: &FakeMachine) -> Kept {
    let disk = machine.disk();
    let left = disk.nodes.keys().find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains("provision-")) && !path.starts_with("/run")
    });
    left.map_or(Ok(()), |path| Err(format!("a temporary is left: {}", path.display())))
}

fn sights(sights: &[Sight], sys: &dyn System, when: &str) -> Kept {
    let missed: Vec<String> = sights.iter().filter_map(|sight| sight.missed(sys)).collect();
    if missed.is_empty() { Ok(()) } else { Err(format!("{when}: {}", missed.join("\n  "))) }
}

fn scope<'a>(mode: Mode, known: &'a Known, sys: &'a dyn System, sink: &'a Recorder) -> Scope<'a> {
    Scope { mode, destroy: false, known, sys, sink, turn: None, only: &[] }
}

pub fn run(items: &[Item], mode: Mode, known: &Known, sys: &dyn System) -> Result<Recorder, String> {
    let sink = Recorder::default();
    converge(items, scope(mode, known, sys, &sink), &mut Course::default()).map_err(|error| error.to_string())?;
    Ok(sink)
}

/// Applies, and keeps the claims as the ledger would.
pub fn apply(items: &[Item], known: &mut Known, sys: &dyn System) -> Result<Recorder, String> {
    let sink = run(items, Mode::Apply, known, sys)?;
    for event in sink.events() {
        match event {
            Event::Applying { ids, changes } => {
                for id in ids {
                    let ours: Vec<&Change> = changes.iter().filter(|change| change.name == id.name).collect();
                    let claim: &mut Claim = known.claims.entry(id).or_default();
                    claim.made |= ours.iter().any(|change| change.makes());
                    let last = ours.iter().filter_map(|change| Some((change.field.clone(), change.to.clone()?)));
                    claim.last.extend(last);
                }
            }
            Event::Finished { id, outcome: Outcome::InSync | Outcome::Changed { .. }, digest, .. } => {
                known.claims.entry(id).or_default().held = Some(digest);
            }
            _ => {}
        }
    }
    Ok(sink)
}

fn same(what: &str, found: &[String], expected: &[String]) -> Kept {
    if found == expected {
        return Ok(());
    }
    let list = |lines: &[String]| {
        if lines.is_empty() { "    (none)".to_owned() } else { format!("    {}", lines.join("\n    ")) }
    };
    Err(format!("{what} are\n{}\n  instead of\n{}", list(found), list(expected)))
}

/// In an apply what hangs on an earlier step hangs no more: it is done.
fn without_after(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| line.split(" after ").next().unwrap_or_default().to_owned()).collect()
}
