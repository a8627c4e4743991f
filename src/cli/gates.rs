//! Which gates there are, for `ack`: those of the recipes that were planned or applied since the last boot, kept below
//! `--run-dir`, and those of which the runs in the ledger say something.
use super::Exit;
use super::options::Global;
use crate::error::{Error, Result};
use crate::event::{Envelope, Event};
use crate::id::Id;
use crate::item::Item;
use crate::ledger::Ledger;
use crate::recipe::nearest;
use crate::system::{NewFile, Real, System, state};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// As ids have it.
const KIND: &str = "gate";
const DIRECTORY: &str = "gates";
/// With this begins the line of a gate for which no person's word is asked.
const ASKS: &str = "done-when ";

/// Keeps which gates a recipe has, in place of those that it had.
pub(super) fn keep<'i>(recipe: &str, items: impl Iterator<Item = &'i Item>, run_dir: &Path, sys: &Real) {
    let gates = items.filter(|item| item.job.kind == KIND).flat_map(|item| {
        let asks = if item.job.fields.get("done-when").is_some() { ASKS } else { "" };
        item.ids().into_iter().map(move |id| format!("{asks}{id}"))
    });
    let lines: Vec<String> = gates.collect();
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
    let kept = kept(global, sys);
    if let Some(asks) = ids.iter().find(|id| kept.get(id) == Some(&true)) {
        let error = attempt(asks).reason("it asks for itself whether that was done, by its `done-when`");
        return Err(Exit::Usage(error.remedy("do what it says; `provision plan RECIPE` shows whether it is passed")));
    }
    let known = known(kept.into_keys(), global)?;
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

/// Returns the gates of recipes that were planned or applied since the last boot, and whether each asks for itself.
fn kept(global: &Global, sys: &Real) -> BTreeMap<Id, bool> {
    let directory = global.run_dir.join(DIRECTORY);
    let names = sys.list(&directory).unwrap_or_default();
    let texts = names.into_iter().filter_map(|name| sys.read(&directory.join(name)).ok());
    let of_text = |bytes: Vec<u8>| -> Vec<(Id, bool)> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let of_line = |line: &str| {
            let id = line.strip_prefix(ASKS);
            Some((id.unwrap_or(line).parse().ok()?, id.is_some()))
        };
        text.lines().filter_map(of_line).collect()
    };
    texts.flat_map(of_text).collect()
}

fn known(kept: impl Iterator<Item = Id>, global: &Global) -> Result<BTreeSet<Id>> {
    let mut known: BTreeSet<Id> = kept.collect();
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
    id.kind == KIND
}
