//! STATE/runs/REF.jsonl: what programs printed in a run, beside the ledger and bounded. It is for people: nothing is decided
//! by it, it can be removed at any time, and a run goes on where it can't be written.
#![expect(clippy::disallowed_methods, reason = "it lies beside the ledger, which is no resource")]
use super::store;
use crate::event::{Envelope, Event};
use crate::system::surplus;
use std::fs::{DirBuilder, DirEntry, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The length of a run's file, in bytes, beyond which nothing more is kept.
const LONGEST: usize = 1 << 20;
/// Of so many runs it is kept.
const RUNS: usize = 32;

/// What the programs of the run that goes on print.
#[derive(Debug, Default)]
pub(super) struct Printed {
    file: Option<File>,
    length: usize,
    /// Nothing more is kept of this run.
    closed: bool,
}

impl Printed {
    /// Keeps an event of the run; returns what is to be said where from here on nothing is kept.
    pub(super) fn keep(&mut self, state_dir: &Path, envelope: &Envelope) -> Option<String> {
        if self.closed {
            return None;
        }
        let Ok(mut line) = serde_json::to_vec(envelope) else { return None };
        line.push(b'\n');
        let said = if self.length + line.len() > LONGEST {
            format!("what programs print from here on is not kept: {} KiB are", self.length >> 10)
        } else {
            let Err(error) = self.append(state_dir, &envelope.run, &line) else {
                self.length += line.len();
                return None;
            };
            format!("what programs print is not kept: {error}")
        };
        self.closed = true;
        let event = Event::Warned { text: said.clone() };
        let mut last = serde_json::to_vec(&Envelope { event, ..envelope.clone() }).unwrap_or_default();
        last.push(b'\n');
        // It is said in this run in any case.
        drop(self.append(state_dir, &envelope.run, &last));
        Some(said)
    }

    fn append(&mut self, state_dir: &Path, reference: &str, line: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let path = path(state_dir, reference).ok_or(io::ErrorKind::InvalidFilename)?;
            make_room(state_dir)?;
            let opened = store::open_ours(&path);
            self.file = Some(opened.map_err(|error| io::Error::other(error.causes.join(": ")))?);
        }
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(line))
    }
}

/// Returns what the programs of a run printed, in order; nothing where none did, or where it is not kept any more.
pub(super) fn read(state_dir: &Path, reference: &str) -> crate::error::Result<Vec<Envelope>> {
    let Some(path) = path(state_dir, reference) else { return Ok(Vec::new()) };
    let bytes = store::read_if_there(&path)?.unwrap_or_default();
    // A killed run leaves a line torn.
    Ok(bytes.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

fn path(state_dir: &Path, reference: &str) -> Option<PathBuf> {
    let is_plain = !reference.is_empty() && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_plain.then(|| state_dir.join("runs").join(format!("{reference}.jsonl")))
}

/// Makes the directory, or takes away what is kept of the oldest runs.
fn make_room(state_dir: &Path) -> io::Result<()> {
    let directory = state_dir.join("runs");
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let dated = |entry: io::Result<DirEntry>| {
        let entry = entry.ok()?;
        Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
    };
    let files = std::fs::read_dir(&directory)?.filter_map(dated).collect();
    surplus(files, SystemTime::now(), RUNS - 1).iter().try_for_each(std::fs::remove_file)
}
