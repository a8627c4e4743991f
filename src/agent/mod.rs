//! Both ends of the pipe into a container: one agent a container and run, fed jobs on stdin, answering with events on stdout.
mod far;
mod lock;
mod near;

pub use far::{busy, serve};
pub use lock::{DIRECTORY, lock};
pub use near::{Agent, Launch};

use crate::engine::{Mode, Tally};
use crate::event::Event;
use crate::id::Id;
use crate::item::JobItem;
use crate::resource::Known;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line to the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Order {
    /// Converge these.
    Job(Box<Job>),
    /// The intent is on disk: go on.
    Ack,
    /// End after what is running.
    Stop,
}

/// A line from the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// An earlier one is still at work: what it does.
    Busy(String),
    /// It runs, and holds the lock of its machine.
    Ready,
    /// Something happened. `Applying` waits for an `Ack`.
    Event(Box<Event>),
    /// The job is done.
    Done(Box<Report>),
    /// The job could not be done at all.
    Broken(crate::error::Error),
}

/// A segment of a lane inside one container.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// What the run is for.
    pub mode: Mode,
    /// Everything goes.
    pub destroy: bool,
    /// A new pass begins: nothing is pending from an earlier job.
    pub fresh: bool,
    /// What the ledger and the command line say of this container.
    pub known: Known,
    /// What `--only` names.
    pub only: Vec<String>,
    /// Gates that are not passed.
    pub gates: BTreeMap<String, Id>,
    /// Something changed in the lane before: tests are due.
    pub changed: bool,
    /// What to converge.
    pub items: Vec<JobItem>,
}

/// What came of a job.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// How many names ended how.
    pub tally: Tally,
    /// Gates that are not passed.
    pub gates: BTreeMap<String, Id>,
    /// What ended the lane.
    pub failed: Option<Id>,
    /// Something changed in the lane.
    pub changed: bool,
    /// The first resource that was not tried because the run was interrupted.
    pub stopped: Option<Id>,
}
