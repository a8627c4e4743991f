//! An orphan that is no loss: the recipe has the same thing by another id, or as part of another kind.
use super::visit::Visit;
use crate::error::Result;
use crate::event::{Event, Outcome};
use crate::id::Id;
use crate::ledger::NOW;
use crate::resource::{Remark, goes_with, who_has};

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
    /// of its sort; a user whose keys we wrote is not made by us.
    pub(super) fn leave_to(&mut self, heir: &Id) -> Result<()> {
        for id in &self.ids {
            let remark = Remark { name: id.name.clone(), text: format!("kept: {heir} has it") };
            self.scope.sink.emit(Event::Remark { id: id.clone(), remark })?;
        }
        self.end_all(&Outcome::InSync)?;
        let is_file = |id: &Id| matches!(id.kind.as_str(), "file" | "unit");
        for id in self.ids.iter().filter(|id| id.kind == heir.kind || (is_file(id) && is_file(heir))) {
            self.tally.held.insert(id.clone(), format!("{NOW}{heir}"));
        }
        Ok(())
    }
}
