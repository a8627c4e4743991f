//! What a case does to a machine, one act after another: the first apply, each repair, each edit, and that it all goes.
use super::case::Case;
use super::deed::Deed;
use super::sight::Sight;
use provision::item::Item;
use provision::resource::{Allowed, Known};
use provision::system::System;

/// One apply, or the destroy at the end, and what comes before it and of it.
pub struct Act<'c> {
    /// For messages.
    pub what: String,
    pub items: Vec<Item>,
    pub destroy: bool,
    /// Done by hand before it.
    pub by: &'c [Deed],
    /// From here on.
    pub allowed: Option<&'c Allowed>,
    /// What the plan names; of a destroy a case does not say it.
    pub changes: Option<&'c [String]>,
    /// What the apply makes.
    pub applied: Option<&'c [String]>,
    /// Ends and remarks, where the case says them.
    pub ends: Option<&'c [String]>,
    /// Seen afterwards.
    pub after: &'c [Sight],
}

impl Case {
    /// Returns its acts, the destroy last.
    pub fn acts(&self) -> Vec<Act<'_>> {
        let mut acts = vec![Act {
            what: "the first apply".to_owned(),
            items: self.items(0),
            destroy: false,
            by: &[],
            allowed: None,
            changes: Some(&self.changes),
            applied: Some(self.applied.as_ref().unwrap_or(&self.changes)),
            ends: Some(&self.ends),
            after: &self.after,
        }];
        acts.extend(self.drift.iter().map(|drift| Act {
            what: format!("the repair of {:?}", drift.by),
            items: self.items(0),
            destroy: false,
            by: &drift.by,
            allowed: None,
            changes: Some(&drift.changes),
            applied: None,
            ends: None,
            after: &self.after,
        }));
        acts.extend(self.edit.iter().enumerate().map(|(number, edit)| Act {
            what: format!("edit {}", number + 1),
            items: self.items(number + 1),
            destroy: false,
            by: &edit.by,
            allowed: edit.allowed.as_ref(),
            changes: Some(&edit.changes),
            applied: Some(edit.applied.as_ref().unwrap_or(&edit.changes)),
            ends: Some(&edit.ends),
            after: &edit.after,
        }));
        acts.push(Act {
            what: "the destroy".to_owned(),
            items: self.items(self.edit.len()),
            destroy: true,
            by: &[],
            allowed: None,
            changes: None,
            applied: None,
            ends: None,
            after: &self.destroyed,
        });
        acts
    }
}

impl Act<'_> {
    /// Does what comes before it.
    pub fn prepare(&self, known: &mut Known, sys: &dyn System) -> Result<(), String> {
        self.by.iter().try_for_each(|deed| deed.on(sys)).map_err(|why| format!("{}: {why}", self.what))?;
        sys.facts().forget();
        if let Some(allowed) = self.allowed {
            known.allowed = allowed.clone();
        }
        Ok(())
    }
}
