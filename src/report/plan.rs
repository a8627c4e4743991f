//! The plan: what differs, what waits, what is checked again. What is alike in several lanes is said once.
use super::entry::{Entry, Says};
use super::group::Group;
use super::stage::{self, Name, Stage};
use super::style::{Hue, Style};
use crate::event::{Envelope, Event, Label, Outcome};
use crate::id::Id;
use crate::resource::Change;
use std::collections::BTreeSet;

/// Gathers what a plan says.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    stages: Vec<Stage>,
    /// What the recipe no longer has.
    orphans: Vec<Entry>,
    /// Why something differs goes without saying: it is to be taken away.
    destroys: bool,
}

/// How many ids differ for which reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Labels {
    /// They never held.
    pub(super) new: usize,
    /// The recipe changed.
    pub(super) edit: usize,
    /// The machine changed.
    pub(super) drift: usize,
    /// Nothing asks for them any more.
    pub(super) orphan: usize,
}

impl Plan {
    /// Takes in an event.
    pub(super) fn take(&mut self, envelope: &Envelope) {
        let lane = stage::name(envelope.lane.as_deref());
        let (id, says) = match &envelope.event {
            Event::Started(started) => {
                self.destroys = started.command == "destroy";
                return;
            }
            Event::LaneStarted => {
                self.stage(&lane).lanes.entry(lane).or_default();
                return;
            }
            Event::LaneEnded { .. } => {
                self.stage(&lane).ended.insert(lane);
                return;
            }
            Event::Planned { id, label, changes, .. } => {
                (id, Says::Differs { label: *label, changes: changes.clone() })
            }
            Event::Finished { id, outcome: Outcome::Waiting { because, remedy }, .. } => {
                (id, Says::Waits { because: because.clone(), remedy: remedy.clone() })
            }
            Event::Behind { after, ids } => (after, Says::Behind { ids: ids.clone() }),
            Event::Orphan { id, changes, because, remedy } => {
                self.orphans.extend(orphan(id, changes, because.as_ref(), remedy.as_ref()));
                return;
            }
            Event::Remark { id, remark } => (id, Says::Kept { text: remark.text.clone() }),
            _ => return,
        };
        self.stage(&lane).lanes.entry(lane).or_default().push(Entry { id: id.clone(), says });
    }

    /// Returns the stage to which a lane's next event belongs: a new one, where the last one had other company or this lane
    /// has ended in it.
    fn stage(&mut self, lane: &Name) -> &mut Stage {
        let fits = self.stages.last().is_some_and(|stage| {
            let beside = stage.lanes.keys().all(|other| other.is_some() == lane.is_some());
            beside && !stage.ended.contains(lane)
        });
        if !fits {
            self.stages.push(Stage::default());
        }
        let last = self.stages.len() - 1;
        &mut self.stages[last]
    }

    /// Returns whether nothing differs.
    pub(super) fn is_empty(&self) -> bool {
        self.labels() == Labels::default()
    }

    /// Returns how many ids differ for which reason.
    pub(super) fn labels(&self) -> Labels {
        let mut labels = Labels::default();
        for entry in self.entries() {
            match &entry.says {
                Says::Differs { label: Label::New, .. } => labels.new += 1,
                Says::Differs { label: Label::Edit, .. } => labels.edit += 1,
                Says::Differs { label: Label::Drift, .. } => labels.drift += 1,
                Says::Differs { label: Label::Orphan, .. } => labels.orphan += 1,
                _ => {}
            }
        }
        labels
    }

    /// Returns what waits, in few words; what is alike in several lanes once.
    pub(super) fn waiting(&self) -> Vec<String> {
        let groups = self.stages.iter().flat_map(Stage::groups);
        let waits = groups.filter(|group| matches!(group.entries[0].says, Says::Waits { .. }));
        waits.map(|group| group.ids()).collect()
    }

    /// Returns whether that wait was said.
    pub(super) fn says_waiting(&self, of: &Id) -> bool {
        self.entries().any(|entry| entry.id == *of && matches!(entry.says, Says::Waits { .. }))
    }

    /// Returns whether it says that something differs, and says nothing of this remark on it.
    pub(super) fn has_not_foreseen(&self, of: &Id, remark: &str) -> bool {
        let of_it = || self.entries().filter(|entry| entry.id == *of).map(|entry| &entry.says);
        of_it().any(|says| matches!(says, Says::Differs { .. }))
            && !of_it().any(|says| matches!(says, Says::Kept { text } if text == remark))
    }

    /// Returns the plan without what was not there yet, to be read below a checklist; but with what failed last.
    #[must_use]
    pub(super) fn without_new(mut self, failed: &BTreeSet<Id>) -> Self {
        let stays = |entry: &Entry| match &entry.says {
            Says::Differs { label, .. } => *label == Label::Drift || failed.contains(&entry.id),
            Says::Waits { .. } => true,
            Says::Behind { .. } | Says::Kept { .. } => false,
        };
        for stage in &mut self.stages {
            stage.lanes.values_mut().for_each(|entries| entries.retain(stays));
        }
        self
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.stages.iter().flat_map(|stage| stage.lanes.values()).flatten()
    }

    /// Returns the whole as text, empty where there is nothing to say.
    pub(super) fn text(&self, style: Style) -> String {
        let mut text: String = self.stages.iter().map(|stage| stage.text(self.destroys, style)).collect();
        if !self.orphans.is_empty() {
            let heading = style.paint(Hue::Strong, "orphans");
            text.push_str(&heading);
            text.push_str(": this recipe made them and has them no more; `--prune` takes them away\n");
            text.extend(self.orphans.iter().map(|entry| Group::alone(entry).text(true, style)));
        }
        text
    }

    /// Returns the names of what the recipe no longer has.
    pub(super) fn orphans(&self) -> Vec<String> {
        let mut names: Vec<String> = self.orphans.iter().map(|entry| entry.id.to_string()).collect();
        names.dedup();
        names
    }
}

/// Returns what is said of an orphan: what would be done, or why it stays.
fn orphan(id: &Id, changes: &[Change], because: Option<&String>, remedy: Option<&String>) -> Vec<Entry> {
    let entry = |says| Entry { id: id.clone(), says };
    let mut entries = Vec::new();
    if !changes.is_empty() {
        entries.push(entry(Says::Differs { label: Label::Orphan, changes: changes.to_vec() }));
    }
    entries.extend(because.map(|because| match remedy {
        Some(_) => entry(Says::Waits { because: because.clone(), remedy: remedy.cloned() }),
        None => entry(Says::Kept { text: because.clone() }),
    }));
    entries
}
