//! The ledger: STATE/ledger.jsonl and the files that it goes on from, to which lines are only ever appended, each holding the hash of the one before it. It
//! decides what is ours to take away and what a person acknowledged.
mod checkpoint;
mod claims;
mod entry;
mod history;
mod key;
mod line;
mod lock;
mod printed;
mod recover;
mod reference;
mod rotate;
mod store;
mod time;
mod verify;
mod writer;

pub use claims::{ABSENT, LEFT, NOW, State};
pub use history::{History, NoRun, Run};
pub(crate) use line::hash;
pub use lock::{Holder, Lock, LockError};
pub use recover::Torn;
pub(crate) use time::as_text as time_as_text;
pub use time::{parse_rfc3339, rfc3339};
pub use verify::{Break, How, Verified};
pub use writer::Writer;

use crate::error::{Error, Result};
use crate::event::Envelope;
use crate::id::Machine;
use crate::resource::Known;
use checkpoint::Checkpoint;
use std::path::Path;
use verify::Walk;

/// What the ledger of a state directory says.
#[derive(Debug, Clone)]
pub struct Ledger {
    state: State,
    head: String,
    lines: usize,
    key: String,
    /// What is wrong with it, for people; it is used all the same.
    flaws: Vec<String>,
}

impl Ledger {
    /// Reads the ledger of a state directory; an empty one where there is none. Takes no lock and writes nothing.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let (from, bytes) = Checkpoint::resume(state_dir)?;
        Self::replay(from, &bytes, key::read_or_lend(state_dir)?)
    }

    /// Returns what keys the digests of a state directory: what `open` has, without the rest.
    pub fn key_of(state_dir: &Path) -> Result<String> {
        key::read_or_lend(state_dir)
    }

    /// Uses, where the state directory has no key yet, the one that plans share below `run_dir`. Returns whether its digests
    /// can be compared with those of other runs.
    pub fn share_key(&mut self, state_dir: &Path, run_dir: &Path) -> bool {
        if key::is_there(state_dir) {
            return true;
        }
        let shared = key::share(run_dir).map(|key| self.key = key);
        shared.is_ok()
    }

    /// Makes the key that plans shared that of the state directory that is locked, where it has none.
    pub fn take_over_key(lock: &Lock, run_dir: &Path) -> Result<()> {
        key::take_over(lock.state_dir(), run_dir)
    }

    /// Folds in the lines after a checkpoint; of the chain only the last link is looked at, the rest is for `verify`.
    fn replay(from: Checkpoint, bytes: &[u8], key: String) -> Result<Self> {
        let sound = &bytes[..recover::torn(bytes).map_or(bytes.len(), |torn| torn.at)];
        let Checkpoint { lines, head, state, .. } = from;
        let mut ledger = Self { state, head, lines, key, flaws: Vec::new() };
        let (mut last, mut before) = (None, None);
        for text in sound.split_inclusive(|&byte| byte == b'\n') {
            let content = &text[..text.len() - 1];
            ledger.lines += 1;
            match ledger.state.fold(content) {
                Ok(()) => {}
                Err(How::Newer(version)) => return Err(newer(ledger.lines, version)),
                Err(_) => {
                    let flaw = format!("line {} of the ledger can't be read and is passed over", ledger.lines);
                    ledger.flaws.push(flaw);
                }
            }
            before = last.replace(content);
        }
        if let Some(last) = last {
            let prev = before.map_or_else(|| ledger.head.clone(), line::hash);
            if verify::flaw(last, Some(&prev)).is_some_and(|how| how != How::Unreadable) {
                ledger.flaws.push("the last line of the ledger was changed after it was written".to_owned());
            }
            ledger.head = line::hash(last);
        }
        for flaw in &mut ledger.flaws {
            flaw.push_str("; `provision ledger verify` says more");
        }
        Ok(ledger)
    }

    /// Walks the whole chain of a state directory's ledger, from the oldest file on.
    pub fn verify(state_dir: &Path) -> Result<Verified> {
        let bytes = store::read_from(&rotate::current(state_dir), 0)?;
        let mut walk = Walk::default();
        for number in 1..=rotate::files_before(state_dir, &bytes)? {
            let name = rotate::name(number);
            match store::read_if_there(&state_dir.join(&name))? {
                Some(bytes) => walk.older(&name, &bytes),
                None => walk.missing(name),
            }
        }
        Ok(walk.newest(&bytes, Checkpoint::read(state_dir)?.as_ref()))
    }

    /// Returns what the programs of a run printed, where it is still kept.
    pub fn printed(state_dir: &Path, reference: &str) -> Result<Vec<Envelope>> {
        printed::read(state_dir, reference)
    }

    /// Returns what its lines add up to.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the hash of its last line; 64 zeros where it has none.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// Returns what keys the digests of what is secret or large.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns what is wrong with it, for people.
    pub fn flaws(&self) -> &[String] {
        &self.flaws
    }

    /// Learns who stands in a machine's place, in memory alone: if it is another one than before, what was known is void. A
    /// container that someone else made anew is not ours: so this comes before `known` of the host on which it is.
    pub fn identify(&mut self, machine: Machine, identity: &str) {
        self.state.identify(machine, identity);
    }

    /// Returns what is known for a recipe on a machine with that identity: nothing, where the ledger knows another one.
    pub fn known(&self, recipe: &str, machine: Machine, identity: &str) -> Known {
        Known { key: self.key.clone(), ..self.state.known(recipe, machine, identity) }
    }
}

fn newer(line: usize, version: u32) -> Error {
    Error::new("reading the ledger")
        .reason(format!(
            "line {line} is of format {version}; this version of provision knows format {} and below",
            line::VERSION
        ))
        .remedy("use the newer provision that wrote it; nothing was touched")
}
