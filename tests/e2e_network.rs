//! Bridges and exports on the real tools: a disposable machine, in which this very test runs again.
use crate::lab::on_a_disposable_machine;
use crate::support::here::{Here, item};
use provision::item::Item;
use serde_json::json;

const CALLS: &[&str] = &["rename", "unlink", "execve", "clone,clone3,vfork"];

fn bridge(fields: serde_json::Value) -> [Item; 1] {
    [item("bridge", &fields)]
}

fn export(fields: serde_json::Value) -> [Item; 1] {
    [item("nfs-export", &fields)]
}

#[test]
fn bridges_and_exports_as_they_are_in_life() {
    let packages = ["nfs-kernel-server", "nftables", "strace", "iputils-ping"];
    on_a_disposable_machine("e2e_network::bridges_and_exports_as_they_are_in_life", &packages, || {
        let steps: &[(&str, fn(&mut Here))] = &[
            ("a host without ifupdown, and one that reads no stanzas", no_ifupdown),
            ("rules, forwarding and addresses drift", drift),
            ("a network behind the bridge gets out", gets_out),
            ("ifup and ifdown killed anywhere", bridge_killed),
            ("exports: paths with spaces, many clients, no exportfs", exports),
            ("exportfs killed anywhere", exportfs_killed),
        ];
        for (what, step) in steps {
            println!("{what}");
            step(&mut Here::new());
        }
    });
}

fn no_ifupdown(here: &mut Here) {
    let vmbr = || bridge(json!({ "name": "vmbr30", "address": "10.30.0.1/24" }));
    here.sh("mv /etc/network/interfaces /root/; printf 'auto lo\\niface lo inet loopback\\n' >/etc/network/interfaces");
    assert!(here.plan(&vmbr())[0].contains("it is not read, so `vmbr30` would not come up at boot"));
    here.sh("mv /root/interfaces /etc/network/; mv /sbin/ifup /root/; mkdir -p /run/systemd/netif; : >/run/systemd/netif/state");
    let said = here.plan(&vmbr());
    assert_eq!(
        said,
        [
            "bridge:vmbr30 failed: looking for the program `ifup`: it is not there: systemd-networkd looks after this host's network "
        ]
    );
    here.sh("mv /root/ifup /sbin/; rm /run/systemd/netif/state");
    assert!(!std::path::Path::new("/sys/class/net/vmbr30").exists());
}

fn drift(here: &mut Here) {
    let nat = || bridge(json!({ "name": "vmbr31", "address": "10.31.0.1/24", "nat": true }));
    here.converges(&nat(), &["bridge:vmbr31: nothing -> 10.31.0.1/24, NAT"]);
    for (damage, said) in [
        ("nft flush ruleset", "nat: off -> on"),
        ("nft flush table ip provision_vmbr31", "nat: off -> on"),
        ("nft delete table ip provision_vmbr31; nft add table ip provision_vmbr31", "nat: off -> on"),
        ("echo 0 >/proc/sys/net/ipv4/ip_forward", "forwarding: off -> on"),
        ("ip address add 10.31.0.9/24 dev vmbr31", ""),
        ("ip address flush dev vmbr31", "address: nothing -> 10.31.0.1/24"),
    ] {
        here.sh(damage);
        let expected: Vec<String> =
            [said].iter().filter(|said| !said.is_empty()).map(|said| format!("bridge:vmbr31 {said}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        println!("  {damage}");
        here.converges(&nat(), &expected);
    }
    here.destroy(&nat());
    here.sh("! ip link show dev vmbr31 2>/dev/null; ! nft list table ip provision_vmbr31 2>/dev/null");
    // Not a bridge at all.
    here.sh("ip link add name vmbr31 type veth peer name peer31");
    let said = here.apply(&nat());
    assert!(
        said[0].contains("waiting: exists and is not ours; differs in interface (no bridge instead of bridge)"),
        "{said:?}"
    );
    here.sh("ip link delete dev vmbr31");
}

fn gets_out(here: &mut Here) {
    let nat = || bridge(json!({ "name": "vmbr32", "address": "10.32.0.1/24", "nat": true }));
    here.apply(&nat());
    here.sh("ip netns add guest; ip link add name port32 type veth peer name eth0 netns guest; ip link set dev port32 master vmbr32 up; \
             ip -n guest address add 10.32.0.2/24 dev eth0; ip -n guest link set dev eth0 up; ip -n guest route add default via 10.32.0.1");
    let gateway = here.sh("ip route show default | cut -d' ' -f3");
    here.sh(&format!("ip netns exec guest ping -c1 -W3 {gateway} >/dev/null"));
    assert_eq!(here.destroy(&nat()), ["bridge:vmbr32 remark: kept: port32 is attached to it"]);
    here.sh("ip link delete dev port32; ip netns delete guest");
    assert_eq!(here.destroy(&nat()), ["bridge:vmbr32: 10.32.0.1/24, NAT -> nothing"]);
}

fn bridge_killed(here: &mut Here) {
    here.may_be_killed("ifup");
    here.may_be_killed("ifdown");
    let nat = || bridge(json!({ "name": "vmbr33", "address": "10.33.0.1/24", "nat": true }));
    let gone = |here: &mut Here| {
        here.sh("ip link delete dev vmbr33 2>/dev/null || true; rm -f /etc/network/interfaces.d/vmbr33; \
                 nft delete table ip provision_vmbr33 2>/dev/null || true; ifdown --force vmbr33 2>/dev/null || true");
        here.known.claims.clear();
    };
    let up = |here: &mut Here| here.apply(&nat());
    let kills = here.killed_at_each(("ifup", CALLS), &gone, &up, &|here| {
        here.sh("ip -br address show dev vmbr33 | grep -q 10.33.0.1/24; nft list table ip provision_vmbr33 | grep -q masquerade");
    });
    println!("  ifup: killed {kills} times");
    assert!(kills > 5, "{kills}");
    let made = |here: &mut Here| {
        gone(here);
        up(here);
    };
    let kills = here.killed_at_each(("ifdown", CALLS), &made, &|here| here.destroy(&nat()), &|here| {
        here.sh("! ip link show dev vmbr33 2>/dev/null; ! nft list table ip provision_vmbr33 2>/dev/null; ! test -e /etc/network/interfaces.d/vmbr33");
    });
    println!("  ifdown: killed {kills} times");
    assert!(kills > 5, "{kills}");
    gone(here);
    here.sh("rm /usr/local/sbin/ifup /usr/local/sbin/ifdown");
}

fn exports(here: &mut Here) {
    here.sh("mkdir -p '/srv/a b' /srv/two; : >/etc/exports");
    let fields = |clients: serde_json::Value| json!({ "path": "/srv/a b", "clients": clients, "allow-root": true });
    here.converges(
        &export(fields(json!([{ "host": "10.0.0.0/8", "options": "rw,no_root_squash" }, { "host": "@ops" }, { "host": "*.example.org", "options": ["ro", "sec=sys"] }]))),
        &["nfs-export:/srv/a b: nothing -> 10.0.0.0/8(rw,no_root_squash,no_subtree_check) @ops(no_subtree_check) *.example.org(ro,sec=sys,no_subtree_check)"],
    );
    assert_eq!(here.sh("grep -c '^/srv/a.040b' /var/lib/nfs/etab"), "3");
    let one = || export(fields(json!([{ "host": "10.0.0.0/8", "options": "rw" }])));
    here.converges(
        &one(),
        &["nfs-export:/srv/a b clients: 10.0.0.0/8(rw,no_root_squash,no_subtree_check) @ops(no_subtree_check) *.example.org(ro,sec=sys,no_subtree_check) -> 10.0.0.0/8(rw,no_subtree_check)"],
    );
    assert_eq!(here.sh("grep '^/srv/a' /var/lib/nfs/etab | grep -c root_squash"), "1");
    // By hand, in the server's table alone.
    here.sh("exportfs -u '10.0.0.0/8:/srv/a b'");
    here.converges(&one(), &["nfs-export:/srv/a b exported: nobody -> 10.0.0.0/8(rw,no_subtree_check)"]);
    here.sh("exportfs -o rw,no_root_squash,no_subtree_check '10.9.9.9:/srv/a b'");
    let said = here.apply(&one());
    assert!(said[0].starts_with("nfs-export:/srv/a b exported: "), "{said:?}");
    here.in_sync(&one());
    here.sh("! grep 10.9.9.9 /var/lib/nfs/etab");
    // What the first line says counts.
    here.sh("echo '/srv/two 10.0.0.1(ro,no_subtree_check)' >/etc/exports; exportfs -ra");
    let two = export(json!({ "path": "/srv/two", "clients": [{ "host": "10.0.0.1", "options": "rw" }] }));
    assert!(
        here.plan(&two)[0]
            .contains("`/etc/exports` does so already, with other options: ro,no_subtree_check and not rw")
    );
    here.sh(": >/etc/exports; mv /usr/sbin/exportfs /root/");
    let said = here.plan(&two);
    assert_eq!(said, ["nfs-export:/srv/two failed: looking for the program `exportfs`: it is not there "]);
    here.sh("mv /root/exportfs /usr/sbin/; exportfs -ra");
    assert_eq!(here.destroy(&one()), ["nfs-export:/srv/a b: 10.0.0.0/8(rw,no_subtree_check) -> nothing"]);
    here.sh("! grep -q a.040b /var/lib/nfs/etab");
}

fn exportfs_killed(here: &mut Here) {
    here.may_be_killed("exportfs");
    here.sh("mkdir -p /srv/killed; rm -f /etc/exports.d/*");
    let asked = || export(json!({ "path": "/srv/killed", "clients": [{ "host": "10.0.0.1", "options": "rw" }] }));
    let fresh = |here: &mut Here| {
        here.sh("rm -f /etc/exports.d/*; exportfs -ra");
        here.known.claims.clear();
    };
    let calls = &["rename", "unlink", "openat", "fcntl"][..];
    let kills = here.killed_at_each(("exportfs", calls), &fresh, &|here| here.apply(&asked()), &|here| {
        here.sh("grep -q '^/srv/killed.10.0.0.1(rw' /var/lib/nfs/etab");
    });
    println!("  exportfs: killed {kills} times on the way up");
    assert!(kills > 5, "{kills}");
    let made = |here: &mut Here| {
        fresh(here);
        here.apply(&asked());
    };
    let kills = here.killed_at_each(("exportfs", calls), &made, &|here| here.destroy(&asked()), &|here| {
        here.sh("! grep -q /srv/killed /var/lib/nfs/etab; ! test -e /etc/exports.d/srv-killed.exports");
    });
    println!("  exportfs: killed {kills} times on the way down");
    assert!(kills > 5, "{kills}");
}
