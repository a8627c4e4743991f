//! What comes before a unit: the step that brings it, and steps that change what it runs with.
use super::stale;
use crate::error::{Attempt as _, Error, Result};
use crate::field::UnitName;
use crate::id::Id;
use crate::resource::need::Needs;
use crate::resource::{Ask, Thing};
use crate::system::System;
use crate::system::unit_file::{self, UNIT_DIRECTORY};
use std::path::Path;

impl Needs {
    /// Looks for a unit that the resource does not bring itself.
    pub(super) fn unit(&mut self, name: &UnitName, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        // Where systemd does not run, the files tell.
        if unit_file::find(sys, &name.0).attempt(|| format!("looking for `{name}`"))?.is_some() {
            return Ok(());
        }
        let names = [Some(name.0.clone()), name.template()];
        let things = names
            .into_iter()
            .flatten()
            .flat_map(|name| [Thing::Path(Path::new(UNIT_DIRECTORY).join(&name)), Thing::Unit(name)]);
        let mut things: Vec<Thing> = things.collect();
        let known = things.iter().position(|thing| ask.pending.is_known(thing)).unwrap_or(0);
        self.missing(&things.swap_remove(known), ask, || {
            Error::new(format!("looking for the unit `{name}`"))
                .reason("it is not there, and nothing earlier in the recipe brings it")
                .remedy("give it `content` or `source`, or put the [[package]] that brings it before this")
        })
    }
}

/// Returns the first input that an earlier step is about to change, and that step.
pub(super) fn coming(name: &UnitName, inputs: &[stale::Input], ask: &Ask<'_>) -> Option<(stale::Input, Id)> {
    for input in inputs {
        if let Some(id) = ask.pending.coming(&Thing::Path(input.path.clone())) {
            return Some((input.clone(), id.clone()));
        }
    }
    let names = [Some(name.0.clone()), name.template()];
    names.into_iter().flatten().find_map(|name| {
        let directory = Path::new(UNIT_DIRECTORY).join(format!("{name}.d"));
        let (path, id) = ask.pending.coming_in(&directory)?;
        Some((stale::Input { path: path.to_owned(), watched: false }, id.clone()))
    })
}
