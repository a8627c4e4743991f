//! What of a line of the ledger matters for what the lines add up to.
use super::line;
use super::verify::How;
use crate::id::{Id, Machine};
use crate::resource::{Ack, Fields};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What of a line matters here, of whatever event.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) v: u32,
    pub(super) run: String,
    #[serde(default)]
    pub(super) lane: String,
    pub(super) event: String,
    #[serde(default)]
    pub(super) recipe: Option<String>,
    #[serde(default)]
    pub(super) machine: Option<Machine>,
    #[serde(default)]
    pub(super) identity: String,
    #[serde(default)]
    pub(super) ids: Vec<Id>,
    #[serde(default)]
    pub(super) changes: Vec<Intent>,
    #[serde(default)]
    pub(super) id: Option<Id>,
    #[serde(default)]
    pub(super) outcome: Option<Became>,
    #[serde(default)]
    pub(super) digest: String,
    #[serde(default)]
    pub(super) absent: bool,
    #[serde(default)]
    pub(super) ack: Option<Ack>,
    #[serde(default)]
    pub(super) started: Option<Begun>,
    #[serde(default)]
    pub(super) held: BTreeMap<Id, String>,
    #[serde(default)]
    pub(super) passed: BTreeMap<String, BTreeMap<Id, String>>,
    #[serde(default)]
    pub(super) identities: BTreeMap<Machine, String>,
    #[serde(default)]
    pub(super) asked: BTreeMap<Id, Fields>,
}

#[derive(Deserialize)]
pub(super) struct Intent {
    pub(super) name: String,
    pub(super) field: String,
    #[serde(default)]
    pub(super) from: Option<String>,
    #[serde(default)]
    pub(super) to: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Became {
    pub(super) outcome: String,
}

#[derive(Deserialize)]
pub(super) struct Begun {
    pub(super) recipe: String,
}

impl Entry {
    /// Reads a line; the error says why it can't be read.
    pub(super) fn read(content: &[u8]) -> Result<Self, How> {
        let Ok(entry) = serde_json::from_slice::<Entry>(content) else {
            #[derive(Deserialize)]
            struct Version {
                v: u32,
            }
            let newer = serde_json::from_slice::<Version>(content).ok().filter(|version| version.v > line::VERSION);
            return Err(newer.map_or(How::Unreadable, |version| How::Newer(version.v)));
        };
        if entry.v > line::VERSION {
            return Err(How::Newer(entry.v));
        }
        Ok(entry)
    }
}
