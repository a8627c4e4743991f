//! What a plan says before a container is made: of its storage, template, bridge and mounts. Nothing is started for it that
//! files can tell.
use crate::support::contract::{apply, run};
use crate::support::fake::{FakeMachine, answer, refuse};
use crate::support::item::item;
use provision::capacity::Place;
use provision::container::pct::Pct;
use provision::engine::Mode;
use provision::event::{Event, Outcome};
use provision::item::Item;
use provision::resource::{Known, capacity};
use provision::system::System as _;
use serde_json::{Value, json};
use std::path::Path;

const STORAGES: &str = "dir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl\n\nlvmthin: fast\n\tvgname pve\n\tthinpool data\n\
    \tcontent rootdir\n\nlvm: thick\n\tvgname old\n\tcontent rootdir\n\nzfspool: off\n\tpool tank\n\tcontent rootdir\n\tdisable\n\n\
    nfs: nas\n\tserver nas\n\texport /x\n\tcontent rootdir\n\tnodes pve2\n";

/// A node of Proxmox with these storages, a template, a bridge and a network card.
fn node() -> FakeMachine {
    let mut machine = FakeMachine::debian();
    machine.program("pveam", |machine, command| {
        machine.file(&format!("/var/lib/vz/template/cache/{}", command.argv[3]), "template");
        answer(0, "")
    });
    machine.file("/usr/sbin/pct", "#!fake\n");
    machine.chmod(Path::new("/usr/sbin/pct"), 0o755).unwrap();
    for dir in
        ["/etc/pve/lxc", "/etc/pve/nodes/pve1/lxc", "/var/lib/vz/template/cache", "/var/lib/pve-manager/apl-info"]
    {
        machine.dir(dir);
    }
    machine.file("/etc/pve/storage.cfg", STORAGES);
    machine.file("/var/lib/vz/template/cache/debian-12.tar.zst", "template");
    machine.dir("/sys/class/net/vmbr1/bridge");
    machine.dir("/sys/class/net/eno1/device");
    machine
}

/// A container with these fields beside or in place of the usual ones.
fn container(fields: &Value) -> Vec<Item> {
    let mut all = json!({ "id": 202, "hostname": "mike", "template": "debian-12.tar.zst", "running": false });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    vec![item("container", all)]
}

/// Returns what the plan names and how it ends.
fn planned(items: &[Item], machine: &FakeMachine) -> (Vec<String>, Vec<String>) {
    let seen = run(items, Mode::Plan, &Known::default(), machine).unwrap();
    (seen.changes(), seen.ends())
}

/// Returns the error of a plan with what to do.
fn refused(fields: &Value) -> String {
    refused_on(fields, &node())
}

fn refused_on(fields: &Value, machine: &FakeMachine) -> String {
    let events = run(&container(fields), Mode::Plan, &Known::default(), machine).unwrap().events();
    let mut errors = events.iter().filter_map(|event| match event {
        Event::Finished { outcome: Outcome::Failed { error }, .. } => Some(error),
        _ => None,
    });
    let error = errors.next().expect("it fails");
    format!("{}: {}: {}", error.attempt, error.causes.join(": "), error.remedy.as_deref().unwrap_or_default())
}

#[test]
fn a_storage_that_cannot_take_a_container_is_refused_with_those_that_can() {
    let said = |storage: &str| refused(&json!({ "storage": storage, "disk": "1GiB" }));
    let looking = |name: &str| format!("looking for the storage `{name}`: ");
    let can = "Root file systems can be in fast, thick";
    assert_eq!(said("fats"), looking("fats") + "the cluster has no such storage: did you mean `fast`? " + can);
    assert_eq!(said("local"), looking("local") + "it holds iso, vztmpl, and no root file systems (`rootdir`): " + can);
    assert_eq!(said("off"), looking("off") + "it is disabled: " + can);
    assert_eq!(said("nas"), looking("nas") + "it is of the nodes pve2 alone: " + can);
    let machine = node();
    machine.file("/etc/pve/storage.cfg", "dir: local\n\tpath /var/lib/vz\n\tcontent vztmpl\n");
    assert_eq!(
        refused_on(&json!({}), &machine),
        "looking for a storage: no storage of this node holds root file systems: allow `rootdir` in the content of one, or \
         name it as `storage`"
    );
}

#[test]
fn a_storage_that_an_earlier_step_may_make_is_none_to_be_missed() {
    let mut items = vec![item("command", json!({ "name": "storage", "argv": ["true"], "creates": "/srv/storage" }))];
    items.extend(container(&json!({ "storage": "nvme" })));
    let (changes, ends) = planned(&items, &node());
    assert_eq!(
        (changes[1].as_str(), ends),
        (
            "container:202: nothing -> mike from debian-12.tar.zst; 512MiB memory; 8GiB disk after command:storage",
            vec![]
        )
    );
}

#[test]
fn a_plan_starts_no_program() {
    let machine = node();
    let (changes, ends) = planned(&container(&json!({ "storage": "fast", "disk": "40GiB" })), &machine);
    assert_eq!((changes.len(), ends), (1, vec![]));
    refused_on(&json!({ "template": "nothing.tar.zst" }), &machine);
    assert_eq!(machine.take_runs(), Vec::<String>::new());
}

#[test]
fn a_template_that_pveam_has_is_named_in_the_plan_and_fetched() {
    let machine = node();
    let list = "Package: debian-13\nLocation: system/debian-13-standard_13.1-2_amd64.tar.zst\n";
    machine.file("/var/lib/pve-manager/apl-info/download.proxmox.com", list);
    let items = container(&json!({ "template": "debian-13-standard_13.1-2_amd64.tar.zst" }));
    let (changes, ends) = planned(&items, &machine);
    assert_eq!(
        changes[1],
        "container:202 download: nothing -> /var/lib/vz/template/cache/debian-13-standard_13.1-2_amd64.tar.zst from pveam",
        "{ends:?}"
    );
    assert!(!machine.take_runs().iter().any(|ran| ran.contains("pveam")), "a plan fetches nothing");
    // The fake node has no `pct create`; what is fetched for it is there by then.
    drop(apply(&items, &mut Known::default(), &machine));
    assert!(
        machine.take_runs().contains(&"pveam download local debian-13-standard_13.1-2_amd64.tar.zst".to_owned()),
        "the first storage that holds templates"
    );
    assert_eq!(machine.text("/var/lib/vz/template/cache/debian-13-standard_13.1-2_amd64.tar.zst"), "template");
}

#[test]
fn a_template_that_nobody_has_is_refused_with_what_was_meant() {
    let ask = json!({ "template": "debian-13-standard_13.0-1_amd64.tar.zst" });
    let looking = "looking for the template `debian-13-standard_13.0-1_amd64.tar.zst`: there is no \
                   `/var/lib/vz/template/cache/debian-13-standard_13.0-1_amd64.tar.zst`: ";
    let then = "run `pveam update` and then this again, or give `template` as { name, url, sha512 }";
    assert_eq!(refused(&ask), format!("{looking}`pveam` has no list of what it can fetch: {then}"));
    let machine = node();
    let list = "Location: system/debian-13-standard_13.1-2_amd64.tar.zst\n";
    machine.file("/var/lib/pve-manager/apl-info/download.proxmox.com", list);
    assert_eq!(
        refused_on(&ask, &machine),
        format!(
            "{looking}`pveam` does not have it: did you mean `debian-13-standard_13.1-2_amd64.tar.zst`? Else {then}"
        )
    );
}

#[test]
fn a_bridge_that_is_none_is_refused() {
    let on = |bridge: &str| refused(&json!({ "network": [{ "bridge": bridge }] }));
    assert_eq!(
        on("vmbr2"),
        "looking for the bridge `vmbr2`: it is not there: did you mean `vmbr1`? Else put a [[bridge]] with name = \"vmbr2\" \
         before this"
    );
    assert_eq!(
        on("eno1"),
        "looking for the bridge `eno1`: it is a network card, and no bridge: put a [[bridge]] with name = \"eno1\" before this"
    );
}

#[test]
fn what_is_mounted_and_belongs_to_nobody_inside_is_said_with_the_owner_to_use() {
    let machine = node();
    for (path, owner) in
        [("/srv/root", (0, 0, 0o755)), ("/srv/user", (1005, 0, 0o755)), ("/srv/far", (900_000, 0, 0o755))]
    {
        machine.dir(path);
        machine.chown(Path::new(path), owner.0, owner.1).unwrap();
    }
    for (path, (uid, gid, mode)) in
        [("/srv/mine", (101_005, 0, 0o755)), ("/srv/group", (0, 101_200, 0o2775)), ("/srv/all", (0, 0, 0o1777))]
    {
        machine.dir(path);
        machine.chown(Path::new(path), uid, gid).unwrap();
        machine.chmod(Path::new(path), mode).unwrap();
    }
    let mounts = |sources: &[&str]| -> Vec<Value> {
        sources.iter().map(|source| json!({ "source": source, "target": format!("/mnt{source}") })).collect()
    };
    let (_, ends) = planned(
        &container(
            &json!({ "mounts": mounts(&["/srv/root", "/srv/user", "/srv/far", "/srv/mine", "/srv/group", "/srv/all"]) }),
        ),
        &machine,
    );
    let said = |path: &str, uid: &str, owner: u32, whose: &str| {
        format!(
            "container:202 remark: `{path}` is {uid}'s, who is nobody inside: no user there can write to it; with owner = \
             {owner} it would be {whose}'s"
        )
    };
    assert_eq!(
        ends,
        [
            said("/srv/root", "root", 100_000, "root"),
            said("/srv/user", "uid 1005", 101_005, "uid 1005"),
            said("/srv/far", "uid 900000", 100_000, "root"),
        ]
    );
    let read = json!([{ "source": "/srv/root", "target": "/mnt/root", "read-only": true }]);
    assert_eq!(
        planned(&container(&json!({ "mounts": read.clone() })), &machine).1,
        Vec::<String>::new(),
        "it is only read"
    );
    machine.chmod(Path::new("/srv/root"), 0o700).unwrap();
    let secret = planned(&container(&json!({ "mounts": read })), &machine).1;
    assert!(secret[0].contains("no user there can read it"), "{secret:?}");
    let privileged = json!({ "unprivileged": false, "mounts": mounts(&["/srv/root"]) });
    assert_eq!(planned(&container(&privileged), &machine).1, Vec::<String>::new());
    let owned = item("directory", json!({ "path": "/srv/root", "owner": "100000", "group": "100000" }));
    let mut items = container(&json!({ "mounts": mounts(&["/srv/root"]) }));
    items.insert(0, owned);
    assert_eq!(planned(&items, &machine).1, Vec::<String>::new(), "it is about to have another owner");
}

#[test]
fn what_a_container_may_take_is_what_it_will_have_and_of_its_disk_what_is_not_there_yet() {
    let machine = node();
    machine.file(
        "/etc/pve/lxc/201.conf",
        "arch: amd64\ncores: 3\nhostname: lilly\nmemory: 2048\nrootfs: thick:vm-201-disk-0,size=10G\nunprivileged: 1\n",
    );
    let template = "debian-12.tar.zst";
    let ask = |fields: Value| item("container", fields);
    let items = [
        ask(json!({ "id": 200, "hostname": "base", "template": template, "base": true, "disk": "20GiB" })),
        ask(json!({ "id": 201, "hostname": "lilly", "template": template, "disk": "14GiB" })),
        ask(json!({ "id": 202, "hostname": "mike", "clone": "base", "memory": "1GiB", "cores": 2 })),
        item("directory", json!({ "path": "/srv/a" })),
    ];
    let all = capacity(items.iter(), &Pct, &machine).unwrap();
    let gib = |size: Option<u64>| size.map(|size| size / (1 << 30));
    let seen: Vec<_> = all
        .members
        .iter()
        .map(|one| (one.id, one.runs, one.cores, one.memory.map(|size| size >> 20), gib(one.disk), one.new_disk >> 30))
        .collect();
    assert_eq!(
        seen,
        [
            (200, false, None, Some(512), Some(20), 20),
            (201, true, Some(3), Some(512), Some(14), 4),
            (202, true, Some(2), Some(1024), Some(20), 20)
        ]
    );
    let places: Vec<_> = all.members.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(places, ["fast", "thick", "fast"]);
}

/// What `pvesm status` prints where a server does not answer.
const STATUS: &str = "\
Name         Type     Status           Total            Used       Available        %
fast      lvmthin     active        83886080        62914560        20971520   75.00%
nas           nfs   inactive               0               0               0    0.00%
";
const ASKED: &str = "/usr/sbin/pvesm status --content rootdir";

/// Returns what is said of the places of a plan of these disks (id, storage), and what was started for it.
fn free(machine: &FakeMachine, disks: &[(u32, &str)]) -> (Vec<String>, Vec<String>) {
    let ask = |(id, storage): &(u32, &str)| {
        let fields =
            json!({ "id": id, "hostname": format!("m{id}"), "template": "debian-12.tar.zst", "disk": "10GiB" });
        let fields = fields.as_object().unwrap().clone().into_iter().chain([("storage".to_owned(), json!(storage))]);
        item("container", Value::Object(fields.collect()))
    };
    let items: Vec<Item> = disks.iter().map(ask).collect();
    let all = capacity(items.iter(), &Pct, machine).unwrap();
    let said = |place: &Place| match (place.free, place.unknown.as_deref()) {
        (Some(free), None) => format!("{}: {} GiB", place.name, free >> 30),
        (None, why) => format!("{}: {}", place.name, why.unwrap_or("nobody was asked")),
        (Some(_), Some(why)) => panic!("it is known, and {why}"),
    };
    (all.places.iter().map(said).collect(), machine.take_runs())
}

/// A node whose container 201 is on `thick`, and whose `nas` is its own as well.
fn node_with_one() -> FakeMachine {
    let machine = node();
    machine.file("/etc/pve/storage.cfg", &STORAGES.replace("\tnodes pve2\n", ""));
    let conf = "arch: amd64\nhostname: m201\nmemory: 512\nrootfs: thick:vm-201-disk-0,size=10G\nunprivileged: 1\n";
    machine.file("/etc/pve/lxc/201.conf", conf);
    machine
}

#[test]
fn what_is_free_where_no_file_tells_is_asked_once_where_a_disk_is_to_be_made_and_never_else() {
    let mut machine = node_with_one();
    machine.program("pvesm", |_, _| answer(0, STATUS));
    assert_eq!(free(&machine, &[(201, "thick")]), (vec!["thick: nobody was asked".to_owned()], vec![]));
    let (said, ran) = free(&machine, &[(201, "thick"), (202, "fast"), (203, "fast"), (204, "nas")]);
    let inactive = format!("nas: reading what `{ASKED}` says: the storage is inactive");
    assert_eq!(said, ["thick: nobody was asked", "fast: 20 GiB", &inactive]);
    assert_eq!(ran, [ASKED], "once");
    let (said, _) = free(&machine, &[(202, "thick")]);
    assert_eq!(said, [format!("thick: reading what `{ASKED}` says: the storage is not in it")]);
    machine.file("/etc/pve/storage.cfg", "dir: local\n\tpath /var/lib/vz\n\tcontent rootdir,vztmpl\n");
    let of_a_directory = (vec!["local: 1024 GiB".to_owned()], vec![]);
    assert_eq!(free(&machine, &[(202, "local")]), of_a_directory, "the file system tells");
}

#[test]
fn a_pvesm_that_fails_is_said_with_what_it_printed_and_the_plan_goes_on() {
    let mut machine = node_with_one();
    let (said, ran) = free(&machine, &[(202, "fast")]);
    assert_eq!(said, [format!("fast: running `{ASKED}`: the program is not there (exit 127): pvesm: not found")]);
    assert_eq!(ran, [ASKED]);
    machine.program("pvesm", |_, _| refuse(255, "unable to read tail (got 0 bytes)\nipcc_send_rec failed\n"));
    let (said, _) = free(&machine, &[(202, "fast"), (204, "nas")]);
    let why = format!("running `{ASKED}`: exit 255: ipcc_send_rec failed");
    assert_eq!(said, [format!("fast: {why}"), format!("nas: {why}")]);
}
