//! Orphans: what an earlier form of this recipe made and this one no longer has. A plan shows them; `--prune` takes them away,
//! the newest first, once all else is done.
use super::{Fleet, Pass, items_of};
use crate::container::What;
use crate::engine::{Course, Mode, Tally};
use crate::error::Result;
use crate::event::{Event, Outcome, Sink};
use crate::id::{Id, Machine};
use crate::item::{Item, JobItem};
use crate::ledger::LEFT;
use crate::resource::{Change, Known, Remark};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// What an earlier form of a recipe made and this one no longer has.
#[derive(Debug, Default)]
pub struct Orphans {
    /// To be looked at, the oldest first, a name each; the host's before those in containers.
    pub items: Vec<JobItem>,
    /// Those that we made; of the others only what was there before can be given back.
    pub made: BTreeSet<Id>,
    /// Those of which too little is known to take them away.
    pub unknown: Vec<Id>,
    /// Nothing is asked of them any more: another recipe has them, or they never were ours.
    pub released: BTreeSet<Id>,
    /// A new resource, and the orphan with the same fields that it seems to be.
    pub renamed: Vec<(Id, Id)>,
    /// They are taken away.
    pub prune: bool,
}

/// What a look at the machines found.
#[derive(Debug, Clone, Default)]
pub(super) struct Looked {
    /// What a plan says of those that are there.
    orphans: Vec<(Id, Event)>,
    /// Those that can be taken away, or wait for a person.
    going: BTreeSet<Id>,
    /// Those of which nothing is left that could be taken away, and what the ledger keeps of that.
    gone: BTreeMap<Id, String>,
}

impl Fleet<'_> {
    /// Shows the orphans, or takes them away; not after a failure. Returns also where an interruption ended it.
    pub(super) fn orphaned(&self, pass: Pass, mut course: Course) -> Result<(Tally, Option<Id>)> {
        let mut tally = Tally::default();
        let (Some(orphans), sink) = (&self.orphans, (self.sink)(None)) else { return Ok((tally, None)) };
        if pass.destroy || !matches!(pass.mode, Mode::Plan | Mode::Apply) || sink.interrupted() {
            return Ok((tally, None));
        }
        if pass.mode == Mode::Plan {
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = self.look_at(orphans)?;
        }
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if sink.interrupted() {
            return Ok((tally, None));
        }
        let stays = |id: &Id| !orphans.prune || !looked.going.contains(id);
        if pass.mode == Mode::Plan {
            tally.held.extend(orphans.released.iter().map(|id| (id.clone(), String::new())));
            tally.held.extend(looked.gone);
            for (new, old) in orphans.renamed.iter().filter(|(_, old)| looked.going.contains(old) && stays(old)) {
                let text = format!("its predecessor {old} is still there: `--prune` takes it away");
                sink.emit(Event::Remark { id: new.clone(), remark: Remark { name: new.name.clone(), text } })?;
            }
            let staying = looked.orphans.iter().filter(|(id, _)| stays(id));
            staying.map(|(_, event)| event.clone()).try_for_each(|event| sink.emit(event))?;
        }
        if !orphans.prune {
            return Ok((tally, None));
        }
        let going = orphans.items.iter().filter(|job| looked.going.contains(&id_of(job)));
        let items = together(going)?;
        let mut seen = Vec::new();
        tally.add(self.walk(&items, Pass { destroy: true, ..pass }, &mut course, &*sink, &mut seen)?);
        if course.failed.is_none() && course.stopped.is_none() {
            tally.add(self.owed(&looked.going, pass.mode, &mut course, &mut seen)?);
        }
        Ok((tally, course.stopped))
    }

    /// Looks at each, without a word.
    fn look_at(&self, orphans: &Orphans) -> Result<Looked> {
        let mut looked = Looked::default();
        let (mut reached, mut kept) = (Vec::new(), BTreeMap::new());
        for job in &orphans.items {
            match self.out_of_reach(job.machine)? {
                Some(why) => drop(kept.insert(id_of(job), why)),
                None => reached.push(Item::receive(job.clone())?),
            }
        }
        let unknown = "an older version of provision made it and did not keep what is needed to take it away: put it back \
                       into the recipe, apply, and take it out again";
        kept.extend(orphans.unknown.iter().map(|id| (id.clone(), unknown.to_owned())));
        for (id, why) in kept {
            let event = Event::Orphan { id: id.clone(), changes: Vec::new(), because: Some(why), remedy: None };
            looked.orphans.push((id, event));
        }
        let seen = Seen::new((self.sink)(None));
        let pass = Pass { mode: Mode::Plan, destroy: true };
        let tally = self.walk(&reached, pass, &mut Course::default(), &seen, &mut Vec::new())?;
        let said = seen.into_events();
        let mut heirs = tally.held;
        heirs.retain(|_, digest| digest != LEFT);
        for id in reached.iter().rev().flat_map(Item::ids) {
            let (stands, orphan) = of_one(&id, &said, orphans.prune);
            match stands {
                Stands::Goes => drop(looked.going.insert(id.clone())),
                // The recipe has it by another id: it is that one's from then on.
                Stands::Stays if heirs.contains_key(&id) => {
                    looked.orphans.extend(remarks(&id, &said).map(|remark| (id.clone(), remark_on(&id, remark))));
                    looked.gone.insert(id.clone(), heirs[&id].clone());
                    continue;
                }
                // It was there before us, and nothing of it can be taken back: it is nobody's from then on.
                Stands::Stays if !orphans.made.contains(&id) => {
                    looked.orphans.extend(remarks(&id, &said).map(|remark| (id.clone(), last_word(&id, remark))));
                    looked.gone.insert(id, String::new());
                    continue;
                }
                Stands::Gone => {
                    looked.gone.insert(id, String::new());
                    continue;
                }
                Stands::Stays | Stands::Unseen => {}
            }
            looked.orphans.push((id, orphan));
        }
        Ok(looked)
    }

    /// Returns what is known of a machine; with what the recipe has there, where it is about orphans.
    pub(super) fn known_in(&self, pass: Pass, machine: Machine, identity: Option<&str>) -> Known {
        let mut known = (self.known)(machine, identity);
        if pass.destroy {
            known.others = (self.others)(machine, identity);
        }
        if pass.destroy && self.orphans.is_some() {
            let items = self.stages.iter().flat_map(items_of).filter(|item| item.job.machine == machine);
            known.has = items.flat_map(Item::keeps).collect();
        }
        known
    }

    /// Returns why it cannot be seen what is in a machine.
    fn out_of_reach(&self, machine: Machine) -> Result<Option<String>> {
        let Machine::Container(id) = machine else { return Ok(None) };
        let found = self.driver.clone()?.found(self.sys, id)?;
        Ok(match found {
            Some(found) if found.what == What::Template => Some(format!("container {id} is a base and stays as it is")),
            Some(found) if found.running => None,
            _ => Some(format!("container {id} does not run: what is in it cannot be looked at")),
        })
    }
}

/// Keeps what is said.
pub(super) struct Seen {
    of: Box<dyn Sink>,
    events: Mutex<Vec<Event>>,
}

impl Seen {
    /// Returns one that is interrupted when that sink is.
    pub(super) fn new(of: Box<dyn Sink>) -> Self {
        Self { of, events: Mutex::default() }
    }

    /// Returns what was said.
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Seen {
    fn emit(&self, event: Event) -> Result<()> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }

    fn interrupted(&self) -> bool {
        self.of.interrupted()
    }
}

/// How it stands with an orphan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// Nothing is left of it.
    Gone,
    /// It is left as it is.
    Stays,
    /// It could not be looked at.
    Unseen,
    /// It can be taken away, or waits for a person.
    Goes,
}

/// Returns how it stands with one orphan, and what a plan says of it.
fn of_one(id: &Id, said: &[Event], prune: bool) -> (Stands, Event) {
    let (mut stands, mut all, mut what) = (Stands::Unseen, Vec::<Change>::new(), None);
    let mut why = Some("it was not looked at".to_owned());
    for event in said {
        match event {
            Event::Checking { ids } if ids.contains(id) => (stands, why) = (Stands::Gone, None),
            Event::Planned { id: of, changes, .. } if of == id => {
                all.extend(changes.iter().cloned());
                stands = Stands::Goes;
            }
            Event::Remark { id: of, remark } if of == id => {
                why = Some(remark.text.clone());
                stands = if stands == Stands::Gone { Stands::Stays } else { stands };
            }
            Event::Finished { id: of, outcome, .. } if of == id => match outcome {
                Outcome::Waiting { because, remedy } => {
                    (stands, why) = (Stands::Goes, Some(because.clone()));
                    what.clone_from(remedy);
                }
                Outcome::Failed { error } => {
                    let causes = error.causes.join(": ");
                    why = Some(format!("it cannot be looked at: {}: {causes}", error.attempt));
                    stands = Stands::Unseen;
                }
                Outcome::Skipped { because } => {
                    (stands, why) = (Stands::Unseen, Some(format!("it was not looked at: {because}")));
                }
                _ => {}
            },
            _ => {}
        }
    }
    if !prune {
        // Without it no word about data is heard.
        for text in [&mut why, &mut what].into_iter().flatten() {
            *text = text.replace("`--data ", "`--prune --data ");
        }
    }
    (stands, Event::Orphan { id: id.clone(), changes: all, because: why, remedy: what })
}

/// Returns what was remarked on one orphan.
fn remarks<'e>(id: &'e Id, said: &'e [Event]) -> impl Iterator<Item = &'e Remark> {
    said.iter().filter_map(move |event| match event {
        Event::Remark { id: of, remark } if of == id => Some(remark),
        _ => None,
    })
}

fn remark_on(id: &Id, remark: &Remark) -> Event {
    Event::Remark { id: id.clone(), remark: remark.clone() }
}

/// Returns what is said of what no plan will name again, also where nothing else is to be said.
fn last_word(id: &Id, remark: &Remark) -> Event {
    let why = remark.text.strip_prefix("kept: ").unwrap_or(&remark.text);
    let text = format!(
        "{id}: this recipe changed it and has it no more; it stays as it is, and no plan names it again: {why}"
    );
    Event::Warned { text }
}

/// Returns the id of an orphan.
pub(crate) fn id_of(job: &JobItem) -> Id {
    // A job of one name, which is text.
    let name = crate::resource::kind(&job.kind).and_then(|kind| job.fields.get(kind.name)?.as_str());
    Id::new(job.machine, &job.kind, name.unwrap_or_default())
}

/// Makes one resource of neighbours with the same fields, and of all packages: what needs another one goes with it.
fn together<'j>(jobs: impl Iterator<Item = &'j JobItem>) -> Result<Vec<Item>> {
    let mut groups: Vec<(JobItem, Vec<String>)> = Vec::new();
    for job in jobs {
        let Some(kind) = crate::resource::kind(&job.kind) else { continue };
        let (name, mut bare) = (id_of(job).name, job.clone());
        if let Some(fields) = bare.fields.as_object_mut() {
            fields.remove(kind.name);
        }
        let last = groups.len().saturating_sub(1);
        let is_like =
            |other: &JobItem| (other.machine, &other.kind, &other.fields) == (bare.machine, &bare.kind, &bare.fields);
        let at = groups.iter().position(|(other, _)| is_like(other));
        match at.filter(|at| *at == last || matches!(kind.header, "package" | "npm")) {
            Some(at) if matches!(kind.header, "directory" | "npm" | "package" | "unit") => groups[at].1.push(name),
            _ => groups.push((bare, vec![name])),
        }
    }
    let whole = |(mut job, names): (JobItem, Vec<String>)| {
        let name = crate::resource::kind(&job.kind).map_or("name", |kind| kind.name);
        job.fields[name] = if let [one] = names.as_slice() { one.as_str().into() } else { names.into() };
        Item::receive(job)
    };
    groups.into_iter().map(whole).collect()
}
