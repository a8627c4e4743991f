//! What `check` returns: the steps that lead to what is asked, what waits for a person, and what there is to say.
use super::pending::Thing;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::system::System;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The steps that lead to what is asked. A name that no step and no waiting mentions is in sync.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// In the order in which they are made.
    pub steps: Vec<Step<'a>>,
    /// What needs a person's word or deed.
    pub waiting: Vec<Waiting>,
    /// What is left as it is and should be said, such as a directory that is kept because it is not empty.
    pub remarks: Vec<Remark>,
    /// In a destroy: it stays, and needs these, and perhaps more that it does not name.
    pub needed: Vec<Thing>,
    /// Names that can't be made as asked; the others are made all the same.
    pub refused: Vec<Refused>,
}

/// Some changes and what makes them true.
pub struct Step<'a> {
    /// Shown and recorded; never empty, never with a secret in it.
    pub changes: Vec<Change>,
    /// What is there, or different, once it is done.
    pub supplies: Vec<Thing>,
    /// It may change what it doesn't name (packages, npm, commands).
    pub opaque: bool,
    /// Makes the changes.
    pub apply: Apply<'a>,
}

/// What makes a step's changes; it may tell people how it goes.
pub type Apply<'a> = Box<dyn FnOnce(&dyn System, &Tell<'_>) -> Result<()> + 'a>;

/// Tells people something while a step is at work: for whom it waits.
pub type Tell<'a> = dyn Fn(&str) + 'a;

/// One difference: a field of one name, from what is to what is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which of the resource's names.
    pub name: String,
    /// The field; empty where the thing as a whole is made or taken away.
    pub field: String,
    /// What is; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What is asked; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The earlier step on which it hangs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Id>,
    /// A unified diff of a text, bounded; never of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// A name that cannot be brought to what is asked without a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Which of the resource's names.
    pub name: String,
    /// Why: "exists and is not ours", "waits for gate claude".
    pub because: String,
    /// The command that a person runs, or what they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What hangs on it: whatever needs one of these waits as well.
    #[serde(skip)]
    pub supplies: Vec<Thing>,
}

/// A name that can't be brought to what is asked as things stand, while others of its resource can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which of the resource's names.
    pub name: String,
    /// Why.
    pub error: Error,
}

/// Something to say about a name that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Which of the resource's names.
    pub name: String,
    /// What to say.
    pub text: String,
}

impl<'a> Plan<'a> {
    /// Returns a plan of nothing: in sync.
    pub fn in_sync() -> Self {
        Self::default()
    }

    /// Returns why a name can't be made as asked.
    pub fn refusal(&self, name: &str) -> Option<&Error> {
        self.refused.iter().find(|refused| refused.name == name).map(|refused| &refused.error)
    }

    /// Returns a plan of one step.
    pub fn step(step: Step<'a>) -> Self {
        Self { steps: vec![step], ..Self::default() }
    }
}

impl<'a> Step<'a> {
    /// Returns a step that makes `changes` by `apply`.
    pub fn new(changes: Vec<Change>, apply: impl FnOnce(&dyn System) -> Result<()> + 'a) -> Self {
        Self::telling(changes, |sys, _| apply(sys))
    }

    /// Returns a step that makes `changes` by `apply`, which tells people how it goes.
    pub fn telling(changes: Vec<Change>, apply: impl FnOnce(&dyn System, &Tell<'_>) -> Result<()> + 'a) -> Self {
        Self { changes, supplies: Vec::new(), opaque: false, apply: Box::new(apply) }
    }

    /// Says what is there once it is done.
    #[must_use]
    pub fn supplies(mut self, things: impl IntoIterator<Item = Thing>) -> Self {
        self.supplies.extend(things);
        self
    }

    /// Says that it may change what it doesn't name.
    #[must_use]
    pub fn opaque(mut self) -> Self {
        self.opaque = true;
        self
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("changes", &self.changes).field("opaque", &self.opaque).finish_non_exhaustive()
    }
}

impl Change {
    /// Returns the change of a field.
    pub fn field(name: impl Into<String>, field: impl Into<String>, from: Option<String>, to: Option<String>) -> Self {
        Self { name: name.into(), field: field.into(), from, to, after: None, diff: None }
    }

    /// Returns the making of a thing; `to` says in few words what it will be.
    pub fn made(name: impl Into<String>, to: impl Into<String>) -> Self {
        Self::field(name, "", None, Some(to.into()))
    }

    /// Returns the taking away of a thing.
    pub fn removed(name: impl Into<String>, from: impl Into<String>) -> Self {
        Self::field(name, "", Some(from.into()), None)
    }

    /// Says on which earlier step it hangs.
    #[must_use]
    pub fn after(mut self, id: Option<Id>) -> Self {
        self.after = id;
        self
    }

    /// Adds a diff.
    #[must_use]
    pub fn diff(mut self, diff: Option<String>) -> Self {
        self.diff = diff;
        self
    }

    /// Returns whether it makes the thing as a whole.
    pub fn makes(&self) -> bool {
        self.field.is_empty() && self.from.is_none() && self.to.is_some()
    }

    /// Returns whether it takes the thing as a whole away.
    pub fn removes(&self) -> bool {
        self.field.is_empty() && self.to.is_none()
    }
}
