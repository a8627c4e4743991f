//! What the ledger's lines add up to: claims, acknowledgements, identities. Each line is folded in, when it is read back and
//! when it is written, by the same function.
use super::entry::{Entry, Intent};
use super::reference::{self, Counters};
use super::verify::How;
use crate::id::{Id, Machine};
use crate::resource::{Ack, CLONE, Claim, Fields, HadByOthers, Known, Thing, occupied};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A digest that begins so is that of a thing that is gone as asked.
pub const ABSENT: &str = "absent:";
/// The digest of a thing that a destroy left as it is.
pub const LEFT: &str = "left:";
/// A digest that begins so names the id by which the recipe has it now.
pub const NOW: &str = "now:";

/// What the lines add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    recipes: BTreeMap<String, Book>,
    /// Whatever the recipe: what a person did outside is done for all of them.
    acks: BTreeMap<Id, Ack>,
    identities: BTreeMap<Machine, String>,
    pub(super) counters: Counters,
    /// How many things were made or changed for the first time.
    #[serde(default)]
    touched: u64,
    /// The recipe of the run whose lines are being read.
    current: String,
    last_run: String,
}

/// What belongs to one recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Book {
    claims: BTreeMap<Id, Claim>,
    /// The lane in which a test passed.
    lanes: BTreeMap<Id, String>,
}

impl State {
    /// Folds in a line; the error says why it can't be read.
    pub(super) fn fold(&mut self, content: &[u8]) -> Result<(), How> {
        let entry = Entry::read(content)?;
        if self.last_run != entry.run {
            reference::count(&mut self.counters, &entry.run);
            self.last_run.clone_from(&entry.run);
        }
        self.take_in(entry);
        Ok(())
    }

    fn take_in(&mut self, entry: Entry) {
        if let Some(recipe) = entry.recipe.or(entry.started.map(|started| started.recipe)) {
            self.current = recipe;
        }
        match entry.event.as_str() {
            "identified" => entry.machine.into_iter().for_each(|machine| self.identify(machine, &entry.identity)),
            "applying" => self.intend(&entry.lane, &entry.ids, entry.changes, entry.absent),
            "unmade" => entry.ids.iter().for_each(|id| {
                if let Some(claim) = self.book().claims.get_mut(id) {
                    claim.made = false;
                }
            }),
            "finished" => {
                let (Some(id), Some(outcome)) = (entry.id, entry.outcome) else { return };
                match outcome.outcome.as_str() {
                    "changed" | "in-sync" if entry.absent => self.is_gone(id, entry.digest),
                    "changed" | "in-sync" => self.holds(id, entry.digest),
                    "failed" => self.book().claims.entry(id).or_default().failed = true,
                    _ => {}
                }
            }
            "acked" => {
                if let (Some(id), Some(ack)) = (entry.id, entry.ack) {
                    self.acks.insert(id, ack);
                }
            }
            "held" => self.found_in_sync(entry.held),
            "asked" => self.is_asked(entry.asked),
            "ended" => {
                self.is_asked(entry.asked);
                entry.identities.iter().for_each(|(machine, identity)| self.identify(*machine, identity));
                self.found_in_sync(entry.held);
                for (lane, tests) in entry.passed {
                    for (id, digest) in tests {
                        self.book().lanes.insert(id.clone(), lane.clone());
                        self.holds(id, digest);
                    }
                }
            }
            _ => {}
        }
    }

    fn found_in_sync(&mut self, held: BTreeMap<Id, String>) {
        for (id, digest) in held {
            if let Some(heir) = digest.strip_prefix(NOW) {
                heir.parse().into_iter().for_each(|heir| self.goes_on(&id, heir));
            } else if digest == LEFT {
                self.is_left(&id);
            } else if digest.is_empty() || digest.starts_with(ABSENT) {
                self.is_gone(id, digest);
            } else {
                self.holds(id, digest);
            }
        }
    }

    fn is_asked(&mut self, asked: BTreeMap<Id, Fields>) {
        for (id, fields) in asked {
            self.book().claims.entry(id).or_default().asked = Some(fields);
        }
    }

    fn book(&mut self) -> &mut Book {
        if !self.recipes.contains_key(&self.current) {
            self.recipes.insert(self.current.clone(), Book::default());
        }
        self.recipes.get_mut(&self.current).expect("it was put in")
    }

    /// A change is about to be made. It counts as made from here on: whether a killed run made it can't be known, and what
    /// it made must not be left lying about. Where the step fails and the thing is found missing, `Unmade` takes it back.
    /// What is about to be taken away stays known as what it was made until it is gone: a killed run may have left it.
    fn intend(&mut self, lane: &str, ids: &[Id], changes: Vec<Intent>, absent: bool) {
        let book = self.book();
        for (test, _) in book.lanes.iter().filter(|(_, passed_in)| *passed_in == lane) {
            if let Some(claim) = book.claims.get_mut(test) {
                claim.held = None;
            }
        }
        book.lanes.retain(|_, passed_in| passed_in != lane);
        if absent {
            return;
        }
        for change in changes {
            let Some(id) = ids.iter().find(|id| id.name == change.name) else { continue };
            let makes = change.field.is_empty() && change.from.is_none() && change.to.is_some();
            if makes && id.machine == Machine::Host && id.kind == "container" {
                id.name.parse().into_iter().for_each(|number| self.forget(Machine::Container(number)));
            }
            if let (Ok(clone), Some(Ok(base))) = (id.name.parse(), change.to.as_ref().map(|to| to.parse()))
                && id.machine == Machine::Host
                && id.kind == "container"
                && change.field == CLONE
            {
                self.inherit(Machine::Container(base), Machine::Container(clone));
            }
            let nth = self.touched + 1;
            let claim = self.book().claims.entry(id.clone()).or_default();
            if !claim.is_touched() {
                claim.nth = nth;
            }
            let is_first = claim.nth == nth;
            claim.left = false;
            claim.made |= makes;
            match change.to {
                Some(to) => drop(claim.last.insert(change.field, to)),
                None => drop(claim.last.remove(&change.field)),
            }
            if is_first {
                self.touched = nth;
            }
        }
    }

    fn holds(&mut self, id: Id, digest: String) {
        let claim = self.book().claims.entry(id).or_default();
        claim.held = Some(digest).filter(|digest| !digest.is_empty());
        claim.failed = false;
        claim.left = false;
    }

    /// Nothing is asked of it any more. What is ours of it stays so: a destroy that can take it away does.
    fn is_left(&mut self, id: &Id) {
        let claims = &mut self.book().claims;
        match claims.get_mut(id) {
            Some(claim) if claim.is_touched() => {
                claim.held = None;
                claim.failed = false;
                claim.left = true;
            }
            _ => drop(claims.remove(id)),
        }
    }

    /// What is ours of it is from now on that of another id of its machine.
    fn goes_on(&mut self, id: &Id, heir: Id) {
        let claims = &mut self.book().claims;
        let Some(gone) = claims.remove(id).filter(|_| heir.machine == id.machine) else { return };
        let heir = claims.entry(heir).or_default();
        if !heir.is_touched() {
            heir.nth = gone.nth;
        }
        heir.inherit(gone);
    }

    /// It was taken away, or someone else did: nothing is ours any more. Without a digest (`destroy`, an orphan) nothing is
    /// asked of it either: then another recipe that has it takes over what is ours.
    fn is_gone(&mut self, id: Id, digest: String) {
        if !digest.is_empty() {
            self.book().claims.insert(id, Claim { held: Some(digest), ..Claim::default() });
            return;
        }
        let Some(gone) = self.book().claims.remove(&id) else { return };
        let heir =
            self.recipes.values_mut().filter_map(|book| book.claims.get_mut(&id)).find(|claim| is_present(claim));
        match heir {
            Some(heir) => heir.inherit(gone),
            None if gone.made && id.machine == Machine::Host && id.kind == "container" => {
                id.name.parse().into_iter().for_each(|number| self.forget(Machine::Container(number)));
            }
            None => {}
        }
    }

    /// Binds a machine to an identity. If it had another one, then another machine stands in its place: what the ledger
    /// knew of it is void, and so is that we made the container.
    pub(super) fn identify(&mut self, machine: Machine, identity: &str) {
        let before = self.identities.get(&machine);
        if before.is_some_and(|before| before == identity) {
            return;
        }
        if before.is_some() {
            self.forget(machine);
            if let Machine::Container(number) = machine {
                let id = Id::new(Machine::Host, "container", number.to_string());
                self.recipes.values_mut().for_each(|book| drop(book.claims.remove(&id)));
            }
        }
        self.identities.insert(machine, identity.to_owned());
    }

    /// What we made in a base is ours in its clone. What a person said, and what a test found, is not.
    fn inherit(&mut self, base: Machine, clone: Machine) {
        for book in self.recipes.values_mut() {
            let of_base = |(id, _): &(&Id, &Claim)| id.machine == base && !matches!(id.kind.as_str(), "gate" | "test");
            let of_clone = |(id, claim): (&Id, &Claim)| {
                (Id { machine: clone, ..id.clone() }, Claim { failed: false, ..claim.clone() })
            };
            let inherited: Vec<(Id, Claim)> = book.claims.iter().filter(of_base).map(of_clone).collect();
            book.claims.extend(inherited);
        }
    }

    fn forget(&mut self, machine: Machine) {
        self.identities.remove(&machine);
        self.acks.retain(|id, _| id.machine != machine);
        for book in self.recipes.values_mut() {
            book.claims.retain(|id, _| id.machine != machine);
            book.lanes.retain(|id, _| id.machine != machine);
        }
    }

    /// Returns the machines that are known.
    pub fn machines(&self) -> impl Iterator<Item = Machine> {
        self.identities.keys().copied()
    }

    /// Returns the identity to which the claims on a machine are bound.
    pub fn identity(&self, machine: Machine) -> Option<&str> {
        self.identities.get(&machine).map(String::as_str)
    }

    /// Returns what is known for a recipe on a machine with that identity; nothing, where it had another one. Without what
    /// was allowed and without the key.
    pub fn known(&self, recipe: &str, machine: Machine, identity: &str) -> Known {
        if self.identity(machine) != Some(identity) {
            return Known::default();
        }
        let here = |id: &Id| id.machine == machine;
        let claims = self.claims(recipe).filter(|(id, _)| here(id));
        let acks = self.acks.iter().filter(|(id, _)| here(id));
        let mine = self.claims(recipe).map(|(id, _)| id).filter(|id| here(id));
        Known {
            shared: mine.filter(|id| !self.others(recipe, id).is_empty()).cloned().collect(),
            claims: claims.map(|(id, claim)| (id.clone(), Claim { asked: None, ..claim.clone() })).collect(),
            acks: acks.map(|(id, ack)| (id.clone(), ack.clone())).collect(),
            ..Known::default()
        }
    }

    /// Returns what recipes other than `recipe` have on a machine with that identity, and by which ids.
    pub fn had_by_others(&self, recipe: &str, machine: Machine, identity: &str) -> HadByOthers {
        if self.identity(machine) != Some(identity) {
            return HadByOthers::new();
        }
        let others = self.recipes.iter().filter(|(name, _)| *name != recipe).map(|(name, book)| {
            let held = book.claims.iter().filter(|(id, claim)| id.machine == machine && is_held(claim));
            (name.clone(), held.flat_map(|(id, claim)| has(id, claim)).collect())
        });
        others.filter(|(_, has): &(String, Vec<_>)| !has.is_empty()).collect()
    }

    /// Returns what the ledger knows of an id for a recipe.
    pub fn claim(&self, recipe: &str, id: &Id) -> Option<&Claim> {
        self.recipes.get(recipe)?.claims.get(id)
    }

    /// Returns all that the ledger knows for a recipe.
    pub fn claims(&self, recipe: &str) -> impl Iterator<Item = (&Id, &Claim)> {
        self.recipes.get(recipe).into_iter().flat_map(|book| &book.claims)
    }

    /// Returns the ids of a recipe whose last outcome was a failure.
    pub fn failed(&self, recipe: &str) -> BTreeSet<Id> {
        self.claims(recipe).filter(|(_, claim)| claim.failed).map(|(id, _)| id.clone()).collect()
    }

    /// Returns the recipes that have made or changed something that is still there.
    pub fn recipes(&self) -> impl Iterator<Item = &str> {
        let stays = |claim: &Claim| claim.made || (claim.is_touched() && is_present(claim));
        let all = self.recipes.iter().filter(move |(_, book)| book.claims.values().any(stays));
        all.map(|(name, _)| name.as_str())
    }

    /// Returns the recipes other than `recipe` that hold an id: as long as there is one, it stays. One that was destroyed
    /// holds nothing.
    pub fn others(&self, recipe: &str, id: &Id) -> BTreeSet<&str> {
        let holds = |book: &Book| book.claims.get(id).is_some_and(is_held);
        self.recipes
            .iter()
            .filter(|(name, book)| *name != recipe && holds(book))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// Returns whether a recipe asks for it; one that was destroyed asks for nothing.
fn is_held(claim: &Claim) -> bool {
    !claim.left && (claim.made || is_present(claim))
}

/// Returns what of its machine a thing is, as far as the ledger knows what was asked.
fn has(id: &Id, claim: &Claim) -> impl Iterator<Item = (Id, Thing)> {
    let fields = claim.asked.clone().map_or(serde_json::Value::Null, serde_json::Value::Object);
    occupied(id, &fields).into_iter().map(|thing| (id.clone(), thing))
}

fn is_present(claim: &Claim) -> bool {
    claim.held.as_ref().is_some_and(|held| !held.starts_with(ABSENT))
}
