//! An `Item`: a resource with what is common to all kinds. It crosses the pipe to a container as a `JobItem`.
use crate::error::{Error, Result};
use crate::id::{Id, Machine};
use crate::resource::{Resource, Want, kind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// A resource as the engine sees it.
#[derive(Debug)]
pub struct Item {
    /// What crosses the pipe.
    pub job: JobItem,
    /// The fields, parsed.
    pub resource: Box<dyn Resource>,
}

/// The rendered fields of a resource, the common keys, the bytes of `source` and the marks of what is secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobItem {
    /// The machine on which it is.
    pub machine: Machine,
    /// The table header.
    pub kind: String,
    /// The rendered fields without the common keys.
    pub fields: serde_json::Value,
    /// A row of the checklist.
    #[serde(default)]
    pub phase: Option<String>,
    /// The name of the gate for which it waits.
    #[serde(default)]
    pub gate: Option<String>,
    /// Whether it should be there.
    #[serde(default)]
    pub want: Want,
    /// How long its programs may take.
    pub timeout: Duration,
    /// How often a failed step is tried again.
    #[serde(default)]
    pub retries: u32,
    /// The bytes of `source`.
    #[serde(default)]
    pub source: Option<Vec<u8>>,
    /// The fields that hold a secret.
    #[serde(default)]
    pub secret: BTreeSet<String>,
    /// The fields whose secret is not at hand.
    #[serde(default)]
    pub unknown: BTreeSet<String>,
    /// The keyed digest of the fields without the name: tells an edit from drift.
    #[serde(default)]
    pub digest: String,
    /// `file:line` of its table, for messages.
    #[serde(default)]
    pub place: String,
}

impl Item {
    /// Parses what came over the pipe.
    pub fn receive(job: JobItem) -> Result<Self> {
        let Some(kind) = kind(&job.kind) else {
            return Err(Error::new(format!("reading a job: unknown kind `{}`", job.kind)));
        };
        let resource = kind
            .from_json(&job.fields)
            .map_err(|error| Error::new(format!("reading a job: the fields of a {}", job.kind)).because(&error))?;
        Ok(Self { job, resource })
    }

    /// Returns the ids of its names.
    pub fn ids(&self) -> Vec<Id> {
        let id = |name| Id::new(self.job.machine, &self.job.kind, name);
        self.resource.names().into_iter().map(id).collect()
    }
}
