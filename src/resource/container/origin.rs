//! From what a new container is made: a template, or a base that it is a clone of.
use super::View;
use super::source::Fetched;
use super::template::Template;
use crate::container::{Found, What};
use crate::error::{Error, Result};
use crate::field::ContainerName;
use crate::resource::Thing;
use crate::resource::need::Needs;

/// From what a new container is made.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    Template(&'a Template),
    /// A base, with its id where that is known: always in an apply.
    Base(&'a ContainerName, Option<u32>),
}

impl Origin<'_> {
    /// Says in a word or two what it is.
    pub(super) fn shown(self) -> String {
        match self {
            Self::Template(template) => template.name().to_owned(),
            Self::Base(name, id) => format!("container {}", id.map_or_else(|| name.to_string(), |id| id.to_string())),
        }
    }
}

impl<'a> View<'a, '_> {
    /// Returns from what a container that is not there is made, and what of it is to be fetched first.
    pub(super) fn origin(&self, needs: &mut Needs) -> Result<(Origin<'a>, Option<Fetched>)> {
        match (&self.asked.template, self.asked.clone()) {
            (_, Some(base)) => Ok((Origin::Base(base, self.needs_base(needs, base)?), None)),
            (Some(template), None) => Ok((Origin::Template(template), self.needs_template(needs, template)?)),
            (None, None) => Err(Error::new(format!("making container {}", self.name))
                .reason("there is no such container, and its recipe names no `template` and no `clone`")),
        }
    }

    /// Looks for a base; returns its id where it is there or about to be.
    fn needs_base(&self, needs: &mut Needs, base: &ContainerName) -> Result<Option<u32>> {
        let thing = || Thing::Base(base.0.clone());
        if let Some(id) = self.ask.pending.coming_if(thing) {
            needs.after = Some(id.clone());
            return Ok(id.name.parse().ok());
        }
        if let Some(id) = self.ask.pending.held_if(thing) {
            needs.held = Some(id.clone());
            return Ok(None);
        }
        let failed = || Error::new(format!("cloning container {} from `{base}`", self.name));
        let Some((id, found)) = self.named(base)? else {
            needs.missing(&thing(), self.ask, || {
                failed().reason("there is no base of that id or host name").remedy(
                    "put a [[container]] with `base = true` before this, or give `template` in place of `clone`",
                )
            })?;
            return Ok(base.0.parse().ok());
        };
        if found.what != What::Template {
            return Err(failed()
                .reason(format!("container {id} is no base"))
                .remedy("give it `base = true`, and let this come after all that is in it"));
        }
        // Both are fixed when a container is made, and a clone has them from its base.
        let privileged = |found: Option<bool>| if found == Some(false) { "privileged" } else { "unprivileged" };
        if found.settings.unprivileged != self.settings.unprivileged {
            let (is, asked) = (privileged(found.settings.unprivileged), privileged(self.settings.unprivileged));
            return Err(failed().reason(format!("the base is {is}, the clone is to be {asked}")));
        }
        if let Some((is, asked)) = found.settings.disk.zip(self.asked.disk).filter(|(is, asked)| is > asked) {
            return Err(failed().reason(format!("the disk of the base has {is}, the clone is to have {asked}")));
        }
        Ok(Some(id))
    }

    /// Returns the container of that id or host name; of several with one name, the base.
    fn named(&self, name: &ContainerName) -> Result<Option<(u32, Found)>> {
        if let Ok(id) = name.0.parse() {
            return Ok(self.driver.found(self.sys, id)?.map(|found| (id, found)));
        }
        let mut other = None;
        for id in self.driver.ids(self.sys)? {
            let Some(found) = self.driver.found(self.sys, id)? else { continue };
            if id == self.id() || found.settings.hostname.as_ref() != Some(&name.0) {
                continue;
            }
            if found.what == What::Template {
                return Ok(Some((id, found)));
            }
            other = Some((id, found));
        }
        Ok(other)
    }
}
