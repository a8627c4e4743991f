//! What a container's edit does that a case can't say: what needs a person's word beside what needs none.
use crate::support::contract::{apply, run};
use crate::support::fake::FakeMachine;
use crate::support::item::job;
use crate::support::recorder::Recorder;
use provision::engine::{Course, Mode, Scope, Tally, converge};
use provision::item::{Item, JobItem};
use provision::resource::Known;
use provision::system::System as _;
use serde_json::{Value, json};
use std::time::Duration;

/// A container of that memory, with nesting or without.
fn container(memory: &str, nesting: bool) -> Vec<Item> {
    let fields = json!({ "id": 202, "hostname": "mike", "template": "debian-12.tar.zst", "memory": memory,
                         "features": { "nesting": nesting } });
    vec![beside("container", fields)]
}

fn host_with(items: &[Item], known: &mut Known) -> FakeMachine {
    let machine = FakeMachine::debian();
    machine.dir("/var/cache/provision/templates");
    machine.file("/var/cache/provision/templates/debian-12.tar.zst", "template");
    machine.dir("/srv/apt");
    machine.file("/srv/apt/Packages", "Package: jq\nVersion: 1\nArchitecture: amd64\n");
    let made = apply(items, known, &machine).unwrap().ends();
    assert!(made.iter().all(|end| end.contains(" remark: ")), "{made:?}");
    machine
}

fn planned(items: &[Item], known: &Known, machine: &FakeMachine) -> Tally {
    let sink = Recorder::default();
    let scope = Scope { mode: Mode::Plan, destroy: false, known, sys: machine, sink: &sink, turn: None, only: &[] };
    converge(items, scope, &mut Course::default()).unwrap()
}

/// A resource as a recipe that made it knows it.
fn beside(kind: &str, fields: Value) -> Item {
    Item::receive(JobItem { digest: fields.to_string(), ..job(kind, fields) }).unwrap()
}

#[test]
fn one_without_an_interface_is_told_from_others_as_well() {
    let machine = host_with(&container("512MiB", false), &mut Known::default());
    let identity = provision::container::driver(&machine).unwrap().identity(&machine, 202).unwrap();
    assert!(identity.is_some(), "what we know of it hangs on that");
}

const WAITS: &str =
    "container:202 waiting: features.nesting takes effect at a restart only (run again with `--restart 202`)";

#[test]
fn what_needs_no_word_counts_as_a_change_beside_what_waits() {
    let mut known = Known::default();
    let machine = host_with(&container("512MiB", false), &mut known);
    let edited = container("1GiB", true);
    let tally = planned(&edited, &known, &machine);
    assert_eq!((tally.counts.changed, tally.counts.waiting), (1, 1), "an apply goes on though something waits");
    assert_eq!(apply(&edited, &mut known, &machine).unwrap().ends(), [WAITS]);
    assert_eq!(planned(&edited, &known, &machine).counts.changed, 0);
}

#[test]
fn what_is_turned_off_is_owed_until_a_restart_as_well() {
    let mut known = Known::default();
    let machine = host_with(&container("512MiB", true), &mut known);
    let off = container("512MiB", false);
    assert_eq!(apply(&off, &mut known, &machine).unwrap().ends(), [WAITS]);
    assert_eq!(run(&off, Mode::Plan, &known, &machine).unwrap().ends(), [WAITS], "and it is not forgotten");
}

#[test]
fn what_a_container_that_stays_may_stand_on_stays_as_well() {
    let mut known = Known::default();
    let mut items = vec![
        beside("package", json!({ "name": "jq" })),
        beside("directory", json!({ "path": ["/srv/shared", "/srv/other"] })),
    ];
    items.extend(container("512MiB", false));
    let mut fields = items[2].job.fields.clone();
    fields["mounts"] = json!([{ "source": "/srv/shared", "target": "/mnt/shared" }]);
    items[2] = beside("container", fields);
    let machine = host_with(&items, &mut known);

    let destroy = |known: &Known| {
        let sink = Recorder::default();
        let (sys, only) = (&machine, &[][..]);
        let scope = Scope { mode: Mode::Apply, destroy: true, known, sys, sink: &sink, turn: None, only };
        converge(&items, scope, &mut Course::default()).unwrap();
        sink.ends()
    };
    let ends = destroy(&known);
    let kept = |id: &str, need: &str| format!("{id} remark: kept: host/container:202 stays and {need} it");
    assert!(ends.contains(&kept("directory:/srv/shared", "needs")), "{ends:?}");
    assert!(ends.contains(&kept("package:jq", "may need")), "{ends:?}");
    let is_there = |path: &str| machine.disk().node(std::path::Path::new(path)).is_some();
    assert!(is_there("/srv/shared") && !is_there("/srv/other"), "what it does not name goes");

    known.allowed.data.insert("202".to_owned());
    destroy(&known);
    assert!(!is_there("/srv/shared") && !is_there("/var/lib/lxc/202"));
}

#[test]
fn the_plan_of_a_destroy_foresees_that_a_bridge_is_free_once_its_containers_are_gone() {
    let fields = json!({ "id": 202, "hostname": "mike", "template": "debian-12.tar.zst",
                         "network": [{ "bridge": "vmbr1", "address": "10.0.100.202/24" }] });
    let items = [beside("bridge", json!({ "name": "vmbr1", "address": "10.0.100.1/24" })), beside("container", fields)];
    let mut known = Known::default();
    let machine = host_with(&items, &mut known);
    for path in ["/sys/class/net/vmbr1/brif/veth202i0", "/sys/class/net/veth202i0"] {
        machine.dir(path);
    }
    let destroy = |known: &Known| {
        let sink = Recorder::default();
        let scope = Scope { mode: Mode::Plan, destroy: true, known, sys: &machine, sink: &sink, turn: None, only: &[] };
        converge(&items, scope, &mut Course::default()).unwrap();
        sink.changes().into_iter().chain(sink.ends()).collect::<Vec<_>>()
    };
    let said = destroy(&known);
    assert_eq!(said[1], "bridge:vmbr1 remark: kept: host/container:202 stays and needs it");
    known.allowed.data.insert("202".to_owned());
    let gone = [
        "container:202: mike with all that is in it -> nothing",
        "bridge:vmbr1: 10.0.100.1/24 -> nothing after container:202",
    ];
    assert_eq!(destroy(&known), gone);
    // Somebody else's stays attached.
    machine.dir("/sys/class/net/vmbr1/brif/veth2020i0");
    assert_eq!(destroy(&known)[1], "bridge:vmbr1 remark: kept: veth2020i0 is attached to it");
}

#[test]
fn one_that_does_not_boot_is_given_up_though_the_clock_is_set_back_again_and_again() {
    let fields = json!({ "id": 202, "hostname": "mike", "template": "debian-12.tar.zst",
                         "network": [{ "bridge": "vmbr1", "address": "dhcp" }] });
    let machine =
        host_with(&[beside("bridge", json!({ "name": "vmbr1" })), beside("container", fields)], &mut Known::default());
    machine.set_clock_back(Duration::ZERO, Duration::from_hours(1));
    let driver = provision::container::driver(&machine).unwrap();
    let begun = machine.uptime();
    let error = driver.ready(&machine, 202, Duration::from_mins(1)).unwrap_err();
    assert_eq!(error.attempt, "waiting for container 202 to boot");
    assert_eq!(machine.uptime(), begun + Duration::from_mins(1));
}
