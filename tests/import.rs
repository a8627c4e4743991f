//! `import`: the recipe of a container that somebody made by hand is right, its plan is empty once it is adopted, and nothing
//! of the container is touched.
use crate::support::book;
use crate::support::contract::run;
use crate::support::fake::FakeMachine;
use crate::support::place::Place;
use crate::support::recorder::Recorder;
use proptest::prelude::*;
use provision::container::{Found, Owed, driver};
use provision::engine::{Course, Mode, Scope, converge};
use provision::item::Item;
use provision::recipe::{Embedded, Files, HostFacts, Options, SecretsMode, Stage, Unread, load};
use provision::resource::{Imported, Known, imported};
use std::path::{Path, PathBuf};

const CONF: &str = "/etc/pve/lxc/201.conf";
const CONFIG: &str = "/var/lib/lxc/201/config";

/// A node of Proxmox with this file of container 201.
fn node(conf: &str) -> FakeMachine {
    with(&[("/usr/sbin/pct", ""), ("/proc/sys/kernel/hostname", "pve1\n"), (CONF, conf)])
}

fn with(files: &[(&str, &str)]) -> FakeMachine {
    let machine = FakeMachine::debian();
    for (path, text) in files {
        machine.dir(&Path::new(path).parent().unwrap().display().to_string());
        machine.file(path, text);
        machine.disk().change(Path::new(path), |node| node.mode = 0o755).unwrap();
    }
    machine
}

fn import(machine: &FakeMachine, id: u32) -> Result<Imported, String> {
    let driver = driver(machine).unwrap();
    let found = driver.found(machine, id).map_err(|error| error.to_string())?.ok_or("nothing")?;
    let beyond = driver.beyond(machine, id).map_err(|error| error.to_string())?;
    imported(id, &found, beyond).map_err(|error| error.causes.join(": "))
}

struct Only(String);

impl Files for Only {
    fn read(&self, _: &str) -> Result<Vec<u8>, Unread> {
        Ok(self.0.clone().into_bytes())
    }

    fn names(&self, directory: &str) -> Vec<String> {
        Embedded(&[]).names(directory)
    }
}

/// Returns the items of a recipe; fails where anything is wrong with it.
fn items(text: &str) -> Vec<Item> {
    let options = Options {
        vars: Vec::new(),
        facts: HostFacts::default(),
        env: &|_| None,
        secrets: SecretsMode::AtHand,
        state_dir: PathBuf::from("/var/lib/provision"),
        key: String::new(),
    };
    let recipe = load(Path::new("web.toml"), &Only(text.to_owned()), &options);
    let recipe = recipe.unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.render(false)));
    let of = |stage| match stage {
        Stage::Plain(items) => items,
        Stage::Lanes(_) => panic!("a lane"),
    };
    recipe.stages.into_iter().flat_map(of).collect()
}

/// Imports container 201, plans the recipe, adopts it, plans again: nothing is changed. Returns what was imported.
#[track_caller]
fn adopted_unchanged(machine: &FakeMachine, file: &str) -> Imported {
    let look = || {
        let disk = machine.disk();
        let node = disk.node(Path::new(file)).unwrap();
        (node.changed, node.inode)
    };
    let (before, text) = (look(), machine.text(file));
    machine.take_runs();
    let imported = import(machine, 201).unwrap();
    let items = items(&format!("name = \"web\"\n\n{}", imported.table));
    let mut known = Known::default();
    let foreign = run(&items, Mode::Plan, &known, machine).unwrap();
    let waits = "container:201 waiting: it exists and is not ours (to take it over, run again with `--adopt 201`)";
    assert_eq!((foreign.changes(), foreign.ends()), (vec![], vec![waits.to_owned()]), "{}", imported.table);

    known.allowed.adopt.insert("201".to_owned());
    let sink = Recorder::default();
    let scope =
        Scope { mode: Mode::Apply, destroy: false, known: &known, sys: machine, sink: &sink, turn: None, only: &[] };
    let tally = converge(&items, scope, &mut Course::default()).unwrap();
    assert_eq!((sink.changes(), sink.ends()), (vec![], vec![]), "{}\n{text}", imported.table);
    book::take_in(&mut known, sink.events());
    book::take_in_tally(&mut known, &tally);

    known.allowed.adopt.clear();
    let again = run(&items, Mode::Plan, &known, machine).unwrap();
    assert_eq!((again.changes(), again.ends()), (vec![], vec![]), "{}\n{text}", imported.table);
    assert_eq!((look(), machine.text(file)), (before, text));
    assert_eq!(machine.take_runs(), Vec::<String>::new(), "no process at all");
    imported
}

#[test]
fn a_container_of_proxmox_becomes_a_recipe_that_changes_nothing_of_it() {
    let machine = node(
        "#for \"lilly\": 100%25\n#{{ braces }} 'é' \\\narch: amd64\ncores: 2\ncpulimit: 1\ndev0: /dev/fuse\nfeatures: nesting=1,keyctl=0,mount=nfs\n\
         hostname: lilly\nlxc.cap.drop: sys_time\nmemory: 1024\nmp0: /srv/a b,mp=/mnt/a,ro=1,backup=1\n\
         mp1: local:201/vm-201-disk-1.raw,mp=/data,size=1G\nnameserver: 1.1.1.1 9.9.9.9\n\
         net0: name=eth0,bridge=vmbr1,gw=10.0.0.1,hwaddr=bc:24:11:50:d6:77,ip=10.0.0.5/24,ip6=fd00::5/64,rate=10,tag=5,type=veth\n\
         net1: name=eth1,bridge=vmbr2,gw=10.9.0.1,ip=10.8.0.1/24,type=veth\nonboot: 1\nostype: debian\n\
         parent: before\nprotection: 1\nrootfs: local-lvm:vm-201-disk-0,mountoptions=noatime,size=40G\nsearchdomain: lab.example\n\
         startup: order=3,up=10\nswap: 512\ntags: agent;Prod\nunused0: local:201/vm-201-disk-2.raw\n\n[before]\nmemory: 1\n",
    );
    let Imported { table, notes } = adopted_unchanged(&machine, CONF);
    let expected = [
        "cpulimit: 1",
        "dev0: /dev/fuse",
        "features: mount=nfs",
        "mp1: local:201/vm-201-disk-1.raw,mp=/data,size=1G",
        "net0: ip6=fd00::5/64,rate=10",
        "rootfs: mountoptions=noatime",
        "unused0: local:201/vm-201-disk-2.raw",
        "lxc.cap.drop: sys_time",
        "the snapshot `before`",
        "its template: to make it anew, name one as `template`",
        "network.eth1.gateway: 10.9.0.1: the gateway `10.9.0.1` is not in the network of `10.8.0.1/24`",
        "tags: Prod: a recipe would make it `Prod, agent, prod`",
    ];
    assert_eq!(notes, expected);
    let (comments, fields) = table.split_once("[[container]]\n").unwrap();
    assert_eq!(comments.lines().skip(1).map(|line| &line[4..]).collect::<Vec<_>>(), expected);
    assert_eq!(
        fields,
        r#"id           = 201
hostname     = "lilly"
unprivileged = false
storage      = "local-lvm"
disk         = "40GiB"
cores        = 2
memory       = "1GiB"
swap         = "512MiB"
network      = [
  { name = "eth0", bridge = "vmbr1", address = "10.0.0.5/24", gateway = "10.0.0.1", vlan = 5, mac = "BC:24:11:50:D6:77" },
  { name = "eth1", bridge = "vmbr2", address = "10.8.0.1/24" },
]
mounts       = [{ source = "/srv/a b", target = "/mnt/a", read-only = true, backup = true }]
features     = { nesting = true }
startup      = { order = 3, up = 10 }
nameserver   = ["1.1.1.1", "9.9.9.9"]
searchdomain = "lab.example"
tags         = ["agent"]
description  = '''
for "lilly": 100%
{{ '{{' }} braces }} 'é' \'''
protection   = true
running      = false
"#
    );
}

#[test]
fn a_container_of_plain_lxc_keeps_the_limits_that_it_does_not_have() {
    let machine = with(&[(
        CONFIG,
        "# by hand\nlxc.include = /usr/share/lxc/config/debian.common.conf\nlxc.uts.name = lilly\n\
         lxc.rootfs.path = dir:/var/lib/lxc/201/rootfs\nlxc.net.0.type = veth\nlxc.net.0.link = lxcbr0\nlxc.net.0.flags = up\n\
         lxc.mount.entry = /srv/a mnt/a none bind,create=dir 0 0\nlxc.hook.start = /x\n",
    )]);
    let Imported { table, notes } = adopted_unchanged(&machine, CONFIG);
    assert_eq!(
        notes,
        [
            "lxc.include = /usr/share/lxc/config/debian.common.conf",
            "lxc.hook.start = /x",
            "its template: to make it anew, name one as `template`",
        ]
    );
    let fields = table.split_once("[[container]]\n").unwrap().1;
    assert_eq!(
        fields,
        "id           = 201\nhostname     = \"lilly\"\nunprivileged = false\n\
         network      = [{ name = \"eth0\", bridge = \"lxcbr0\" }]\n\
         mounts       = [{ source = \"/srv/a\", target = \"/mnt/a\" }]\nonboot       = false\nrunning      = false\n"
    );
}

/// What `lxc-create -t busybox -f FILE` (LXC 5.0.2) writes, with a network, an address and ids of its own in FILE.
const CREATED: &str = r#"# Template used to create this container: /usr/share/lxc/templates/lxc-busybox
# Parameters passed to the template:
# For additional config options, please look at lxc.container.conf(5)

# Uncomment the following line to support nesting containers:
#lxc.include = /usr/share/lxc/config/nesting.conf
# (Be aware this has security implications)

lxc.include = /usr/share/lxc/config/userns.conf
lxc.idmap = u 0 100000 65536
lxc.idmap = g 0 100000 65536
lxc.net.0.type = veth
lxc.net.0.link = vmbr1
lxc.net.0.flags = up
lxc.net.0.ipv4.address = 10.92.0.77/24
lxc.net.0.ipv4.gateway = 10.92.0.1
lxc.mount.entry = /srv mnt/shared none bind,create=dir 0 0
lxc.start.auto = 1
lxc.cap.drop = sys_time
lxc.rootfs.path = dir:/var/lib/lxc/201/rootfs
lxc.signal.halt = SIGUSR1
lxc.signal.reboot = SIGTERM
lxc.uts.name = "201"
lxc.autodev = 1
lxc.tty.max = 5
lxc.pty.max = 1
lxc.cap.drop = sys_module mac_admin mac_override sys_time

# When using LXC with apparmor, uncomment the next line to run unconfined:
#lxc.apparmor.profile = unconfined

lxc.mount.auto = cgroup:mixed proc:mixed sys:ro
lxc.mount.entry = shm dev/shm tmpfs defaults,create=dir 0 0
lxc.mount.entry = mqueue dev/mqueue mqueue defaults,optional,create=dir 0 0
lxc.mount.entry = /lib lib none ro,bind 0 0
lxc.mount.entry = /usr/lib usr/lib none ro,bind 0 0
lxc.mount.entry = /lib64 lib64 none ro,bind 0 0
lxc.mount.entry = /sys/kernel/security sys/kernel/security none ro,bind,optional 0 0
"#;

#[test]
fn a_container_that_lxc_create_made_becomes_a_recipe_that_changes_nothing_of_it() {
    let machine = with(&[(CONFIG, CREATED)]);
    let Imported { table, notes } = adopted_unchanged(&machine, CONFIG);
    assert_eq!(
        notes,
        [
            "lxc.cap.drop = sys_time",
            "lxc.signal.halt = SIGUSR1",
            "lxc.signal.reboot = SIGTERM",
            "lxc.autodev = 1",
            "lxc.tty.max = 5",
            "lxc.pty.max = 1",
            "lxc.cap.drop = sys_module mac_admin mac_override sys_time",
            "lxc.mount.auto = cgroup:mixed proc:mixed sys:ro",
            "lxc.mount.entry = shm dev/shm tmpfs defaults,create=dir 0 0",
            "lxc.mount.entry = mqueue dev/mqueue mqueue defaults,optional,create=dir 0 0",
            "lxc.mount.entry = /sys/kernel/security sys/kernel/security none ro,bind,optional 0 0",
            "its template: to make it anew, name one as `template`",
        ]
    );
    assert_eq!(
        table.split_once("[[container]]\n").unwrap().1,
        r#"id       = 201
hostname = "201"
network  = [{ name = "eth0", bridge = "vmbr1", address = "10.92.0.77/24", gateway = "10.92.0.1" }]
mounts   = [
  { source = "/srv", target = "/mnt/shared" },
  { source = "/lib", target = "/lib", read-only = true },
  { source = "/usr/lib", target = "/usr/lib", read-only = true },
  { source = "/lib64", target = "/lib64", read-only = true },
  { source = "/sys/kernel/security", target = "/sys/kernel/security", read-only = true },
]
running  = false
"#
    );
}

#[test]
fn what_waits_for_a_restart_and_what_a_plan_would_change_is_said() {
    let machine = node("hostname: lilly\nmemory: 8\nrootfs: local:201/a.raw,size=4G\nunprivileged: 1\n");
    let found = driver(&machine).unwrap().found(&machine, 201).unwrap().unwrap();
    let owed = vec![Owed { field: "features.fuse".into(), active: None }];
    let notes = imported(201, &Found { running: true, owed, ..found }, Vec::new()).unwrap().notes;
    assert_eq!(
        notes[1..],
        [
            "memory: 8MiB: less than 16MiB",
            "a plan changes memory: 8MiB -> 512MiB",
            "features.fuse is set and takes effect at the next start",
        ]
    );
}

/// Each with what `import` says and what a plan and an apply of a recipe with that id say.
#[test]
fn what_is_no_container_to_take_over_is_refused_by_import_and_plan() {
    let rest = "hostname: lilly\nmemory: 512\nrootfs: local:201/a.raw,size=8G\nswap: 0\nunprivileged: 1\n";
    let adopt = "it exists and is not ours";
    for (path, conf, import_says, plan_says) in [
        ("/etc/pve/qemu-server/201.conf", "memory: 1\n", "the id of a virtual machine", "the id of a virtual machine"),
        (
            "/etc/pve/nodes/pve1/qemu-server/201.conf",
            "memory: 1\n",
            "the id of a virtual machine",
            "the id of a virtual machine",
        ),
        ("/etc/pve/nodes/pve9/lxc/201.conf", rest, "on the node `pve9`", "on the node `pve9`"),
        ("/etc/pve/nodes/pve9/qemu-server/201.conf", rest, "on the node `pve9`", "on the node `pve9`"),
        (CONF, &format!("{rest}lock: backup\n"), "it is locked (backup)", adopt),
        (CONF, "lock: create\n", "a killed run left it half made", "a killed run of somebody else left it half made"),
        (CONF, &format!("{rest}template: 1\n"), "it is a template, which never runs", "it is the id of a template"),
        (CONF, &rest.replace("lilly", "li_lly"), "its host name is `li_lly`", adopt),
        (CONF, &format!("{rest}[a]\nmemory: 1\n"), "", adopt),
        ("/etc/pve/lxc/202.conf", rest, "nothing", "its recipe names no `template` and no `clone`"),
    ] {
        let machine = with(&[("/usr/sbin/pct", ""), ("/proc/sys/kernel/hostname", "pve1\n"), (path, conf)]);
        machine.dir("/etc/pve/lxc");
        match import(&machine, 201) {
            Err(said) => assert!(!import_says.is_empty() && said.contains(import_says), "{path}: {said}"),
            Ok(imported) => assert!(import_says.is_empty(), "{path}: {imported:?}"),
        }
        let items =
            items("name = \"web\"\n[[container]]\nid = 201\nhostname = \"lilly\"\nonboot = false\nrunning = false\n");
        for mode in [Mode::Plan, Mode::Apply] {
            let ends = run(&items, mode, &Known::default(), &machine).unwrap();
            assert_eq!(ends.changes(), Vec::<String>::new());
            assert!(ends.ends()[0].contains(plan_says), "{path}: {:?}", ends.ends());
        }
        // Adopted, a locked one waits until it is free.
        if import_says.contains("locked") {
            let mut known = Known::default();
            known.allowed.adopt.insert("201".to_owned());
            let ends = run(&items, Mode::Apply, &known, &machine).unwrap().ends();
            assert_eq!(
                ends,
                ["container:201 waiting: it is locked (backup) (run again once that has ended)".to_owned()]
            );
        }
        assert_eq!(machine.text(path), conf);
    }
}

#[test]
fn an_id_that_can_be_none_or_is_not_there_is_an_error_of_the_command_line() {
    let place = Place::new("");
    for (id, why) in
        [("99", "99 is not in 100..=999999999"), ("1000000000", "is not in 100..=999999999"), ("x", "invalid digit")]
    {
        let refused = place.run(&["import", id]);
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    let missing = place.run(&["import", "987654321", "--into", "new.toml"]);
    let why = "error: importing container 987654321\n  there is no such container on this host\n";
    assert_eq!((missing.code, missing.stderr.as_str(), missing.stdout.as_str()), (2, why, ""));
    assert!(!place.root().join("new.toml").exists());
    let twice = place.run(&["import", "987654321", "987654321"]);
    assert_eq!((twice.code, twice.stderr.as_str()), (2, "error: reading the ids\n  `987654321` is named twice\n"));
}

/// Any text of a description, as Proxmox keeps it: lines with `#`, some characters percent-encoded.
fn described(text: &str) -> String {
    let encoded = |c: char| match c {
        ' '..='~' if c != '%' && c != ':' => vec![c.to_string()],
        c => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
    };
    let lines: Vec<String> = text.split('\n').map(|line| line.chars().flat_map(encoded).collect()).collect();
    format!("#{}\n", lines.join("\n#"))
}

/// Lines that fit a pattern, in which a dot is a dot.
fn lines(pattern: &str) -> impl Strategy<Value = String> + use<> {
    prop::string::string_regex(&pattern.replace('.', "\\.")).unwrap()
}

fn or_none(line: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), line]
}

prop_compose! {
    fn net()(
        n in 0..10u32, ip in prop_oneof![
            Just(""), Just(",ip=dhcp"), Just(",ip=manual"), Just(",ip=10.0.0.5/24"), Just(",gw=10.0.0.1,ip=10.0.0.5/24"),
            Just(",gw6=fd00::1,ip6=fd00::5/64"), Just(",ip=dhcp,ip6=auto"), Just(",gw=10.9.9.9,ip=10.0.0.5/24,ip6=fd00::5/64"),
        ],
        mac in prop_oneof![Just(""), Just(",hwaddr=bc:24:11:50:d6:77"), Just(",hwaddr=01:00:00:00:00:01")],
        more in prop_oneof![Just(""), Just(",tag=12"), Just(",tag=0"), Just(",mtu=1400"), Just(",mtu=1"), Just(",firewall=1"), Just(",rate=5,link_down=1")],
        bridge in prop_oneof![Just(",bridge=vmbr1"), Just("")],
    ) -> String {
        format!("net{n}: name=eth{n}{bridge}{ip}{mac}{more},type=veth\n")
    }
}

prop_compose! {
    fn mount()(n in 0..10u32, volume in prop_oneof![
        "/[a-z{ ]{1,9}(/[a-zé'\"]{1,5})?/?", Just("local:201/vm-201-disk-1.raw".to_owned()), Just("/dev/sdb1".to_owned()), Just("/srv/../etc".to_owned()),
    ], target in "/[a-z]{1,3}(/[a-z{]{1,5})?/?", more in prop_oneof![Just(""), Just(",ro=1"), Just(",backup=1,ro=0"), Just(",size=1G"), Just(",shared=1")]) -> String {
        format!("mp{n}: {volume},mp={target}{more}\n")
    }
}

fn conf() -> impl Strategy<Value = String> {
    let text = "[ -~é\"'\\\\{}\n\t\r%:#\u{1}\u{7f}ü漢]{0,40}";
    let lines = (
        or_none(text.prop_map(|text| described(&text))),
        or_none(lines("hostname: [a-z][a-z0-9]{0,8}(.[a-z]{1,4})?\n")),
        or_none((1..9000u32).prop_map(|cores| format!("cores: {cores}\n"))),
        or_none((16..100_000u32).prop_map(|memory| format!("memory: {memory}\n"))),
        or_none((0..5000u32).prop_map(|swap| format!("swap: {swap}\n"))),
        or_none(lines("rootfs: (local|zfs):201/a.raw(,size=[1-9][0-9]?[MGT]|,size=0T)(,mountoptions=noatime)?\n")),
        or_none(lines("features: nesting=[01](,keyctl=[01])?(,fuse=1)?(,mknod=1)?(,mount=nfs;cifs)?\n")),
        or_none(lines("(onboot|protection|unprivileged): (0|1|yes)\n")),
        or_none(lines("startup: (order=)?[0-9]{1,3}(,up=[0-9]{1,4})?(,down=5)?\n")),
        or_none(lines("nameserver: (9.9.9.9|fd00::53|host)( 1.1.1.1)?\n")),
        or_none(lines("searchdomain: [a-z]{1,5}(.[a-z_]{1,5})?\n")),
        or_none(lines(
            "(tags: [a-z]{1,5}(;[a-zA-Z_+]{1,5}){0,3}\n)?(cpulimit: 1\nunused0: local:201/b.raw\nfrob: [a-z]{1,5}\n)?(lxc.cap.drop: x\n)?",
        )),
    );
    let lists = (prop::collection::vec(net(), 0..4), prop::collection::vec(mount(), 0..4));
    let tails = prop_oneof![
        Just(""),
        Just("\n[snap]\nmemory: 1\n"),
        Just("\n[pve:pending]\nnameserver: 8.8.8.8\ndelete: searchdomain,mp0\n"),
    ];
    (lines, lists, tails).prop_map(|((a, b, c, d, e, f, g, h, i, j, k, l), (nets, mounts), tail)| {
        [a, b, c, d, e, f, g, h, i, j, k].concat() + &nets.concat() + &mounts.concat() + &l + tail
    })
}

/// Lines of a configuration of plain LXC, each as somebody writes it or as `provision` does.
fn config() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        lines("lxc.include = /usr/share/lxc/config/[a-z]{1,5}.conf\n"),
        lines("lxc.idmap = [ug] 0 [12]00000 65536\n"),
        lines("lxc.start.(auto|order|delay) = [0-9]{1,3}\n"),
        lines("lxc.cgroup2.memory.max = ([1-9][0-9]{2}M|[1-9]G|268435456|max)\n"),
        lines("lxc.cgroup2.memory.swap.max = ([0-9]{1,3}M|0|max)\n"),
        lines("lxc.cgroup2.cpuset.cpus = (0|0-1|1,3)\n"),
        lines("lxc.net.0.(type = (veth|macvlan|empty)|link = lxcbr0|name = lan|flags = up|mtu = [0-9]{3,4})\n"),
        lines(
            "lxc.net.[01].(type = veth\nlxc.net.1.type = veth|ipv4.address = 10.0.0.5/24|ipv4.gateway = (10.0.0.1|auto))\n"
        ),
        lines("lxc.net.0.(hwaddr = 00:16:3e:(ab|xx):01:02|ipv6.address = fd00::5/64|veth.vlan.id = [0-9]{1,4})\n"),
        lines("lxc.mount.entry = /srv/[a-z]{1,4} [a-z]{1,4} none (bind|rbind|bind,ro),create=dir 0 0\n"),
        lines("lxc.mount.entry = (proc proc proc nodev|/dev/fuse dev/fuse none bind,create=file,optional) 0 0\n"),
        lines("lxc.apparmor.(allow_nesting = [01]|profile = (generated|unconfined))\n"),
        lines(
            "#provision.(disk = 9GiB|tags = a;b|nameserver = 9.9.9.9|protection = 1|features.keyctl = 1|description = \"[{][{] é\\\\n\")\n"
        ),
        lines("lxc.hook.start = /x\n"),
    ];
    prop::collection::vec(line, 0..14).prop_map(|lines| format!("lxc.uts.name = by-hand\n{}", lines.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_set_is_imported_planned_and_adopted_without_a_change(conf in conf()) {
        adopted_unchanged(&node(&conf), CONF);
    }

    #[test]
    fn whatever_is_set_on_plain_lxc_is_imported_planned_and_adopted_without_a_change(config in config()) {
        adopted_unchanged(&with(&[(CONFIG, &config)]), CONFIG);
    }
}
