//! An orphan that is no loss: the recipe has the same thing by another id, or as part of another kind.
use super::visit::Visit;
use crate::error::Result;
use crate::event::{Event, Outcome};
use crate::field::template_of;
use crate::id::Id;
use crate::ledger::NOW;
use crate::resource::{Remark, goes_with, who_has};
use std::ffi::OsStr;
use std::path::Path;

impl Visit<'_> {
    /// Returns what the recipe still has that would go with this.
    pub(super) fn heir(&self) -> Result<Option<Id>> {
        let has = &self.scope.known.has;
        if has.is_empty() {
            return Ok(None);
        }
        let things = self.ids.iter().flat_map(|id| goes_with(id, &self.item.job.fields, self.claim(id)));
        Ok(who_has(things.collect(), has, self.scope.sys)?.cloned())
    }

    /// Leaves it as it is. It counts as gone, not as kept: what of it is ours is so by the other id, where that is a thing
    /// of its sort; a user whose keys we wrote is not made by us. The template of a unit is no thing of that one alone: it
    /// stays an orphan until no unit stands on it.
    pub(super) fn leave_to(&mut self, heir: &Id) -> Result<()> {
        let is_shared = |id: &Id| is_template_of(id, heir);
        for id in &self.ids {
            let does = if is_shared(id) { "stands on" } else { "has" };
            let remark = Remark { name: id.name.clone(), text: format!("kept: {heir} {does} it") };
            self.scope.sink.emit(Event::Remark { id: id.clone(), remark })?;
        }
        self.kept.extend(self.ids.iter().filter(|id| is_shared(id)).map(|id| id.name.clone()));
        self.end_all(&Outcome::InSync)?;
        let is_file = |id: &Id| matches!(id.kind.as_str(), "file" | "unit");
        let is_like = |id: &Id| id.kind == heir.kind || (is_file(id) && is_file(heir));
        for id in self.ids.iter().filter(|id| is_like(id) && !is_shared(id)) {
            self.tally.held.insert(id.clone(), format!("{NOW}{heir}"));
        }
        Ok(())
    }
}

/// Returns whether a unit, or the file of one, is the template of that unit.
fn is_template_of(id: &Id, unit: &Id) -> bool {
    let name = Path::new(&id.name).file_name().and_then(OsStr::to_str);
    unit.kind == "unit" && name != Some(&unit.name) && name == template_of(&unit.name).as_deref()
}
