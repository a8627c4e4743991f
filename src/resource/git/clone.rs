//! Cloning: beside, as the user, then renamed into place.
use super::Git;
use super::program::Program;
use crate::error::{Error, Result};
use crate::field::Principal;
use crate::resource::need::{Needs, owner_of};
use crate::resource::{Ask, Change, Plan, Step};
use crate::system::{Stat, System};
use std::time::Duration;

impl Git {
    /// Plans the clone; `empty` is the directory that is there already, with nothing in it.
    pub(super) fn make<'a>(&'a self, empty: Option<Stat>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut needs = Needs::default();
        needs.parent(self.path.path(), ask, sys)?;
        self.needs(&mut needs, ask, sys)?;
        if let Some(waiting) = needs.waiting(&self.path.0, self.supplies()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let to = match &self.reference {
            Some(reference) => format!("{} at {reference}", self.url),
            None => self.url.to_string(),
        };
        let program = self.program(ask);
        let change = Change::made(&self.path.0, to).after(needs.after);
        let apply = move |sys: &dyn System| self.clone_beside(&program, empty, sys);
        // What is in it is not named.
        Ok(Plan::step(Step::new(vec![change], apply).supplies(self.supplies()).opaque()))
    }

    /// Clones beside, as the user, and renames into place. What a killed run left beside is removed first.
    fn clone_beside(&self, program: &Program, empty: Option<Stat>, sys: &dyn System) -> Result<()> {
        let beside = self.beside();
        self.clear_beside(sys)?;
        let who = Principal::Name(self.user.as_ref().map_or("root", |user| &user.0).to_owned());
        let (uid, gid) = owner_of(sys, &who)?.ok_or_else(|| Error::new(format!("looking up the user `{who}`")))?;
        // Who made the directory keeps the say over group and mode.
        let (gid, mode) = empty.map_or((gid, 0o755), |stat| (stat.gid, stat.mode));
        sys.make_dir(&beside, uid, gid, mode)?;
        let cloned = self.fill(&program.at(&beside), sys);
        if let Err(error) = cloned {
            // The clone's error is the one to tell; what stays beside is removed by the next run.
            drop(sys.remove_tree(&beside));
            return Err(error);
        }
        program.forget(sys)?;
        sys.rename(&beside, self.path.path())
    }

    /// Removes what is beside. Where the run that cloned it was killed, its git may need a moment to end.
    pub(super) fn clear_beside(&self, sys: &dyn System) -> Result<()> {
        for _ in 0..20 {
            if sys.remove_tree(&self.beside()).is_ok() {
                return Ok(());
            }
            sys.sleep(Duration::from_millis(100));
        }
        sys.remove_tree(&self.beside())
    }

    fn fill(&self, program: &Program, sys: &dyn System) -> Result<()> {
        let depth = self.depth.map(|depth| format!("--depth={depth}"));
        let mut options: Vec<&str> = Vec::new();
        options.extend(depth.as_deref());
        if !self.sparse.is_empty() {
            // Files outside the sparse directories are not even fetched.
            options.push("--filter=blob:none");
        }
        let (commit, named) = match &self.reference {
            Some(reference) if reference.is_commit() => (Some(reference), None),
            named => (None, named.as_ref()),
        };
        program.clone_into(sys, &self.url, &options, named)?;
        if !self.sparse.is_empty() {
            program.set_cone(sys, self.sparse.iter().map(|directory| directory.0.as_str()))?;
        }
        if let Some(commit) = commit {
            let fetched = program.fetch(sys, "origin", commit, self.depth)?;
            return program.check_out(sys, commit, &fetched);
        }
        // A repository without a commit has nothing to check out.
        if program.has(sys, "HEAD")? {
            program.run(sys, &["checkout"])?;
        }
        Ok(())
    }
}
