//! What a prune owes: a unit that runs with a file which is pruned is restarted in the same run, once that is gone.
use super::orphans::Seen;
use super::{Fleet, Pass};
use crate::engine::{Course, Mode, Tally};
use crate::error::Result;
use crate::event::{Counts, Event, Outcome};
use crate::id::{Id, Machine};
use crate::item::Item;
use crate::recipe::Stage;
use crate::resource::{Change, Want};
use std::collections::BTreeSet;

impl Fleet<'_> {
    /// Looks once more at the units of the machines in which something was pruned; a plan says what hangs on that alone. A run
    /// that is killed before this leaves it to the next one, which finds the unit started with what is gone.
    pub(super) fn owed(
        &self,
        pruned: &BTreeSet<Id>,
        mode: Mode,
        course: &mut Course,
        seen: &mut Vec<u32>,
    ) -> Result<Tally> {
        let machines: BTreeSet<Machine> = pruned.iter().map(|id| id.machine).collect();
        let pass = Pass { mode, destroy: false };
        let mut tally = Tally::default();
        for (lane, items) in self.stages.iter().flat_map(by_lane) {
            let is_unit = |item: &&Item| item.job.kind == "unit" && item.job.want == Want::Present;
            let units = items.iter().filter(is_unit).filter(|item| machines.contains(&item.job.machine));
            let units = units.map(|item| Item::receive(item.job.clone())).collect::<Result<Vec<_>>>()?;
            let sink = (self.sink)(lane);
            if mode == Mode::Apply {
                let Counts { changed, failed, skipped, .. } = self.walk(&units, pass, course, &*sink, seen)?.counts;
                tally.counts += Counts { changed, failed, skipped, ..Counts::default() };
                continue;
            }
            let said = Seen::new((self.sink)(lane));
            self.walk(&units, pass, course, &said, seen)?;
            for event in hanging_on(said.into_events(), pruned) {
                tally.counts.changed += usize::from(matches!(event, Event::Finished { .. }));
                sink.emit(event)?;
            }
        }
        Ok(tally)
    }
}

/// Returns what a plan says of changes that hang on what is pruned, and of no others: those were said before.
fn hanging_on(said: Vec<Event>, pruned: &BTreeSet<Id>) -> Vec<Event> {
    let hangs = |change: &Change| change.after.as_ref().is_some_and(|after| pruned.contains(after));
    let mut hanging = BTreeSet::new();
    let mut left = Vec::new();
    for mut event in said {
        match &mut event {
            Event::Planned { id, changes, .. } => {
                changes.retain(hangs);
                if changes.is_empty() {
                    continue;
                }
                hanging.insert(id.clone());
            }
            Event::Finished { id, outcome: Outcome::Differs { .. }, .. } if hanging.contains(id) => {}
            _ => continue,
        }
        left.push(event);
    }
    left
}

/// Returns what is in a stage, by lane.
fn by_lane(stage: &Stage) -> Vec<(Option<&str>, &[Item])> {
    match stage {
        Stage::Plain(items) => vec![(None, items)],
        Stage::Lanes(lanes) => lanes.iter().map(|lane| (Some(lane.name.as_str()), &lane.items[..])).collect(),
    }
}
