//! What a container's edit does that a case can't say: what needs a person's word beside what needs none.
use crate::support::contract::{apply, run};
use crate::support::fake::FakeMachine;
use crate::support::recorder::Recorder;
use provision::engine::{Course, Mode, Scope, Tally, converge};
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want};
use serde_json::json;
use std::time::Duration;

/// A container of that memory, with nesting or without.
fn container(memory: &str, nesting: bool) -> Vec<Item> {
    let fields = json!({ "id": 202, "hostname": "mike", "template": "debian-12.tar.zst", "memory": memory,
                         "features": { "nesting": nesting } });
    vec![
        Item::receive(JobItem {
            machine: Machine::Host,
            kind: "container".to_owned(),
            digest: fields.to_string(),
            fields,
            phase: None,
            gate: None,
            want: Want::Present,
            timeout: Duration::from_mins(1),
            retries: 0,
            source: None,
            secret: std::collections::BTreeSet::new(),
            unknown: std::collections::BTreeSet::new(),
            place: String::new(),
        })
        .unwrap(),
    ]
}

fn host_with(items: &[Item], known: &mut Known) -> FakeMachine {
    let machine = FakeMachine::debian();
    machine.dir("/var/cache/provision/templates");
    machine.file("/var/cache/provision/templates/debian-12.tar.zst", "template");
    let made = apply(items, known, &machine).unwrap().ends();
    assert!(made.iter().all(|end| end.contains(" remark: ")), "{made:?}");
    machine
}

fn planned(items: &[Item], known: &Known, machine: &FakeMachine) -> Tally {
    let sink = Recorder::default();
    let scope = Scope { mode: Mode::Plan, destroy: false, known, sys: machine, sink: &sink, turn: None, only: &[] };
    converge(items, scope, &mut Course::default()).unwrap()
}

const WAITS: &str =
    "container:202 waiting: features.nesting takes effect at a restart only (run again with `--restart 202`)";

#[test]
fn what_needs_no_word_counts_as_a_change_beside_what_waits() {
    let mut known = Known::default();
    let machine = host_with(&container("512MiB", false), &mut known);
    let edited = container("1GiB", true);
    let tally = planned(&edited, &known, &machine);
    assert_eq!((tally.changed, tally.waiting), (1, 1), "an apply goes on though something waits");
    assert_eq!(apply(&edited, &mut known, &machine).unwrap().ends(), [WAITS]);
    assert_eq!(planned(&edited, &known, &machine).changed, 0);
}

#[test]
fn what_is_turned_off_is_owed_until_a_restart_as_well() {
    let mut known = Known::default();
    let machine = host_with(&container("512MiB", true), &mut known);
    let off = container("512MiB", false);
    assert_eq!(apply(&off, &mut known, &machine).unwrap().ends(), [WAITS]);
    assert_eq!(run(&off, Mode::Plan, &known, &machine).unwrap().ends(), [WAITS], "and it is not forgotten");
}
