//! The checklist: phases × lanes, from the machine. A cell is the worst of its resources.
use super::failure::failed_text;
use super::plan::Plan;
use super::style::{Hue, Style, columns};
use super::{Reporter, summary};
use crate::error::Error;
use crate::event::{Ended, Envelope, Event, Label, Outcome, Started};
use crate::id::Id;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// How a resource is; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// As asked.
    Done,
    /// It never was, or the recipe asks for something else now.
    NotYet,
    /// It waits for a person.
    Waiting,
    /// It was as asked, and the machine changed since.
    Drifted,
    /// Its check or test errs, or its last outcome was a failure and it still differs.
    Failed,
}

/// A resource on the checklist: its phase, its lane (`None`: in none), how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The row; one of its own where it has none.
    pub phase: Option<String>,
    /// The column.
    pub lane: Option<String>,
    /// How it is.
    pub cell: Cell,
}

const ALL: [Cell; 5] = [Cell::Done, Cell::Failed, Cell::Drifted, Cell::Waiting, Cell::NotYet];
/// What stands for the phase of resources that have none.
const NO_PHASE: &str = "(no phase)";
/// Between columns.
const GAP: usize = 2;

impl Cell {
    fn sign(self) -> &'static str {
        match self {
            Self::Done => "✓",
            Self::NotYet => "·",
            Self::Waiting => "!",
            Self::Drifted => "~",
            Self::Failed => "✗",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotYet => "not yet",
            Self::Waiting => "waiting",
            Self::Drifted => "drifted",
            Self::Failed => "failed",
        }
    }

    fn hue(self) -> Hue {
        match self {
            Self::Done => Hue::Good,
            Self::NotYet => Hue::Faint,
            Self::Waiting | Self::Drifted => Hue::Look,
            Self::Failed => Hue::Bad,
        }
    }
}

/// Returns the checklist as text: a row a phase, a column a lane and one for what is in none; columns that do not fit into
/// the width go below.
pub fn checklist(phases: &[String], lanes: &[String], marks: &[Mark], style: Style) -> String {
    let mut cells: BTreeMap<(&str, Option<&str>), Vec<Cell>> = BTreeMap::new();
    for mark in marks {
        let phase = mark.phase.as_deref().unwrap_or(NO_PHASE);
        cells.entry((phase, mark.lane.as_deref())).or_default().push(mark.cell);
    }
    let mut rows: Vec<&str> = phases.iter().map(String::as_str).collect();
    for mark in marks {
        let phase = mark.phase.as_deref().unwrap_or(NO_PHASE);
        if !rows.contains(&phase) {
            rows.push(phase);
        }
    }
    let outside = lanes.is_empty() || marks.iter().any(|mark| mark.lane.is_none());
    let names = outside.then_some(None).into_iter().chain(lanes.iter().map(|lane| Some(lane.as_str())));
    let table: Vec<Column<'_>> = names
        .map(|lane| Column {
            head: lane.unwrap_or("host"),
            cells: rows.iter().map(|row| cells.get(&(*row, lane)).map(|cells| worst(cells))).collect(),
        })
        .collect();
    let left = rows.iter().map(|row| columns(row)).max().unwrap_or_default();
    let blocks = blocks(&table, style.width.saturating_sub(left));
    let blocks: Vec<String> = blocks.iter().map(|block| block_text(&rows, block, left, style)).collect();
    format!("{}\n{}", blocks.join("\n"), legend(marks, style))
}

/// A lane's cells, as text with what they say.
struct Column<'a> {
    head: &'a str,
    cells: Vec<Option<(Cell, String)>>,
}

impl Column<'_> {
    fn width(&self) -> usize {
        let cells = self.cells.iter().flatten().map(|(_, text)| columns(text));
        cells.max().unwrap_or_default().max(columns(self.head))
    }
}

/// Returns the worst cell, with a count where there are several: `✓ 14`, `~ 2/14`.
fn worst(cells: &[Cell]) -> (Cell, String) {
    let worst = cells.iter().copied().max().unwrap_or(Cell::Done);
    let same = cells.iter().filter(|cell| **cell == worst).count();
    let text = match (same, cells.len()) {
        (_, 1) => worst.sign().to_owned(),
        (same, all) if same == all => format!("{} {all}", worst.sign()),
        (same, all) => format!("{} {same}/{all}", worst.sign()),
    };
    (worst, text)
}

/// Returns the columns in blocks that fit into the width beside the phases; at least one in each.
fn blocks<'t, 'a>(table: &'t [Column<'a>], width: usize) -> Vec<Vec<&'t Column<'a>>> {
    let mut blocks: Vec<Vec<&Column<'_>>> = Vec::new();
    let mut room = 0;
    for column in table {
        let needed = GAP + column.width();
        match blocks.last_mut() {
            Some(block) if needed <= room => {
                block.push(column);
                room -= needed;
            }
            _ => {
                blocks.push(vec![column]);
                room = width.saturating_sub(needed);
            }
        }
    }
    blocks
}

fn block_text(rows: &[&str], block: &[&Column<'_>], left: usize, style: Style) -> String {
    let heads: Vec<(Option<Hue>, &str)> = block.iter().map(|column| (Some(Hue::Strong), column.head)).collect();
    let mut text = row_text("", &heads, block, left, style);
    for (number, row) in rows.iter().enumerate() {
        let cells = block.iter().map(|column| match &column.cells[number] {
            Some((cell, text)) => (Some(cell.hue()), text.as_str()),
            None => (None, ""),
        });
        text.push_str(&row_text(row, &cells.collect::<Vec<_>>(), block, left, style));
    }
    text
}

fn row_text(head: &str, cells: &[(Option<Hue>, &str)], block: &[&Column<'_>], left: usize, style: Style) -> String {
    let mut text = head.to_owned();
    let mut at = columns(head);
    let mut from = left;
    for ((hue, cell), column) in cells.iter().zip(block) {
        from += GAP;
        if !cell.is_empty() {
            text.extend(std::iter::repeat_n(' ', from - at));
            text.push_str(&hue.map_or_else(|| (*cell).to_owned(), |hue| style.paint(hue, cell)));
            at = from + columns(cell);
        }
        from += column.width();
    }
    text.push('\n');
    text
}

fn legend(marks: &[Mark], style: Style) -> String {
    let parts = ALL.iter().filter_map(|cell| {
        let count = marks.iter().filter(|mark| mark.cell == *cell).count();
        (count > 0).then(|| format!("{} {count} {}", style.paint(cell.hue(), cell.sign()), cell.word()))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join("  ")) }
}

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
        let labels = super::Labels::default();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(of: &[(&str, Option<&str>, &[Cell])]) -> Vec<Mark> {
        let each = of.iter().flat_map(|(phase, lane, cells)| {
            cells.iter().map(|cell| Mark {
                phase: Some((*phase).to_owned()),
                lane: lane.map(str::to_owned),
                cell: *cell,
            })
        });
        each.collect()
    }

    fn names(of: &[&str]) -> Vec<String> {
        of.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_cell_is_the_worst_of_its_resources_with_a_count_where_there_are_several() {
        use Cell::{Done, Drifted, Failed, NotYet, Waiting};
        for (cells, expected) in [
            (&[Done][..], "✓"),
            (&[Done, Done, Done], "✓ 3"),
            (&[Done, NotYet, NotYet], "· 2/3"),
            (&[NotYet, Waiting, Done], "! 1/3"),
            (&[Waiting, Drifted, NotYet], "~ 1/3"),
            (&[Drifted, Failed], "✗ 1/2"),
            (&[Failed, Failed], "✗ 2"),
        ] {
            assert_eq!(worst(cells).1, expected);
        }
    }

    #[test]
    fn phases_stand_at_the_side_and_lanes_on_top() {
        use Cell::{Done, Drifted, NotYet, Waiting};
        let marks = marks(&[
            ("M365 Account", Some("CT201"), &[Waiting]),
            ("M365 Account", Some("CT202"), &[Done]),
            ("Base Config", Some("CT201"), &[Done, Done, Drifted]),
            ("Base Config", Some("CT202"), &[Done, Done, Done]),
            ("Signal Dir", None, &[Done, Done]),
            ("Test Signal", Some("CT202"), &[NotYet]),
        ]);
        let phases = names(&["M365 Account", "LXC Created", "Base Config", "Signal Dir", "Test Signal"]);
        let text = checklist(&phases, &names(&["CT201", "CT202"]), &marks, Style::plain());
        let expected = "
              host  CT201  CT202
M365 Account        !      ✓
LXC Created
Base Config         ~ 1/3  ✓ 3
Signal Dir    ✓ 2
Test Signal                ·

✓ 8 done  ~ 1 drifted  ! 1 waiting  · 1 not yet
";
        assert_eq!(format!("\n{text}"), expected);
    }

    #[test]
    fn seven_lanes_fit_into_a_hundred_columns_whatever_is_in_them() {
        let lanes: Vec<String> = (201..=207).map(|id| format!("CT{id}")).collect();
        let worst = [vec![Cell::Done; 30], vec![Cell::Failed; 12]].concat();
        let of: Vec<(&str, Option<&str>, &[Cell])> = [None]
            .into_iter()
            .chain(lanes.iter().map(|lane| Some(lane.as_str())))
            .map(|lane| ("Services Running", lane, worst.as_slice()))
            .collect();
        let text = checklist(&names(&["Services Running"]), &lanes, &marks(&of), Style::plain());
        let expected = "
                  host     CT201    CT202    CT203    CT204    CT205    CT206    CT207
Services Running  ✗ 12/42  ✗ 12/42  ✗ 12/42  ✗ 12/42  ✗ 12/42  ✗ 12/42  ✗ 12/42  ✗ 12/42

✓ 240 done  ✗ 96 failed
";
        assert_eq!(format!("\n{text}"), expected);
    }

    #[test]
    fn columns_that_do_not_fit_go_below() {
        let marks = marks(&[
            ("Base", Some("CT201"), &[Cell::Done]),
            ("Base", Some("CT202"), &[Cell::Failed]),
            ("Base", Some("CT203"), &[Cell::Done]),
        ]);
        let style = Style { width: 18, ..Style::plain() };
        let text = checklist(&names(&["Base"]), &names(&["CT201", "CT202", "CT203"]), &marks, style);
        let expected = "
      CT201  CT202
Base  ✓      ✗

      CT203
Base  ✓

✓ 2 done  ✗ 1 failed
";
        assert_eq!(format!("\n{text}"), expected);
    }

    #[test]
    fn a_resource_without_a_phase_is_not_lost() {
        let marks = [Mark { phase: None, lane: None, cell: Cell::Drifted }];
        let text = checklist(&names(&["Base"]), &[], &marks, Style::plain());
        assert_eq!(format!("\n{text}"), "\n            host\nBase\n(no phase)  ~\n\n~ 1 drifted\n");
    }

    #[test]
    fn colors_do_not_move_columns() {
        let marks = marks(&[("Base", Some("CT201"), &[Cell::Done]), ("Base", Some("CT202"), &[Cell::Failed])]);
        let lanes = names(&["CT201", "CT202"]);
        let plain = checklist(&names(&["Base"]), &lanes, &marks, Style::plain());
        let colored = checklist(&names(&["Base"]), &lanes, &marks, Style { color: true, ..Style::plain() });
        let mut stripped = colored.clone();
        for code in ["1", "2", "31", "32", "33", "0"] {
            stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_ne!(colored, plain);
        assert_eq!(stripped, plain);
    }
}
