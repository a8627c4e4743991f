//! Taking a checkout away: only what we made, and nothing of which its user has the only copy.
use super::checkout::{Checkout, Found, short};
use super::program::{Program, Submodules};
use super::remote::FETCHED;
use super::{Git, named};
use crate::error::{Attempt as _, Result};
use crate::resource::{Ask, Change, Plan, Step};
use crate::system::{System, shell_word};
use std::collections::BTreeSet;

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
            Found::Checkout(_) if ask.allows_to_go(&ask.known.allowed.data, name) => self.url.to_string(),
            Found::Checkout(checkout) => {
                if let Some(obstacle) = self.strange_owner(&checkout.stat, ask, sys)? {
                    return Ok(self.kept(&obstacle.because));
                }
                if let Some(why) = self.unsaved(checkout, &self.program(ask), sys)? {
                    let id = ask.id(name).to_string();
                    return Ok(self.kept(&format!("{why} (`--data {}` takes it along)", shell_word(&id))));
                }
                self.url.to_string()
            }
        };
        let is_there = !matches!(found, Found::Nothing);
        let program = self.program(ask);
        let apply = move |sys: &dyn System| {
            program.forget(sys)?;
            self.clear_beside(sys)?;
            if is_there {
                // Out of the way at once: a run that is killed leaves no half of it in place.
                sys.rename(self.path.path(), &self.beside())?;
            }
            self.clear_beside(sys)
        };
        Ok(Plan::step(Step::new(vec![Change::removed(name, from)], apply)))
    }

    /// Says what of a checkout is nowhere else.
    fn unsaved(&self, checkout: &Checkout, program: &Program, sys: &dyn System) -> Result<Option<String>> {
        if let Some(what) = checkout.under_way(sys)? {
            return Ok(Some(format!("it is in the middle of {what}")));
        }
        if checkout.is_locked(sys)? {
            return Ok(Some("a git is at work in it, or one was killed there: there is an index.lock".to_owned()));
        }
        let status = program.status(sys, Submodules::Whole)?;
        if !status.changed.is_empty() {
            return Ok(Some(format!("it has changes that are not committed: {}", named(&status.changed))));
        }
        if !status.ignored.is_empty() {
            return Ok(Some(format!("it has files that git ignores: {}", named(&status.ignored))));
        }
        let hidden = self.hidden(program, sys)?;
        if !hidden.is_empty() {
            return Ok(Some(format!("git was told not to look for changes in {}", named(&hidden))));
        }
        if checkout.stashed {
            return Ok(Some("something is put away in its stash".to_owned()));
        }
        if let Some(what) = checkout.appendages(sys)? {
            return Ok(Some(format!("it has {what}, which are not looked into")));
        }
        if checkout.commit.is_none() {
            return Ok(None);
        }
        let unpushed = self.unpushed(checkout, program, sys)?;
        Ok(unpushed.map(|commit| format!("commit {} was not pushed", short(&commit))))
    }

    /// Returns the files that are there though git was told not to look at them (`update-index --skip-worktree`).
    fn hidden(&self, program: &Program, sys: &dyn System) -> Result<Vec<String>> {
        let listed = program.run(sys, &["ls-files", "-v", "-z"])?;
        let entries = listed.split('\0').filter_map(|entry| entry.split_at_checked(2));
        let unseen = entries.filter(|(tag, _)| *tag == "S " || tag.starts_with(|tag: char| tag.is_ascii_lowercase()));
        let mut hidden = Vec::new();
        for (_, file) in unseen {
            let path = self.path.path().join(file);
            if sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some() {
                hidden.push(file.to_owned());
            }
        }
        Ok(hidden)
    }

    /// Returns a commit that origin does not have, as far as is known here; what looks like one is asked of origin itself.
    fn unpushed(&self, checkout: &Checkout, program: &Program, sys: &dyn System) -> Result<Option<String>> {
        let fetched = format!("--glob={FETCHED}");
        let ours = ["rev-list", "--max-count=1", "--ignore-missing", "HEAD", "--all", "--not", "--remotes", &fetched];
        let mut arguments = ours.to_vec();
        // A tag or commit that was asked for came from origin, and perhaps no branch of it did.
        let given = self.reference.as_ref().map(|reference| {
            if reference.is_commit() { reference.0.clone() } else { format!("refs/tags/{reference}") }
        });
        arguments.extend(given.as_deref());
        arguments.extend(["--not", "--stdin"]);
        let beyond = |known: &BTreeSet<String>| {
            let known: String = known.iter().flat_map(|id| ["^", id, "\n"]).collect();
            let printed = program.feed(sys, &arguments, known.as_bytes())?;
            Ok(Some(printed.trim().to_owned()).filter(|commit| !commit.is_empty()))
        };
        let mut known: BTreeSet<String> = checkout.boundary.iter().cloned().collect();
        let Some(commit) = beyond(&known)? else { return Ok(None) };
        let Ok(at_origin) = program.ids_at_origin(sys) else { return Ok(Some(commit)) };
        known.extend(at_origin);
        beyond(&known)
    }
}
