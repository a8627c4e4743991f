//! What every kind keeps: check on an empty root, plan writes nothing, apply, the second apply is empty, drift is repaired,
//! edits are made, destroy takes away what is ours. What it keeps when it is killed is in `killed.rs`.
use super::act::Act;
use super::book;
use super::case::Case;
use super::fake::FakeMachine;
use super::killed;
use super::recorder::Recorder;
use super::sight::Sight;
use provision::engine::{Course, Mode, Scope, Tally, converge};
use provision::event::Sink;
use provision::item::Item;
use provision::resource::Known;
use provision::system::{Empty, System};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

pub type Kept = Result<(), String>;

/// What a plan must leave as it is: each path and what tells whether it was touched.
type Look<'l> = &'l dyn Fn() -> BTreeMap<PathBuf, String>;

/// Runs the whole contract on fake machines.
pub fn on_a_fake_machine(case: &Case) -> Kept {
    fake(case).map_err(|why| format!("{}: {}\n  {why}", case.name, case.about))
}

/// Runs what a real machine keeps of the contract on this one: it is changed, and what the case made is taken away.
pub fn on_this_machine(case: &Case, sys: &dyn System) -> Kept {
    let kept = || {
        case.before.iter().try_for_each(|deed| deed.on(sys))?;
        acts(case, case.acts(), sys, &of_this_machine).map(drop)
    };
    kept().map_err(|why| format!("{}: {}\n  {why}", case.name, case.about))
}

/// Runs all acts but the destroy; returns the claims.
pub fn on_any_machine(case: &Case, sys: &dyn System) -> Result<Known, String> {
    let mut lasting = case.acts();
    lasting.pop();
    acts(case, lasting, sys, &BTreeMap::new)
}

/// Looks whether what a case leaves goes as its destroy says where all that is known of it is what the ledger remembers, also
/// where that is killed at any point and run again.
pub fn as_orphans(case: &Case) -> Kept {
    let gone = || {
        let machine = fresh(case)?;
        let mut known = on_any_machine(case, &machine)?;
        let mut act = case.acts().pop().ok_or("no destroy")?;
        let remembered = act.items.iter().filter_map(|item| Some((item.ids(), item.remembered()?)));
        let all = remembered.flat_map(|(ids, fields)| ids.into_iter().map(move |id| Item::left(&id, fields.clone())));
        act.items = all.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        "what is left".clone_into(&mut act.what);
        killed::anywhere_in(&act, &mut known, &machine)?;
        sights(&act, &machine)
    };
    gone().map_err(|why| format!("{}: {}\n  {why}", case.name, case.about))
}

/// Returns inode and ctime of all that resources may have changed.
fn of_this_machine() -> BTreeMap<PathBuf, String> {
    let mut seen = BTreeMap::new();
    let roots = ["/etc", "/home", "/opt", "/srv", "/usr/local", "/var/lib/dpkg", "/var/lib/nfs", "/var/lib/provision"];
    let mut left: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let Ok(is) = path.symlink_metadata() else { continue };
        if is.is_dir() {
            left.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
        seen.insert(path, format!("{} {}.{}", is.ino(), is.ctime(), is.ctime_nsec()));
    }
    seen
}

fn fake(case: &Case) -> Kept {
    (0..=case.edit.len()).try_for_each(|edits| checks_on_an_empty_root(case, edits))?;
    let machine = fresh(case)?;
    let nodes = || machine.disk().nodes.iter().map(|(path, node)| (path.clone(), format!("{node:?}"))).collect();
    acts(case, case.acts(), &machine, &nodes)?;
    killed::anywhere(case, &fresh(case)?)
}

fn acts(case: &Case, acts: Vec<Act<'_>>, sys: &dyn System, look: Look<'_>) -> Result<Known, String> {
    let mut known = case.known();
    for act in acts {
        act.prepare(&mut known, sys)?;
        perform(case, &act, &mut known, sys, look).map_err(|why| format!("{}: {why}", act.what))?;
    }
    Ok(known)
}

fn perform(case: &Case, act: &Act<'_>, known: &mut Known, sys: &dyn System, look: Look<'_>) -> Kept {
    let (before, planned) = (look(), Recorder::default());
    pass(act, Mode::Plan, known, sys, &planned)?;
    let after = look();
    let touched = before.iter().find(|(path, was)| after.get(*path) != Some(was)).map(|(path, _)| path);
    if let Some(path) = touched.or_else(|| after.keys().find(|path| !before.contains_key(*path))) {
        return Err(format!("the plan touched {}", path.display()));
    }
    if let Some(changes) = act.changes {
        same("the plan's changes", &planned.changes(), changes)?;
    }
    let applied = apply_act(act, known, sys)?;
    ends(act, &applied)?;
    if let Some(changes) = act.applied {
        same("the changes", &without_after(&applied.changes()), &without_after(changes))?;
    }
    sights(act, sys)?;
    let second = apply_act(act, known, sys)?;
    same("the changes of a second one", &second.changes(), &[])?;
    [planned, applied, second].iter().try_for_each(|said| tells_no_secret(case, said))
}

/// Applies an act, or destroys, and keeps the claims as the ledger would.
pub fn apply_act(act: &Act<'_>, known: &mut Known, sys: &dyn System) -> Result<Recorder, String> {
    let sink = Recorder::default();
    let tally = pass(act, Mode::Apply, known, sys, &sink)?;
    book::take_in(known, sink.events());
    book::take_in_tally(known, &tally);
    match sink.ends().into_iter().find(|end| act.destroy && end.contains(" failed: ")) {
        Some(failed) => Err(failed),
        None => Ok(sink),
    }
}

/// Goes over the items of an act once.
pub fn pass(act: &Act<'_>, mode: Mode, known: &Known, sys: &dyn System, sink: &dyn Sink) -> Result<Tally, String> {
    let scope = Scope { mode, destroy: act.destroy, known, sys, sink, turn: None, only: &[] };
    converge(&act.items, scope, &mut Course::default()).map_err(|error| error.to_string())
}

/// Goes over items once.
pub fn run(items: &[Item], mode: Mode, known: &Known, sys: &dyn System) -> Result<Recorder, String> {
    let sink = Recorder::default();
    let scope = Scope { mode, destroy: false, known, sys, sink: &sink, turn: None, only: &[] };
    converge(items, scope, &mut Course::default()).map_err(|error| error.to_string())?;
    Ok(sink)
}

/// Applies items, and keeps the claims as the ledger would.
pub fn apply(items: &[Item], known: &mut Known, sys: &dyn System) -> Result<Recorder, String> {
    let sink = run(items, Mode::Apply, known, sys)?;
    book::take_in(known, sink.events());
    Ok(sink)
}

/// Returns a fake machine with the world before.
fn fresh(case: &Case) -> Result<FakeMachine, String> {
    let machine = FakeMachine::debian();
    let web = case.web.iter().map(|(url, body)| (url.clone(), (200, body.clone().into_bytes())));
    machine.web.lock().expect("not poisoned").extend(web);
    case.before.iter().try_for_each(|deed| deed.on(&machine))?;
    machine.take_runs();
    Ok(machine)
}

/// Nothing fails there but what the case says to fail in any world.
fn checks_on_an_empty_root(case: &Case, edits: usize) -> Kept {
    let said = if edits == 0 { &case.ends } else { &case.edit[edits - 1].ends };
    let known = Known::default();
    let base = provision::id::Id::new(provision::id::Machine::Host, "container", "201");
    let mut course = Course::default();
    course.pending.opaque(&base);
    let sink = Recorder::default();
    let scope =
        Scope { mode: Mode::Plan, destroy: false, known: &known, sys: &Empty, sink: &sink, turn: None, only: &[] };
    converge(&case.items(edits), scope, &mut course).map_err(|error| format!("on an empty root: {error}"))?;
    match sink.ends().iter().find(|end| end.contains(" failed: ") && !said.contains(end)) {
        Some(failed) => Err(format!("on an empty root: {failed}")),
        None => Ok(()),
    }
}

/// Compares how the names of an act ended, where the case says it.
pub fn ends(act: &Act<'_>, applied: &Recorder) -> Kept {
    act.ends.map_or(Ok(()), |ends| same("the ends", &applied.ends(), ends))
}

/// Looks for what is to be seen after an act.
pub fn sights(act: &Act<'_>, sys: &dyn System) -> Kept {
    sys.facts().forget();
    let missed: Vec<String> = act.after.iter().filter_map(|sight: &Sight| sight.missed(sys)).collect();
    if missed.is_empty() { Ok(()) } else { Err(missed.join("\n  ")) }
}

fn tells_no_secret(case: &Case, said: &Recorder) -> Kept {
    let told = serde_json::to_string(&said.events()).expect("events are data");
    let fields = case.resource.iter().flat_map(|asked| asked.secret.iter().map(move |field| (asked, field)));
    for (asked, field) in fields {
        let value = field.split('.').try_fold(&asked.fields, |value, key| value.get(key));
        if let Some(secret) = value.and_then(|value| value.as_str()).filter(|secret| told.contains(secret.trim())) {
            return Err(format!("the secret {secret:?} in `{field}` is told: {told}"));
        }
    }
    Ok(())
}

pub fn same(what: &str, found: &[String], expected: &[String]) -> Kept {
    if found == expected {
        return Ok(());
    }
    let list = |lines: &[String]| {
        if lines.is_empty() { "    (none)".to_owned() } else { format!("    {}", lines.join("\n    ")) }
    };
    Err(format!("{what} are\n{}\n  instead of\n{}", list(found), list(expected)))
}

/// In an apply what hangs on an earlier step hangs no more: it is done.
pub fn without_after(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.split(" after ").next().unwrap_or_default().to_owned()).collect()
}
