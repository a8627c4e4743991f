//! One run of the job after another on one host: first run, second run, drift, reboot. On plain LXC, and on a node of
//! Proxmox, with a stand-in for `pct` that runs real containers (tests/support/pct).
use crate::lab::{Answer, Lab, pct};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";
const TEMPLATE_OF_NODE: &str = "/var/lib/vz/template/cache/debian-12-standard_12.7-1_amd64.tar.zst";

/// Two members with the npm CLIs, five without, so that it fits into a small machine.
const MEMBERS: &str = r#"members=[
  { id = 201, role = "lilly", job = "Lead Generator",    from = "atlas", to = "mike",  clis = true },
  { id = 202, role = "mike",  job = "First Responder",   from = "lilly", to = "clara", clis = true },
  { id = 203, role = "clara", job = "Scoping",           from = "mike",  to = "aria",  clis = false },
  { id = 204, role = "aria",  job = "Orchestra/Mockups", from = "clara", to = "finn",  clis = false },
  { id = 205, role = "finn",  job = "Closer",            from = "aria",  to = "anya",  clis = false },
  { id = 206, role = "anya",  job = "Onboarding",        from = "finn",  to = "atlas", clis = false },
  { id = 207, role = "atlas", job = "Delivery PM",       from = "anya",  to = "lilly", clis = false },
]"#;
/// Those five are copies of one without the CLIs; the other two bring their own.
const BASE: &str = "base={ id = 200, clis = false }";
/// As README.md has it.
pub const NETWORK: &str = r#"network={ node = "npm", npm = "https://registry.npmjs.org", apt = "", certificates = "/usr/local/share/ca-certificates" }"#;
/// What is applied in the directory of a checkout.
pub const RECIPE: &str = "recipes/eidolons.toml";
const REPOSITORY: &str = "repository=git://10.0.100.1/eidolons.git";

struct Job {
    lab: Lab,
    members: String,
    /// The members that have the CLIs.
    with_clis: &'static [u32],
}

impl Job {
    fn provision(&self, command: &str, more: &[&str]) -> Answer {
        let begun = Instant::now();
        let recipe = if command == "apply" { RECIPE } else { "eidolons" };
        let mut argv = vec!["sh", "-c", "cd /root && exec provision \"$@\"", "sh", command, recipe];
        let vars = [&self.members, BASE, NETWORK, REPOSITORY];
        argv.extend(vars.into_iter().flat_map(|var| ["--var", var]));
        argv.extend(more);
        let answer = self.lab.run(&argv);
        println!("provision {command} {}: exit {}, {:.2?}", more.join(" "), answer.code, begun.elapsed());
        answer
    }

    /// Returns the events of a command.
    fn events(&self, command: &str, more: &[&str]) -> (i32, Vec<Value>) {
        let mut arguments = vec!["--json"];
        arguments.extend(more);
        let answer = self.provision(command, &arguments);
        let read = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{}", answer.stderr))
        };
        (answer.code, answer.stdout.lines().map(read).collect())
    }

    fn changed(&self, more: &[&str]) -> (i32, BTreeSet<String>) {
        let (code, events) = self.events("apply", more);
        let ended = |event: &&Value| event["event"] == "finished";
        let failed: Vec<&Value> =
            events.iter().filter(ended).filter(|event| event["outcome"]["outcome"] == "failed").collect();
        assert!(failed.is_empty(), "{failed:#?}");
        let changed = events.iter().filter(ended).filter(|event| event["outcome"]["outcome"] == "changed");
        (code, changed.map(|event| event["id"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Returns what a plan names: id and label.
    fn planned(&self) -> BTreeSet<(String, String)> {
        let (_, events) = self.events("plan", &[]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let planned = events.iter().filter(|event| event["event"] == "planned");
        planned.map(|event| (text(&event["id"]), text(&event["label"]))).collect()
    }

    /// Puts there what else the job takes: the recipes as a checkout has them, and the members' repository.
    fn supply(&self) {
        self.lab.sh(
            "provision recipes copy /root/recipes
             mkdir -p /srv/git && cd /srv/git && git init -q -b main work && cd work
             git config user.name Test && git config user.email test@example.org
             for dir in AI_Agents src/maestro src/other scripts dashboards docs; do mkdir -p $dir; echo $dir >$dir/README; done
             git add -A && git commit -qm first
             git clone -q --bare /srv/git/work /srv/git/eidolons.git && git -C /srv/git/eidolons.git config uploadpack.allowFilter true
             systemd-run -q --unit=git-daemon git daemon --export-all --reuseaddr --base-path=/srv/git /srv/git",
        );
    }
}

#[test]
fn the_seven_members_come_up_stay_and_are_repaired() {
    let job = Job { lab: Lab::up(&["git"]), members: MEMBERS.to_owned(), with_clis: &[201, 202] };
    job.lab.furnish();
    job.lab.put(Path::new(TEMPLATE), TEMPLATE);
    job.supply();

    first_run_brings_up_everything_and_waits_for_people(&job);
    second_run_changes_nothing(&job);
    what_a_person_did_is_seen(&job);
    drift_is_named_and_repaired_and_nothing_else_is_touched(&job);
    a_reboot_brings_everything_back(&job);
}

/// A node as its installation leaves it: a bridge with a way out, a storage, and a template in it. Every call of `pct` is
/// written down.
const NODE: &str = "
    mkdir -p /etc/pve/lxc /etc/pve/nodes /etc/pve/qemu-server
    printf 'dir: local\\n\\tpath /var/lib/vz\\n\\tcontent vztmpl,rootdir\\n' >/etc/pve/storage.cfg
    printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid
    ip link add vmbr1 type bridge; ip address add 10.0.100.1/24 dev vmbr1; ip link set vmbr1 up; sysctl -qw net.ipv4.ip_forward=1
    nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post ip saddr 10.0.100.0/24 masquerade'
    mkdir /usr/local/lib/tools; mv /usr/sbin/pct /usr/local/lib/tools/pct
    printf '#!/bin/sh\\necho \"$*\" >>/run/pct.calls\\nexec /usr/local/lib/tools/pct \"$@\"\\n' >/usr/sbin/pct
    chmod 755 /usr/sbin/pct";

impl Job {
    fn on_a_node(members: &str) -> Self {
        let lab = Lab::up(&["git", "lxc", "uidmap", "zstd", "nftables", "iproute2", "e2fsprogs", "openssh-client"]);
        let job = Self { lab, members: members.to_owned(), with_clis: &[] };
        job.lab.furnish();
        job.lab.put(&pct(), "/usr/sbin/pct");
        job.lab.put(Path::new(TEMPLATE), TEMPLATE_OF_NODE);
        job.lab.sh(NODE);
        job.supply();
        job
    }

    /// Returns what `pct` was called for since it was last asked: the first two words of each call.
    fn calls(&self) -> Vec<String> {
        let called = self.lab.sh("touch /run/pct.calls; cat /run/pct.calls; rm /run/pct.calls");
        let mut calls: Vec<String> =
            called.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        calls.sort();
        calls
    }
}

#[test]
fn on_a_node_of_proxmox_pct_is_called_for_what_changes_and_for_nothing_else() {
    let job = Job::on_a_node(&MEMBERS.replace("clis = true", "clis = false"));

    first_run_brings_up_everything_and_waits_for_people(&job);
    let mut made = BTreeMap::new();
    for call in job.calls() {
        *made.entry(call.split(' ').next().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    // A clone is set twice: as its own, and last as no clone that is being made.
    let expected = [
        ("clone", 7),
        ("create", 1),
        ("mount", 7),
        ("set", 15),
        ("shutdown", 1),
        ("start", 8),
        ("template", 1),
        ("unmount", 7),
    ];
    assert_eq!(made, expected.map(|(verb, times)| (verb.to_owned(), times)).into());
    second_run_changes_nothing(&job);
    assert_eq!(job.calls(), [""; 0]);
    job.lab.inside(203, "apt-get -qq -y remove jq >/dev/null");
    job.lab.inside(205, "umount /mnt/shared");
    job.lab.sh("lxc-stop -n 204; sed -i 's/^memory: .*/memory: 1024/' /etc/pve/lxc/206.conf");
    let (_, changed) = job.changed(&["--yes"]);
    assert_eq!(changed, set(&["203/package:jq", "host/container:204", "host/container:205", "host/container:206"]));
    assert_eq!(job.calls(), ["set 206", "start 204"]);
    assert_eq!(job.planned(), BTreeSet::new());
    assert_eq!(job.calls(), [""; 0]);
}

const TWO: &str = r#"members=[
  { id = 201, role = "lilly", job = "Lead Generator",  from = "mike",  to = "mike",  clis = false },
  { id = 202, role = "mike",  job = "First Responder", from = "lilly", to = "lilly", clis = false },
]"#;

#[test]
fn members_whose_making_is_killed_again_and_again_come_up_all_the_same() {
    let job = Job::on_a_node(TWO);
    job.lab.write("/root/members", TWO);
    let (mut kills, mut said_all) = (0, String::new());
    loop {
        // In what is installed on the host, in the making of containers, in their boot, among their packages.
        let seconds = 0.3 * 1.25_f32.powi(kills);
        let script = format!(
            "provision apply eidolons --yes --var \"$(cat /root/members)\" --var '{BASE}' --var '{NETWORK}' --var {REPOSITORY} >/root/said 2>&1 & pid=$!
             sleep {seconds:.2}; kill -KILL $pid && echo sent; wait $pid; echo $?; cat /root/said"
        );
        let said = job.lab.run(&["sh", "-c", &script]).stdout;
        println!("killed after {seconds:.2} s: {}", said.lines().last().unwrap_or_default());
        said_all.push_str(&said);
        if !said.starts_with("sent") {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 8, "only {kills} kills came in time:\n{said_all}");
    assert!(said_all.contains("which an earlier run has started"), "a run that waits says for what:\n{said_all}");
    let answer = job.provision("apply", &["--yes"]);
    assert_eq!(answer.code, 3, "{}{}", answer.stdout, answer.stderr);
    second_run_changes_nothing(&job);
    let left = "grep -l '^lock' /etc/pve/lxc/*; pgrep -fa 'provision (apply|agent)'; find / -xdev -name '*.provision-*'; grep rootfs /proc/mounts";
    assert_eq!(job.lab.run(&["sh", "-c", left]).stdout, "");
    assert_eq!(job.lab.sh("ls /etc/pve/lxc"), "200.conf\n201.conf\n202.conf\n");
    for id in [201, 202] {
        job.lab.inside(id, "test -z \"$(dpkg --audit)\"");
        assert_eq!(job.lab.inside(id, "find / -xdev -name '*.provision-*'"), "");
    }
}

fn first_run_brings_up_everything_and_waits_for_people(job: &Job) {
    let (code, changed) = job.changed(&["--yes"]);
    assert_eq!(code, 3, "the gates wait for a person");
    for id in 201..=207 {
        assert!(changed.contains(&format!("host/container:{id}")), "{changed:#?}");
        job.lab.inside(id, "systemctl is-system-running --wait || systemctl is-system-running | grep -q degraded");
        job.lab.inside(id, "jq --version && ip route | grep -q 'default via 10.0.100.1' && grep -q signals /etc/group");
    }
    for id in job.with_clis.iter().copied() {
        job.lab.inside(id, "for cli in claude gemini codex copilot; do $cli --version; done");
    }
    job.lab.inside(
        201,
        "su - lilly -c 'cd workspace/repository && test -d src/maestro && ! test -e docs && git status --porcelain'",
    );
    let owners = job.lab.sh("stat -c '%n %u:%g %a' /var/lib/vz/shared/signals/*_inbox");
    assert!(owners.contains("/var/lib/vz/shared/signals/lilly_inbox 101201:101200 3770"), "{owners}");
    assert!(job.lab.sh("cat /var/lib/nfs/etab").contains("10.0.100.0/24"), "the shared directory is exported");
}

fn second_run_changes_nothing(job: &Job) {
    let before = job.lab.sh("wc -l </var/lib/provision/ledger.jsonl");
    let answer = job.provision("apply", &["--yes"]);
    assert_eq!(answer.code, 3);
    assert!(answer.stdout.lines().count() <= 3, "{}", answer.stdout);
    let after = job.lab.sh("wc -l </var/lib/provision/ledger.jsonl");
    let count = |text: &str| text.trim().parse::<u32>().expect("a number");
    assert_eq!(count(&after), count(&before) + 1, "one line in the ledger");
    assert_eq!(job.planned(), BTreeSet::new());
    assert!(job.lab.sh("provision ledger verify").contains("whole"));
}

fn what_a_person_did_is_seen(job: &Job) {
    for role in ["lilly", "mike", "clara", "aria", "finn", "anya", "atlas"] {
        job.lab.sh(&format!("provision ack gate:m365-{role}"));
    }
    // Nobody can log in here, so an agent that needs no login stands in front of the real one: it reads its terminal.
    job.lab.inside(
        201,
        r#"install -d -o lilly -g lilly -m 0700 /home/lilly/.claude
        echo '{}' | install -o lilly -g lilly -m 0600 /dev/stdin /home/lilly/.claude/.credentials.json
        printf '#!/bin/sh\nwhile read -r line; do echo "$line"; done\n' | install -o lilly -g lilly -m 0755 /dev/stdin /home/lilly/bin/claude"#,
    );
    let (_, changed) = job.changed(&["--yes"]);
    assert_eq!(changed, set(&["201/unit:max-agent@claude.service"]));
    job.lab.inside(201, "systemctl is-active max-agent@claude.service");
    let status = job.provision("status", &[]);
    println!("{}", status.stdout);
    assert!(status.stdout.contains("M365 Account"), "{}", status.stdout);
}

fn drift_is_named_and_repaired_and_nothing_else_is_touched(job: &Job) {
    job.lab.inside(201, "echo 'lilly ALL=(ALL) ALL' >/etc/sudoers.d/lilly; systemctl stop max-agent@claude.service");
    job.lab.inside(203, "apt-get -qq -y remove jq >/dev/null; usermod --shell /bin/sh clara");
    job.lab.sh("lxc-stop -n 204");
    job.lab.inside(205, "umount /mnt/shared");
    let expected = [
        "201/file:/etc/sudoers.d/lilly",
        "201/unit:max-agent@claude.service",
        "203/package:jq",
        "203/user:clara",
        "host/container:204",
        "host/container:205",
    ];
    let mut named = set(&expected);
    // Its signal lies behind the mount that is gone, so the plan has it as gone too.
    named.insert("205/command:signal".to_owned());
    let drift = named.into_iter().map(|id| (id, "drift".to_owned())).collect();
    assert_eq!(job.planned(), drift);
    job.lab.sh("touch /run/before");
    job.lab.inside(206, "touch /run/before");
    let (_, changed) = job.changed(&["--yes"]);
    assert_eq!(changed, set(&expected));
    assert_eq!(job.planned(), BTreeSet::new());
    let touched = job.lab.inside(206, "find /etc /usr /home /opt /srv -newercm /run/before");
    assert_eq!(touched, "", "nothing in a member without drift");
    let touched = job.lab.sh("find /etc /usr /srv /var/lib/vz /root -newercm /run/before");
    assert_eq!(touched, "", "nothing on the host");
    job.lab.inside(205, "mountpoint -q /mnt/shared && test -d /mnt/shared/signals/finn_inbox");
}

fn a_reboot_brings_everything_back(job: &Job) {
    job.lab.reboot();
    job.lab.sh("for try in $(seq 60); do [ $(lxc-ls --running -1 | wc -l) = 7 ] && break; sleep 1; done; [ $(lxc-ls --running -1 | wc -l) = 7 ]");
    job.lab.sh("ip -br addr show vmbr1 | grep -q 10.0.100.1/24 && nft list ruleset | grep -q masquerade");
    job.lab.sh("for try in $(seq 30); do provision plan eidolons --check --only 'host/*' >/dev/null; [ $? != 1 ] && break; sleep 1; done");
    job.lab.inside(
        207,
        "for try in $(seq 30); do ip route | grep -q default && break; sleep 1; done; ip route | grep -q default",
    );
    assert_eq!(job.planned(), BTreeSet::new());
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}
