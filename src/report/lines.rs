//! A run as lines of text: the plan, a line for each finished change, failures in full, a last line with the sums.
use super::failure::failed_text;
use super::plan::Plan;
use super::style::{Hue, Style, columns, cut};
use super::{Reporter, capacity, change, summary, unexpected};
use crate::error::Error;
use crate::event::{Ended, Envelope, Event, Outcome, Started};
use crate::id::Id;
use crate::ledger::parse_rfc3339;
use crate::system::shell_word;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::time::SystemTime;

/// Of how many resources a failure that they share is told by name.
const NAMED: usize = 4;

/// Writes lines, on a terminal or without one.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    style: Style,
    recipe: String,
    started: Started,
    /// What is planned; what waits later and was not said is added.
    plan: Plan,
    /// What the containers may take, to be said below the plan.
    capacity: String,
    phase: Phase,
    /// What waits since the plan was shown, and was not in it.
    later: Plan,
    /// When each id was last looked at.
    since: HashMap<Id, SystemTime>,
    failures: Vec<(Vec<Id>, Error)>,
    /// What was not tried, by the reason.
    skipped: BTreeMap<String, BTreeSet<Id>>,
    lane_width: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It is said what differs.
    Planning,
    /// It is changed.
    Changing,
}

impl<W: Write + Send> Lines<W> {
    /// Returns a reporter that writes to `out`. `recipe` is what a person gave on the command line: commands that are
    /// proposed name it so.
    pub fn new(out: W, style: Style, recipe: &str) -> Self {
        Self {
            out,
            style,
            recipe: recipe.to_owned(),
            started: Started::default(),
            plan: Plan::default(),
            capacity: String::new(),
            phase: Phase::Planning,
            later: Plan::default(),
            since: HashMap::new(),
            failures: Vec::new(),
            skipped: BTreeMap::new(),
            lane_width: "host".len(),
        }
    }

    /// Who closed the pipe does not want to know; the run goes on.
    fn write(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }

    fn line(&mut self, envelope: &Envelope, hue: Hue, what: &str, id: &Id, rest: &str) {
        let lane = envelope.lane.as_deref().unwrap_or("host");
        let pad = " ".repeat(self.lane_width.saturating_sub(columns(lane)));
        let what = self.style.paint(hue, &format!("{what:<7}"));
        let gap = if rest.is_empty() { "" } else { "  " };
        self.write(&format!("{lane}{pad}  {what}  {id}{gap}{rest}\n"));
    }

    fn finished(&mut self, envelope: &Envelope, id: &Id, outcome: &Outcome) {
        let is_test_run = self.started.command == "test";
        match outcome {
            Outcome::Changed { changes } => {
                let rest = join(&change::brief(changes), &self.elapsed(envelope, id));
                self.line(envelope, Hue::Good, "changed", id, &rest);
            }
            Outcome::Failed { error } => {
                if self.phase == Phase::Changing || is_test_run {
                    let elapsed = self.elapsed(envelope, id);
                    self.line(envelope, Hue::Bad, "failed", id, &elapsed);
                }
                self.fail(id, error);
            }
            Outcome::Waiting { .. } => match self.phase {
                Phase::Planning => self.plan.take(envelope),
                Phase::Changing if !self.plan.says_waiting(id) => self.later.take(envelope),
                Phase::Changing => {}
            },
            Outcome::Skipped { because } => {
                self.skipped.entry(because.clone()).or_default().insert(id.clone());
            }
            Outcome::InSync if id.kind == "test" && (is_test_run || self.style.verbose) => {
                let elapsed = self.elapsed(envelope, id);
                self.line(envelope, Hue::Good, "passed", id, &elapsed);
            }
            Outcome::InSync | Outcome::Differs { .. } => {}
        }
    }

    /// Keeps a failure until the end; one that a plan found and an apply met again is one.
    fn fail(&mut self, id: &Id, error: &Error) {
        self.failures.iter_mut().for_each(|(ids, _)| ids.retain(|other| other != id));
        self.failures.retain(|(ids, _)| !ids.is_empty());
        match self.failures.iter_mut().find(|(_, other)| other == error) {
            Some((ids, _)) => ids.push(id.clone()),
            None => self.failures.push((vec![id.clone()], error.clone())),
        }
    }

    fn elapsed(&mut self, envelope: &Envelope, id: &Id) -> String {
        let since = self.since.remove(id);
        let seconds = parse_rfc3339(&envelope.time).zip(since).and_then(|(now, since)| now.duration_since(since).ok());
        match seconds.map(|seconds| seconds.as_secs_f64()) {
            Some(seconds) if seconds >= 0.05 => format!("{seconds:.1} s"),
            _ => String::new(),
        }
    }

    fn end(&mut self, envelope: &Envelope, ended: &Ended) {
        let command = self.started.command.clone();
        let mut text = String::new();
        if self.phase == Phase::Planning {
            if self.plan.is_empty() && command == "apply" {
                text.push_str(&self.waiting());
            } else {
                text.push_str(&self.plan.text(self.style));
            }
            text.push_str(&self.capacity);
        }
        text.push_str(&self.later.text(self.style));
        for (ids, error) in &self.failures {
            let untried = ids.iter().filter_map(|id| self.skipped.get(&format!("{id} failed")));
            let untried = untried.map(BTreeSet::len).sum();
            text.push_str(&failed_text(&named(ids), error, untried, self.style));
        }
        text.push_str(&summary::summary(&command, &envelope.run, ended, self.plan.labels()));
        text.push('\n');
        self.write(&text);
    }

    /// Returns lines that name what waits and what the recipe no longer has, where nothing else is to be said.
    fn waiting(&self) -> String {
        let line = |what: &str, names: &[String], hint: &str| {
            if names.is_empty() {
                return String::new();
            }
            let hint = format!(" · `provision plan {}` {hint}", shell_word(&self.recipe));
            let room = self.style.width.saturating_sub(columns(&hint) + columns(what) + 1);
            format!("{} {}{hint}\n", self.style.paint(Hue::Look, what), cut(&names.join(", "), room))
        };
        let waiting = line("waiting:", &self.plan.waiting(), "says what to do");
        waiting + &line("orphans:", &self.plan.orphans(), "says what they are")
    }
}

impl<W: Write + Send> Reporter for Lines<W> {
    fn event(&mut self, envelope: &Envelope) {
        match &envelope.event {
            Event::Started(started) => {
                self.started = started.clone();
                self.plan.take(envelope);
                if !started.file.is_empty() {
                    let name = self.style.paint(Hue::Strong, &started.recipe);
                    self.write(&format!("{name} from {}\n", started.file));
                }
            }
            Event::LaneStarted => {
                let width = envelope.lane.as_deref().map_or(0, columns);
                self.lane_width = self.lane_width.max(width);
                if self.phase == Phase::Planning {
                    self.plan.take(envelope);
                }
            }
            Event::LaneEnded { .. } | Event::Planned { .. } | Event::Orphan { .. } | Event::Behind { .. } => {
                if self.phase == Phase::Planning {
                    self.plan.take(envelope);
                }
            }
            Event::Remark { id, remark } => match self.phase {
                Phase::Planning => self.plan.take(envelope),
                Phase::Changing if self.style.verbose => self.line(envelope, Hue::Faint, "note", id, &remark.text),
                Phase::Changing if self.plan.has_not_foreseen(id, &remark.text) => self.later.take(envelope),
                Phase::Changing => {}
            },
            Event::PlanEnded => {
                self.phase = Phase::Changing;
                let text = self.plan.text(self.style);
                let sums = summary::differing(&self.started.command, self.plan.labels());
                let table = std::mem::take(&mut self.capacity);
                self.write(&format!("{text}{table}{sums}\n"));
            }
            Event::Checking { ids } => {
                if let Some(now) = parse_rfc3339(&envelope.time) {
                    self.since.extend(ids.iter().map(|id| (id.clone(), now)));
                }
            }
            Event::Applying { .. } => self.phase = Phase::Changing,
            Event::Finished { id, outcome, .. } => self.finished(envelope, id, outcome),
            Event::Said { id, text } => {
                for said in text.lines() {
                    self.line(envelope, Hue::Faint, "says", id, said);
                }
            }
            Event::Capacity(capacity) => self.capacity = capacity::table(capacity, self.style),
            Event::Warned { text } => {
                let head = self.style.paint(Hue::Look, "warning:");
                self.write(&format!("{head} {text}\n"));
            }
            Event::Unexpected { expected, planned, differences } => {
                let text = unexpected::text(expected, planned, differences.as_deref(), self.style);
                self.write(&text);
            }
            Event::Ended(ended) => self.end(envelope, ended),
            Event::Identified { .. }
            | Event::Unmade { .. }
            | Event::Acked { .. }
            | Event::Asked { .. }
            | Event::Held { .. }
            | Event::Printed { .. }
            | Event::Unknown => {}
        }
    }
}

fn join(a: &str, b: &str) -> String {
    if a.is_empty() || b.is_empty() { format!("{a}{b}") } else { format!("{a}  {b}") }
}

fn named(ids: &[Id]) -> String {
    let mut names: Vec<String> = ids.iter().take(NAMED).map(Id::to_string).collect();
    if ids.len() > NAMED {
        names.push(format!("{} more", ids.len() - NAMED));
    }
    names.join(", ")
}
