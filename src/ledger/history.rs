//! The runs that a ledger holds, each with its events.
use super::rotate::{self, Opening};
use super::{Ledger, line, newer, parse_rfc3339, recover, store};
use crate::error::Result;
use crate::event::{Ended, Envelope, Event, Started};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The runs of a ledger, the newest last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The runs.
    pub runs: Vec<Run>,
    /// How many lines can't be read and were passed over.
    pub unreadable: usize,
    /// The names of files that are not there any more.
    pub missing: Vec<String>,
}

/// A run as its ledger recorded it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its reference.
    pub reference: String,
    /// Its events, in order; one that changed nothing has its last one alone.
    pub events: Vec<Envelope>,
}

/// Why no run was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRun {
    /// The ledger holds none at all.
    Empty,
    /// None has such a reference.
    Unknown,
    /// Several have one that ends so.
    Several(Vec<String>),
}

impl Ledger {
    /// Reads the runs of a state directory's ledger, from its oldest file on; none where there is no ledger. Takes no lock and
    /// writes nothing.
    pub fn history(state_dir: &Path) -> Result<History> {
        let newest = store::read_from(&rotate::current(state_dir), 0)?;
        let mut history = History::default();
        for number in 1..=rotate::files_before(state_dir, &newest)? {
            let name = rotate::name(number);
            match store::read_if_there(&state_dir.join(&name))? {
                Some(bytes) => history.read(&bytes)?,
                None => history.missing.push(name),
            }
        }
        history.read(&newest[..recover::torn(&newest).map_or(newest.len(), |torn| torn.at)])?;
        Ok(history)
    }
}

impl History {
    fn read(&mut self, file: &[u8]) -> Result<()> {
        // What the files before it add up to is no event.
        let opening = usize::from(Opening::of(file).is_some());
        let lines = file.split(|&byte| byte == b'\n').enumerate().skip(opening);
        for (number, content) in lines.filter(|(_, line)| !line.is_empty()) {
            #[derive(Deserialize)]
            struct Version {
                v: u32,
            }
            let version = serde_json::from_slice::<Version>(content).map_or(0, |version| version.v);
            if version > line::VERSION {
                return Err(newer(number + 1, version));
            }
            match serde_json::from_slice::<Envelope>(content) {
                Ok(envelope) => self.take(envelope),
                Err(_) => self.unreadable += 1,
            }
        }
        Ok(())
    }

    fn take(&mut self, envelope: Envelope) {
        match self.runs.last_mut() {
            Some(run) if run.reference == envelope.run => run.events.push(envelope),
            _ => self.runs.push(Run { reference: envelope.run.clone(), events: vec![envelope] }),
        }
    }

    /// Returns the run with that reference, or the only one whose reference ends so; `last` is the newest.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find(&self, reference: &str) -> Result<&Run, NoRun> {
        let Some(last) = self.runs.last() else { return Err(NoRun::Empty) };
        let wanted = reference.trim().to_ascii_uppercase();
        if wanted == "LAST" {
            return Ok(last);
        }
        if let Some(run) = self.runs.iter().rev().find(|run| run.reference == wanted) {
            return Ok(run);
        }
        let ends: Vec<&Run> = self.runs.iter().filter(|run| run.reference.ends_with(&wanted)).collect();
        match ends.as_slice() {
            [run] if !wanted.is_empty() => Ok(run),
            [] | [_] => Err(NoRun::Unknown),
            several => Err(NoRun::Several(several.iter().map(|run| run.reference.clone()).collect())),
        }
    }
}

impl Run {
    /// Returns what was started.
    pub fn started(&self) -> Option<&Started> {
        self.events.iter().find_map(|envelope| match &envelope.event {
            Event::Started(started) => Some(started),
            Event::Ended(ended) => ended.started.as_ref(),
            _ => None,
        })
    }

    /// Returns how it ended; `None`: it was killed, or is still under way.
    pub fn ended(&self) -> Option<&Ended> {
        self.events.iter().find_map(|envelope| match &envelope.event {
            Event::Ended(ended) => Some(ended),
            _ => None,
        })
    }

    /// Returns when it began.
    pub fn begun(&self) -> Option<SystemTime> {
        let first = self.events.first()?;
        let time = parse_rfc3339(&first.time)?;
        match &first.event {
            Event::Ended(ended) => time.checked_sub(Duration::try_from_secs_f64(ended.seconds).unwrap_or_default()),
            _ => Some(time),
        }
    }

    /// Returns the lanes in which it changed, failed or tested something.
    pub fn lanes(&self) -> BTreeSet<&str> {
        let events = self.events.iter().filter_map(lane);
        let passed = self.ended().into_iter().flat_map(|ended| ended.passed.keys().map(|lane| named(Some(lane))));
        events.chain(passed).collect()
    }

    /// Returns it with what its programs printed, each where it was.
    #[must_use]
    pub fn with(mut self, printed: Vec<Envelope>) -> Self {
        self.events.extend(printed);
        self.events.sort_by_key(|envelope| envelope.seq);
        self
    }

    /// Returns it with what happened in one lane alone.
    #[must_use]
    pub fn in_lane(&self, wanted: &str) -> Self {
        let events = self.events.iter().filter(|envelope| lane(envelope).is_none_or(|lane| lane == wanted));
        let mut run = Self { reference: self.reference.clone(), events: events.cloned().collect() };
        for envelope in &mut run.events {
            if let Event::Ended(ended) = &mut envelope.event {
                // Of these the ledger doesn't have the lane.
                (ended.held, ended.waiting) = (BTreeMap::new(), BTreeSet::new());
                ended.passed.retain(|lane, _| named(Some(lane)) == wanted);
            }
        }
        run
    }

    /// Returns who ran it, where that was recorded.
    pub fn who(&self) -> Option<&str> {
        let started = self.started().map(|started| started.who.as_str()).filter(|who| !who.is_empty());
        let acked = || {
            self.events.iter().find_map(|envelope| match &envelope.event {
                Event::Acked { ack, .. } => Some(ack.who.as_str()),
                _ => None,
            })
        };
        started.or_else(acked)
    }
}

/// Returns the lane of what happens in one.
fn lane(envelope: &Envelope) -> Option<&str> {
    let happens = matches!(
        envelope.event,
        Event::Applying { .. }
            | Event::Unmade { .. }
            | Event::Finished { .. }
            | Event::Said { .. }
            | Event::Printed { .. }
    );
    happens.then(|| named(envelope.lane.as_deref()))
}

/// Returns what a lane is called where it is shown; outside any is `host`.
fn named(lane: Option<&str>) -> &str {
    lane.filter(|lane| !lane.is_empty()).unwrap_or("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(references: &[&str]) -> History {
        let run = |reference: &&str| Run { reference: (*reference).to_owned(), events: Vec::new() };
        History { runs: references.iter().map(run).collect(), ..History::default() }
    }

    #[test]
    fn a_run_is_found_by_its_reference_by_a_suffix_that_no_other_has_and_as_the_last() {
        let history =
            history(&["PROVISION-APPLY20261120-001", "PROVISION-APPLY20261120-002", "PROVISION-ACK20261120-001"]);
        let found = |reference: &str| history.find(reference).map(|run| run.reference.as_str());
        assert_eq!(found("PROVISION-APPLY20261120-001"), Ok("PROVISION-APPLY20261120-001"));
        assert_eq!(found("apply20261120-001"), Ok("PROVISION-APPLY20261120-001"));
        assert_eq!(found("-002"), Ok("PROVISION-APPLY20261120-002"));
        assert_eq!(found("last"), Ok("PROVISION-ACK20261120-001"));
        let several = ["PROVISION-APPLY20261120-001", "PROVISION-ACK20261120-001"].map(str::to_owned);
        assert_eq!(found("001"), Err(NoRun::Several(several.to_vec())));
        assert_eq!(found("003"), Err(NoRun::Unknown));
        assert_eq!(self::history(&["PROVISION-APPLY20261120-001"]).find(""), Err(NoRun::Unknown));
        assert_eq!(self::history(&[]).find("last"), Err(NoRun::Empty));
    }
}
