//! The plan as text: what differs, what waits, what is checked again; what is alike in several lanes is said once.
use super::alike::{self, numbered, side_by_side, tokens};
use super::change;
use super::style::{Hue, Style, columns, indented, wrap};
use crate::event::{Envelope, Event, Label, Outcome};
use crate::id::{Id, Machine};
use crate::resource::Change;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Gathers what a plan says.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    stages: Vec<Stage>,
    /// Why something differs goes without saying: it is to be taken away.
    destroys: bool,
}

/// Lanes that go side by side; what is in none goes by itself.
#[derive(Debug, Clone, Default)]
struct Stage {
    lanes: BTreeMap<Name, Vec<Entry>>,
    ended: BTreeSet<Name>,
}

/// A lane's name, sorted by stem and number; `None`: in no lane.
type Name = Option<(String, Option<u64>, String)>;

/// What is said of one id.
#[derive(Debug, Clone)]
struct Entry {
    id: Id,
    says: Says,
}

#[derive(Debug, Clone)]
enum Says {
    Differs { label: Label, changes: Vec<Change> },
    Waits { because: String, remedy: Option<String> },
    Behind { ids: Vec<Id> },
    Kept { text: String },
}

/// Entries that are alike, one of a lane each.
struct Group<'p> {
    lanes: Vec<&'p Name>,
    entries: Vec<&'p Entry>,
}

/// How many ids differ for which reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels {
    /// They never held.
    pub new: usize,
    /// The recipe changed.
    pub edit: usize,
    /// The machine changed.
    pub drift: usize,
}

impl Plan {
    /// Takes in an event.
    pub fn take(&mut self, envelope: &Envelope) {
        let lane = envelope.lane.as_deref().map(|name| {
            let (stem, number) = numbered(name);
            (stem.to_owned(), number, name.to_owned())
        });
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
    pub fn is_empty(&self) -> bool {
        self.labels() == Labels::default()
    }

    /// Returns how many ids differ for which reason.
    pub fn labels(&self) -> Labels {
        let mut labels = Labels::default();
        for entry in self.entries() {
            match &entry.says {
                Says::Differs { label: Label::New, .. } => labels.new += 1,
                Says::Differs { label: Label::Edit, .. } => labels.edit += 1,
                Says::Differs { label: Label::Drift, .. } => labels.drift += 1,
                _ => {}
            }
        }
        labels
    }

    /// Returns what waits, in few words; what is alike in several lanes once.
    pub fn waiting(&self) -> Vec<String> {
        let groups = self.stages.iter().flat_map(Stage::groups);
        let waits = groups.filter(|group| matches!(group.entries[0].says, Says::Waits { .. }));
        waits.map(|group| group.ids()).collect()
    }

    /// Returns whether that wait was said.
    pub(super) fn says_waiting(&self, of: &Id) -> bool {
        self.entries().any(|entry| entry.id == *of && matches!(entry.says, Says::Waits { .. }))
    }

    /// Returns the plan without what was not there yet, to be read below a checklist; but with what failed last.
    #[must_use]
    pub fn without_new(mut self, failed: &BTreeSet<Id>) -> Self {
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
    pub fn text(&self, style: Style) -> String {
        self.stages.iter().map(|stage| stage.text(self.destroys, style)).collect()
    }
}

impl Stage {
    /// Returns what is alike together, in the order of the first lane that has it.
    fn groups(&self) -> Vec<Group<'_>> {
        let own = self.own_words();
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut index: HashMap<(String, usize), usize> = HashMap::new();
        for (lane, entries) in &self.lanes {
            let mut seen: HashMap<String, usize> = HashMap::new();
            for entry in entries {
                let pattern = entry.pattern(&|word| own.get(word) == Some(&Some(lane)));
                let nth = seen.entry(pattern.clone()).or_default();
                let at = *index.entry((pattern, *nth)).or_insert_with(|| {
                    groups.push(Group { lanes: Vec::new(), entries: Vec::new() });
                    groups.len() - 1
                });
                *nth += 1;
                groups[at].lanes.push(lane);
                groups[at].entries.push(entry);
            }
        }
        groups
    }

    /// Returns for each word of an id the lane in which alone it appears: `lilly`, `201`.
    fn own_words(&self) -> HashMap<&str, Option<&Name>> {
        let mut own: HashMap<&str, Option<&Name>> = HashMap::new();
        for (lane, entries) in &self.lanes {
            for word in entries.iter().flat_map(|entry| tokens(&entry.id.name)) {
                own.entry(word).and_modify(|of| *of = of.filter(|of| *of == lane)).or_insert(Some(lane));
            }
        }
        own
    }

    fn text(&self, destroys: bool, style: Style) -> String {
        let mut sections: Vec<(Vec<&Name>, String)> = Vec::new();
        let groups = if style.verbose { self.singles() } else { self.groups() };
        for group in groups {
            let text = group.text(destroys, style);
            match sections.iter_mut().find(|(lanes, _)| *lanes == group.lanes) {
                Some((_, section)) => section.push_str(&text),
                None => sections.push((group.lanes, text)),
            }
        }
        let headed = sections.into_iter().map(|(lanes, text)| {
            let names: Vec<&str> = lanes.iter().filter_map(|lane| lane.as_ref()).map(|lane| lane.2.as_str()).collect();
            let heading = if names.is_empty() { "host".to_owned() } else { alike::lanes(&names) };
            format!("{}\n{text}", style.paint(Hue::Strong, &heading))
        });
        headed.collect()
    }

    fn singles(&self) -> Vec<Group<'_>> {
        let of_lane = |(lane, entries)| {
            let entries: &Vec<Entry> = entries;
            entries.iter().map(move |entry| Group { lanes: vec![lane], entries: vec![entry] })
        };
        self.lanes.iter().flat_map(of_lane).collect()
    }
}

impl Entry {
    /// Returns what entries that are alike have in common: the name with a lane's own words left open, and which fields
    /// differ how.
    fn pattern(&self, is_own: &dyn Fn(&str) -> bool) -> String {
        let open = |text: &str| -> String {
            tokens(text).into_iter().map(|word| if is_own(word) { "\0" } else { word }).collect()
        };
        let place = if self.id.machine == Machine::Host { "host" } else { "in" };
        let says = match &self.says {
            Says::Differs { label, changes } => {
                let fields = changes.iter().map(|change| {
                    let after = change.after.as_ref().map(|after| (after.kind.as_str(), open(&after.name)));
                    format!("{} {:?} {after:?}\n", change.field, (change.from.is_some(), change.to.is_some()))
                });
                format!("{label:?} {}", fields.collect::<String>())
            }
            Says::Waits { because, remedy } => format!("waits {} {}", open(because), remedy.is_some()),
            Says::Behind { ids } => {
                let names: Vec<String> = ids.iter().map(|id| format!("{} {}", id.kind, open(&id.name))).collect();
                format!("behind {names:?}")
            }
            Says::Kept { text } => format!("kept {}", open(text)),
        };
        format!("{place}/{}:{} {says}", self.id.kind, open(&self.id.name))
    }
}

impl Group<'_> {
    fn ids(&self) -> String {
        alike::ids(&self.each_id())
    }

    fn each_id(&self) -> Vec<&Id> {
        self.entries.iter().map(|entry| &entry.id).collect()
    }

    fn text(&self, destroys: bool, style: Style) -> String {
        match &self.entries[0].says {
            Says::Differs { label, changes } => self.differs((!destroys).then_some(*label), changes, style),
            Says::Waits { .. } => self.waits(style),
            Says::Behind { ids } => self.behind(ids.len(), style),
            Says::Kept { .. } => {
                let text = self.merged(|says| match says {
                    Says::Kept { text } => text.clone(),
                    _ => String::new(),
                });
                format!("  {} {}  {text}\n", style.paint(Hue::Faint, "·"), self.ids())
            }
        }
    }

    fn merged(&self, of: impl Fn(&Says) -> String) -> String {
        let texts: Vec<String> = self.entries.iter().map(|entry| of(&entry.says)).collect();
        side_by_side(&texts)
    }

    /// Returns the changes of each entry at a place.
    fn at(&self, place: usize) -> Vec<&Change> {
        let changes = self.entries.iter().filter_map(|entry| match &entry.says {
            Says::Differs { changes, .. } => changes.get(place),
            _ => None,
        });
        changes.collect()
    }

    fn differs(&self, label: Option<Label>, changes: &[Change], style: Style) -> String {
        let (sign, hue) = change::sign(changes);
        let mut whats: Vec<String> = Vec::new();
        for place in 0..changes.len() {
            let words: Vec<String> = self.at(place).into_iter().map(change::words).collect();
            whats.push(side_by_side(&words));
        }
        let after = self.after(changes);
        let label =
            label.map(|label| style.paint(Hue::Faint, &format!("  ({})", change::label(label)))).unwrap_or_default();
        let head = format!("  {} {}", style.paint(hue, sign), self.ids());
        let inline = format!("{}{after}", whats.join(", "));
        let has_diff = changes.iter().any(|change| change.diff.is_some());
        let mut text = if columns(&self.ids()) + columns(&inline) + 16 <= style.width || whats.len() == 1 {
            format!("{head}  {inline}{label}\n")
        } else {
            format!("{head}{after}{label}\n{}", indented(whats, 6))
        };
        if has_diff {
            text.extend((0..changes.len()).map(|place| self.diff(place, style)));
        }
        text
    }

    /// Returns on which earlier steps the changes hang.
    fn after(&self, changes: &[Change]) -> String {
        let mut shown: Vec<String> = Vec::new();
        for place in 0..changes.len() {
            let afters: Vec<&Id> = self.at(place).into_iter().filter_map(|change| change.after.as_ref()).collect();
            let text = alike::ids_from(&self.each_id(), &afters);
            if !afters.is_empty() && !shown.contains(&text) {
                shown.push(text);
            }
        }
        if shown.is_empty() { String::new() } else { format!("  after {}", shown.join(", ")) }
    }

    fn diff(&self, place: usize, style: Style) -> String {
        let diffs: Vec<Option<&String>> = self.at(place).into_iter().map(|change| change.diff.as_ref()).collect();
        let Some(Some(first)) = diffs.first() else { return String::new() };
        let text = change::diff(first, 6, style);
        let (Some(lane), true) = (self.lanes[0], diffs.iter().any(|diff| diff != &diffs[0])) else { return text };
        let note = format!("in {}; the others differ in their own words:", lane.2);
        format!("      {}\n{text}", style.paint(Hue::Faint, &note))
    }

    fn waits(&self, style: Style) -> String {
        let because = self.merged(|says| match says {
            Says::Waits { because, .. } => because.clone(),
            _ => String::new(),
        });
        let remedy = self.merged(|says| match says {
            Says::Waits { remedy, .. } => remedy.clone().unwrap_or_default(),
            _ => String::new(),
        });
        let mut text = format!("  {} {}  {because}\n", style.paint(Hue::Look, "!"), self.ids());
        text.push_str(&indented(remedy.lines(), 6));
        text
    }

    fn behind(&self, count: usize, style: Style) -> String {
        let of = self.each_id();
        let mut names: Vec<String> = (0..count)
            .map(|place| {
                let each = self.entries.iter().filter_map(|entry| match &entry.says {
                    Says::Behind { ids } => ids.get(place),
                    _ => None,
                });
                format!("{},", alike::ids_from(&of, &each.collect::<Vec<_>>()))
            })
            .collect();
        if let Some(last) = names.last_mut() {
            last.pop();
        }
        let sign = style.paint(Hue::Faint, "?");
        let lines = wrap(names.iter().map(String::as_str), style.width.saturating_sub(6));
        format!("  {sign} checked again after {}:\n{}", self.ids(), indented(lines, 6))
    }
}
