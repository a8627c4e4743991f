//! Shows a `status`: the checklist, from the machine, then what failed, drifted and waits.
use super::cell::{Cell, Mark};
use super::failure::failed_text;
use super::plan::{Labels, Plan};
use super::style::{Hue, Style};
use super::table::checklist;
use super::{Reporter, summary};
use crate::error::Error;
use crate::event::{Ended, Envelope, Event, Label, Outcome, Started};
use crate::id::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// Shows a `status`: the checklist, then what failed, drifted and waits.
#[derive(Debug)]
pub struct Checklist<W> {
    out: W,
    style: Style,
    phases: Vec<String>,
    lanes: Vec<String>,
    /// The ids whose last outcome was a failure.
    failed: BTreeSet<Id>,
    started: Started,
    marks: BTreeMap<(Option<String>, Id), Mark>,
    plan: Plan,
    failures: Vec<(Id, Error)>,
}

impl<W: Write + Send> Checklist<W> {
    /// Returns a reporter that writes to `out`, with the recipe's phases and lanes in their order and the ids whose last
    /// outcome was a failure.
    pub fn new(out: W, style: Style, phases: Vec<String>, lanes: Vec<String>, failed: BTreeSet<Id>) -> Self {
        let (started, marks, plan, failures) = (Started::default(), BTreeMap::new(), Plan::default(), Vec::new());
        Self { out, style, phases, lanes, failed, started, marks, plan, failures }
    }

    fn finished(&mut self, envelope: &Envelope, id: &Id, outcome: &Outcome, phase: Option<&String>) {
        let cell = match outcome {
            Outcome::InSync | Outcome::Changed { .. } => Cell::Done,
            Outcome::Waiting { .. } => Cell::Waiting,
            Outcome::Failed { error } => {
                self.failures.push((id.clone(), error.clone()));
                Cell::Failed
            }
            Outcome::Differs { .. } if self.failed.contains(id) => Cell::Failed,
            Outcome::Differs { label: Label::Drift } => Cell::Drifted,
            Outcome::Differs { .. } | Outcome::Skipped { .. } => Cell::NotYet,
        };
        let mark = Mark { phase: phase.cloned(), lane: envelope.lane.clone(), cell };
        self.marks.insert((envelope.lane.clone(), id.clone()), mark);
    }

    fn end(&mut self, envelope: &Envelope, ended: &Ended) {
        let marks: Vec<Mark> = self.marks.values().cloned().collect();
        let mut text = checklist(&self.phases, &self.lanes, &marks, self.style);
        text.push_str(&std::mem::take(&mut self.plan).without_new(&self.failed).text(self.style));
        for (id, error) in &self.failures {
            text.push_str(&failed_text(&id.to_string(), error, 0, self.style));
        }
        let labels = Labels::default();
        text.push_str(&summary::summary(&self.started.command, &envelope.run, ended, labels));
        text.push('\n');
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        // Who closed the pipe does not want to know.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write + Send> Reporter for Checklist<W> {
    fn event(&mut self, envelope: &Envelope) {
        match &envelope.event {
            Event::Started(started) => self.started = started.clone(),
            Event::Finished { id, outcome, phase, .. } => {
                self.finished(envelope, id, outcome, phase.as_ref());
                self.plan.take(envelope);
            }
            Event::Warned { text } => {
                let head = self.style.paint(Hue::Look, "warning:");
                self.write(&format!("{head} {text}\n"));
            }
            Event::Ended(ended) => self.end(envelope, ended),
            _ => self.plan.take(envelope),
        }
    }
}
