//! A visit: one resource in one run. What a plan or a status says of it, and how each of its names ends.
use super::{Course, Mode, Scope, Tally};
use crate::error::{Error, Result};
use crate::event::{Event, Label, Outcome};
use crate::id::Id;
use crate::item::Item;
use crate::ledger::{ABSENT, LEFT};
use crate::resource::{Ask, Claim, Peer, Plan, Thing, Waiting, Want};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

/// One resource in one run.
pub(super) struct Visit<'a> {
    pub(super) item: &'a Item,
    pub(super) ids: Vec<Id>,
    pub(super) peers: &'a [Peer<'a>],
    pub(super) scope: Scope<'a>,
    pub(super) course: &'a mut Course,
    pub(super) tally: &'a mut Tally,
    /// The names of which a remark was made.
    pub(super) kept: BTreeSet<String>,
    /// What was made of it so far.
    pub(super) fresh: BTreeMap<Id, Claim>,
}

impl<'a> Visit<'a> {
    pub(super) fn run(&mut self) -> Result<()> {
        if let Some(first) = &self.course.failed {
            let because = format!("{first} failed");
            return self.end_all(&Outcome::Skipped { because });
        }
        if self.stops() {
            return Ok(());
        }
        match (self.item.job.kind.as_str(), self.scope.mode) {
            ("test", Mode::Plan) => {
                self.tally.counts.due += usize::from(self.test_is_due());
                Ok(())
            }
            ("test", Mode::Apply) if !self.test_is_due() => self.end_all(&Outcome::InSync),
            ("test", _) => self.test(),
            (_, Mode::Apply) => {
                let turn = self.scope.turn;
                let _turn = turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
                // The turn may have been long in coming.
                if self.stops() { Ok(()) } else { self.apply() }
            }
            _ => self.look(),
        }
    }

    /// Returns whether the run is asked to end, and notes where it does.
    fn stops(&mut self) -> bool {
        if self.course.stopped.is_none() && self.scope.sink.interrupted() {
            self.course.stopped = Some(self.ids[0].clone());
        }
        self.course.stopped.is_some()
    }

    pub(super) fn test_is_due(&self) -> bool {
        let passed = self
            .claim(&self.ids[0])
            .is_some_and(|claim| !claim.failed && claim.held.as_deref() == Some(&*self.digest()));
        self.course.changed || !passed
    }

    pub(super) fn test(&mut self) -> Result<()> {
        self.scope.sink.emit(Event::Checking { ids: self.ids.clone() })?;
        if let Some(gate) = self.closed_gate() {
            return self.end_all(&waits_for_gate(&gate));
        }
        match self.check() {
            Ok(plan) => self.end_in_sync_or_waiting(&plan),
            Err(error) => self.end_all(&Outcome::Failed { error }),
        }
    }

    /// Plan and status: what differs, and why.
    pub(super) fn look(&mut self) -> Result<()> {
        self.scope.sink.emit(Event::Checking { ids: self.ids.clone() })?;
        match self.heir() {
            Ok(None) => {}
            Ok(Some(heir)) => return self.leave_to(&heir),
            Err(error) => return self.fail(error),
        }
        let plan = match self.check() {
            Ok(plan) => plan,
            Err(error) => return self.fail(error),
        };
        if self.is_held_back(&plan)? {
            return Ok(());
        }
        self.remark(&plan)?;
        let differing: BTreeSet<&str> = changed_names(&plan);
        for id in &self.ids {
            if !differing.contains(id.name.as_str()) {
                continue;
            }
            let label = self.label(id);
            let changes = plan.steps.iter().flat_map(|step| &step.changes).filter(|change| change.name == id.name);
            let opaque = plan.steps.iter().any(|step| step.opaque);
            let phase = self.item.job.phase.clone();
            self.scope.sink.emit(Event::Planned {
                id: id.clone(),
                label,
                changes: changes.cloned().collect(),
                opaque,
                phase,
            })?;
        }
        for step in &plan.steps {
            let by = step.changes.first().map_or(&self.ids[0].name, |change| &change.name);
            let id = Id::new(self.item.job.machine, &self.item.job.kind, by);
            self.course.pending.supply(step.supplies.iter().cloned(), &id);
            if step.opaque {
                self.course.pending.opaque(&id);
            }
            self.course.changed = true;
        }
        for id in self.ids.clone() {
            let outcome = if let Some(refused) = self.refused(&plan, &id) {
                refused
            } else if let Some(waiting) = plan.waiting.iter().find(|waiting| waiting.name == id.name) {
                self.hold(waiting, &id);
                // What needs no person's word is changed all the same.
                self.tally.counts.changed += usize::from(differing.contains(id.name.as_str()));
                waits(waiting)
            } else if differing.contains(id.name.as_str()) {
                Outcome::Differs { label: self.label(&id) }
            } else {
                self.note_behind(&id);
                Outcome::InSync
            };
            self.end(&id, outcome)?;
        }
        Ok(())
    }

    pub(super) fn note_behind(&mut self, id: &Id) {
        if let (Mode::Plan, Some(opaque)) = (self.scope.mode, self.course.pending.behind()) {
            self.course.behind.entry(opaque.clone()).or_default().push(id.clone());
        }
    }

    pub(super) fn end_in_sync_or_waiting(&mut self, plan: &Plan<'_>) -> Result<()> {
        for id in self.ids.clone() {
            let waiting = plan.waiting.iter().find(|waiting| waiting.name == id.name);
            self.end(&id, waiting.map_or(Outcome::InSync, waits))?;
        }
        Ok(())
    }

    /// A closed gate holds back what differs, and nothing that is in sync.
    pub(super) fn is_held_back(&mut self, plan: &Plan<'_>) -> Result<bool> {
        let Some(gate) = self.closed_gate() else { return Ok(false) };
        if plan.steps.is_empty() {
            return Ok(false);
        }
        let differing = changed_names(plan);
        let supplied: Vec<Thing> = plan.steps.iter().flat_map(|step| step.supplies.iter().cloned()).collect();
        self.course.pending.hold(supplied, &gate);
        for id in self.ids.clone() {
            let held = if differing.contains(id.name.as_str()) { waits_for_gate(&gate) } else { Outcome::InSync };
            let outcome = self.refused(plan, &id).unwrap_or(held);
            self.end(&id, outcome)?;
        }
        Ok(true)
    }

    pub(super) fn closed_gate(&self) -> Option<Id> {
        self.item.job.gate.as_ref().and_then(|gate| self.course.gates.get(gate)).cloned()
    }

    pub(super) fn hold(&mut self, waiting: &Waiting, id: &Id) {
        self.course.pending.hold(waiting.supplies.iter().cloned(), id);
        if self.item.job.kind == "gate" {
            self.course.gates.insert(id.name.clone(), id.clone());
        }
    }

    pub(super) fn remark(&mut self, plan: &Plan<'_>) -> Result<()> {
        if !plan.needed.is_empty() {
            self.course.pending.keep(plan.needed.iter().cloned(), &self.ids[0]);
        }
        for remark in &plan.remarks {
            self.kept.insert(remark.name.clone());
            let id = Id::new(self.item.job.machine, &self.item.job.kind, &remark.name);
            self.scope.sink.emit(Event::Remark { id, remark: remark.clone() })?;
        }
        Ok(())
    }

    /// Returns the end of a name that can't be made as asked.
    pub(super) fn refused(&mut self, plan: &Plan<'_>, id: &Id) -> Option<Outcome> {
        let error = plan.refusal(&id.name)?.clone();
        self.course.failed.get_or_insert_with(|| id.clone());
        Some(Outcome::Failed { error })
    }

    pub(super) fn fail(&mut self, error: Error) -> Result<()> {
        self.course.failed.get_or_insert_with(|| self.ids[0].clone());
        self.end_all(&Outcome::Failed { error })
    }

    pub(super) fn end_all(&mut self, outcome: &Outcome) -> Result<()> {
        let ids = std::mem::take(&mut self.ids);
        let ended = ids.iter().try_for_each(|id| self.end(id, outcome.clone()));
        self.ids = ids;
        ended
    }

    pub(super) fn end(&mut self, id: &Id, outcome: Outcome) -> Result<()> {
        let is_test = self.item.job.kind == "test";
        self.tally.counts.count(&id.kind, &outcome);
        if outcome == Outcome::InSync {
            if matches!(self.scope.mode, Mode::Plan | Mode::Apply) {
                if self.is_news(id) {
                    self.tally.held.insert(id.clone(), self.digest().into_owned());
                } else if self.is_left(id) {
                    self.tally.held.insert(id.clone(), LEFT.to_owned());
                }
            }
            // What is in sync is counted, not listed, except where every cell is wanted.
            if self.scope.mode != Mode::Status && !is_test {
                return Ok(());
            }
        }
        let (phase, digest) = (self.item.job.phase.clone(), self.digest().into_owned());
        let absent = self.want() == Want::Absent;
        self.scope.sink.emit(Event::Finished { id: id.clone(), outcome, phase, digest, absent })
    }

    /// Returns whether the ledger does not know yet that this is in sync. What should be gone and was kept is not.
    pub(super) fn is_news(&self, id: &Id) -> bool {
        let claim = self.claim(id);
        match self.want() {
            Want::Absent if self.kept.contains(&id.name) => false,
            Want::Absent if self.scope.destroy => claim.is_some(),
            _ => claim.is_none_or(|claim| claim.failed || claim.held.as_deref() != Some(&*self.digest())),
        }
    }

    /// Returns whether a destroy leaves it as it is, for the first time.
    fn is_left(&self, id: &Id) -> bool {
        self.scope.destroy && self.kept.contains(&id.name) && self.claim(id).is_some_and(|claim| !claim.left)
    }

    /// Returns what the ledger keeps of a name that is as asked; nothing, after `destroy`.
    pub(super) fn digest(&self) -> Cow<'a, str> {
        match self.want() {
            Want::Present => Cow::Borrowed(&self.item.job.digest),
            Want::Absent if self.scope.destroy => Cow::Borrowed(""),
            Want::Absent => Cow::Owned(format!("{ABSENT}{}", self.item.job.digest)),
        }
    }

    pub(super) fn label(&self, id: &Id) -> Label {
        if self.scope.destroy {
            return Label::Orphan;
        }
        match self.claim(id).and_then(|claim| claim.held.as_ref()) {
            None => Label::New,
            Some(held) if *held == self.digest() => Label::Drift,
            // Without its secret at hand a digest can't be told.
            Some(held) if !self.item.job.unknown.is_empty() && !held.starts_with(ABSENT) => Label::Drift,
            Some(_) => Label::Edit,
        }
    }

    pub(super) fn claim(&self, id: &Id) -> Option<&Claim> {
        self.scope.known.claims.get(id)
    }

    pub(super) fn want(&self) -> Want {
        if self.scope.destroy { Want::Absent } else { self.item.job.want }
    }

    pub(super) fn check(&self) -> Result<Plan<'a>> {
        let item = self.item;
        item.resource.check(&self.ask(), self.scope.sys)
    }

    pub(super) fn ask(&self) -> Ask<'_> {
        Ask {
            want: self.want(),
            machine: self.item.job.machine,
            kind: &self.item.job.kind,
            source: self.item.job.source.as_deref(),
            secret: &self.item.job.secret,
            unknown: &self.item.job.unknown,
            peers: self.peers,
            fresh: &self.fresh,
            known: self.scope.known,
            pending: &self.course.pending,
            timeout: self.item.job.timeout,
        }
    }
}

pub(super) fn changed_names<'p>(plan: &'p Plan<'_>) -> BTreeSet<&'p str> {
    plan.steps.iter().flat_map(|step| &step.changes).map(|change| change.name.as_str()).collect()
}

pub(super) fn waits(waiting: &Waiting) -> Outcome {
    Outcome::Waiting { because: waiting.because.clone(), remedy: waiting.remedy.clone() }
}

pub(super) fn waits_for_gate(gate: &Id) -> Outcome {
    Outcome::Waiting { because: format!("waits for {gate}"), remedy: None }
}
