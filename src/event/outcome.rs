//! How names end, and how many ended how.
use crate::error::Error;
use crate::resource::Change;
use serde::{Deserialize, Serialize};

/// How a name ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// As asked, nothing done.
    InSync,
    /// Changed, and checked again.
    Changed {
        /// What was changed.
        changes: Vec<Change>,
    },
    /// Waits for a person.
    Waiting {
        /// Why.
        because: String,
        /// What a person does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
    /// Failed.
    Failed {
        /// Why.
        error: Error,
    },
    /// Not tried, because of something else.
    Skipped {
        /// Because of what.
        because: String,
    },
    /// Differs, in a mode that only looks.
    Differs {
        /// Why.
        label: Label,
    },
}

/// Why something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// It never held.
    New,
    /// The recipe changed since it held.
    Edit,
    /// The machine changed since it held.
    Drift,
    /// Nothing asks for it any more: in `destroy`, or with `--prune`.
    Orphan,
}

/// How many names ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Counts {
    /// As asked, nothing done.
    pub in_sync: usize,
    /// Changed, and checked again; in a mode that only looks: differ.
    pub changed: usize,
    /// Wait for a person.
    pub waiting: usize,
    /// Failed.
    pub failed: usize,
    /// Failed tests, which end nothing.
    pub failed_tests: usize,
    /// Not tried.
    pub skipped: usize,
    /// Tests that an apply would run.
    pub due: usize,
}

impl Counts {
    /// Counts how a name of that kind ended.
    pub fn count(&mut self, kind: &str, outcome: &Outcome) {
        let count = match outcome {
            Outcome::InSync => &mut self.in_sync,
            Outcome::Changed { .. } | Outcome::Differs { .. } => &mut self.changed,
            Outcome::Waiting { .. } => &mut self.waiting,
            Outcome::Failed { .. } if kind == "test" => &mut self.failed_tests,
            Outcome::Failed { .. } => &mut self.failed,
            Outcome::Skipped { .. } => &mut self.skipped,
        };
        *count += 1;
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.in_sync += other.in_sync;
        self.changed += other.changed;
        self.waiting += other.waiting;
        self.failed += other.failed;
        self.failed_tests += other.failed_tests;
        self.skipped += other.skipped;
        self.due += other.due;
    }
}
