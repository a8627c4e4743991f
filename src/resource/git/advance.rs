//! Bringing a checkout to what is asked: fetch first, then origin's new URL, then the files.
use super::Git;
use super::difference::{Cone, Differences};
use super::program::{Program, Relation, Submodules};
use super::remote::Fetched;
use crate::error::Result;
use crate::field::GitRef;
use crate::system::System;

impl Git {
    /// Makes the differences go. What fails before the files are touched leaves the next check the same differences.
    pub(super) fn advance(
        &self,
        program: &Program,
        differs: &Differences,
        has_origin: bool,
        depth: Option<u32>,
        sys: &dyn System,
    ) -> Result<()> {
        program.going_to(sys, "HEAD")?;
        let from = if differs.url { &self.url.0 } else { "origin" };
        // Another repository may have something else under the name of a branch or tag.
        let renewed = differs.url && self.reference.as_ref().is_some_and(|reference| !reference.is_commit());
        let fetched = match &self.reference {
            Some(reference) if differs.elsewhere || renewed => {
                Some((reference, program.fetch(sys, from, reference, depth)?))
            }
            _ => None,
        };
        if differs.url {
            let verb = if has_origin { "set-url" } else { "add" };
            program.run(sys, &["remote", verb, "origin", &self.url.0])?;
        }
        match &differs.cone {
            Some(Cone::Of(directories)) => program.set_cone(sys, directories.iter().map(String::as_str))?,
            Some(Cone::Whole) => drop(program.run(sys, &["sparse-checkout", "disable"])?),
            None => {}
        }
        match (fetched, &differs.forward) {
            (Some((reference, fetched)), _) if differs.elsewhere => program.check_out(sys, reference, &fetched),
            // Where the files can't follow the new URL, the next check says why.
            (Some((reference, fetched)), _) if program.status(sys, Submodules::Ignored)?.changed.is_empty() => {
                program.check_out(sys, reference, &fetched)
            }
            (None, Some(commit)) => program.go_on(sys, commit),
            _ => Ok(()),
        }
    }
}

impl Program {
    /// Checks out what was fetched. A branch goes on to origin's commit where nothing of its own is in the way.
    pub(super) fn check_out(&self, sys: &dyn System, asked: &GitRef, fetched: &Fetched) -> Result<()> {
        // Not even what git ignores is overwritten: it may be the only copy of somebody's settings.
        let checkout = |target: &str, arguments: &[&str]| {
            self.going_to(sys, target)?;
            self.run(sys, &[&["checkout", "--no-overwrite-ignore"], arguments].concat()).map(drop)
        };
        match fetched {
            Fetched::Commit => checkout(&asked.0, &["--detach", &asked.0]),
            Fetched::Tag => {
                let tag = format!("refs/tags/{asked}");
                checkout(&tag, &["--detach", &tag])
            }
            Fetched::Branch => {
                let theirs = format!("refs/remotes/origin/{asked}");
                let ours = format!("refs/heads/{asked}");
                if !self.has(sys, &ours)? {
                    checkout(&theirs, &["--no-track", "-b", &asked.0, &theirs])?;
                    // So that `git pull` knows where from, also where origin's other branches are not fetched.
                    self.run(sys, &["config", &format!("branch.{asked}.remote"), "origin"])?;
                    self.run(sys, &["config", &format!("branch.{asked}.merge"), &ours])?;
                    return Ok(());
                }
                checkout(&ours, &[&asked.0, "--"])?;
                match self.relation(sys, Some("HEAD"), &theirs)? {
                    Relation::Behind => self.go_on(sys, &theirs),
                    Relation::Ahead | Relation::Diverged => Ok(()),
                }
            }
        }
    }
    /// Moves the branch that is checked out forward.
    fn go_on(&self, sys: &dyn System, target: &str) -> Result<()> {
        self.going_to(sys, target)?;
        self.run(sys, &["merge", "--ff-only", "--no-overwrite-ignore", target]).map(drop)
    }
}
