//! Which gates there are, for `ack`: those of the recipes that were planned or applied since the last boot, kept below
//! `--run-dir`, and those of which the runs in the ledger say something.
use super::Exit;
use super::options::Global;
use crate::error::{Error, Result};
use crate::event::{Envelope, Event};
use crate::id::Id;
use crate::ledger::Ledger;
use crate::recipe::nearest;
use crate::system::{NewFile, Real, System, state};
use std::collections::BTreeSet;
use std::path::Path;

const DIRECTORY: &str = "gates";

/// Keeps which gates a recipe has, in place of those that it had.
pub(super) fn keep(recipe: &str, ids: impl Iterator<Item = Id>, run_dir: &Path, sys: &Real) {
    let lines: Vec<String> = ids.filter(is_gate).map(|id| id.to_string()).collect();
    // Who may not write there can't acknowledge anything either.
    drop(try_keep(recipe, &lines.join("\n"), run_dir, sys));
}

fn try_keep(recipe: &str, lines: &str, run_dir: &Path, sys: &Real) -> Result<()> {
    let directory = run_dir.join(DIRECTORY);
    let path = directory.join(recipe);
    if sys.read(&path).unwrap_or_default() == lines.as_bytes() {
        return Ok(());
    }
    state::make(sys, &directory)?;
    sys.write(&path, &NewFile { content: lines.as_bytes(), uid: 0, gid: 0, mode: 0o600 }, &|_| Ok(()))
}

/// Returns an error where one of these is no gate that is known.
pub(super) fn are_known(ids: &[Id], global: &Global, sys: &Real) -> Result<(), Exit> {
    let attempt = |id: &Id| Error::new(format!("acknowledging {id}"));
    if let Some(other) = ids.iter().find(|id| !is_gate(id)) {
        let error = attempt(other).reason("it is not a gate");
        return Err(Exit::Usage(error.remedy("name a gate, such as host/gate:m365-lilly")));
    }
    let known = known(global, sys)?;
    let Some(unknown) = ids.iter().find(|id| !known.contains(id)) else { return Ok(()) };
    let texts: Vec<String> = known.iter().map(Id::to_string).collect();
    let near = nearest(&unknown.to_string(), texts.iter().map(String::as_str));
    let remedy = match (near, texts.is_empty()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, false) => {
            format!("there are {}; `provision plan RECIPE` makes those of another recipe known", texts.join(", "))
        }
        (None, true) => "run `provision plan RECIPE` first: it says which gates wait".to_owned(),
    };
    let error = attempt(unknown).reason("no recipe that was planned or applied here has that gate");
    Err(Exit::Usage(error.remedy(remedy)))
}

fn known(global: &Global, sys: &Real) -> Result<BTreeSet<Id>> {
    let directory = global.run_dir.join(DIRECTORY);
    let kept =
        sys.list(&directory).unwrap_or_default().into_iter().filter_map(|name| sys.read(&directory.join(name)).ok());
    let mut known: BTreeSet<Id> = kept
        .flat_map(|bytes| {
            let lines = String::from_utf8_lossy(&bytes).into_owned();
            lines.lines().filter_map(|line| line.parse().ok()).collect::<Vec<Id>>()
        })
        .collect();
    for run in Ledger::history(&global.state_dir)?.runs {
        run.events.iter().for_each(|envelope| of_event(envelope, &mut known));
    }
    known.retain(is_gate);
    Ok(known)
}

/// Adds what an event says something of; an acknowledgement alone makes nothing known.
fn of_event(envelope: &Envelope, known: &mut BTreeSet<Id>) {
    match &envelope.event {
        Event::Finished { id, .. } => known.extend([id.clone()]),
        Event::Held { held } => known.extend(held.keys().cloned()),
        Event::Ended(ended) => known.extend(ended.held.keys().chain(&ended.waiting).cloned()),
        _ => {}
    }
}

fn is_gate(id: &Id) -> bool {
    id.kind == "gate"
}
