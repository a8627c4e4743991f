//! `base:ID`: the end of the making of a container with `base = true`. It follows the last of what is in that container, and
//! no recipe writes it. And what becomes of that container afterwards.
use super::super::{Ask, Change, Plan, Resource, Step, Thing, Waiting, Want};
use super::View;
use crate::container::{Found, What, driver, fixed};
use crate::error::{Error, Result};
use crate::system::System;

/// A container that is stopped and stays as it is, for others to be cloned from.
#[derive(Debug)]
pub(crate) struct Seal {
    /// The container.
    pub(crate) id: u32,
    /// By which others may name it.
    pub(crate) hostname: String,
}

impl Resource for Seal {
    fn names(&self) -> Vec<String> {
        vec![self.id.to_string()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        // It goes with its container.
        if ask.want == Want::Absent {
            return Ok(Plan::in_sync());
        }
        let (name, machine) = (self.id.to_string(), || Thing::Machine(self.id));
        let bases = [name.clone(), self.hostname.clone()].map(Thing::Base);
        if let Some(held) = ask.pending.held_if(machine) {
            let because = format!("waits for {held}");
            let waiting = Waiting { name, because, remedy: None, supplies: bases.to_vec() };
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let driver = driver(sys)?;
        let coming = ask.pending.coming_if(machine);
        let after = match driver.found(sys, self.id)? {
            Some(Found { what: What::Template, .. }) if coming.is_none() => return Ok(Plan::in_sync()),
            Some(Found { what: What::Container, .. }) => coming,
            _ if coming.is_some() => coming,
            _ => return Err(Error::new(format!("making a base of container {name}")).reason("it is not there")),
        };
        let change = Change::made(&name, "stopped, for others to be cloned from").after(after.cloned());
        let id = self.id;
        Ok(Plan::step(Step::new(vec![change], move |sys| driver.seal(sys, id)).supplies(bases)))
    }
}

impl<'a> View<'a, '_> {
    /// A base that is done: it never runs again.
    pub(super) fn sealed(&self, found: &Found) -> Result<Plan<'a>> {
        if !self.asked.base && !self.is_ours() {
            return Err(self.taken("it is the id of a template"));
        }
        if self.is_ours() && self.ask.allows_to_go(&self.ask.known.allowed.replace, &self.name) {
            return self.replaced(found, &fixed(&self.settings, &found.settings));
        }
        if self.asked.base {
            return self.present(found);
        }
        let remedy = format!("to destroy it and make it anew, run again with `--replace {}`", self.name);
        let waiting = self.wait("it is a base, which never runs again", Some(remedy), self.machine());
        Ok(Plan { waiting: vec![waiting], ..Plan::default() })
    }
}
