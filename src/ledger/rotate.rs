//! Rotation: a ledger that has grown long becomes `ledger-0001.jsonl`, and a new one goes on from it. Its first line holds
//! what the lines before it add up to and, as every line, the hash of the last of them. So `ledger.jsonl` alone says what is
//! known, and says itself how many files go before it: whoever reads without a lock opens it first and is never misled.
use super::checkpoint::{self, Checkpoint};
use super::claims::State;
use super::verify::How;
use super::{Ledger, line, newer, store};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The length, in bytes, from which a ledger is rotated when the next run opens it. A run is never cut in two.
pub(super) const ROTATE_AT: u64 = 16 << 20;

/// What the event of a first line is called.
const ROTATED: &str = "rotated";

/// The first line of a ledger that goes on from another file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    v: u32,
    prev: String,
    time: String,
    event: String,
    /// The number of the file before it.
    pub(super) file: u32,
    /// The form of `state`.
    pub(super) form: u32,
    /// What all lines before it add up to.
    state: Value,
}

impl Opening {
    /// Returns the one with which a ledger begins, if it begins with one that is whole.
    pub(super) fn of(ledger: &[u8]) -> Option<(Self, &[u8])> {
        let line = first_line(ledger)?;
        let opening = serde_json::from_slice::<Self>(line).ok().filter(|opening| opening.event == ROTATED)?;
        (opening.v <= line::VERSION && line::is_whole(line)).then_some((opening, line))
    }

    /// Returns what the lines before it add up to; `None` where it is told in another form.
    pub(super) fn state(self) -> Option<State> {
        if self.form == checkpoint::VERSION { serde_json::from_value(self.state).ok() } else { None }
    }
}

fn first_line(ledger: &[u8]) -> Option<&[u8]> {
    ledger.iter().position(|&byte| byte == b'\n').map(|end| &ledger[..end])
}

/// Returns where the ledger of a state directory is.
pub(super) fn current(state_dir: &Path) -> PathBuf {
    state_dir.join("ledger.jsonl")
}

/// Returns the name of the file that was rotated as the `number`th.
pub(super) fn name(number: u32) -> String {
    format!("ledger-{number:04}.jsonl")
}

/// Returns what a ledger knows before its second line, where it goes on from another file; else nothing is known yet.
pub(super) fn begin(state_dir: &Path, ledger: &[u8]) -> Result<Checkpoint> {
    let Some((opening, line)) = Opening::of(ledger) else {
        // Without its first line it would seem to know nothing of what the other files hold.
        let is_sound = first_line(ledger).is_some_and(line::is_whole);
        return if is_sound || !state_dir.join(name(1)).exists() { Ok(Checkpoint::start()) } else { Err(beheaded()) };
    };
    let before = opening.file;
    let state = opening.state().map_or_else(|| add_up(state_dir, before), Ok)?;
    Ok(Checkpoint { length: line.len() as u64 + 1, lines: 1, head: line::hash(line), state, ..Checkpoint::start() })
}

fn beheaded() -> Error {
    Error::new("reading the ledger")
        .reason(format!(
            "`ledger.jsonl` is not there, or has lost its first line, with which it goes on from `{}`",
            name(1)
        ))
        .remedy("restore it from a backup; `provision ledger verify` says more")
}

/// Adds up the lines of a rotated file and of all before it.
fn add_up(state_dir: &Path, number: u32) -> Result<State> {
    let attempt = || Error::new("reading the ledger");
    let Some(bytes) = store::read_if_there(&state_dir.join(name(number)))? else {
        let why = format!(
            "`{}` is not there, and what it held is told in a form that this version does not know",
            name(number)
        );
        return Err(attempt().reason(why).remedy("put the file back, or use the provision that wrote the ledger"));
    };
    let Checkpoint { length, mut state, .. } = begin(state_dir, &bytes)?;
    let rest = usize::try_from(length).ok().and_then(|length| bytes.get(length..)).unwrap_or_default();
    for (at, content) in rest.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        if let Err(How::Newer(version)) = state.fold(content) {
            return Err(newer(at + 1, version).reason(format!("of `{}`", name(number))));
        }
    }
    Ok(state)
}

/// Returns how many files go before a ledger that was read. One whose first line is lost is taken to go on from all that
/// are there; one that is being rotated has its second name already.
pub(super) fn files_before(state_dir: &Path, ledger: &[u8]) -> Result<u32> {
    if let Some((opening, _)) = Opening::of(ledger) {
        return Ok(opening.file);
    }
    let mut number = 0;
    while let Some(bytes) = store::read_if_there(&state_dir.join(name(number + 1)))? {
        if !ledger.is_empty() && bytes.starts_with(ledger) {
            break;
        }
        number += 1;
    }
    Ok(number)
}

/// Gives the ledger a second name, then puts a new one in its place that goes on from it. `ledger.jsonl` is there and whole
/// at every moment; what a kill between the two leaves, the next run completes.
pub(super) fn rotate(state_dir: &Path, ledger: &Ledger, time: &str) -> Result<()> {
    let bytes = store::read_from(&current(state_dir), 0)?;
    let number = Opening::of(&bytes).map_or(1, |(opening, _)| opening.file + 1);
    let attempt = || format!("rotating the ledger, which has {} bytes", bytes.len());
    let opening = Opening {
        v: line::VERSION,
        prev: ledger.head.clone(),
        time: time.to_owned(),
        event: ROTATED.to_owned(),
        file: number,
        form: checkpoint::VERSION,
        state: serde_json::to_value(&ledger.state).map_err(|error| Error::new(attempt()).because(&error))?,
    };
    let line = line::seal_record(&opening).map_err(|error| Error::new(attempt()).because(&error))?;
    let older = state_dir.join(name(number));
    store::link(&current(state_dir), &older, &bytes).map_err(|error| error.during(attempt()))?;
    store::put(&current(state_dir), format!("{line}\n").as_bytes()).map_err(|error| error.during(attempt()))
}
