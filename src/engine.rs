//! `converge`: one function for plan, apply, status, test and destroy, on the host and inside a container.
use crate::error::{Error, Result};
use crate::event::{Event, Label, Outcome, Sink};
use crate::id::Id;
use crate::item::Item;
use crate::ledger::ABSENT;
use crate::resource::{Ask, Change, Claim, Known, Pending, Plan, Thing, Waiting, Want};
use crate::system::{System, state};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

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

/// How many names ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// As asked.
    pub in_sync: usize,
    /// Changed; in a plan: would be.
    pub changed: usize,
    /// Waiting for a person.
    pub waiting: usize,
    /// Failed.
    pub failed: usize,
    /// Failed tests, which end nothing.
    pub failed_tests: usize,
    /// Not tried.
    pub skipped: usize,
    /// Tests that an apply would run.
    pub due: usize,
    /// Digests of what was found in sync and that the ledger did not know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<Id, String>,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.in_sync += other.in_sync;
        self.changed += other.changed;
        self.waiting += other.waiting;
        self.failed += other.failed;
        self.failed_tests += other.failed_tests;
        self.skipped += other.skipped;
        self.due += other.due;
        self.held.extend(other.held);
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
    let mut peers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (item, ids) in &named {
        peers.entry(&item.job.kind).or_default().extend(ids.iter().map(|id| id.name.clone()));
    }
    if scope.destroy {
        named.reverse();
    }
    let mut tally = Tally::default();
    if scope.mode == Mode::Apply && !state::leftovers(scope.sys).is_empty() {
        let _turn = scope.turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
        state::leftovers(scope.sys).iter().try_for_each(|path| scope.sys.remove_file(path))?;
    }
    for (item, ids) in named {
        if !is_asked(item, &ids, scope) {
            continue;
        }
        let mut visit = Visit {
            item,
            ids,
            peers: &peers[item.job.kind.as_str()],
            scope,
            course,
            tally: &mut tally,
            fresh: BTreeMap::new(),
            kept: BTreeSet::new(),
        };
        visit.run()?;
    }
    for (after, ids) in std::mem::take(&mut course.behind) {
        scope.sink.emit(Event::Behind { after, ids })?;
    }
    Ok(tally)
}

fn is_asked(item: &Item, ids: &[Id], scope: Scope<'_>) -> bool {
    let changes_nothing = matches!(item.job.kind.as_str(), "gate" | "test" | "command");
    if scope.destroy && changes_nothing {
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

/// Returns whether a pattern with `*` and `?` names the id; `host/` may be left out.
pub fn matches(glob: &str, id: &Id) -> bool {
    fn fits(glob: &[u8], text: &[u8]) -> bool {
        match (glob.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => fits(&glob[1..], text) || (!text.is_empty() && fits(glob, &text[1..])),
            (Some(b'?'), Some(_)) => fits(&glob[1..], &text[1..]),
            (Some(a), Some(b)) if a == b => fits(&glob[1..], &text[1..]),
            _ => false,
        }
    }
    let whole = id.to_string();
    fits(glob.as_bytes(), whole.as_bytes())
        || whole.strip_prefix("host/").is_some_and(|local| fits(glob.as_bytes(), local.as_bytes()))
}

/// One resource in one run.
struct Visit<'a> {
    item: &'a Item,
    ids: Vec<Id>,
    peers: &'a [String],
    scope: Scope<'a>,
    course: &'a mut Course,
    tally: &'a mut Tally,
    /// The names of which a remark was made.
    kept: BTreeSet<String>,
    /// What was made of it so far.
    fresh: BTreeMap<Id, Claim>,
}

impl<'a> Visit<'a> {
    fn run(&mut self) -> Result<()> {
        if let Some(first) = &self.course.failed {
            let because = format!("{first} failed");
            return self.end_all(&Outcome::Skipped { because });
        }
        if self.course.stopped.is_some() || self.scope.sink.interrupted() {
            self.course.stopped.get_or_insert_with(|| self.ids[0].clone());
            return Ok(());
        }
        match (self.item.job.kind.as_str(), self.scope.mode) {
            ("test", Mode::Plan) => {
                self.tally.due += usize::from(self.test_is_due());
                Ok(())
            }
            ("test", Mode::Apply) if !self.test_is_due() => self.end_all(&Outcome::InSync),
            ("test", _) => self.test(),
            (_, Mode::Apply) => {
                let turn = self.scope.turn;
                let _turn = turn.map(|turn| turn.lock().unwrap_or_else(PoisonError::into_inner));
                self.apply()
            }
            _ => self.look(),
        }
    }

    fn test_is_due(&self) -> bool {
        let passed = self
            .claim(&self.ids[0])
            .is_some_and(|claim| !claim.failed && claim.held.as_deref() == Some(&*self.digest()));
        self.course.changed || !passed
    }

    fn test(&mut self) -> Result<()> {
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
    fn look(&mut self) -> Result<()> {
        self.scope.sink.emit(Event::Checking { ids: self.ids.clone() })?;
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
            let outcome = if let Some(waiting) = plan.waiting.iter().find(|waiting| waiting.name == id.name) {
                self.hold(waiting, &id);
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

    fn note_behind(&mut self, id: &Id) {
        if let (Mode::Plan, Some(opaque)) = (self.scope.mode, self.course.pending.behind()) {
            self.course.behind.entry(opaque.clone()).or_default().push(id.clone());
        }
    }

    /// Check, intent, change, check again.
    fn apply(&mut self) -> Result<()> {
        self.scope.sink.emit(Event::Checking { ids: self.ids.clone() })?;
        let mut made: Vec<Change> = Vec::new();
        let mut tries = 0;
        loop {
            let plan = match self.check() {
                Ok(plan) => plan,
                Err(error) => return self.fail(error),
            };
            if self.is_held_back(&plan)? {
                return Ok(());
            }
            if tries == 0 {
                self.remark(&plan)?;
            }
            if plan.steps.is_empty() && plan.waiting.is_empty() && made.is_empty() {
                return self.end_all(&Outcome::InSync);
            }
            if plan.steps.is_empty() {
                return self.end_applied(&plan, &made, None);
            }
            if tries > 0 && tries > self.item.job.retries {
                let error = still_differs(&plan);
                return self.end_applied(&plan, &made, Some(&error));
            }
            tries += 1;
            if let Err(error) = self.make(plan, &mut made)? {
                self.scope.sys.facts().forget();
                if tries > self.item.job.retries {
                    return self.end_failed(error, &made);
                }
            }
            if self.scope.sink.interrupted() {
                self.course.stopped.get_or_insert_with(|| self.ids[0].clone());
                tries = self.item.job.retries.max(tries);
            }
        }
    }

    /// Makes the steps of a plan; the inner result is the resource's, the outer one the run's.
    fn make(&mut self, plan: Plan<'_>, made: &mut Vec<Change>) -> Result<Result<()>> {
        for step in plan.steps {
            let names: BTreeSet<&str> = step.changes.iter().map(|change| change.name.as_str()).collect();
            let ids = self.ids.iter().filter(|id| names.contains(id.name.as_str())).cloned().collect();
            self.scope.sink.emit(Event::Applying { ids, changes: step.changes.clone() })?;
            let outcome = (step.apply)(self.scope.sys);
            self.scope.sys.facts().forget();
            for change in step.changes {
                self.claim_anew(&change);
                if !made.contains(&change) {
                    made.push(change);
                }
            }
            self.course.changed = true;
            if let Err(error) = outcome {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }

    /// What was made just now is ours, and known as what it was made.
    fn claim_anew(&mut self, change: &Change) {
        let id = Id::new(self.item.job.machine, &self.item.job.kind, &change.name);
        let known = self.scope.known.claims.get(&id).cloned();
        let claim = self.fresh.entry(id).or_insert_with(|| known.unwrap_or_default());
        claim.made |= change.makes();
        if let Some(to) = &change.to {
            claim.last.insert(change.field.clone(), to.clone());
        }
    }

    /// After a failed step only the names that still differ have failed.
    fn end_failed(&mut self, error: Error, made: &[Change]) -> Result<()> {
        match self.check() {
            Ok(plan) => {
                self.unmake(&plan, made)?;
                self.end_applied(&plan, made, Some(&error))
            }
            Err(_) => self.fail(error),
        }
    }

    /// What was to be made and still is not there is not ours.
    fn unmake(&self, last: &Plan<'_>, made: &[Change]) -> Result<()> {
        let still: BTreeSet<&str> = last
            .steps
            .iter()
            .flat_map(|step| &step.changes)
            .filter(|change| change.makes())
            .map(|change| change.name.as_str())
            .collect();
        let tried = |id: &&Id| made.iter().any(|change| change.makes() && change.name == id.name);
        let ids: Vec<Id> =
            self.ids.iter().filter(|id| still.contains(id.name.as_str())).filter(tried).cloned().collect();
        if ids.is_empty() { Ok(()) } else { self.scope.sink.emit(Event::Unmade { ids }) }
    }

    /// Ends every name by what the last check says of it.
    fn end_applied(&mut self, last: &Plan<'_>, made: &[Change], error: Option<&Error>) -> Result<()> {
        let differing = changed_names(last);
        let unplaced = error.is_some() && differing.is_empty();
        for id in self.ids.clone() {
            let changes: Vec<Change> = made.iter().filter(|change| change.name == id.name).cloned().collect();
            let outcome = match (error, last.waiting.iter().find(|waiting| waiting.name == id.name)) {
                (Some(error), _) if differing.contains(id.name.as_str()) || unplaced => {
                    self.course.failed.get_or_insert_with(|| id.clone());
                    Outcome::Failed { error: error.clone() }
                }
                (_, Some(waiting)) => {
                    self.hold(waiting, &id);
                    if !changes.is_empty() {
                        self.end(&id, Outcome::Changed { changes })?;
                    }
                    waits(waiting)
                }
                _ if changes.is_empty() => Outcome::InSync,
                _ => Outcome::Changed { changes },
            };
            self.end(&id, outcome)?;
        }
        Ok(())
    }

    fn end_in_sync_or_waiting(&mut self, plan: &Plan<'_>) -> Result<()> {
        for id in self.ids.clone() {
            let waiting = plan.waiting.iter().find(|waiting| waiting.name == id.name);
            self.end(&id, waiting.map_or(Outcome::InSync, waits))?;
        }
        Ok(())
    }

    /// A closed gate holds back what differs, and nothing that is in sync.
    fn is_held_back(&mut self, plan: &Plan<'_>) -> Result<bool> {
        let Some(gate) = self.closed_gate() else { return Ok(false) };
        if plan.steps.is_empty() {
            return Ok(false);
        }
        let differing = changed_names(plan);
        let supplied: Vec<Thing> = plan.steps.iter().flat_map(|step| step.supplies.iter().cloned()).collect();
        self.course.pending.hold(supplied, &gate);
        for id in self.ids.clone() {
            let outcome = if differing.contains(id.name.as_str()) { waits_for_gate(&gate) } else { Outcome::InSync };
            self.end(&id, outcome)?;
        }
        Ok(true)
    }

    fn closed_gate(&self) -> Option<Id> {
        self.item.job.gate.as_ref().and_then(|gate| self.course.gates.get(gate)).cloned()
    }

    fn hold(&mut self, waiting: &Waiting, id: &Id) {
        self.course.pending.hold(waiting.supplies.iter().cloned(), id);
        if self.item.job.kind == "gate" {
            self.course.gates.insert(id.name.clone(), id.clone());
        }
    }

    fn remark(&mut self, plan: &Plan<'_>) -> Result<()> {
        for remark in &plan.remarks {
            self.kept.insert(remark.name.clone());
            let id = Id::new(self.item.job.machine, &self.item.job.kind, &remark.name);
            self.scope.sink.emit(Event::Remark { id, remark: remark.clone() })?;
        }
        Ok(())
    }

    fn fail(&mut self, error: Error) -> Result<()> {
        self.course.failed.get_or_insert_with(|| self.ids[0].clone());
        self.end_all(&Outcome::Failed { error })
    }

    fn end_all(&mut self, outcome: &Outcome) -> Result<()> {
        let ids = std::mem::take(&mut self.ids);
        let ended = ids.iter().try_for_each(|id| self.end(id, outcome.clone()));
        self.ids = ids;
        ended
    }

    fn end(&mut self, id: &Id, outcome: Outcome) -> Result<()> {
        let is_test = self.item.job.kind == "test";
        match &outcome {
            Outcome::InSync => self.tally.in_sync += 1,
            Outcome::Changed { .. } | Outcome::Differs { .. } => self.tally.changed += 1,
            Outcome::Waiting { .. } => self.tally.waiting += 1,
            Outcome::Failed { .. } if is_test => self.tally.failed_tests += 1,
            Outcome::Failed { .. } => self.tally.failed += 1,
            Outcome::Skipped { .. } => self.tally.skipped += 1,
        }
        if outcome == Outcome::InSync {
            if matches!(self.scope.mode, Mode::Plan | Mode::Apply) && self.is_news(id) {
                self.tally.held.insert(id.clone(), self.digest().into_owned());
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
    fn is_news(&self, id: &Id) -> bool {
        let claim = self.claim(id);
        match self.want() {
            Want::Absent if self.kept.contains(&id.name) => false,
            Want::Absent if self.scope.destroy => claim.is_some(),
            _ => claim.is_none_or(|claim| claim.failed || claim.held.as_deref() != Some(&*self.digest())),
        }
    }

    /// Returns what the ledger keeps of a name that is as asked; nothing, after `destroy`.
    fn digest(&self) -> Cow<'a, str> {
        match self.want() {
            Want::Present => Cow::Borrowed(&self.item.job.digest),
            Want::Absent if self.scope.destroy => Cow::Borrowed(""),
            Want::Absent => Cow::Owned(format!("{ABSENT}{}", self.item.job.digest)),
        }
    }

    fn label(&self, id: &Id) -> Label {
        match self.claim(id).and_then(|claim| claim.held.as_ref()) {
            None => Label::New,
            Some(held) if *held == self.digest() => Label::Drift,
            Some(_) => Label::Edit,
        }
    }

    fn claim(&self, id: &Id) -> Option<&Claim> {
        self.scope.known.claims.get(id)
    }

    fn want(&self) -> Want {
        if self.scope.destroy { Want::Absent } else { self.item.job.want }
    }

    fn check(&self) -> Result<Plan<'a>> {
        let item = self.item;
        item.resource.check(&self.ask(), self.scope.sys)
    }

    fn ask(&self) -> Ask<'_> {
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

fn changed_names<'p>(plan: &'p Plan<'_>) -> BTreeSet<&'p str> {
    plan.steps.iter().flat_map(|step| &step.changes).map(|change| change.name.as_str()).collect()
}

fn waits(waiting: &Waiting) -> Outcome {
    Outcome::Waiting { because: waiting.because.clone(), remedy: waiting.remedy.clone() }
}

fn waits_for_gate(gate: &Id) -> Outcome {
    Outcome::Waiting { because: format!("waits for {gate}"), remedy: None }
}

fn still_differs(plan: &Plan<'_>) -> Error {
    let error = Error::new("applied, but it still differs");
    plan.steps.iter().flat_map(|step| &step.changes).fold(error, |error, change| {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let field = if change.field.is_empty() { &change.name } else { &change.field };
        error.reason(format!("{field}: is {}, should be {}", show(&change.from), show(&change.to)))
    })
}
