//! How far a job in a container has come, by its events: once its agent is lost, what has ended stays so.
use crate::engine::Tally;
use crate::error::Result;
use crate::event::{Counts, Event, Sink};
use crate::id::Id;
use crate::item::Item;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Passes every event on, and keeps how far the job is.
pub(super) struct Progress<'s> {
    sink: &'s dyn Sink,
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    counts: Counts,
    ended: BTreeSet<Id>,
    /// The last that anything was said of.
    last: Option<Id>,
}

impl<'s> Progress<'s> {
    pub(super) fn new(sink: &'s dyn Sink) -> Self {
        Self { sink, so_far: Mutex::default() }
    }

    /// Returns what came of the items that have ended, and the others; at least the last one.
    pub(super) fn rest(self, items: &[Item]) -> (Tally, &[Item]) {
        let SoFar { mut counts, ended, last } = self.so_far.into_inner().unwrap_or_else(PoisonError::into_inner);
        let at = items.iter().position(|item| last.as_ref().is_some_and(|last| item.ids().contains(last))).unwrap_or(0);
        let has_ended = items.get(at).is_some_and(|item| item.ids().iter().all(|id| ended.contains(id)));
        let (before, rest) = items.split_at((at + usize::from(has_ended)).min(items.len().saturating_sub(1)));
        // Nothing is said of what is in sync.
        counts.in_sync += before.iter().flat_map(Item::ids).filter(|id| !ended.contains(id)).count();
        (counts.into(), rest)
    }
}

impl Sink for Progress<'_> {
    fn emit(&self, event: Event) -> Result<()> {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        match &event {
            Event::Checking { ids } => so_far.last = ids.first().cloned(),
            Event::Planned { id, .. } => so_far.last = Some(id.clone()),
            Event::Finished { id, outcome, .. } => {
                so_far.counts.count(&id.kind, outcome);
                so_far.last = Some(id.clone());
                so_far.ended.insert(id.clone());
            }
            _ => {}
        }
        drop(so_far);
        self.sink.emit(event)
    }

    fn interrupted(&self) -> bool {
        self.sink.interrupted()
    }
}
