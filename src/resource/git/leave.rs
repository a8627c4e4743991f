//! Taking a checkout away: only what we made, and nothing of which its user has the only copy.
use super::checkout::{Checkout, Found, short};
use super::program::Program;
use super::{Git, named};
use crate::error::{Attempt as _, Result};
use crate::resource::{Ask, Change, Plan, Step};
use crate::system::System;

impl Git {
    /// Plans the removal.
    pub(super) fn absent<'a>(&'a self, found: &Found, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.path.0;
        let left = sys.lstat(&self.beside()).attempt(|| format!("reading `{}`", self.beside().display()))?.is_some();
        if !ask.ours(name) {
            let there = !matches!(found, Found::Nothing | Found::Empty(_));
            return Ok(if there { self.kept("it was there before") } else { Plan::in_sync() });
        }
        let from = match found {
            Found::Nothing if !left => return Ok(Plan::in_sync()),
            Found::Nothing => "what a run that was killed left beside it".to_owned(),
            Found::Empty(_) => return Ok(self.kept("it is an empty directory")),
            Found::Foreign(why) => return Ok(self.kept(&format!("it {why}"))),
            Found::Checkout(checkout) => match self.unsaved(checkout, &self.program(ask), sys)? {
                Some(why) => return Ok(self.kept(&why)),
                None => self.url.to_string(),
            },
        };
        let is_there = !matches!(found, Found::Nothing);
        let apply = move |sys: &dyn System| {
            sys.remove_tree(&self.beside())?;
            if is_there {
                // Out of the way at once: a run that is killed leaves no half of it in place.
                sys.rename(self.path.path(), &self.beside())?;
            }
            sys.remove_tree(&self.beside())
        };
        Ok(Plan::step(Step::new(vec![Change::removed(name, from)], apply)))
    }

    /// Says what of a checkout is nowhere else.
    fn unsaved(&self, checkout: &Checkout, program: &Program, sys: &dyn System) -> Result<Option<String>> {
        let dirty = program.dirty(sys, true)?;
        if !dirty.is_empty() {
            return Ok(Some(format!("it has changes that are not committed: {}", named(&dirty))));
        }
        if checkout.stashed {
            return Ok(Some("something is put away in its stash".to_owned()));
        }
        if checkout.commit.is_none() {
            return Ok(None);
        }
        let mut arguments = vec!["rev-list", "--max-count=1", "HEAD", "--branches", "--not", "--remotes"];
        // A tag or commit that was asked for came from origin, and perhaps no branch of it did.
        let given = self.reference.as_ref().map(|reference| {
            if reference.is_commit() { reference.0.clone() } else { format!("refs/tags/{reference}") }
        });
        let is_here = |name: &String| {
            program.ask(sys, &["rev-parse", "--verify", "--quiet", name]).is_ok_and(|output| output.code == 0)
        };
        let given = given.filter(is_here);
        arguments.extend(given.as_deref());
        let commit = program.run(sys, &arguments)?;
        let commit = commit.trim();
        Ok((!commit.is_empty()).then(|| format!("commit {} was not pushed", short(commit))))
    }
}
