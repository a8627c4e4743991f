//! What is in the way of checking out something else: what would be lost, or left behind unseen.
use super::checkout::{Checkout, short};
use super::program::{Program, Submodules};
use super::{Git, named};
use crate::error::Result;
use crate::system::System;

/// Why it has to wait for a person, and what that person does.
#[derive(Debug, Clone)]
pub(super) struct Obstacle {
    pub(super) because: String,
    pub(super) remedy: String,
}

impl Obstacle {
    /// Something is locked.
    pub(super) fn locked(path: &str) -> Self {
        Self {
            because: format!("a git is at work in `{path}`, or one was killed there: there is an index.lock"),
            remedy: format!("if no git runs there, remove `{path}/.git/index.lock`, then run again"),
        }
    }

    /// Somebody has changed these files.
    pub(super) fn dirty(path: &str, files: &[String]) -> Self {
        Self {
            because: format!("has changes that are not committed: {}", named(files)),
            remedy: format!("commit them or put them away in `{path}`, then run again"),
        }
    }
}

impl Git {
    /// Looks for it; `leaves` says that HEAD is going to be somewhere else than further on, `mends` that what a run left
    /// that was cut off is taken back first.
    pub(super) fn in_the_way(
        &self,
        checkout: &Checkout,
        leaves: bool,
        mends: bool,
        program: &Program,
        sys: &dyn System,
    ) -> Result<Option<Obstacle>> {
        let path = &self.path.0;
        let wait = |because: String, remedy: String| Ok(Some(Obstacle { because, remedy }));
        if let Some(what) = checkout.under_way(sys)? {
            return wait(format!("is in the middle of {what}"), format!("end it in `{path}`, then run again"));
        }
        if !mends && checkout.is_locked(sys)? {
            return Ok(Some(Obstacle::locked(path)));
        }
        let dirty = if mends { Vec::new() } else { program.status(sys, Submodules::Ignored)?.changed };
        if !dirty.is_empty() {
            return Ok(Some(Obstacle::dirty(path, &dirty)));
        }
        let Some(commit) = checkout.commit.as_deref().filter(|_| leaves) else { return Ok(None) };
        // Of a history that was cut off there, nothing in it was made here.
        if checkout.boundary.iter().any(|end| end == commit) {
            return Ok(None);
        }
        let held = program.run(sys, &["for-each-ref", "--count=1", "--contains", commit])?;
        if held.trim().is_empty() {
            return wait(
                format!("its commit {} is on no branch", short(commit)),
                format!("make a branch of it in `{path}`, then run again"),
            );
        }
        Ok(None)
    }
}
