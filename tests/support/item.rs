//! An item with the fields that a test gives; the rest is as it is where a recipe does not say it.
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::resource::Want;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Returns a job; its programs may take a minute.
pub fn job(kind: &str, fields: Value) -> JobItem {
    JobItem {
        machine: Machine::Host,
        kind: kind.to_owned(),
        digest: "held".to_owned(),
        fields,
        phase: None,
        gate: None,
        want: Want::Present,
        timeout: Duration::from_mins(1),
        retries: 0,
        source: None,
        secret: BTreeSet::new(),
        unknown: BTreeSet::new(),
        place: String::new(),
    }
}

/// Returns the item of such a job.
pub fn item(kind: &str, fields: Value) -> Item {
    Item::receive(job(kind, fields)).unwrap()
}
