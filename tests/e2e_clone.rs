//! Clones of a base, on plain LXC and on the stand-in for Proxmox: built once, copied, each its own; and what becomes of
//! them when things go wrong.
use crate::lab::{Answer, Lab, pct};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

const RECIPE: &str = r#"
name = "clones"
[vars]
members = [{ id = 301, name = "lilly" }, { id = 302, name = "mike" }]

[[bridge]]
name    = "br8"
address = "10.88.0.1/24"
nat     = true

[[container]]
id       = 300
hostname = "base"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
base     = true
tags     = ["base"]
mounts   = [{ source = "/srv", target = "/mnt/srv", read-only = true }]
network  = [{ bridge = "br8", address = "10.88.0.30/24", gateway = "10.88.0.1" }]

[[include]]
in     = 300
recipe = "common.toml"

[[include]]
for-each = { member = "{{ members }}" }
lane     = "CT{{ member.id }}"
recipe   = "member.toml"
vars     = { member = "{{ member }}" }
"#;

const MEMBER: &str = r#"
needs = ["member"]

[[container]]
id       = "{{ member.id }}"
hostname = "{{ member.name }}"
clone    = "base"
network  = [{ bridge = "br8", address = "10.88.0.{{ member.id - 270 }}/24", gateway = "10.88.0.1" }]

[[include]]
in     = "{{ member.id }}"
recipe = "inside.toml"
vars   = { name = "{{ member.name }}" }
"#;

const INSIDE: &str = r#"
needs = ["name"]
[[include]]
recipe = "common.toml"
[[file]]
path    = "/etc/own"
content = "{{ name }}\n"
owner   = "worker"
"#;

const COMMON: &str = r#"
[[package]]
name = "openssh-server"
[[user]]
name = "worker"
[[file]]
path    = "/etc/common"
content = "the same\n"
[[command]]
name  = "noted"
argv  = ["touch", "/var/lib/noted"]
watch = ["/etc/common"]
"#;

#[test]
fn a_base_is_built_once_and_every_clone_of_it_is_its_own() {
    let job = Job { lab: Lab::up(&["lxc", "uidmap", "zstd", "nftables", "ifupdown"]), proxmox: false };
    job.lab.put(Path::new(TEMPLATE), TEMPLATE);
    everything(&job);
    what_a_killed_run_left_at_work_is_waited_for(&job);
}

#[test]
fn on_proxmox_as_well() {
    let packages = ["lxc", "uidmap", "zstd", "nftables", "ifupdown", "e2fsprogs", "openssh-client"];
    let job = Job { lab: Lab::up(&packages), proxmox: true };
    job.lab.put(&pct(), "/usr/sbin/pct");
    job.lab.put(Path::new(TEMPLATE), &format!("/var/lib/vz/template/cache/{}", TEMPLATE.rsplit('/').next().unwrap()));
    job.lab.sh(
        "mkdir -p /etc/pve/lxc; printf 'dir: local\\n\\tpath /var/lib/vz\\n\\tcontent vztmpl,rootdir\\n' >/etc/pve/storage.cfg
         printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid",
    );
    everything(&job);
}

fn everything(job: &Job) {
    job.lab.furnish();
    for (name, text) in [("clones", RECIPE), ("member", MEMBER), ("inside", INSIDE), ("common", COMMON)] {
        job.lab.write(&format!("/srv/{name}.toml"), text);
    }
    what_a_clone_will_have_from_its_base_is_not_foretold_as_new(job);
    clones_have_what_is_in_the_base_and_nothing_that_makes_it_that_machine(job);
    a_second_run_changes_nothing(job);
    drift_in_one_clone_is_repaired_there_and_a_base_that_somebody_started_is_stopped(job);
    what_was_made_in_the_base_is_ours_in_its_clones(job);
    a_base_is_made_anew_when_a_person_says_so_and_its_clones_stay(job);
    a_copy_that_was_killed_is_made_again(job);
    a_clone_is_replaced_by_a_new_one(job);
    what_cannot_be_cloned_is_said_in_the_plan(job);
    a_base_goes_and_its_clones_stay(job);
}

struct Job {
    lab: Lab,
    proxmox: bool,
}

impl Job {
    fn provision(&self, arguments: &[&str]) -> Answer {
        let answer = self.lab.run(&[&["provision"], arguments].concat());
        println!("provision {}: exit {}", arguments.join(" "), answer.code);
        answer
    }

    fn events(&self, command: &str, more: &[&str]) -> (i32, Vec<Value>) {
        let answer = self.provision(&[&[command, "/srv/clones.toml", "--json"], more].concat());
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", answer.stderr))
        };
        (answer.code, answer.stdout.lines().map(read).collect())
    }

    /// Returns what an apply changed, and sees that nothing failed and that its exit code is this.
    #[track_caller]
    fn changed(&self, code: i32, more: &[&str]) -> BTreeSet<String> {
        let (found, events) = self.events("apply", &[&["--yes"], more].concat());
        let failed = ended(&events, "failed");
        assert!(failed.is_empty() && found == code, "exit {found}: {failed:?}\n{events:#?}");
        ended(&events, "changed")
    }

    /// Returns what a plan names, with its exit code.
    fn planned(&self, more: &[&str]) -> BTreeSet<String> {
        let (_, events) = self.events("plan", more);
        ids(events.iter().filter(|event| event["event"] == "planned"))
    }

    fn inside(&self, id: u32, script: &str) -> String {
        self.lab.inside(id, script).trim().to_owned()
    }
}

fn ids<'e>(events: impl Iterator<Item = &'e Value>) -> BTreeSet<String> {
    events.map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect()
}

fn ended(events: &[Value], how: &str) -> BTreeSet<String> {
    let finished = events.iter().filter(|event| event["event"] == "finished");
    ids(finished.filter(|event| event["outcome"]["outcome"] == how))
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// Nobody writes into the template at first, so its unpacking outlives the run that began it.
fn what_a_killed_run_left_at_work_is_waited_for(job: &Job) {
    let recipe = "name = \"late\"\n[[container]]\nid = 309\nhostname = \"late\"\ntemplate = \"/srv/late.tar.zst\"\nrunning = false\n";
    job.lab.write("/srv/late.toml", recipe);
    let said = job.lab.sh(&format!(
        "mkfifo /srv/late.tar.zst
         soon() {{ for try in $(seq 600); do \"$@\" >/dev/null && return; sleep 0.1; done; exit 1; }}
         provision apply /srv/late.toml --yes >/srv/first 2>&1 & run=$!
         soon pgrep -f 'tar -xpf - -C /var/lib/lxc/309/[r]ootfs'
         kill -KILL $run; wait $run || true
         provision apply /srv/late.toml --yes >/srv/second 2>&1 & run=$!
         soon grep 'waits for `.*` (pid .*), which an earlier run has started' /srv/second
         mv /srv/late.tar.zst /srv/fifo; cp {TEMPLATE} /srv/late.tar.zst; cat {TEMPLATE} >/srv/fifo
         wait $run; echo $?; cat /srv/second"
    ));
    assert!(said.starts_with("0\n") && said.contains("applied: 1 changed"), "{said}");
    job.lab.sh("test -d /var/lib/lxc/309/rootfs/etc");
    assert_eq!(job.provision(&["plan", "/srv/late.toml", "--check"]).code, 0);
}

fn what_a_clone_will_have_from_its_base_is_not_foretold_as_new(job: &Job) {
    let (_, events) = job.events("plan", &[]);
    let mut new = set(&["host/bridge:br8", "host/container:300", "host/base:300"]);
    new.extend(
        ["package:openssh-server", "user:worker", "file:/etc/common", "command:noted"].map(|id| format!("300/{id}")),
    );
    for id in [301, 302] {
        new.extend([format!("host/container:{id}"), format!("{id}/file:/etc/own")]);
    }
    assert_eq!(ids(events.iter().filter(|event| event["event"] == "planned")), new);
    let behind: BTreeSet<String> = events
        .iter()
        .filter(|event| event["event"] == "behind" && event["after"] == "host/container:301")
        .flat_map(|event| event["ids"].as_array().unwrap())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    let inherited = ["package:openssh-server", "user:worker", "file:/etc/common", "command:noted"];
    assert_eq!(behind, inherited.into_iter().map(|id| format!("301/{id}")).collect());
}

fn clones_have_what_is_in_the_base_and_nothing_that_makes_it_that_machine(job: &Job) {
    let changed = job.changed(0, &[]);
    let of = |id: &str| changed.iter().filter(|changed| changed.starts_with(id)).cloned().collect::<Vec<_>>();
    assert_eq!(of("301/"), ["301/file:/etc/own"], "the rest is there from the base");
    assert!(changed.contains("host/base:300") && of("300/").len() == 4, "{changed:?}");
    assert_eq!(job.lab.sh("lxc-ls --running -1").split_whitespace().collect::<Vec<_>>(), ["301", "302"]);

    let own = "hostname; cat /etc/hostname; hostname -I | xargs; cat /etc/own; cat /etc/common
               stat -c %U /etc/own; systemctl is-active ssh";
    assert_eq!(job.inside(301, own), "lilly\nlilly\n10.88.0.31\nlilly\nthe same\nworker\nactive");
    assert_eq!(job.inside(302, own), "mike\nmike\n10.88.0.32\nmike\nthe same\nworker\nactive");
    // What tells one machine from another: five of each, and none of them twice.
    let told = |id: u32| {
        job.lab.sh(&format!(
            "cd /var/lib/lxc/{id}; cat rootfs/etc/machine-id; cut -d' ' -f2 rootfs/etc/ssh/ssh_host_*_key.pub
             sed -n 's/^lxc.net.0.hwaddr = //p' config"
        ))
    };
    let all: String = [300, 301, 302].map(told).concat();
    let once: BTreeSet<&str> = all.lines().filter(|line| line.len() > 10).collect();
    assert_eq!((all.lines().count(), once.len()), (15, 15), "{all}");
    assert_eq!(job.inside(301, "ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key | grep -c root@lilly"), "1");
    assert_eq!(
        job.lab.sh("ls -A /var/lib/lxc/301/rootfs/dev; ls /var/lib/lxc/301/rootfs/etc/*.new 2>/dev/null || true"),
        ""
    );
    if !job.proxmox {
        assert_eq!(job.inside(301, "grep ^127.0.1.1 /etc/hosts"), "127.0.1.1\tlilly");
    }
    // Nothing of the base's settings either, and no file that two have.
    let config = job.lab.sh("cd /var/lib/lxc; cat 301/config /etc/pve/lxc/301.conf 2>/dev/null || true");
    let left = ["tags", "provision.base", "template", "being made", "/srv", "/300"].map(|word| config.contains(word));
    assert_eq!(left, [false; 6], "{config}");
    assert_eq!(job.lab.sh("find /var/lib/lxc/300 -type f -samefile /var/lib/lxc/301/rootfs/etc/common"), "");
}

fn a_second_run_changes_nothing(job: &Job) {
    assert_eq!(job.changed(0, &[]), set(&[]));
    assert_eq!(job.planned(&[]), set(&[]));
    let status = job.provision(&["status", "/srv/clones.toml"]);
    assert_eq!(status.code, 0, "{}{}", status.stdout, status.stderr);
}

fn drift_in_one_clone_is_repaired_there_and_a_base_that_somebody_started_is_stopped(job: &Job) {
    job.inside(301, "echo other >/etc/common");
    job.lab.sh("lxc-start -n 300");
    let drift = set(&["301/file:/etc/common", "host/container:300"]);
    assert_eq!(job.planned(&["--only", "*:/etc/common", "--only", "host/container:*"]), drift);
    assert_eq!(job.changed(0, &[]), drift);
    assert_eq!(job.planned(&[]), set(&[]));
    assert_eq!(job.lab.sh("cat /var/lib/lxc/300/rootfs/etc/common"), "the same\n");
}

fn what_was_made_in_the_base_is_ours_in_its_clones(job: &Job) {
    let (file, _) = COMMON.split_once("[[command]]").unwrap();
    job.lab.write("/srv/common.toml", &format!("{file}state = \"absent\"\n"));
    let (code, events) = job.events("apply", &["--yes"]);
    assert_eq!((code, ended(&events, "failed")), (3, set(&[])), "{events:#?}");
    let changed = ended(&events, "changed");
    for id in [301, 302] {
        assert!(changed.contains(&format!("{id}/file:/etc/common")), "{changed:?}");
        assert_eq!(job.inside(id, "ls /etc/common 2>&1 | grep -c 'No such'"), "1");
    }
    let waiting = ended(&events, "waiting");
    assert!(waiting.contains("300/file:/etc/common"), "{waiting:?}");
    let text = job.provision(&["plan", "/srv/clones.toml"]).stdout;
    assert!(text.contains("--replace 300"), "{text}");
}

fn a_base_is_made_anew_when_a_person_says_so_and_its_clones_stay(job: &Job) {
    let machine_id = job.inside(301, "cat /etc/machine-id");
    let changed = job.changed(0, &["--replace", "300"]);
    assert!(changed.contains("host/container:300") && changed.contains("host/base:300"), "{changed:?}");
    let clones: Vec<_> = changed.iter().filter(|id| !id.contains("300")).collect();
    assert!(clones.is_empty(), "{clones:?}");
    assert_eq!(job.inside(301, "cat /etc/machine-id"), machine_id);
    assert_eq!(job.lab.sh("ls /var/lib/lxc/300/rootfs/etc/common 2>&1 | grep -c 'No such'").trim(), "1");
    assert_eq!(job.planned(&[]), set(&[]));
}

fn a_copy_that_was_killed_is_made_again(job: &Job) {
    let (gone, config, marks) = if job.proxmox {
        ("pct stop 302; pct destroy 302", "/etc/pve/lxc/302.conf", ["^lock: create", "being made", "^lock: mounted"])
    } else {
        ("lxc-stop -k -n 302; rm -rf /var/lib/lxc/302", "/var/lib/lxc/302/config", ["#provision.lock = create"; 3])
    };
    job.lab.sh(gone);
    for (mark, after) in marks.into_iter().zip(["etc", "usr", "usr/share"]) {
        job.lab.sh(&format!(
            "provision apply /srv/clones.toml --yes >/root/killed 2>&1 & pid=$!
             until [ -e /var/lib/lxc/302/rootfs/{after} ] && grep -q '{mark}' {config}; do kill -0 $pid || {{ cat /root/killed; exit 1; }}; done
             kill -KILL $pid; wait $pid || true; while pgrep -x pct; do sleep 0.1; done; grep -q -e create -e 'being made' {config}"
        ));
    }
    let changed = job.changed(0, &[]);
    assert_eq!(changed, set(&["host/container:302", "302/file:/etc/own"]));
    assert_eq!(job.inside(302, "hostname; hostname -I | xargs; cat /etc/own"), "mike\n10.88.0.32\nmike");
    let same = "cd /var/lib/lxc; for dir in usr var/lib/dpkg; do for id in 300 302; do (cd $id/rootfs; find $dir | wc -l); done; done";
    let counts: Vec<String> = job.lab.sh(same).lines().map(str::to_owned).collect();
    assert_eq!((&counts[0], &counts[2]), (&counts[1], &counts[3]), "it is whole");
    assert_eq!(job.planned(&[]), set(&[]));
}

fn a_clone_is_replaced_by_a_new_one(job: &Job) {
    let before = job.inside(302, "cat /etc/machine-id; touch /root/mine; cat /sys/class/net/eth0/address");
    let member = MEMBER.replace("clone    = \"base\"", "clone    = \"base\"\ndisk     = \"20GiB\"");
    job.lab.write("/srv/member.toml", &member);
    let grown = set(&["host/container:301", "host/container:302"]);
    assert_eq!(job.changed(0, &[]), grown);
    job.lab.write("/srv/member.toml", &member.replace("20GiB", "10GiB"));
    let changed = job.changed(3, &["--replace", "302"]);
    assert_eq!(changed, set(&["host/container:302", "302/file:/etc/own"]));
    let after =
        job.inside(302, "cat /etc/machine-id; cat /sys/class/net/eth0/address; ls /root/mine 2>/dev/null || true");
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    assert!(before[0] != after[0] && before[1] == after[1] && after.len() == 2, "{before:?} {after:?}");
    job.lab.write("/srv/member.toml", &member);
    assert_eq!(job.changed(0, &[]), set(&["host/container:302"]));
}

fn what_cannot_be_cloned_is_said_in_the_plan(job: &Job) {
    let plan = |text: &str| {
        job.lab.write("/srv/wrong.toml", &format!("name = \"wrong\"\n{text}"));
        let answer = job.provision(&["plan", "/srv/wrong.toml"]);
        (answer.code, answer.stdout + &answer.stderr)
    };
    let container = "[[container]]\nid = 310\nhostname = \"x\"\n";
    for (text, code, says) in [
        (format!("{container}clone = 399"), 1, "there is no base of that id or host name"),
        (format!("{container}clone = \"nobody\""), 1, "there is no base of that id or host name"),
        (format!("{container}clone = 301"), 1, "container 301 is no base"),
        (
            format!("{container}clone = \"base\"\nunprivileged = false"),
            1,
            "the base is unprivileged, the clone is to be privileged",
        ),
        (
            format!("{container}clone = \"base\"\ndisk = \"1GiB\""),
            1,
            "the disk of the base has 8GiB, the clone is to have 1GiB",
        ),
        (format!("{container}clone = 310"), 2, "it is this very container"),
        ("[[container]]\nid = 300\nhostname = \"base\"".to_owned(), 1, "it is the id of a template"),
    ] {
        let (found, said) = plan(&text);
        assert!(found == code && said.contains(says), "{text}\nexit {found}\n{said}");
    }
}

fn a_base_goes_and_its_clones_stay(job: &Job) {
    let answer = job.provision(&["destroy", "/srv/clones.toml", "--yes", "--data", "300"]);
    assert_eq!(answer.code, 3, "{}{}", answer.stdout, answer.stderr);
    // Proxmox leaves the directory of one that was started.
    let there = if job.proxmox { "ls /etc/pve/lxc | sed 's/.conf$//'" } else { "ls /var/lib/lxc" };
    assert_eq!(job.lab.sh(there), "301\n302\n");
    assert_eq!(job.lab.run(&["ls", "/var/lib/lxc/300/rootfs"]).stdout, "");
    assert_eq!(job.inside(301, "hostname; hostname -I | xargs"), "lilly\n10.88.0.31");
    let answer = job.provision(&["destroy", "/srv/clones.toml", "--yes", "--data", "301", "--data", "302"]);
    assert_eq!(answer.code, 0, "{}{}", answer.stdout, answer.stderr);
    assert_eq!(job.lab.sh(there), "");
    assert_eq!(job.lab.sh("ls /sys/class/net | grep -c br8 || true"), "0\n");
}
