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

impl Git {
    /// Looks for it; `leaves` says that HEAD is going to be somewhere else than further on.
    pub(super) fn in_the_way(
        &self,
        checkout: &Checkout,
        leaves: bool,
        program: &Program,
        sys: &dyn System,
    ) -> Result<Option<Obstacle>> {
        let path = &self.path.0;
        let wait = |because: String, remedy: String| Ok(Some(Obstacle { because, remedy }));
        if let Some(what) = checkout.under_way(sys)? {
            return wait(format!("is in the middle of {what}"), format!("end it in `{path}`, then run again"));
        }
        if checkout.is_locked(sys)? {
            return wait(
                format!("a git is at work in `{path}`, or one was killed there: there is an index.lock"),
                format!("if no git runs there, remove `{path}/.git/index.lock`, then run again"),
            );
        }
        let dirty = program.status(sys, Submodules::Ignored)?.changed;
        if !dirty.is_empty() {
            return wait(
                format!("has changes that are not committed: {}", named(&dirty)),
                format!("commit them or put them away in `{path}`, then run again"),
            );
        }
        let Some(commit) = checkout.commit.as_deref().filter(|_| leaves) else { return Ok(None) };
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
