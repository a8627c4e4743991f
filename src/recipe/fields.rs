//! Reads a rendered table as a resource. What serde stops at is reported and taken out, and the rest is tried again, so that
//! all of a table's mistakes are found; what must be there for that gets a stand-in.
use super::collect::{Collector, Pass};
use super::error::{Mistake, Place, Source};
use super::stand_in::StandIns;
use super::tree::{find_table, path_of_table, replace, take};
use super::value::{Data, Entry, Span, Value, given_table};
use super::wording::{self, Spot};
use crate::field::{Given, Wrong};
use crate::resource::{Kind, Resource};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A table to be read.
pub(super) struct Table<'a> {
    pub(super) kind: &'a Kind,
    pub(super) source: &'a Arc<Source>,
    /// Of its header.
    pub(super) span: Span,
    /// What is missing is not a mistake: the file has syntax errors.
    pub(super) broken: bool,
}

/// What was taken out: the place of its table, the keys that lead there, and the key.
type Taken = BTreeSet<(Span, Vec<String>, String)>;

impl Table<'_> {
    /// Returns the resource; none where something is wrong with it, which is then reported.
    pub(super) fn read(&self, root: &[Entry], mistakes: &mut Collector) -> Option<Box<dyn Resource>> {
        let fields = root.to_vec();
        let mut attempt = Attempt { table: self, taken: BTreeSet::new(), stand_ins: StandIns::default(), fields };
        attempt.drop_wrong();
        for key in self.kind.required {
            if !attempt.fields.iter().any(|entry| entry.key == *key) {
                // That it is missing was reported when the file was read.
                attempt.stand_in(key);
            }
        }
        let resource = loop {
            match attempt.parse() {
                Ok(resource) => break resource,
                Err(error) => {
                    if attempt.cure(&error, mistakes).is_none() {
                        attempt.give_up(&error, mistakes);
                        return None;
                    }
                }
            }
        };
        let spoilt = attempt.spoilt();
        let before = mistakes.count();
        if !self.broken {
            for mistake in resource.mistakes() {
                let about_spoilt =
                    |key: &String| mistake.key == Some(key.as_str()) || mistake.message.contains(&format!("`{key}`"));
                if spoilt.iter().any(about_spoilt) {
                    continue;
                }
                let entry = mistake.key.and_then(|key| root.iter().find(|entry| entry.key == key));
                let (span, label) = match entry {
                    Some(entry) => (entry.key_span, format!("in [[{}]]", self.kind.header)),
                    None => (self.span, "this one".to_owned()),
                };
                mistakes.add(Pass::Rendered, Mistake::new(self.place(span), mistake.message, label));
            }
        }
        (spoilt.is_empty() && mistakes.count() == before).then_some(resource)
    }

    fn place(&self, span: Span) -> Place {
        Place { source: self.source.clone(), span }
    }
}

struct Attempt<'a> {
    table: &'a Table<'a>,
    fields: Vec<Entry>,
    taken: Taken,
    stand_ins: StandIns,
}

impl Attempt<'_> {
    fn parse(&self) -> Result<Box<dyn Resource>, Wrong> {
        let span = self.table.span;
        self.table.kind.read(Given { data: given_table(&self.fields), place: span.start..span.end })
    }

    /// Reports an error and changes the fields so that the next attempt gets beyond it; none where that cannot be done.
    fn cure(&mut self, error: &Wrong, mistakes: &mut Collector) -> Option<()> {
        let span: Span = error.span().unwrap_or(self.table.span.start..self.table.span.end).into();
        if StandIns::has(span) {
            return replace(&mut self.fields, &self.stand_ins.next(span)?);
        }
        let missing = wording::missing(error.message());
        if span == self.table.span {
            let key = missing?;
            self.report_missing(span, &[], key, mistakes);
            self.stand_in(key);
            return Some(());
        }
        if let Some(key) = missing {
            let path = path_of_table(&self.fields, span)?;
            self.report_missing(span, &path, key, mistakes);
            if self.add_to_table(span, key) {
                return Some(());
            }
        }
        let mut path = Vec::new();
        let (table, taken) = take(&mut self.fields, self.table.span, span, &mut path, &mut self.stand_ins)?;
        let spot = Spot { header: self.table.kind.header, path: &path, secret: taken.whole_taint().secret };
        let (title, label) = wording::of(error.message(), &spot);
        if missing.is_none() {
            mistakes.add(Pass::Rendered, Mistake::new(self.table.place(span), title, label));
        }
        let key = path.pop()?;
        if let Some(meant) = wording::meant(error.message()) {
            self.taken.insert((table, path.clone(), meant.to_owned()));
        }
        self.taken.insert((table, path, key));
        Some(())
    }

    /// Reports an error beyond which nothing can be read, unless it is that of a stand-in.
    fn give_up(&self, error: &Wrong, mistakes: &mut Collector) {
        if error.span().is_some_and(|span| StandIns::has(span.into())) {
            return;
        }
        let secret = self.fields.iter().any(|entry| entry.value.whole_taint().secret);
        let label = if secret { "its fields do not fit together" } else { error.message() };
        let title = format!("wrong fields in [[{}]]", self.table.kind.header);
        mistakes.add(Pass::Rendered, Mistake::new(self.table.place(self.table.span), title, label));
    }

    fn report_missing(&self, span: Span, path: &[String], key: &str, mistakes: &mut Collector) {
        let known = self.taken.contains(&(span, path.to_vec(), key.to_owned()))
            || path.is_empty() && self.table.kind.required.contains(&key);
        if known || self.table.broken {
            return;
        }
        let title = format!("missing key `{key}` in {}", wording::container(self.table.kind.header, path));
        mistakes.add(Pass::Rendered, Mistake::new(self.table.place(span), title, format!("`{key}` is required")));
    }

    /// Takes out what a mistake was reported for already.
    fn drop_wrong(&mut self) {
        let mut path = Vec::new();
        drop_wrong(&mut self.fields, self.table.span, &mut path, &mut self.taken, &mut self.stand_ins);
    }

    fn stand_in(&mut self, key: &str) {
        let entry = self.new_stand_in(key);
        self.taken.insert((self.table.span, Vec::new(), key.to_owned()));
        self.fields.push(entry);
    }

    fn new_stand_in(&mut self, key: &str) -> Entry {
        let value = self.stand_ins.make();
        Entry { key: key.to_owned(), key_span: value.span, value }
    }

    fn add_to_table(&mut self, span: Span, key: &str) -> bool {
        let entry = self.new_stand_in(key);
        let Some(path) = path_of_table(&self.fields, span) else { return false };
        self.taken.insert((span, path, key.to_owned()));
        find_table(&mut self.fields, span).map(|entries| entries.push(entry)).is_some()
    }

    /// Returns the keys at the top that are not as they were written.
    fn spoilt(&self) -> BTreeSet<String> {
        self.taken.iter().map(|(_, path, key)| path.first().unwrap_or(key).clone()).collect()
    }
}

fn drop_wrong(
    entries: &mut Vec<Entry>,
    table: Span,
    path: &mut Vec<String>,
    taken: &mut Taken,
    stand_ins: &mut StandIns,
) {
    entries.retain(|entry| {
        let wrong = matches!(entry.value.data, Data::Wrong | Data::Absent(_));
        if wrong {
            taken.insert((table, path.clone(), entry.key.clone()));
        }
        !wrong
    });
    for entry in entries {
        path.push(entry.key.clone());
        drop_within(&mut entry.value, table, path, taken, stand_ins);
        path.pop();
    }
}

fn drop_within(value: &mut Value, table: Span, path: &mut Vec<String>, taken: &mut Taken, stand_ins: &mut StandIns) {
    match &mut value.data {
        Data::Table(entries) => drop_wrong(entries, value.span, path, taken, stand_ins),
        Data::List(items) => {
            let all = items.len();
            items.retain(|item| !matches!(item.data, Data::Wrong | Data::Absent(_)));
            if items.len() < all
                && let Some((key, above)) = path.split_last()
            {
                taken.insert((table, above.to_vec(), key.clone()));
                // An empty list may be a mistake of its own that nobody made.
                if items.is_empty() {
                    items.push(stand_ins.make());
                }
            }
            for item in items {
                drop_within(item, table, path, taken, stand_ins);
            }
        }
        _ => {}
    }
}
