//! Which lanes are at work, on what and since when, and how far the run has come.
use super::super::change;
use super::super::stage::{self, Name};
use super::super::style::{Hue, Style};
use crate::event::{Envelope, Event, Outcome};
use crate::id::Id;
use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

pub(super) struct Lanes {
    pub(super) style: Style,
    /// How many lanes the run has.
    pub(super) all: usize,
    pub(super) is_interrupted: fn() -> bool,
    pub(super) since: Option<Instant>,
    pub(super) at_work: BTreeMap<Name, Work>,
    /// What a plan named and is not done yet, and how much it was.
    pub(super) to_do: HashSet<Id>,
    pub(super) planned: usize,
    pub(super) is_changing: bool,
    pub(super) looked_at: usize,
    pub(super) differ: usize,
    pub(super) waiting: usize,
    pub(super) failed: usize,
}

/// What a lane does.
pub(super) struct Work {
    pub(super) since: Instant,
    /// What it looked at last, and is not done with before it looks at something else.
    pub(super) on: Vec<Id>,
    /// `None`: between two steps.
    pub(super) step: Option<Step>,
}

pub(super) struct Step {
    pub(super) sign: &'static str,
    pub(super) hue: Hue,
    pub(super) ids: Vec<Id>,
    /// Which fields are changed, where it is not the whole.
    pub(super) what: String,
}

impl Lanes {
    pub(super) fn new(style: Style, all: usize, is_interrupted: fn() -> bool) -> Self {
        Self {
            style,
            all,
            is_interrupted,
            since: None,
            at_work: BTreeMap::new(),
            to_do: HashSet::new(),
            planned: 0,
            is_changing: false,
            looked_at: 0,
            differ: 0,
            waiting: 0,
            failed: 0,
        }
    }

    /// Returns whether any lane, or what is in none, is at work.
    pub(super) fn are_at_work(&self) -> bool {
        !self.at_work.is_empty()
    }

    /// Nothing is at work, until the next event.
    pub(super) fn rest(&mut self) {
        self.at_work.clear();
        self.since = None;
    }

    /// Takes in an event that happened just now.
    pub(super) fn take(&mut self, envelope: &Envelope, now: Instant) {
        let lane = stage::name(envelope.lane.as_deref());
        match &envelope.event {
            Event::LaneStarted => {
                // What stands in no lane waits for all lanes, and they for it.
                self.leave(&None);
                self.work(lane, now).step = None;
            }
            Event::LaneEnded { .. } => self.leave(&lane),
            Event::Checking { ids } => {
                self.leave(&lane);
                self.looked_at += ids.len();
                let step = Step { sign: "·", hue: Hue::Faint, ids: ids.clone(), what: String::new() };
                let work = self.work(lane, now);
                (work.on, work.step) = (ids.clone(), Some(step));
            }
            Event::Applying { ids, changes, .. } => {
                let (sign, hue) = change::sign(changes);
                let what = if sign == "~" { change::brief(changes) } else { String::new() };
                self.work(lane, now).step = Some(Step { sign, hue, ids: ids.clone(), what });
            }
            Event::Finished { id, outcome, .. } => {
                if self.is_changing {
                    self.to_do.remove(id);
                }
                match outcome {
                    Outcome::Waiting { .. } => self.waiting += 1,
                    Outcome::Failed { .. } => self.failed += 1,
                    Outcome::Differs { .. } => self.differ += 1,
                    Outcome::InSync | Outcome::Changed { .. } | Outcome::Skipped { .. } => {}
                }
                if self.at_work.contains_key(&lane) {
                    self.work(lane, now).step = None;
                }
            }
            Event::Planned { id, .. } => self.to_do.extend([id.clone()]),
            Event::PlanEnded => {
                (self.is_changing, self.planned) = (true, self.to_do.len());
                (self.differ, self.waiting, self.failed) = (0, 0, 0);
            }
            _ => {}
        }
    }

    /// Returns what a lane does, from now on.
    fn work(&mut self, lane: Name, since: Instant) -> &mut Work {
        self.since.get_or_insert(since);
        let work = self.at_work.entry(lane).or_insert_with(|| Work { since, on: Vec::new(), step: None });
        work.since = since;
        work
    }

    /// A lane is done with what it looked at last.
    fn leave(&mut self, lane: &Name) {
        let on = self.at_work.remove(lane).map(|work| work.on).unwrap_or_default();
        if self.is_changing {
            for id in &on {
                self.to_do.remove(id);
            }
        }
    }
}
