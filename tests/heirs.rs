//! Orphans that are no loss: what an earlier form of a recipe made, and this one has by another id or as part of another kind.
use crate::support::contract::apply;
use crate::support::fake::FakeMachine;
use crate::support::item::item;
use crate::support::recorder::Recorder;
use provision::engine::{Course, Mode, Scope, Tally, converge};
use provision::item::Item;
use provision::resource::Known;
use provision::system::System;
use serde_json::{Value, json};
use std::path::Path;

const UNIT: &str = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3kLr0CkQz1v0bV8H8p0t3kz1b2m4n5o6p7q8r9s0tu lilly@desk";

fn debian() -> FakeMachine {
    let machine = FakeMachine::debian();
    machine.dir("/srv/apt");
    machine.file("/srv/apt/Packages", "Package: jq\nVersion: 1\nArchitecture: amd64\n");
    machine.dir("/home/lilly");
    machine.dir("/usr/lib/systemd/system");
    machine.file("/usr/lib/systemd/system/real.service", UNIT);
    for (target, link) in
        [("/run", "/var/run"), ("/usr/lib/systemd/system/real.service", "/etc/systemd/system/alias.service")]
    {
        machine.symlink(Path::new(target), Path::new(link), 0, 0).unwrap();
    }
    machine
}

/// Looks for what was `left` by a recipe that now has `rest`.
fn looked_for(left: &Item, rest: &[Item], known: &Known, machine: &FakeMachine) -> (Recorder, Tally) {
    let (sink, known) =
        (Recorder::default(), Known { has: rest.iter().flat_map(Item::keeps).collect(), ..known.clone() });
    let scope =
        Scope { mode: Mode::Plan, destroy: true, known: &known, sys: machine, sink: &sink, turn: None, only: &[] };
    machine.facts().forget();
    let tally = converge(std::slice::from_ref(left), scope, &mut Course::default()).unwrap();
    (sink, tally)
}

/// A kind and fields.
type Of = (&'static str, Value);

/// What the recipe had, and what it has in place of that.
fn moved() -> Vec<(Of, Of)> {
    let (unit, keys) = ("/etc/systemd/system/ra.service", "/home/lilly/.ssh/authorized_keys");
    let lilly = || ("user", json!({ "name": "lilly", "ssh-keys": [KEY] }));
    vec![
        (("package", json!({ "name": "jq:amd64" })), ("package", json!({ "name": "jq" }))),
        (("package", json!({ "name": "jq" })), ("package", json!({ "name": ["git", "jq:amd64"] }))),
        (
            ("file", json!({ "path": unit, "content": UNIT })),
            ("unit", json!({ "name": "ra.service", "content": UNIT })),
        ),
        (
            ("unit", json!({ "name": "ra.service", "content": UNIT })),
            ("file", json!({ "path": unit, "content": UNIT })),
        ),
        (("directory", json!({ "path": "/home/lilly/.ssh", "mode": "0700" })), lilly()),
        (("file", json!({ "path": keys, "content": format!("{KEY}\n") })), lilly()),
        (
            ("file", json!({ "path": unit, "content": UNIT })),
            ("unit", json!({ "name": "ra.service", "enabled": true, "active": true })),
        ),
        (("unit", json!({ "name": "alias.service", "enabled": true })), ("unit", json!({ "name": "real.service" }))),
        (
            ("file", json!({ "path": "/var/run/f", "content": "" })),
            ("file", json!({ "path": "/run/f", "content": "" })),
        ),
    ]
}

#[test]
fn what_the_recipe_has_by_another_id_is_kept_and_no_orphan_any_more() {
    for ((kind, fields), (heir, has)) in moved() {
        let (machine, mut known) = (debian(), Known::default());
        let (left, rest) = (item(kind, fields), [item(heir, has)]);
        if left.ids()[0].name.contains("authorized_keys") {
            machine.dir("/home/lilly/.ssh");
        }
        let id = left.ids()[0].clone();
        apply(std::slice::from_ref(&left), &mut known, &machine).unwrap();
        let (alone, _) = looked_for(&left, &[], &known, &machine);
        assert!(!alone.changes().is_empty(), "{id} is taken away where nothing has it: {:?}", alone.ends());
        let (kept, tally) = looked_for(&left, &rest, &known, &machine);
        assert_eq!(kept.changes(), [""; 0], "{id}");
        let heir = rest[0].ids().pop().unwrap();
        assert_eq!(kept.ends(), [format!("{} remark: kept: {heir} has it", id.local())]);
        let passed_on = if rest[0].job.kind == "user" { String::new() } else { format!("now:{heir}") };
        assert_eq!(tally.held.get(&id), Some(&passed_on), "nothing is asked of {id} any more");
    }
}

#[test]
fn a_template_stays_an_orphan_that_is_kept_as_long_as_the_recipe_has_a_unit_of_it() {
    let path = "/etc/systemd/system/ra@.service";
    for left in [
        item("file", json!({ "path": path, "content": UNIT })),
        item("unit", json!({ "name": "ra@.service", "content": UNIT })),
    ] {
        let (machine, mut known) = (debian(), Known::default());
        apply(std::slice::from_ref(&left), &mut known, &machine).unwrap();
        let id = left.ids()[0].clone();
        for heir in ["ra@one.service", "ra@two.service"] {
            let (kept, tally) =
                looked_for(&left, &[item("unit", json!({ "name": heir, "active": true }))], &known, &machine);
            assert_eq!(kept.changes(), [""; 0], "{id}");
            assert_eq!(kept.ends(), [format!("{} remark: kept: host/unit:{heir} stands on it", id.local())]);
            assert_eq!(tally.held.get(&id).map(String::as_str), Some("left:"), "it is still ours");
        }
        for other in ["rb@one.service", "ra.service"] {
            let (goes, _) =
                looked_for(&left, &[item("unit", json!({ "name": other, "active": true }))], &known, &machine);
            assert!(!goes.changes().is_empty(), "{id} beside {other}: {:?}", goes.ends());
        }
    }
}

#[test]
fn what_is_another_thing_goes() {
    let unit = "/etc/systemd/system/ra.service";
    for ((kind, fields), (heir, has)) in [
        (("package", json!({ "name": "jq" })), ("package", json!({ "name": "jq:i386" }))),
        (
            ("file", json!({ "path": "/var/run/f", "content": "" })),
            ("file", json!({ "path": "/run/g", "content": "" })),
        ),
        (("directory", json!({ "path": "/home/lilly/.ssh" })), ("user", json!({ "name": "lilly" }))),
        // A mask needs no file, and what is to be gone none either.
        (("file", json!({ "path": unit, "content": UNIT })), ("unit", json!({ "name": "ra.service", "masked": true }))),
        // It was enabled; its file is another resource, and stays.
        (
            ("unit", json!({ "name": "real.service", "enabled": true })),
            ("file", json!({ "path": unit, "content": UNIT })),
        ),
    ] {
        let (machine, mut known) = (debian(), Known::default());
        let (left, rest) = (item(kind, fields), [item(heir, has)]);
        apply(std::slice::from_ref(&left), &mut known, &machine).unwrap();
        let (looked, _) = looked_for(&left, &rest, &known, &machine);
        assert!(!looked.changes().is_empty(), "{left:?}: {:?}", looked.ends());
    }
}
