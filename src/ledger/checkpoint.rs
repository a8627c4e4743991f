//! STATE/claims.json: what the lines up to a place add up to, so that opening a long ledger reads its end alone. It is only
//! believed where the ledger's line at that place is the one that it names; it can be removed at any time.
use super::claims::State;
use super::line::{self, GENESIS};
use super::{rotate, store};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of its form, which is that of `State`; one of another version is passed over.
pub(super) const VERSION: u32 = 2;
/// A line that is longer is looked for by reading the whole ledger.
const LONGEST_LINE: u64 = 64 * 1024;
/// How much is read line by line before another checkpoint is due.
const DUE: u64 = 256 * 1024;

/// What the lines up to a place add up to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// The version of its form.
    pub(super) v: u32,
    /// The length of the ledger up to there, in bytes.
    pub(super) length: u64,
    /// How many lines that is.
    pub(super) lines: usize,
    /// The hash of the last of them.
    pub(super) head: String,
    /// What they add up to.
    pub(super) state: State,
}

impl Checkpoint {
    /// Returns that of an empty ledger.
    pub(super) fn start() -> Self {
        Self { v: VERSION, length: 0, lines: 0, head: GENESIS.to_owned(), state: State::default() }
    }

    /// Returns the last checkpoint of a state directory that its ledger bears out, and the bytes that follow it.
    pub(super) fn resume(state_dir: &Path) -> Result<(Self, Vec<u8>)> {
        let ledger = rotate::current(state_dir);
        if let Some(checkpoint) = Self::read(state_dir)? {
            let from = checkpoint.length.saturating_sub(LONGEST_LINE);
            let mut bytes = store::read_from(&ledger, from)?;
            if let Ok(before) = usize::try_from(checkpoint.length - from)
                && bytes.get(..before).is_some_and(|before| checkpoint.is_borne_out_by(before))
            {
                bytes.drain(..before);
                return Ok((checkpoint, bytes));
            }
        }
        let mut bytes = store::read_from(&ledger, 0)?;
        let begun = rotate::begin(state_dir, &bytes)?;
        bytes.drain(..usize::try_from(begun.length).unwrap_or_default());
        Ok((begun, bytes))
    }

    /// Returns the checkpoint of a state directory, if there is one that can be read.
    pub(super) fn read(state_dir: &Path) -> Result<Option<Self>> {
        let bytes = store::read_if_there(&state_dir.join("claims.json"))?;
        let checkpoint = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        Ok(checkpoint.filter(|checkpoint| checkpoint.v == VERSION))
    }

    fn is_borne_out_by(&self, before: &[u8]) -> bool {
        let Some((b'\n', lines)) = before.split_last() else { return false };
        let start = lines.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        line::hash(&lines[start..]) == self.head
    }

    /// Puts a checkpoint down where the last one is far behind. Without it nothing is lost but time.
    pub(super) fn put(state_dir: &Path, last: u64, length: u64, lines: usize, head: &str, state: &State) {
        if length < last + DUE {
            return;
        }
        let checkpoint = Self { v: VERSION, length, lines, head: head.to_owned(), state: state.clone() };
        if let Ok(text) = serde_json::to_vec(&checkpoint) {
            drop(store::put(&state_dir.join("claims.json"), &text));
        }
    }
}
