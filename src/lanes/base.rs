//! Bases and their clones: what is in a base that is done is not looked at again, and what a clone will have from its base
//! is not foretold as new.
use super::{Fleet, Pass, items_of};
use crate::engine::{Course, Mode, Tally, matches};
use crate::error::Result;
use crate::event::{Event, Outcome, Sink};
use crate::id::{Id, Machine};
use crate::item::Item;
use crate::ledger::ABSENT;
use crate::resource::{Known, Want};
use std::collections::{BTreeMap, BTreeSet};

/// What a container that is not there yet will have from its base: kinds and names with the digests of their fields.
pub(super) enum Inherited<'s> {
    /// The base is in this recipe.
    These(BTreeSet<(&'s str, String, &'s str)>),
    /// The base is somebody else's: what is in it can't be known.
    Anything,
}

impl Inherited<'_> {
    /// Returns whether an item is, or may be, in the base as it is asked.
    pub(super) fn holds(&self, item: &Item) -> bool {
        let job = &item.job;
        match self {
            Self::Anything => true,
            Self::These(these) => {
                let known = |name| these.contains(&(job.kind.as_str(), name, job.digest.as_str()));
                !changes_nothing(item) && item.resource.names().into_iter().all(known)
            }
        }
    }
}

impl Fleet<'_> {
    /// Returns what a container will have from its base; `None` where it is no clone.
    pub(super) fn inherited(&self, id: u32) -> Option<Inherited<'_>> {
        let all = || self.stages.iter().flat_map(items_of);
        let text = |item: &Item, field: &str| match item.job.fields.get(field)? {
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let container = |item: &&Item| item.job.kind == "container" && item.job.want == Want::Present;
        let clone = all().filter(container).find(|item| text(item, "id").as_deref() == Some(&id.to_string()))?;
        let origin = text(clone, "clone").filter(|origin| !matches!(origin.as_str(), "" | "0"))?;
        let named = |item: &&Item| {
            let is = |field| text(item, field).as_ref() == Some(&origin);
            text(item, "base").as_deref() == Some("true") && (is("id") || is("hostname"))
        };
        let Some(base) = all().filter(container).find(named).and_then(|base| text(base, "id")?.parse().ok()) else {
            return Some(Inherited::Anything);
        };
        let inside = all().filter(|item| item.job.machine == Machine::Container(base));
        let each = inside.flat_map(|item| {
            let (kind, digest) = (item.job.kind.as_str(), item.job.digest.as_str());
            item.resource.names().into_iter().map(move |name| (kind, name, digest))
        });
        Some(Inherited::These(each.collect()))
    }

    /// Says how it stands with what is in a base that is done. It held when the base was done, or was never made: then it,
    /// or an edit of it, needs a new base.
    pub(super) fn sealed(&self, id: u32, items: &[Item], pass: Pass, known: &Known, sink: &dyn Sink) -> Result<Tally> {
        let mut tally = Tally::default();
        for item in items.iter().filter(|item| !changes_nothing(item)) {
            for one in item.ids().into_iter().filter(|one| self.only.is_empty() || self.names(one)) {
                let outcome = if holds(item, &one, known) {
                    Outcome::InSync
                } else {
                    let because = format!("container {id} is a base and stays as it is");
                    let remedy = format!("to make it anew, run again with `--replace {id}`");
                    Outcome::Waiting { because, remedy: Some(remedy) }
                };
                tally.counts.count(&item.job.kind, &outcome);
                if outcome != Outcome::InSync || pass.mode == Mode::Status {
                    let (phase, digest) = (item.job.phase.clone(), item.job.digest.clone());
                    let absent = item.job.want == Want::Absent;
                    sink.emit(Event::Finished { id: one, outcome, phase, digest, absent })?;
                }
            }
        }
        Ok(tally)
    }

    /// Says that these will be there with their container, and are looked at then.
    pub(super) fn come_along(&self, itself: &Id, items: &[Item], course: &mut Course, sink: &dyn Sink) -> Result<()> {
        course.changed = true;
        let all = items.iter().flat_map(Item::ids);
        let ids = all.filter(|one| self.only.is_empty() || self.names(one)).collect();
        sink.emit(Event::Behind { after: itself.clone(), ids })
    }

    /// Returns whether `--only` names it.
    pub(super) fn names(&self, id: &Id) -> bool {
        self.only.iter().any(|glob| matches(glob, id))
    }
}

/// Has what was found in sync in a base recorded before it is done: a run that is killed then could not say so.
pub(super) fn keep_what_bases_hold(items: &[Item], tally: &Tally, sink: &dyn Sink) -> Result<()> {
    for id in items.iter().filter(|item| item.job.kind == "base").flat_map(Item::ids) {
        let is_in_it = |held: &Id| held.machine.to_string() == id.name;
        let held: BTreeMap<Id, String> = tally
            .held
            .iter()
            .filter(|(held, _)| is_in_it(held))
            .map(|(id, digest)| (id.clone(), digest.clone()))
            .collect();
        if !held.is_empty() {
            sink.emit(Event::Held { held })?;
        }
    }
    Ok(())
}

/// What waits for people, and what only looks, is each container's own.
fn changes_nothing(item: &Item) -> bool {
    matches!(item.job.kind.as_str(), "gate" | "test")
}

fn holds(item: &Item, id: &Id, known: &Known) -> bool {
    let Some(held) = known.claims.get(id).and_then(|claim| claim.held.as_deref()) else { return false };
    // Without its secret at hand a digest can't be told.
    let unknown = !item.job.unknown.is_empty();
    match item.job.want {
        Want::Present => held == item.job.digest || (unknown && !held.starts_with(ABSENT)),
        Want::Absent => held.strip_prefix(ABSENT) == Some(&item.job.digest),
    }
}
