//! An `Item`: a resource with what is common to all kinds. It crosses the pipe to a container as a `JobItem`.
use crate::error::{Error, Result};
use crate::id::{Id, Machine};
use crate::resource::{Fields, Resource, Thing, Want, kind, occupied};
use crate::system::without_login;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the programs of a resource may take unless it says otherwise.
pub const TIMEOUT: Duration = Duration::from_mins(10);
/// A longer value is not remembered.
const LONGEST: usize = 1024;

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

    /// Returns what no recipe has any more, to be taken away: by what was `remembered` of it.
    pub fn left(id: &Id, mut fields: Fields) -> Result<Self> {
        let name = kind(&id.kind).map_or("name", |kind| kind.name);
        fields.insert(name.to_owned(), serde_json::Value::String(id.name.clone()));
        Self::receive(JobItem {
            machine: id.machine,
            kind: id.kind.clone(),
            fields: serde_json::Value::Object(fields),
            phase: None,
            gate: None,
            want: Want::Absent,
            timeout: TIMEOUT,
            retries: 0,
            source: None,
            secret: BTreeSet::new(),
            unknown: BTreeSet::new(),
            digest: String::new(),
            place: String::new(),
        })
    }

    /// Returns what must be known to take it away when no recipe has it any more; `None` where there is nothing to take away.
    pub fn remembered(&self) -> Option<Fields> {
        let (job, kind) = (&self.job, kind(&self.job.kind)?);
        if changes_nothing(kind.header) {
            return None;
        }
        let mut fields = job.fields.as_object()?.clone();
        fields.remove(kind.name);
        job.secret.iter().for_each(|path| forget(&mut fields, path));
        fields.iter_mut().for_each(|(field, value)| hide_login(field, value));
        fields.retain(|field, value| kind.required.contains(&field.as_str()) || value.to_string().len() <= LONGEST);
        Some(fields)
    }

    /// Returns what of its machine it has, and by which id; nothing, where that should not be there.
    pub fn has(&self) -> Vec<(Id, Thing)> {
        let ids = if self.job.want == Want::Present { self.ids() } else { Vec::new() };
        let has = |id: Id| occupied(&id, &self.job.fields).into_iter().map(move |thing| (id.clone(), thing));
        ids.into_iter().flat_map(has).collect()
    }

    /// Returns the ids of its names.
    pub fn ids(&self) -> Vec<Id> {
        let id = |name| Id::new(self.job.machine, &self.job.kind, name);
        self.resource.names().into_iter().map(id).collect()
    }
}

/// Returns whether resources of a kind make nothing that could be taken away.
pub fn changes_nothing(kind: &str) -> bool {
    matches!(kind, "gate" | "test" | "command" | "base")
}

/// Takes the login out of a URL, which may be a token: nothing is fetched to take away what came from there.
fn hide_login(field: &str, value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(url) if matches!(field, "url" | "registry") => *url = without_login(url),
        serde_json::Value::Object(inner) => inner.iter_mut().for_each(|(field, value)| hide_login(field, value)),
        _ => {}
    }
}

/// Takes out a field, dotted below the top.
fn forget(fields: &mut Fields, path: &str) {
    match path.split_once('.') {
        Some((first, rest)) => match fields.get_mut(first) {
            Some(serde_json::Value::Object(inner)) => forget(inner, rest),
            _ => drop(fields.remove(first)),
        },
        None => drop(fields.remove(path)),
    }
}
