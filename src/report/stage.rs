//! Lanes of a plan side by side, and what is alike in them.
use super::alike::{self, numbered, tokens};
use super::entry::Entry;
use super::group::Group;
use super::style::{Hue, Style};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Lanes that go side by side; what is in none goes by itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage {
    pub(super) lanes: BTreeMap<Name, Vec<Entry>>,
    pub(super) ended: BTreeSet<Name>,
}

/// A lane's name, sorted by stem and number; `None`: in no lane.
pub(super) type Name = Option<(String, Option<u64>, String)>;

/// Returns a lane's name as it is sorted.
pub(super) fn name(lane: Option<&str>) -> Name {
    lane.map(|name| {
        let (stem, number) = numbered(name);
        (stem.to_owned(), number, name.to_owned())
    })
}

impl Stage {
    /// Returns what is alike together, in the order of the first lane that has it.
    pub(super) fn groups(&self) -> Vec<Group<'_>> {
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

    pub(super) fn text(&self, destroys: bool, style: Style) -> String {
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
