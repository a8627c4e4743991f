//! Events: what a run says, as data. `Started` is the first of a run, `Ended` the last; an unknown one is passed over.
mod outcome;

pub use outcome::{Counts, Label, Outcome};

use crate::approval::Difference;
use crate::capacity::Capacity;
use crate::error::Result;
use crate::id::{Id, Machine};
use crate::resource::{Ack, Change, Fields, Remark};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of an event's form, in every envelope.
pub const VERSION: u32 = 1;

/// An event with where and when it happened: a line of `--json`, and of the ledger without its chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of this form.
    pub v: u32,
    /// The reference of the run; empty in commands that only read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// Counts the events of the run from 1.
    pub seq: u64,
    /// RFC 3339, UTC, to the millisecond.
    pub time: String,
    /// The lane; `None`: outside any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happens in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The first event of a run.
    Started(Started),
    /// A lane begins, or goes on after a barrier.
    LaneStarted,
    /// A lane has come to its end, or to a barrier.
    LaneEnded {
        /// How long it took since it started.
        seconds: f64,
        /// The first resource that was not tried, because the run was interrupted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<Id>,
    },
    /// All that differs and waits has been said, nothing has been changed yet: from here on it is. Not where nothing will be.
    PlanEnded,
    /// The plan is not the one that `--expect` names: nothing is changed.
    Unexpected {
        /// The digest that was given.
        expected: String,
        /// That of the plan.
        planned: String,
        /// What differs; `None`: what was expected is not known any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        differences: Option<Vec<Difference>>,
    },
    /// From here on, claims on this machine belong to the machine with this identity; those of another one are void.
    Identified {
        /// Which.
        machine: Machine,
        /// The host's machine-id, or a container's MAC.
        identity: String,
    },
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
    /// In a plan: these are in sync, or cannot be seen yet, and are checked again once `after` is done.
    Behind {
        /// An opaque step, or the container in which they are.
        after: Id,
        /// Which.
        ids: Vec<Id>,
    },
    /// In a plan: the recipe made this once and no longer has it. `--prune` takes it away.
    Orphan {
        /// Which.
        id: Id,
        /// What `--prune` does; nothing where it stays all the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changes: Vec<Change>,
        /// Why it stays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<String>,
        /// What a person does about that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remedy: Option<String>,
    },
    /// In the ledger alone, before the first change of a thing and after a recipe that asks for something else: what is asked
    /// for, so that it can be taken away when no recipe has it any more.
    Asked {
        /// The fields without the name, without secrets and without what is large.
        asked: BTreeMap<Id, Fields>,
    },
    /// A step is about to be made. On disk before the change.
    Applying {
        /// The names that it changes.
        ids: Vec<Id>,
        /// What it changes.
        changes: Vec<Change>,
        /// The thing should be gone rather than there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        absent: bool,
    },
    /// A step failed, and a check after it found that these, which it was to make, are not there: they are not ours.
    Unmade {
        /// Which.
        ids: Vec<Id>,
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
    /// What was found in sync, before the first change and before a base is done, so that a run that is killed has not
    /// forgotten it.
    Held {
        /// The digests of the fields that were asked for.
        held: BTreeMap<Id, String>,
    },
    /// What a resource printed for people: a test's `prints`, progress of a long step.
    Said {
        /// Which.
        id: Id,
        /// The text.
        text: String,
    },
    /// What a program printed in a step. Of a resource that was given a secret there is none.
    Printed {
        /// What the step changes.
        id: Id,
        /// The program and its arguments.
        program: String,
        /// Its exit code.
        code: i32,
        /// The last of what it printed.
        text: String,
    },
    /// At the end of a plan that makes or changes containers: what all of the recipe may take, beside what the host has.
    Capacity(Capacity),
    /// Something to say about the run as a whole: a ledger whose torn end was cut off.
    Warned {
        /// The text.
        text: String,
    },
    /// A person says that a gate is passed.
    Acked {
        /// The gate.
        id: Id,
        /// Who, when, and what they say.
        ack: Ack,
    },
    /// The last event of a run.
    Ended(Ended),
    /// An event of a newer peer.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// Returns whether it is one that the agent in a machine may send, and speaks of that machine alone.
    pub fn is_of(&self, machine: Machine) -> bool {
        let here = |id: &Id| id.machine == machine;
        match self {
            Event::Checking { ids }
            | Event::Unmade { ids }
            | Event::Applying { ids, .. }
            | Event::Behind { ids, .. } => ids.iter().all(here),
            Event::Planned { id, .. }
            | Event::Finished { id, .. }
            | Event::Remark { id, .. }
            | Event::Said { id, .. }
            | Event::Printed { id, .. } => here(id),
            Event::Unknown => true,
            Event::Started(_)
            | Event::LaneStarted
            | Event::LaneEnded { .. }
            | Event::PlanEnded
            | Event::Unexpected { .. }
            | Event::Orphan { .. }
            | Event::Asked { .. }
            | Event::Held { .. }
            | Event::Identified { .. }
            | Event::Capacity(_)
            | Event::Warned { .. }
            | Event::Acked { .. }
            | Event::Ended(_) => false,
        }
    }
}

/// What was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The `name` of the recipe.
    pub recipe: String,
    /// Where it was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The command: `apply`, `destroy`, `ack`.
    pub command: String,
    /// The version of `provision`.
    pub version: String,
    /// Who ran it: the user behind sudo, or the one whose process it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
    /// The variables that `--var` gave it; what is or may be a secret reads `(secret)`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The exit code.
    pub exit: i32,
    /// How long it took.
    pub seconds: f64,
    /// How many names ended how.
    pub counts: Counts,
    /// What was started, where no line of its own says so: in the ledger, in a run that changed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Started>,
    /// In sync with a digest that the ledger did not know: later drift is told from new by it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<Id, String>,
    /// In the ledger alone: what is asked for of things that are ours, where the ledger did not know it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<Id, Fields>,
    /// Tests that passed with a digest that the ledger did not know, or again since something in their lane changed: by
    /// lane (empty: outside any), then by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub passed: BTreeMap<String, BTreeMap<Id, String>>,
    /// The digest of all changes of the plan; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plan: String,
    /// What waits for a person.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub waiting: BTreeSet<Id>,
    /// The identities of machines that the ledger did not know.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub identities: BTreeMap<Machine, String>,
    /// The hash of the ledger's last line, which is this one; so it is not in the ledger itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub head: String,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn envelope(event: Event) -> Envelope {
        let (run, time) = ("PROVISION-APPLY20261120-001".to_owned(), "2026-11-20T12:00:00.000Z".to_owned());
        Envelope { v: VERSION, run, seq: 1, time, lane: Some("CT201".into()), event }
    }

    #[test]
    fn every_shape_of_event_comes_back_as_it_was() {
        let id: Id = "201/package:git".parse().unwrap();
        let ended = Ended {
            held: [(id.clone(), "d1".to_owned())].into(),
            identities: [(Machine::Container(201), "aa:bb".to_owned())].into(),
            ..Ended::default()
        };
        for event in [
            Event::Started(Started { recipe: "eidolons".into(), ..Started::default() }),
            Event::LaneStarted,
            Event::LaneEnded { seconds: 1.5, stopped: None },
            Event::PlanEnded,
            Event::Applying { ids: vec![id.clone()], changes: vec![Change::made("git", "2.39")], absent: false },
            Event::Finished {
                id,
                outcome: Outcome::Failed { error: Error::new("running `apt-get`") },
                phase: None,
                digest: "d".into(),
                absent: false,
            },
            Event::Ended(ended),
        ] {
            let sent = envelope(event);
            let text = serde_json::to_string(&sent).unwrap();
            assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), sent, "{text}");
        }
    }

    #[test]
    fn an_event_of_a_newer_peer_is_unknown_and_no_error() {
        let text = r#"{"v":1,"seq":9,"time":"2026-11-20T12:00:00.000Z","event":"levitated","height":3}"#;
        assert_eq!(serde_json::from_str::<Envelope>(text).unwrap().event, Event::Unknown);
    }
}
