//! What earlier steps of a plan will supply, and what hangs on something that waits.
use crate::id::Id;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Something that a resource needs and another one supplies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thing {
    /// A file or directory.
    Path(PathBuf),
    /// A user.
    User(String),
    /// A group.
    Group(String),
    /// A systemd unit.
    Unit(String),
    /// A Debian package.
    Package(String),
    /// A program, by the name that is looked up in PATH.
    Program(String),
    /// A container, by its id.
    Machine(u32),
    /// A container from which others are cloned, by its id or its host name.
    Base(String),
}

/// What becomes of something that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// An earlier step of this plan supplies it, or may (it is opaque).
    After(Id),
    /// What would supply it waits for a person.
    Held(Id),
    /// Nothing before this supplies it: an error.
    Nowhere,
}

/// What the steps before this one will have done; empty in an apply, where they have done it.
#[derive(Debug, Clone, Default)]
pub struct Pending {
    supplied: HashMap<Thing, Id>,
    held: HashMap<Thing, Id>,
    opaque: Option<Id>,
    stays: Option<Id>,
}

impl Pending {
    /// Records that a step of `id` will supply or change these.
    pub fn supply(&mut self, things: impl IntoIterator<Item = Thing>, id: &Id) {
        self.supplied.extend(things.into_iter().map(|thing| (thing, id.clone())));
    }

    /// Records that these hang on `id`, which waits.
    pub fn hold(&mut self, things: impl IntoIterator<Item = Thing>, id: &Id) {
        self.held.extend(things.into_iter().map(|thing| (thing, id.clone())));
    }

    /// Records, in a destroy, that `id` stays and needs these, and perhaps more that it does not name.
    pub fn keep(&mut self, things: impl IntoIterator<Item = Thing>, id: &Id) {
        self.hold(things, id);
        self.stays = Some(id.clone());
    }

    /// Returns, in a destroy, what stays and needs this very thing.
    pub fn needed_by(&self, thing: &Thing) -> Option<&Id> {
        self.held.get(thing)
    }

    /// Returns, in a destroy, what stays and may need anything.
    pub fn stays(&self) -> Option<&Id> {
        self.stays.as_ref()
    }

    /// Records that a step of `id` may change anything.
    pub fn opaque(&mut self, id: &Id) {
        self.opaque = Some(id.clone());
    }

    /// Adds what another lane supplies and holds.
    pub fn join(&mut self, other: &Self) {
        self.supplied.extend(other.supplied.clone());
        self.held.extend(other.held.clone());
        self.opaque = self.opaque.take().or_else(|| other.opaque.clone());
        self.stays = self.stays.take().or_else(|| other.stays.clone());
    }

    /// Returns who is about to supply or change this very thing: a unit whose file will change plans its restart.
    pub fn coming(&self, thing: &Thing) -> Option<&Id> {
        self.supplied.get(thing)
    }

    /// Returns the same of a thing that is only named where anything is about to be supplied: in an apply nothing is.
    pub fn coming_if(&self, thing: impl FnOnce() -> Thing) -> Option<&Id> {
        if self.supplied.is_empty() { None } else { self.supplied.get(&thing()) }
    }

    /// Returns what waits and so holds this very thing back; it is only named where anything is held back.
    pub fn held_if(&self, thing: impl FnOnce() -> Thing) -> Option<&Id> {
        if self.held.is_empty() { None } else { self.held.get(&thing()) }
    }

    /// Returns a path in a directory that is about to be supplied or changed, and by whom: a unit's drop-in.
    pub fn coming_in(&self, directory: &Path) -> Option<(&Path, &Id)> {
        let inside = |thing: &'_ Thing| matches!(thing, Thing::Path(path) if path.parent() == Some(directory));
        let (thing, id) = self.supplied.iter().filter(|(thing, _)| inside(thing)).min()?;
        let Thing::Path(path) = thing else { return None };
        Some((path, id))
    }

    /// Returns whether a step or what waits is known to supply this very thing.
    pub fn is_known(&self, thing: &Thing) -> bool {
        self.supplied.contains_key(thing) || self.held.contains_key(thing)
    }

    /// Returns what becomes of a thing that is not on the machine.
    pub fn missing(&self, thing: &Thing) -> Missing {
        if let Some(id) = self.supplied.get(thing) {
            return Missing::After(id.clone());
        }
        if let Some(id) = self.held.get(thing) {
            return Missing::Held(id.clone());
        }
        self.opaque.clone().map_or(Missing::Nowhere, Missing::After)
    }

    /// Returns the last opaque step before this one, if any: what it may change is checked again.
    pub fn behind(&self) -> Option<&Id> {
        self.opaque.as_ref()
    }
}
