//! Recipes: from TOML files to validated, rendered items in lanes, or to every mistake in them.
mod address;
mod asleep;
mod bases;
mod bundle;
mod catalog;
mod collect;
mod config;
mod content;
mod document;
mod error;
mod evaluate;
mod expression;
mod fields;
mod files;
mod find;
mod gates;
mod gather;
mod in_the_way;
mod include;
mod item;
mod iterate;
mod legible;
mod load;
mod numbers;
mod one_path;
mod operate;
mod render;
mod secret;
mod shipped;
mod source;
mod stage;
mod stand_in;
mod suggest;
mod syntax;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod too_late;
mod tree;
mod unique;
mod value;
mod vars;
mod vault;
mod wording;

pub use address::{Address, At, EXTENSION};
pub use bundle::{Bundle, MOST};
pub use catalog::{Listed, catalog};
pub use config::{Config, Hook};
pub use error::{Mistake, Mistakes, Place, Source};
pub use files::{Directory, Embedded, Files, Unread};
pub use find::{Found, Origin, called, find};
pub use gather::{Gathered, gather};
pub use shipped::SHIPPED;
pub(crate) use suggest::nearest;

pub use document::{COMMON, INCLUDE, KEYS};
pub use value::Span;

use crate::id::Id;
use crate::item::Item;
use crate::resource::KINDS;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// What the command line knows and a recipe may use.
pub struct Options<'a> {
    /// `--var K=V`, in order.
    pub vars: Vec<(String, String)>,
    /// The host on which `provision` runs.
    pub facts: HostFacts,
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// Whether secrets must be at hand.
    pub secrets: SecretsMode,
    /// Where generated secrets are kept, below `secrets/`.
    pub state_dir: PathBuf,
    /// Keys the digests of items.
    pub key: String,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("vars", &self.vars).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What an expression sees as `host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name.
    pub hostname: String,
    /// As `uname -m` has it.
    pub arch: String,
    /// Processors.
    pub cores: u32,
    /// Bytes.
    pub memory: u64,
    /// `ID` and `VERSION_ID` of os-release: `debian-12`.
    pub os: String,
    /// The driver of containers: `pct` or `lxc`.
    pub driver: String,
}

/// Whether the values of secrets are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsMode {
    /// For an apply: one that is missing is a mistake, one that is to be generated is generated.
    Required,
    /// For plan and validate: one that is missing is unknown.
    AtHand,
}

/// A recipe that is right.
#[derive(Debug)]
pub struct Recipe {
    /// Its identity, for the ledger.
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// The rows of the checklist, in order: those that it names, or those of its resources.
    pub phases: Vec<String>,
    /// In order.
    pub stages: Vec<Stage>,
    /// The values of its secrets, for redaction.
    pub secrets: Vec<String>,
    /// A file of it has `[secrets]`, at hand or not.
    pub has_secrets: bool,
    /// The variables of its root file whose own value has a secret in it: what `--var` puts in its place is one as well.
    pub secret_vars: BTreeSet<String>,
    /// The values of variables that are a secret by their names, such as `api_token`.
    pub called_secret: Vec<String>,
    /// What is not wrong but should be said.
    pub warnings: Vec<String>,
    /// What `when` leaves out.
    asleep: Vec<asleep::Asleep>,
}

impl Recipe {
    /// Returns whether `when` leaves this out, or may do so: it is left alone, and still the recipe's.
    pub fn leaves_alone(&self, id: &Id) -> bool {
        self.asleep.iter().any(|asleep| asleep.may_be(id))
    }

    /// Leaves out what `is_out` names.
    pub fn without(&mut self, is_out: impl Fn(&Id) -> bool) {
        let stays = |item: &mut Item| {
            let ids = item.ids();
            let dropped: Vec<usize> = (0..ids.len()).filter(|at| is_out(&ids[*at])).collect();
            dropped.is_empty() || (dropped.len() < ids.len() && unique::without_names(item, &dropped, KINDS))
        };
        for stage in &mut self.stages {
            match stage {
                Stage::Plain(items) => items.retain_mut(stays),
                Stage::Lanes(lanes) => lanes.iter_mut().for_each(|lane| lane.items.retain_mut(stays)),
            }
        }
    }
}

/// A part of a recipe that is done before the next one begins.
#[derive(Debug)]
pub enum Stage {
    /// One after the other, in no lane.
    Plain(Vec<Item>),
    /// Side by side.
    Lanes(Vec<Lane>),
}

/// Items that follow each other, beside other lanes.
#[derive(Debug)]
pub struct Lane {
    /// A column of the checklist. The same name in a later stage is the same lane going on.
    pub name: String,
    /// On several machines, in the order of the files.
    pub items: Vec<Item>,
}

/// Loads a recipe. `path` is how its file is shown; it is read, by its name alone, from `files`.
///
/// # Errors
/// Every mistake in all its files.
pub fn load(path: &Path, files: &dyn Files, options: &Options<'_>) -> Result<Recipe, Mistakes> {
    load::load(path, files, options, KINDS)
}
