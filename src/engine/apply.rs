//! The visit of an apply: check, intent, change, check again.
use super::overheard::Overheard;
use super::visit::{Visit, changed_names, waits};
use crate::error::{Error, Result};
use crate::event::{Event, Outcome};
use crate::id::Id;
use crate::resource::{Apply, Change, Plan, Want};
use std::cell::RefCell;
use std::collections::BTreeSet;

impl Visit<'_> {
    /// Check, intent, change, check again.
    pub(super) fn apply(&mut self) -> Result<()> {
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
            if plan.steps.is_empty() && plan.waiting.is_empty() && plan.refused.is_empty() && made.is_empty() {
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
                tries = self.item.job.retries.max(tries);
            }
        }
    }

    /// Makes the steps of a plan; the inner result is the resource's, the outer one the run's.
    fn make(&mut self, plan: Plan<'_>, made: &mut Vec<Change>) -> Result<Result<()>> {
        for step in plan.steps {
            let names: BTreeSet<&str> = step.changes.iter().map(|change| change.name.as_str()).collect();
            let ids = self.ids.iter().filter(|id| names.contains(id.name.as_str())).cloned().collect();
            let absent = self.want() == Want::Absent;
            self.scope.sink.emit(Event::Applying { ids, changes: step.changes.clone(), absent })?;
            let outcome = self.take(step.apply, step.changes.first())?;
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

    /// Takes a step, and says what it tells meanwhile and what its programs printed; the outer result is the run's.
    fn take(&self, apply: Apply<'_>, first: Option<&Change>) -> Result<Result<()>> {
        let name = first.map_or(&self.ids[0].name, |change| &change.name);
        let id = Id::new(self.item.job.machine, &self.item.job.kind, name);
        let unsaid = RefCell::new(None);
        let say = |text: &str| {
            if let Err(error) = self.scope.sink.emit(Event::Said { id: id.clone(), text: text.to_owned() }) {
                unsaid.borrow_mut().get_or_insert(error);
            }
        };
        let outcome = if self.item.job.secret.is_empty() {
            let overheard = Overheard::new(self.scope.sys);
            let outcome = apply(&overheard, &say);
            overheard.events(&id).try_for_each(|event| self.scope.sink.emit(event))?;
            outcome
        } else {
            // What a program makes of a secret, such as its Base64, nobody would know again.
            apply(self.scope.sys, &say)
        };
        unsaid.into_inner().map_or(Ok(outcome), Err)
    }

    /// What was made just now is ours, and known as what it was made. What is being taken away stays known until it is gone.
    fn claim_anew(&mut self, change: &Change) {
        if self.want() == Want::Absent {
            return;
        }
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

    /// What was to be made and still is not there is not ours. What would have to be taken away first is there.
    fn unmake(&self, last: &Plan<'_>, made: &[Change]) -> Result<()> {
        let of = |is: fn(&Change) -> bool| -> BTreeSet<&str> {
            let changes = last.steps.iter().flat_map(|step| &step.changes);
            changes.filter(|change| is(change)).map(|change| change.name.as_str()).collect()
        };
        let still = &of(Change::makes) - &of(Change::removes);
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
            if let Some(outcome) = self.refused(last, &id) {
                self.end(&id, outcome)?;
                continue;
            }
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
}

fn still_differs(plan: &Plan<'_>) -> Error {
    let error = Error::new("applied, but it still differs");
    plan.steps.iter().flat_map(|step| &step.changes).fold(error, |error, change| {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let field = if change.field.is_empty() { &change.name } else { &change.field };
        error.reason(format!("{field}: is {}, should be {}", show(&change.from), show(&change.to)))
    })
}
