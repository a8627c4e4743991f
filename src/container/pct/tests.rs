//! Every field as a recipe edits it or somebody drifts it: what is told to `pct`, and when it takes effect.
use super::*;
use crate::container::{Features, Mount, Net, Startup};
use crate::field::{Address, Field as _};

/// A container that runs, with something in every field, and with what no recipe manages.
const CONF: &str = "#for lilly\narch: amd64\ncores: 2\nfeatures: keyctl=1,mount=nfs;cifs,nesting=1\nhostname: lilly\n\
    lxc.cap.drop: sys_time\nmemory: 04096\nmp0: /srv/shared/,mp=/mnt/shared/,shared=1\n\
    mp1: local:201/vm-201-disk-1.raw,mp=/data,size=1G\nnameserver: 10.0.100.1 9.9.9.9\n\
    net0: name=eth0,bridge=vmbr1,gw=10.0.100.1,hwaddr=bc:24:11:50:d6:77,ip=10.0.100.201/24,ip6=fd00::201/64,rate=10,type=veth\n\
    onboot: yes\nostype: debian\nrootfs: local:201/vm-201-disk-0.raw,mountoptions=noatime,size=40G\n\
    searchdomain: lab.example\nstartup: up=10,order=3\nswap: 0\ntags: agent;role\nunprivileged: 1\nx-note: 1\n";

fn net() -> Net {
    Net {
        name: "eth0".into(),
        bridge: Some("vmbr1".into()),
        address: Address::from_text("10.0.100.201/24").ok(),
        gateway: "10.0.100.1".parse().ok(),
        ..Net::default()
    }
}

fn shared() -> Mount {
    Mount { source: "/srv/shared".into(), target: "/mnt/shared".into(), read_only: false, backup: false }
}

/// What a recipe asks that has it all as it is.
fn asked() -> Settings {
    Settings {
        hostname: Some("lilly".into()),
        unprivileged: Some(true),
        disk: Some(Size(40 << 30)),
        cores: Some(2),
        memory: Some(Size(4 << 30)),
        swap: Some(Size(0)),
        nets: vec![net()],
        mounts: vec![shared()],
        features: Features { nesting: Some(true), keyctl: Some(true), fuse: Some(false), mknod: None },
        onboot: Some(true),
        startup: Startup { order: Some(3), ..Startup::default() },
        nameserver: ["10.0.100.1", "9.9.9.9"].map(|server| server.parse().unwrap()).into(),
        searchdomain: Some("lab.example".into()),
        tags: ["role".to_owned()].into(),
        description: Some("for lilly".into()),
        protection: Some(false),
        ..Settings::default()
    }
}

/// Returns the arguments of `pct set` for what differs, each with its effect on a container that runs.
fn told(conf: &str, asked: &Settings) -> Vec<String> {
    let conf = Conf::parse(conf);
    let found = Found { settings: read::settings(&conf), running: true, ..Found::default() };
    let told = edits(asked, &found).into_iter().map(|edit| {
        let effect = Pct.effect(&edit, &found);
        let stopped = Pct.effect(&edit, &Found { running: false, ..found.clone() });
        assert_eq!(stopped, Effect::Live, "of one that is stopped all is in effect at once");
        match write::argument(&conf, &edit.set).unwrap() {
            Some((option, value)) => format!("{effect:?}: {option} {value}"),
            None => format!("{effect:?}: resize"),
        }
    });
    told.collect()
}

/// What a recipe's next version asks, and what comes of it.
#[test]
fn every_field_that_is_edited_is_set_and_nothing_else() {
    type Edit = fn(&mut Settings);
    let cases: &[(Edit, &str)] = &[
        (|_| (), ""),
        (|s| s.hostname = Some("mike".into()), "Restart: --hostname mike"),
        (|s| s.disk = Some(Size(50 << 30)), "Live: resize"),
        (|s| s.disk = Some(Size(8 << 30)), ""),
        (|s| s.cores = Some(4), "Live: --cores 4"),
        (|s| s.memory = Some(Size(1 << 30)), "Live: --memory 1024"),
        (|s| s.swap = Some(Size(1 << 30)), "Live: --swap 1024"),
        (|s| s.onboot = Some(false), "Live: --onboot 0"),
        (|s| s.protection = Some(true), "Live: --protection 1"),
        (|s| s.description = Some("two\nlines: 100%".into()), "Live: --description two\nlines: 100%"),
        (|s| s.description = Some(String::new()), "Live: --delete description"),
        (|s| s.tags.extend(["new".to_owned()]), "Live: --tags agent;new;role"),
        (|s| s.startup.down = Some(60), "Live: --startup order=3,up=10,down=60"),
        (|s| s.nameserver.truncate(1), "Restart: --nameserver 10.0.100.1"),
        (|s| s.searchdomain = Some("b.example".into()), "Restart: --searchdomain b.example"),
        (|s| s.features.fuse = Some(true), "Restart: --features keyctl=1,mount=nfs;cifs,nesting=1,fuse=1"),
        (|s| s.features.keyctl = Some(false), "Restart: --features keyctl=0,mount=nfs;cifs,nesting=1,fuse=0"),
        (|s| s.mounts[0].read_only = true, "Restart: --mp0 /srv/shared,mp=/mnt/shared,shared=1,ro=1"),
        (|s| s.mounts[0].source = "/srv/b".into(), "Restart: --mp0 /srv/b,mp=/mnt/shared,shared=1"),
        (|s| s.mounts[0].target = "/mnt/b".into(), "Live: --mp2 /srv/shared,mp=/mnt/b"),
        (|s| s.nets[0].vlan = Some(5), "Live: --net0 NET,rate=10,type=veth,tag=5"),
        (|s| s.nets[0].mtu = Some(1400), "Live: --net0 NET,rate=10,type=veth,mtu=1400"),
        (|s| s.nets[0].firewall = Some(true), "Live: --net0 NET,rate=10,type=veth,firewall=1"),
        (|s| s.nets[0].firewall = Some(false), ""),
        (|s| s.nets[0].mac = Some("BC:24:11:50:D6:77".into()), ""),
        (
            |s| s.nets[0].mac = Some("02:00:00:00:00:01".into()),
            "Live: --net0 name=eth0,bridge=vmbr1,gw=10.0.100.1,hwaddr=02:00:00:00:00:01,ip=10.0.100.201/24,ip6=fd00::201/64,rate=10,type=veth",
        ),
        (
            |s| (s.nets[0].address, s.nets[0].gateway) = (Some(Address::Dhcp), None),
            "Live: --net0 name=eth0,bridge=vmbr1,hwaddr=bc:24:11:50:d6:77,ip=dhcp,ip6=fd00::201/64,rate=10,type=veth",
        ),
        (|s| (s.nets[0].address, s.nets[0].gateway) = (Address::from_text("fd00::201/64").ok(), None), ""),
        (
            |s| {
                (s.nets[0].address, s.nets[0].gateway) =
                    (Address::from_text("fd00::9/64").ok(), "fd00::1".parse().ok());
            },
            "Live: --net0 name=eth0,bridge=vmbr1,gw=10.0.100.1,hwaddr=bc:24:11:50:d6:77,ip=10.0.100.201/24,ip6=fd00::9/64,rate=10,type=veth,gw6=fd00::1",
        ),
        (
            |s| s.nets.push(Net { name: "eth1".into(), bridge: Some("vmbr2".into()), ..Net::default() }),
            "Live: --net1 name=eth1,bridge=vmbr2",
        ),
        (|s| s.nets.clear(), ""),
        (|s| s.mounts.clear(), ""),
    ];
    for (edit, expected) in cases {
        let mut settings = asked();
        edit(&mut settings);
        let expected = expected.replace(
            "NET",
            "name=eth0,bridge=vmbr1,gw=10.0.100.1,hwaddr=bc:24:11:50:d6:77,ip=10.0.100.201/24,ip6=fd00::201/64",
        );
        let expected: Vec<&str> = if expected.is_empty() { Vec::new() } else { vec![&expected] };
        assert_eq!(told(CONF, &settings), expected);
    }
}

/// What somebody changed by hand, and what brings it back.
#[test]
fn every_field_that_has_drifted_is_brought_back_and_other_ways_to_write_it_are_no_drift() {
    let cases = [
        ("cores: 2\n", "", "Live: --cores 2"),
        ("memory: 04096\n", "", "Live: --memory 4096"),
        ("memory: 04096", "memory: 4096", ""),
        ("swap: 0\n", "", "Live: --swap 0"),
        ("onboot: yes", "onboot: 1", ""),
        ("onboot: yes", "onboot: 0", "Live: --onboot 1"),
        ("onboot: yes\n", "", "Live: --onboot 1"),
        ("ostype", "protection: 1\nostype", "Live: --protection 0"),
        ("#for lilly\n", "", "Live: --description for lilly"),
        ("#for lilly\n", "#for lilly\n#\n", ""),
        ("size=40G", "size=41943040K", ""),
        ("size=40G", "size=40960M", ""),
        ("size=40G", "size=39.5G", "Live: resize"),
        ("size=40G", "size=1T", ""),
        ("tags: agent;role", "tags: agent", "Live: --tags agent;role"),
        ("tags: agent;role", "tags: role agent", ""),
        ("nameserver: 10.0.100.1 9.9.9.9", "nameserver: 10.0.100.1,9.9.9.9", ""),
        (
            "nameserver: 10.0.100.1 9.9.9.9",
            "nameserver: 9.9.9.9 10.0.100.1",
            "Restart: --nameserver 10.0.100.1 9.9.9.9",
        ),
        ("nesting=1", "nesting=0", "Restart: --features keyctl=1,mount=nfs;cifs,nesting=1,fuse=0"),
        ("keyctl=1,mount=nfs;cifs,nesting=1", "nesting=1,fuse=0,keyctl=1", ""),
        ("startup: up=10,order=3", "startup: 3", ""),
        ("startup: up=10,order=3", "startup: order=4", "Live: --startup order=3"),
        (",ip=10.0.100.201/24", ",ip=dhcp", "Live: --net0 NET"),
        ("bridge=vmbr1", "bridge=vmbr0", "Live: --net0 NET"),
        ("mp0: /srv/shared/,mp=/mnt/shared/,shared=1\n", "", "Live: --mp0 /srv/shared,mp=/mnt/shared"),
        ("shared=1\n", "shared=1,ro=1\n", "Restart: --mp0 /srv/shared,mp=/mnt/shared,shared=1,ro=0"),
    ];
    for (is, drifted, expected) in cases {
        assert!(CONF.contains(is), "{is}");
        let net = "name=eth0,bridge=vmbr1,gw=10.0.100.1,hwaddr=bc:24:11:50:d6:77,ip=10.0.100.201/24,ip6=fd00::201/64,rate=10,type=veth";
        let expected = expected.replace("NET", net);
        let expected: Vec<&str> = if expected.is_empty() { Vec::new() } else { vec![&expected] };
        assert_eq!(told(&CONF.replacen(is, drifted, 1), &asked()), expected, "{drifted}");
    }
}

#[test]
fn what_is_pending_counts_as_set_and_what_is_going_is_set_again() {
    let pending = |text: &str| told(&format!("{CONF}[pve:pending]\n{text}\n"), &asked());
    assert_eq!(pending("nameserver: 1.1.1.1"), ["Restart: --nameserver 10.0.100.1 9.9.9.9"]);
    assert_eq!(pending("delete: mp0"), ["Live: --mp0 /srv/shared,mp=/mnt/shared"]);
    assert_eq!(pending("delete: features,searchdomain").len(), 2);
    assert_eq!(pending("features: nesting=1,keyctl=1"), [""; 0]);
}

/// What is pending goes only where `pct` is told the very text that is in effect.
#[test]
fn what_is_set_back_to_what_is_in_effect_is_told_in_the_words_that_are_in_effect() {
    let back = |pending: &str, now: &str| {
        assert_eq!(told(&format!("{CONF}[pve:pending]\n{pending}\n"), &asked()), [format!("Restart: {now}")]);
    };
    back("features: nesting=1,keyctl=0,mount=nfs;cifs", "--features keyctl=1,mount=nfs;cifs,nesting=1");
    back("mp0: /srv/shared,shared=1,mp=/mnt/shared,ro=1", "--mp0 /srv/shared/,mp=/mnt/shared/,shared=1");
    back("nameserver: 9.9.9.9", "--nameserver 10.0.100.1 9.9.9.9");
    // Not so where what somebody took away is nothing that a recipe could bring back.
    back("features: nesting=1", "--features nesting=1,keyctl=1,fuse=0");
}

#[test]
fn only_a_new_container_has_what_is_fixed() {
    let is = read::settings(&Conf::parse(CONF));
    let mut other = asked();
    (other.unprivileged, other.storage, other.disk) = (Some(false), Some("zfs".into()), Some(Size(1 << 30)));
    let fields: Vec<String> = super::super::fixed(&other, &is).into_iter().map(|change| change.field).collect();
    assert_eq!(fields, ["unprivileged", "storage", "disk"]);
    assert_eq!(super::super::fixed(&asked(), &is), []);
}

#[test]
fn a_size_is_given_in_gibibytes_exactly() {
    assert_eq!(gibibytes(Size(40 << 30)), "40");
    assert_eq!(gibibytes(Size(512 << 20)), "0.5");
    assert_eq!(gibibytes(Size(1025 << 20)), "1.0009765625");
}
