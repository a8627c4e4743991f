//! Events: what a run says, as data. `Started` is the first of a run, `Ended` the last; an unknown one is passed over.
use crate::error::{Error, Result};
use crate::id::Id;
use crate::resource::{Change, Remark};
use serde::{Deserialize, Serialize};

/// What happens in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A resource is being looked at.
    Checking {
        /// Its names.
        ids: Vec<Id>,
    },
    /// A difference that `plan` found.
    Planned {
        /// What differs.
        id: Id,
        /// Why it differs.
        label: Label,
        /// Field by field.
        changes: Vec<Change>,
        /// The step may change what it doesn't name.
        #[serde(default)]
        opaque: bool,
        /// The row of the checklist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
    },
    /// A step is about to be made. On disk before the change.
    Applying {
        /// The names that it changes.
        ids: Vec<Id>,
        /// What it changes.
        changes: Vec<Change>,
    },
    /// What became of one name.
    Finished {
        /// Which.
        id: Id,
        /// How it ended.
        outcome: Outcome,
        /// The row of the checklist.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phase: Option<String>,
        /// The digest of the fields that were asked for.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        digest: String,
        /// The thing should be gone rather than there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        absent: bool,
    },
    /// Something to say about a name that is left as it is.
    Remark {
        /// Which.
        id: Id,
        /// What.
        remark: Remark,
    },
    /// What a resource printed for people: a test's `prints`, progress of a long step.
    Said {
        /// Which.
        id: Id,
        /// The text.
        text: String,
    },
    /// An event of a newer peer.
    #[serde(other)]
    Unknown,
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
}

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

/// Where events go. `emit` returns only once the ledger holds what it must hold.
pub trait Sink: Send + Sync {
    /// Records, then reports. An error stops the run before the change that was announced.
    fn emit(&self, event: Event) -> Result<()>;
    /// Returns whether the run is asked to end after the step that is running.
    fn interrupted(&self) -> bool {
        false
    }
}
