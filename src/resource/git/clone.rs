//! Cloning: beside, as the user, then renamed into place.
use super::Git;
use super::program::Program;
use crate::error::{Error, Result};
use crate::field::Principal;
use crate::resource::need::{Needs, owner_of};
use crate::resource::{Ask, Change, Plan, Step};
use crate::system::{Stat, System};

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
        sys.remove_tree(&beside)?;
        let (uid, gid, mode) = match (empty, &self.user) {
            // The directory's maker keeps the say over owner and mode.
            (Some(stat), _) => (stat.uid, stat.gid, stat.mode),
            (None, None) => (0, 0, 0o755),
            (None, Some(user)) => {
                let owner = owner_of(sys, &Principal::Name(user.0.clone()))?;
                let (uid, gid) = owner.ok_or_else(|| Error::new(format!("looking up the user `{}`", user.0)))?;
                (uid, gid, 0o755)
            }
        };
        sys.make_dir(&beside, uid, gid, mode)?;
        let cloned = self.fill(&program.at(&beside), sys);
        if let Err(error) = cloned {
            // The clone's error is the one to tell; what stays beside is removed by the next run.
            drop(sys.remove_tree(&beside));
            return Err(error);
        }
        sys.rename(&beside, self.path.path())
    }

    fn fill(&self, program: &Program, sys: &dyn System) -> Result<()> {
        let depth = self.depth.map(|depth| format!("--depth={depth}"));
        let mut options: Vec<&str> = Vec::new();
        options.extend(depth.as_deref());
        if !self.sparse.is_empty() {
            // Files outside the sparse directories are not even fetched.
            options.push("--filter=blob:none");
        }
        let commit = self.reference.as_ref().filter(|reference| reference.is_commit());
        if let Some(reference) = self.reference.as_ref().filter(|reference| !reference.is_commit()) {
            options.extend(["--branch", &reference.0]);
        }
        program.clone_into(sys, &self.url, &options)?;
        if !self.sparse.is_empty() {
            program.set_cone(sys, self.sparse.iter().map(|directory| directory.0.as_str()))?;
        }
        if let Some(commit) = commit {
            let fetched = program.fetch(sys, commit, self.depth)?;
            return program.check_out(sys, commit, &fetched);
        }
        // A repository without a commit has nothing to check out.
        if program.ask(sys, &["rev-parse", "--verify", "--quiet", "HEAD"])?.code == 0 {
            program.run(sys, &["checkout"])?;
        }
        Ok(())
    }
}
