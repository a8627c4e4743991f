//! An `Item`: a resource with what is common to all kinds. It crosses the pipe to a container as a `JobItem`.
use crate::error::{Error, Result};
use crate::id::{Id, Machine};
use crate::resource::{Fields, Resource, Thing, Want, kind, occupied, stands_on};
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
    /// For that nobody needs a secret, or the login of a URL.
    pub fn remembered(&self) -> Option<Fields> {
        let (job, kind) = (&self.job, kind(&self.job.kind)?);
        if changes_nothing(kind.header) {
            return None;
        }
        let stays = |field: &str, value: &serde_json::Value| kind.required.contains(&field) || is_short(value);
        let fields = job.fields.as_object()?.iter().filter(|(field, _)| *field != kind.name);
        // A long text is not even copied; what is not text may become short without its secrets.
        let fields = fields.filter(|(field, value)| !value.is_string() || stays(field, value));
        let mut fields: Fields = fields.map(|(field, value)| (field.clone(), value.clone())).collect();
        job.secret.iter().for_each(|path| forget(&mut fields, path));
        fields.retain(|field, value| value.is_string() || stays(field, value));
        fields.values_mut().for_each(forget_logins);
        Some(fields)
    }

    /// Returns what of its machine it has, and by which id; nothing, where that should not be there.
    pub fn has(&self) -> Vec<(Id, Thing)> {
        let ids = if self.job.want == Want::Present { self.ids() } else { Vec::new() };
        let has = |id: Id| occupied(&id, &self.job.fields).into_iter().map(move |thing| (id.clone(), thing));
        ids.into_iter().flat_map(has).collect()
    }

    /// Returns what of its machine stays as long as a recipe has this, and by which id: what it has, and what it stands on.
    pub fn keeps(&self) -> Vec<(Id, Thing)> {
        let ids = if self.job.want == Want::Present { self.ids() } else { Vec::new() };
        let stands_on = |id: Id| stands_on(&id, &self.job.fields).into_iter().map(move |thing| (id.clone(), thing));
        self.has().into_iter().chain(ids.into_iter().flat_map(stands_on)).collect()
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

/// Returns whether a value is short enough, as JSON, to be kept in the ledger. A byte of text takes six at most.
fn is_short(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) if text.len() < LONGEST / 6 => true,
        serde_json::Value::String(text) if text.len() > LONGEST => false,
        value => value.to_string().len() <= LONGEST,
    }
}

/// Takes the logins out of all URLs.
fn forget_logins(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = without_login(text),
        serde_json::Value::Array(values) => values.iter_mut().for_each(forget_logins),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(forget_logins),
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
