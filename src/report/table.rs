//! The table of a checklist: phases × lanes. A cell is the worst of its resources.
use super::cell::{Cell, Mark, worst};
use super::style::{Hue, Style, columns};
use std::collections::BTreeMap;

/// What stands for the phase of resources that have none.
const NO_PHASE: &str = "(no phase)";
/// Between columns.
const GAP: usize = 2;

/// Returns the checklist as text: a row a phase, a column a lane and one for what is in none; columns that do not fit into
/// the width go below.
pub(super) fn checklist(phases: &[String], lanes: &[String], marks: &[Mark], style: Style) -> String {
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
    let parts = Cell::ALL.iter().filter_map(|cell| {
        let count = marks.iter().filter(|mark| mark.cell == *cell).count();
        (count > 0).then(|| format!("{} {count} {}", style.paint(cell.hue(), cell.sign()), cell.word()))
    });
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join("  ")) }
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
