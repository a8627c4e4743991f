//! Killed at every point of every act on the fake machine, then run again: as if nothing had been. A point is a write, a
//! program, or an event that the ledger has; a kill at a reading finds the machine as the point before it left it.
use super::act::Act;
use super::book;
use super::case::Case;
use super::contract::{Kept, apply_act, pass, same, sights};
use super::fake::{FakeMachine, PowerLost};
use super::recorder::Recorder;
use provision::engine::Mode;
use provision::error::Result;
use provision::event::{Event, Sink};
use provision::resource::Known;
use provision::system::System;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

/// Kills it before and after each point of each act.
pub fn anywhere(case: &Case, machine: &FakeMachine) -> Kept {
    let mut known = case.known();
    for act in case.acts() {
        anywhere_in(&act, &mut known, machine)?;
    }
    Ok(())
}

/// Kills it before and after each point of one act, which is then done.
pub fn anywhere_in(act: &Act<'_>, known: &mut Known, machine: &FakeMachine) -> Kept {
    act.prepare(known, machine)?;
    let (before, known_before) = (machine.copy(), known.clone());
    machine.kill_at(None);
    let applied = apply_killed(act, known, machine)?;
    let count = machine.calls();
    let whole = Whole { ends: applied.ends(), paths: paths(machine) };
    for point in 0..count * 2 {
        let when = if point % 2 == 0 { "before" } else { "after" };
        killed_at(act, point, &before.copy(), known_before.clone(), &whole)
            .map_err(|why| format!("{}, killed {when} point {} of {count}: {why}", act.what, point / 2 + 1))?;
    }
    Ok(())
}

/// What an act that was not killed left.
struct Whole {
    ends: Vec<String>,
    paths: BTreeSet<PathBuf>,
}

fn killed_at(act: &Act<'_>, point: usize, machine: &FakeMachine, mut known: Known, whole: &Whole) -> Kept {
    machine.kill_at(Some(point));
    apply_killed(act, &mut known, machine)?;
    machine.kill_at(None);
    let again = apply_act(act, &mut known, machine)?.ends();
    same("the ends of the run after it", &without_remarks(&again), &without_remarks(&whole.ends))?;
    sights(act, machine)?;
    same("the changes of the second run after it", &apply_act(act, &mut known, machine)?.changes(), &[])?;
    // What a program printed, and the stamp of a start, may be lost with the run that was killed.
    let lost = |path: &&PathBuf| !path.starts_with(machine.state_dir());
    let paths = paths(machine);
    let differing = paths.difference(&whole.paths).chain(whole.paths.difference(&paths).filter(lost));
    same("paths left or missing", &differing.map(|path| path.display().to_string()).collect::<Vec<_>>(), &[])
}

/// What is remarked of something while it is made, or while it goes, need not be said again; and what is put back already
/// is, like all that was there before us, remarked.
pub fn without_remarks(ends: &[String]) -> Vec<String> {
    ends.iter().filter(|end| !end.contains(" remark: ")).cloned().collect()
}

/// Applies until power is lost; what the ledger had by then is known.
fn apply_killed(act: &Act<'_>, known: &mut Known, machine: &FakeMachine) -> std::result::Result<Recorder, String> {
    let sink = Wired { recorder: Recorder::default(), machine };
    let tally = catch_unwind(AssertUnwindSafe(|| pass(act, Mode::Apply, known, machine, &sink)));
    machine.facts().forget();
    book::take_in(known, sink.recorder.events());
    match tally {
        Ok(tally) => book::take_in_tally(known, &tally?),
        Err(cause) if cause.is::<PowerLost>() => {}
        Err(cause) => resume_unwind(cause),
    }
    Ok(sink.recorder)
}

fn paths(machine: &FakeMachine) -> BTreeSet<PathBuf> {
    machine.disk().nodes.keys().cloned().collect()
}

/// A sink on the machine's own disk: an event is a write as well.
struct Wired<'m> {
    recorder: Recorder,
    machine: &'m FakeMachine,
}

impl Sink for Wired<'_> {
    fn emit(&self, event: Event) -> Result<()> {
        self.machine.record(|| self.recorder.emit(event))
    }
}
