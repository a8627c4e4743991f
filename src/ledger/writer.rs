//! `Writer`: the ledger in the hands of the run that holds the lock. A run that changes nothing adds one line; one that does
//! says first what was started.
use super::checkpoint::Checkpoint;
use super::printed::Printed;
use super::store::{self, Store};
use super::{Ledger, Lock, key, line, recover, reference, rotate, time};
use crate::error::{Error, Result};
use crate::event::{Ended, Envelope, Event, Outcome};
use crate::id::Id;
use crate::resource::{Change, Claim, Fields, keyed_digest};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::SystemTime;

/// A value that is longer is recorded as size and keyed digest.
const LONGEST_VALUE: usize = 1024;

/// The ledger of a run that may append to it.
#[derive(Debug)]
pub struct Writer {
    ledger: Ledger,
    store: Store,
    lock: Lock,
    /// How much of the ledger the last checkpoint knows.
    checkpoint: u64,
    /// What must stand before the first line that says of a change.
    unsaid: Vec<Envelope>,
    printed: Printed,
    /// The recipe of this run, and what it asks for.
    recipe: String,
    asks: BTreeMap<Id, Fields>,
}

impl Writer {
    /// Opens the ledger of the directory that is locked, cuts off what a killed run left at its end, and makes sure that it
    /// can be written. A ledger that has grown long is rotated.
    pub fn open(lock: Lock) -> Result<Self> {
        Self::open_rotating(lock, rotate::ROTATE_AT)
    }

    /// Does so, and rotates a ledger from that many bytes on.
    pub fn open_rotating(lock: Lock, rotate_at: u64) -> Result<Self> {
        let state_dir = lock.state_dir();
        store::tidy(state_dir);
        let mut store = Store::open(&rotate::current(state_dir))?;
        let (from, bytes) = Checkpoint::resume(state_dir)?;
        let mut checkpoint = from.length;
        let mut ledger = Ledger::replay(from, &bytes, key::make(state_dir)?)?;
        let torn = recover::torn(&bytes);
        if let Some(torn) = torn {
            store.cut(checkpoint + torn.at as u64)?;
        }
        // What is wrong in it is said until it is mended, so it stays the one that is read.
        if store.length() >= rotate_at && ledger.flaws.is_empty() {
            rotate::rotate(state_dir, &ledger, lock.since())?;
            store = Store::open(&rotate::current(state_dir))?;
            let (from, _) = Checkpoint::resume(state_dir)?;
            checkpoint = from.length;
            (ledger.head, ledger.lines) = (from.head, from.lines);
        }
        if let Some(torn) = torn {
            let bytes = torn.bytes;
            let said =
                format!("the ledger ended in a torn line, left by a run that was killed: {bytes} bytes were cut off");
            ledger.flaws.push(said);
        }
        let (unsaid, printed, recipe, asks) = (Vec::new(), Printed::default(), String::new(), BTreeMap::new());
        Ok(Self { ledger, store, lock, checkpoint, unsaid, printed, recipe, asks })
    }

    /// Returns the reference for a run of `command` that starts now.
    pub fn next_reference(&self, command: &str, now: SystemTime) -> String {
        reference::next(&self.ledger.state.counters, command, &time::date(now))
    }

    /// Returns the directory of the ledger.
    pub fn state_dir(&self) -> &std::path::Path {
        self.lock.state_dir()
    }

    /// Says what the recipe of this run asks for: it is kept of what is ours.
    pub fn asks(&mut self, recipe: &str, asks: BTreeMap<Id, Fields>) {
        recipe.clone_into(&mut self.recipe);
        self.asks = asks;
    }

    /// Returns of these what is asked for and not known yet.
    pub fn news<'i>(&self, ids: impl IntoIterator<Item = &'i Id>) -> BTreeMap<Id, Fields> {
        let asked = ids.into_iter().filter_map(|id| {
            let fields = self.asks.get(id)?;
            let known = self.state().claim(&self.recipe, id).and_then(|claim| claim.asked.as_ref());
            (known != Some(fields)).then(|| (id.clone(), fields.clone()))
        });
        asked.collect()
    }

    /// Records what must be recorded of an event, on disk when this returns. What needs no line is kept until one is due.
    pub fn record(&mut self, envelope: &Envelope) -> Result<()> {
        match &envelope.event {
            Event::Started(_) | Event::Asked { .. } => self.unsaid.push(envelope.clone()),
            Event::Identified { machine, identity } if self.state().identity(*machine) != Some(identity) => {
                self.ledger.state.identify(*machine, identity);
                self.unsaid.push(envelope.clone());
            }
            Event::Applying { .. }
            | Event::Unmade { .. }
            | Event::Held { .. }
            | Event::Acked { .. }
            | Event::Finished { outcome: Outcome::Changed { .. } | Outcome::Failed { .. }, .. } => {
                return self.append(envelope);
            }
            Event::Ended(ended) => return self.end(envelope, ended),
            _ => {}
        }
        Ok(())
    }

    /// Keeps what a program printed, beside the ledger; returns what is to be said where from here on nothing is kept.
    pub fn keep_printed(&mut self, envelope: &Envelope) -> Option<String> {
        self.printed.keep(self.lock.state_dir(), envelope)
    }

    fn end(&mut self, envelope: &Envelope, ended: &Ended) -> Result<()> {
        let mut ended = Ended { head: String::new(), ..ended.clone() };
        let is_ours = |id: &&Id| self.state().claim(&self.recipe, id).is_some_and(Claim::is_touched);
        ended.asked = self.news(self.asks.keys().filter(is_ours));
        for unsaid in std::mem::take(&mut self.unsaid) {
            match unsaid.event {
                Event::Started(started) => ended.started = Some(started),
                Event::Identified { machine, identity } => drop(ended.identities.insert(machine, identity)),
                _ => {}
            }
        }
        self.append(&Envelope { event: Event::Ended(ended), ..envelope.clone() })?;
        if self.ledger.flaws.is_empty() {
            let Ledger { lines, head, state, .. } = &self.ledger;
            Checkpoint::put(self.lock.state_dir(), self.checkpoint, self.store.length(), *lines, head, state);
        }
        Ok(())
    }

    /// Writes what is unsaid and the event, in one go.
    fn append(&mut self, envelope: &Envelope) -> Result<()> {
        let (mut text, mut head, mut ends) = (String::new(), self.ledger.head.clone(), Vec::new());
        for envelope in self.unsaid.iter().chain([envelope]) {
            let envelope = Envelope { event: self.recorded(&envelope.event), ..envelope.clone() };
            let sealed = line::seal(&head, &envelope)
                .map_err(|error| Error::new("writing a line of the ledger").because(&error))?;
            head = line::hash(sealed.as_bytes());
            text.push_str(&sealed);
            ends.push(text.len());
            text.push('\n');
        }
        self.store.append(text.as_bytes())?;
        self.ledger.head = head;
        self.unsaid.clear();
        let mut from = 0;
        for end in ends {
            let content = &text.as_bytes()[from..end];
            from = end + 1;
            self.ledger.lines += 1;
            let folded = self.ledger.state.fold(content);
            debug_assert!(folded.is_ok(), "a line that was just written is read back");
        }
        Ok(())
    }

    /// Returns an event as it is recorded: without diffs, without what the `applying` lines of the run say already, and with
    /// large values as size and keyed digest.
    fn recorded(&self, event: &Event) -> Event {
        let mut event = event.clone();
        match &mut event {
            Event::Applying { changes, .. } => changes.iter_mut().for_each(|change| self.shorten(change)),
            Event::Finished { outcome: Outcome::Changed { changes }, .. } => changes.clear(),
            _ => {}
        }
        event
    }

    fn shorten(&self, change: &mut Change) {
        change.diff = None;
        for value in [&mut change.from, &mut change.to].into_iter().flatten() {
            if value.len() > LONGEST_VALUE {
                *value = keyed_digest(&self.ledger.key, value.as_bytes());
            }
        }
    }
}

impl Deref for Writer {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}
