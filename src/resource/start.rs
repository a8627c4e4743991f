//! What a program needs before it can be started: its user, the directory in which it runs, itself.
use super::need::Needs;
use super::{Ask, Missing, Thing};
use crate::error::{Attempt as _, Error, Result};
use crate::system::passwd::{accounts, foreign_user};
use crate::system::{Command, System};
use std::path::Path;

impl Needs {
    /// Looks for all that a command needs to be started.
    pub(crate) fn command(&mut self, command: &Command, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        self.place(command, ask, sys)?;
        match command.argv.first() {
            // A relative path is looked up where it runs.
            Some(name) if name.contains('/') && !name.starts_with('/') => {
                let path = command.cwd.as_deref().unwrap_or(Path::new("/")).join(name);
                self.path(&path, "the program to run", ask, sys)
            }
            Some(name) => self.program(name, ask, sys),
            None => Ok(()),
        }
    }

    /// Looks for the user and the directory of a command.
    pub(crate) fn place(&mut self, command: &Command, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        self.user(command.user.as_deref(), ask, sys)?;
        command.cwd.as_ref().map_or(Ok(()), |cwd| self.path(cwd, "the directory to run in", ask, sys))
    }

    /// Looks for something at `path`; `what` says what it is for.
    pub(crate) fn path(&mut self, path: &Path, what: &str, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        if sys.lstat(path).attempt(|| format!("reading `{}`", path.display()))?.is_some() {
            return Ok(());
        }
        self.missing(&Thing::Path(path.to_owned()), ask, || {
            Error::new(format!("looking for `{}`, {what}", path.display()))
                .reason("it is not there, and nothing earlier in the recipe makes it")
        })
    }

    /// Looks for the user as whom something runs; none is root, who is always there.
    pub(crate) fn user(&mut self, name: Option<&str>, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        let Some(name) = name.filter(|name| *name != "root") else { return Ok(()) };
        // It may be there, with a number that it is about to give up.
        if let Some(id) = ask.pending.held_if(|| Thing::User(name.to_owned())) {
            self.held = Some(id.clone());
            return Ok(());
        }
        if accounts(sys)?.user(name).is_some() || foreign_user(sys, name)?.is_some() {
            return Ok(());
        }
        self.missing(&Thing::User(name.to_owned()), ask, || {
            Error::new(format!("looking up the user `{name}`"))
                .reason("it is not there")
                .remedy(format!("put a [[user]] with name = \"{name}\" before it"))
        })
    }

    /// Looks for a program where an earlier step may bring it; where none does, it is no need.
    pub(crate) fn program_if_coming(&mut self, name: &str, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        let thing = Thing::Program(name.to_owned());
        if name.contains('/') || ask.pending.missing(&thing) == Missing::Nowhere {
            return Ok(());
        }
        self.program(name, ask, sys)
    }

    /// Notes that it hangs on whoever is about to change this thing.
    pub(crate) fn coming(&mut self, thing: &Thing, ask: &Ask<'_>) {
        self.after = self.after.take().or_else(|| ask.pending.coming(thing).cloned());
    }

    /// Returns whether all of it is there now.
    pub(crate) fn met(&self) -> bool {
        self.after.is_none() && self.held.is_none()
    }
}
