//! A cell of the checklist: how a resource is, and the worst of several.
use super::style::Hue;

/// How a resource is; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
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
pub(super) struct Mark {
    /// The row; one of its own where it has none.
    pub(super) phase: Option<String>,
    /// The column.
    pub(super) lane: Option<String>,
    /// How it is.
    pub(super) cell: Cell,
}

impl Cell {
    /// All, in the order in which they are counted.
    pub(super) const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Drifted, Self::Waiting, Self::NotYet];

    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Done => "✓",
            Self::NotYet => "·",
            Self::Waiting => "!",
            Self::Drifted => "~",
            Self::Failed => "✗",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotYet => "not yet",
            Self::Waiting => "waiting",
            Self::Drifted => "drifted",
            Self::Failed => "failed",
        }
    }

    pub(super) fn hue(self) -> Hue {
        match self {
            Self::Done => Hue::Good,
            Self::NotYet => Hue::Faint,
            Self::Waiting | Self::Drifted => Hue::Look,
            Self::Failed => Hue::Bad,
        }
    }
}

/// Returns the worst cell, with a count where there are several: `✓ 14`, `~ 2/14`.
pub(super) fn worst(cells: &[Cell]) -> (Cell, String) {
    let worst = cells.iter().copied().max().unwrap_or(Cell::Done);
    let same = cells.iter().filter(|cell| **cell == worst).count();
    let text = match (same, cells.len()) {
        (_, 1) => worst.sign().to_owned(),
        (same, all) if same == all => format!("{} {all}", worst.sign()),
        (same, all) => format!("{} {same}/{all}", worst.sign()),
    };
    (worst, text)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
