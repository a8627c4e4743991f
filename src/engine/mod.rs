//! `converge`: one function for plan, apply, status, test and destroy, on the host and inside a container.
mod apply;
mod heir;
mod only;
mod overheard;
mod shared;
mod visit;

pub use only::matches;

use crate::error::Result;
use crate::event::{Counts, Event, Sink};
use crate::id::Id;
use crate::item::{Item, changes_nothing};
use crate::ledger::LEFT;
use crate::resource::{Known, Peer, Pending, Want};
use crate::system::{System, state};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use visit::Visit;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Says what differs; changes nothing, runs no tests.
    Plan,
    /// Makes it so.
    Apply,
    /// Says of every resource how it is; runs the tests.
    Status,
    /// Runs the tests alone.
    Test,
}

/// Where a lane stands: what its earlier resources leave for the later ones.
#[derive(Debug, Clone, Default)]
pub struct Course {
    /// What earlier steps of this plan will supply.
    pub pending: Pending,
    /// Gates that are not passed, by name, and the id that says so.
    pub gates: BTreeMap<String, Id>,
    /// What ended the lane.
    pub failed: Option<Id>,
    /// Something was changed, or will be: tests are due.
    pub changed: bool,
    /// The first resource that was not tried because the run was interrupted.
    pub stopped: Option<Id>,
    /// What is in sync behind an opaque step of this plan.
    behind: BTreeMap<Id, Vec<Id>>,
}

/// What came of a walk over resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many names ended how.
    pub counts: Counts,
    /// Digests of what was found in sync and that the ledger did not know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<Id, String>,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.counts += other.counts;
        self.held.extend(other.held);
    }

    /// Returns it without what a destroy leaves as it is: it does not come to that.
    #[must_use]
    pub fn without_left(mut self) -> Self {
        self.held.retain(|_, digest| digest != LEFT);
        self
    }
}

impl From<Counts> for Tally {
    fn from(counts: Counts) -> Self {
        Self { counts, ..Self::default() }
    }
}

/// What `converge` works with.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// What the run is for.
    pub mode: Mode,
    /// Everything goes, in reverse order: `destroy`.
    pub destroy: bool,
    /// What the ledger and the command line say of this machine.
    pub known: &'a Known,
    /// The machine.
    pub sys: &'a dyn System,
    /// Where events go.
    pub sink: &'a dyn Sink,
    /// Held while one resource is changed, where several lanes share the machine.
    pub turn: Option<&'a Mutex<()>>,
    /// Patterns of ids that `--only` names; none means all.
    pub only: &'a [String],
}

/// Converges `items` in order. An error is one of the run itself (the ledger cannot be written); what becomes of a
/// resource is in the events.
pub fn converge(items: &[Item], scope: Scope<'_>, course: &mut Course) -> Result<Tally> {
    let mut named: Vec<(&Item, Vec<Id>)> = items.iter().map(|item| (item, item.ids())).collect();
    let mut peers: BTreeMap<&str, Vec<Peer<'_>>> = BTreeMap::new();
    for (item, ids) in &named {
        let (want, fields) = (if scope.destroy { Want::Absent } else { item.job.want }, &item.job.fields);
        let its = ids.iter().map(|id| Peer { name: id.name.clone(), want, fields });
        peers.entry(&item.job.kind).or_default().extend(its);
    }
    if scope.destroy {
        named.reverse();
    }
    let mut tally = Tally::default();
    if scope.mode == Mode::Apply && !state::leftovers(scope.sys).is_empty() {
        let _turn = scope.turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        state::sweep(scope.sys)?;
    }
    for (item, ids) in named {
        if !is_asked(item, &ids, scope) {
            continue;
        }
        for part in shared::parts(item, ids, scope)? {
            let mut visit = Visit {
                item: part.item.as_ref().unwrap_or(item),
                ids: part.ids,
                peers: &peers[item.job.kind.as_str()],
                scope,
                course: &mut *course,
                tally: &mut tally,
                fresh: BTreeMap::new(),
                kept: BTreeSet::new(),
            };
            match part.held {
                Ok(None) => visit.run()?,
                Ok(Some((recipe, other))) => visit.leave_to_recipe(recipe, other)?,
                Err(error) => visit.fail(error)?,
            }
        }
    }
    for (after, ids) in std::mem::take(&mut course.behind) {
        scope.sink.emit(Event::Behind { after, ids })?;
    }
    Ok(tally)
}

fn is_asked(item: &Item, ids: &[Id], scope: Scope<'_>) -> bool {
    if scope.destroy && changes_nothing(&item.job.kind) {
        return false;
    }
    if scope.mode == Mode::Test && item.job.kind != "test" {
        return false;
    }
    // Gates are looked at all the same: what they hold back must know.
    scope.only.is_empty()
        || item.job.kind == "gate"
        || ids.iter().any(|id| scope.only.iter().any(|glob| matches(glob, id)))
}
