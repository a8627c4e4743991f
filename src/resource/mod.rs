//! `Resource`: what a recipe can ask of a machine, a file each; `KINDS` lists them.
mod account;
mod ask;
mod bridge;
mod command;
mod container;
mod diff;
mod directory;
mod file;
mod gate;
mod git;
mod ground;
mod group;
mod kept;
mod kind;
mod leftover;
mod need;
mod nfs_export;
mod npm;
mod occupied;
mod owned;
mod package;
mod pending;
mod plan;
mod probe;
mod secret;
mod start;
mod test;
mod unit;
mod user;

pub(crate) use ask::keyed_digest;
pub use ask::{Ack, Allowed, Ask, Claim, Fields, HadByOthers, Known, Peer, Want};
pub use container::{Imported, capacity, imported};
pub use kind::{KINDS, Kind, Mistake, kind};
pub use occupied::{occupied, stands_on};
pub use pending::{Missing, Pending, Thing};
pub use plan::{Apply, Change, Plan, Refused, Remark, Step, Tell, Waiting};

pub(crate) use container::{CLONE, Seal};
pub(crate) use occupied::{goes_with, who_has};

use crate::error::Result;
use crate::system::System;
use std::fmt;

/// Something that a machine should have. The code that describes a change is the code that makes it.
pub trait Resource: fmt::Debug + Send + Sync {
    /// Returns the names it stands for, in the order written; each has its own id and outcome.
    fn names(&self) -> Vec<String>;

    /// Reads the machine and returns the steps that lead to what is asked; none means in sync. Never writes. Works on a
    /// machine where nothing exists yet.
    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>>;

    /// Returns what is wrong with the fields together, each alone being right: two sources, a command without a guard.
    fn mistakes(&self) -> Vec<Mistake> {
        Vec::new()
    }
}
