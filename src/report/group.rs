//! Entries of a plan that are alike, as text.
use super::alike::{self, side_by_side};
use super::change;
use super::entry::{Entry, Says};
use super::stage::Name;
use super::style::{Hue, Style, columns, indented, wrap};
use crate::event::Label;
use crate::id::Id;
use crate::resource::Change;

/// Entries that are alike, one of a lane each.
pub(super) struct Group<'p> {
    pub(super) lanes: Vec<&'p Name>,
    pub(super) entries: Vec<&'p Entry>,
}

impl<'p> Group<'p> {
    /// Returns the group of one entry that is in no lane.
    pub(super) fn alone(entry: &'p Entry) -> Self {
        Self { lanes: vec![&None], entries: vec![entry] }
    }
    pub(super) fn ids(&self) -> String {
        alike::ids(&self.each_id())
    }

    fn each_id(&self) -> Vec<&Id> {
        self.entries.iter().map(|entry| &entry.id).collect()
    }

    pub(super) fn text(&self, destroys: bool, style: Style) -> String {
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
