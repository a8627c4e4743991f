//! What is kept of an apply while it goes on, for its metrics and its hook.
use super::show::Show;
use crate::event::{Ended, Envelope, Event, Label, Outcome};
use crate::id::Id;
use crate::lanes::{HOST, LaneTally, Passed};
use crate::report::Reporter;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a run has come to so far.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// The recipe's name.
    pub(super) recipe: String,
    /// Where it was found.
    pub(super) file: String,
    /// The run's reference; empty where it never began.
    pub(super) run: String,
    /// What differed though it was as asked before, by lane.
    pub(super) drift: BTreeMap<String, BTreeSet<Id>>,
    /// What failed.
    pub(super) failed: BTreeSet<Id>,
    /// How each lane ended, where the run was not stopped before.
    pub(super) lanes: BTreeMap<String, LaneTally>,
    /// How it ended.
    pub(super) ended: Option<Ended>,
}

/// An account that lanes write side by side.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Account>>);

impl Shared {
    /// Returns it.
    pub(super) fn get(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a run as `show` does, and keeps what it says.
    pub(super) fn beside<'a>(&self, show: Show<'a>) -> Show<'a> {
        let account = self.clone();
        Box::new(move |recipe, failed| Box::new(Beside { account, shown: show(recipe, failed) }))
    }

    /// Keeps what came of the last pass of a run. What was stopped half way says nothing of the lanes.
    pub(super) fn passed(&self, passed: &Passed) {
        if passed.stopped.is_none() {
            self.get().lanes.clone_from(&passed.lanes);
        }
    }
}

struct Beside {
    account: Shared,
    shown: Box<dyn Reporter>,
}

impl Reporter for Beside {
    fn event(&mut self, envelope: &Envelope) {
        self.account.get().take(envelope);
        self.shown.event(envelope);
    }
}

impl Account {
    fn take(&mut self, envelope: &Envelope) {
        match &envelope.event {
            Event::Started(started) => {
                self.recipe.clone_from(&started.recipe);
                self.file.clone_from(&started.file);
                self.run.clone_from(&envelope.run);
            }
            Event::Planned { id, label: Label::Drift, .. } => {
                let lane = envelope.lane.as_deref().unwrap_or(HOST);
                self.drift.entry(lane.to_owned()).or_default().insert(id.clone());
            }
            Event::Finished { id, outcome: Outcome::Failed { .. }, .. } => drop(self.failed.insert(id.clone())),
            Event::Finished { id, .. } => drop(self.failed.remove(id)),
            Event::Ended(ended) => self.ended = Some(ended.clone()),
            _ => {}
        }
    }
}
