//! Cut off: a signal to what makes, changes and starts a container, to what goes into it, and to `provision` itself; a container
//! that somebody stops or destroys meanwhile; a host without its tools. The run says what is wrong and loses nothing, and the
//! next one converges. On the stand-in for Proxmox's tools, and on plain LXC where that differs.
use crate::lab::{Answer, Lab, pct};
use std::path::Path;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

const RECIPE: &str = r#"
name = "cut"
[vars]
members = []
text    = "first"
third   = false

[[include]]
for-each = { member = "{{ members }}" }
lane     = "CT{{ member.id }}"
recipe   = "member.toml"
vars     = { member = "{{ member }}", text = "{{ text }}" }

[[container]]
id       = 303
hostname = "third"
template = "tiny.tar.zst"
running  = false
when     = "{{ third }}"
"#;

const MEMBER: &str = r#"
needs = ["member", "text"]

[[container]]
id       = "{{ member.id }}"
hostname = "ct{{ member.id }}"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
memory   = "{{ member.memory }}"
disk     = "{{ member.disk }}"
mounts   = "{{ member.mounts }}"

[[include]]
in     = "{{ member.id }}"
recipe = "inside.toml"
vars   = { text = "{{ text }}" }
"#;

/// The command is due once for each text, and keeps count.
const INSIDE: &str = r#"
needs = ["text"]
[[file]]
path    = "/etc/first"
content = "{{ text }}\n"
[[command]]
name   = "slow"
watch  = "/etc/first"
script = """
cat /etc/first >>/var/tmp/starts
touch /var/tmp/middle
while [ -e /var/tmp/slow ]; do sleep 0.1; done
"""
[[file]]
path    = "/etc/last"
content = "{{ text }}\n"
"#;

/// A container that never runs, and something after it.
const TINY: &str = r#"
name = "tiny"
[[container]]
id       = 310
hostname = "tiny"
template = "tiny.tar.zst"
disk     = "1GiB"
running  = false
[[file]]
path    = "/srv/after"
content = "after\n"
"#;

#[test]
fn whatever_is_cut_off_the_next_run_converges() {
    let mut host = Host { lab: Lab::up(&["lxc", "uidmap", "zstd", "e2fsprogs", "openssh-client"]), on: &PROXMOX };
    host.lab.put(&pct(), "/usr/sbin/pct");
    host.lab.put(Path::new(env!("CARGO_BIN_EXE_provision")), "/usr/local/bin/provision");
    host.lab.put(Path::new(TEMPLATE), TEMPLATE);
    for (name, text) in [("cut", RECIPE), ("member", MEMBER), ("inside", INSIDE), ("tiny", TINY)] {
        host.lab.write(&format!("/srv/{name}.toml"), text);
    }
    host.lab.sh(&format!(
        "mkdir -p /etc/pve/lxc /var/lib/vz/template/cache /srv/tiny/etc /srv/a /run/pct.pause
         printf 'dir: local\\n\\tpath /var/lib/vz\\n\\tcontent vztmpl,rootdir\\n' >/etc/pve/storage.cfg
         printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid; ln -s {TEMPLATE} /var/lib/vz/template/cache/
         tar -C /srv/tiny -c . --zstd -f /var/lib/vz/template/cache/tiny.tar.zst"
    ));
    a_create_that_was_ended_is_made_anew(&host);
    members_are_made(&host);
    a_change_that_was_ended_is_made(&host);
    a_start_that_was_ended_is_made(&host);
    members_are_cut_off(&host);
    without_its_tool_a_node_is_no_plain_host(&host);

    host.lab.sh("pct stop 301; pct stop 302; rm -rf /etc/pve /usr/sbin/pct /var/lib/provision /var/lib/lxc/*");
    host.on = &PLAIN;
    an_unpacking_that_was_ended_is_made_anew(&host);
    members_are_made(&host);
    members_are_cut_off(&host);
    a_plain_host_without_its_tools_says_so(&host);
}

struct Host {
    lab: Lab,
    on: &'static On,
}

/// What somebody does to a container, by its id.
struct On {
    ids: [u32; 2],
    stop: &'static str,
    destroy: &'static str,
}

const PROXMOX: On = On { ids: [301, 302], stop: "pct stop", destroy: "pct destroy" };
const PLAIN: On = On { ids: [401, 402], stop: "lxc-stop -k -n", destroy: "lxc-destroy -n" };

impl Host {
    /// Runs a shell script, in which `provision` runs `arguments` and is `$provision` once `until` succeeds; then `deed`.
    fn cut(&self, arguments: &str, until: &str, deed: &str) -> Answer {
        let script = format!(
            "provision {arguments} >/run/said 2>&1 & provision=$!
             until {until}; do kill -0 $provision || {{ cat /run/said; exit 99; }}; sleep 0.05; done
             {deed}
             wait $provision; code=$?; cat /run/said; exit $code"
        );
        let answer = self.lab.run(&["sh", "-c", &script]);
        println!("{deed}\n{}exit {}\n", answer.stdout, answer.code);
        answer
    }

    /// Has the call of `pct` that comes to `point` stand still there, as `$pct`, while `deed` is done.
    fn cut_call(&self, arguments: &str, point: &str, deed: &str) -> Answer {
        self.lab.sh(&format!("touch /run/pct.pause/{point}; rm -f /run/pct.paused"));
        let deed = format!(
            "pct=$(cat /run/pct.paused); {deed}; rm -f /run/pct.pause/{point}; while [ -e /proc/$pct ]; do sleep 0.05; done"
        );
        self.cut(arguments, "[ -s /run/pct.paused ]", &deed)
    }

    /// Has the command in the first member stand still while `deed` is done.
    fn cut_lane(&self, text: &str, deed: &str) -> Answer {
        let tmp = format!("/var/lib/lxc/{}/rootfs/var/tmp", self.on.ids[0]);
        self.lab.sh(&format!("touch {tmp}/slow; rm -f {tmp}/middle"));
        let (apply, deed) = (self.apply(text), format!("{deed}; rm -f {tmp}/slow"));
        self.cut(&apply, &format!("[ -e {tmp}/middle ]"), &deed)
    }

    /// Returns the arguments of an apply with that text.
    fn apply(&self, text: &str) -> String {
        self.apply_with(text, r#"memory = "256MiB", disk = "4GiB", mounts = []"#)
    }

    /// Returns those of an apply with which the first member has these settings.
    fn apply_with(&self, text: &str, first: &str) -> String {
        let [one, two] = self.on.ids;
        let members = format!(
            r#"members=[{{ id = {one}, {first} }}, {{ id = {two}, memory = "256MiB", disk = "4GiB", mounts = [] }}]"#
        );
        format!("apply /srv/cut.toml --yes --var text={text} --var '{members}'")
    }

    fn provision(&self, arguments: &str) -> Answer {
        let answer = self.lab.run(&["sh", "-c", &format!("provision {arguments} 2>&1")]);
        println!("provision {arguments}\n{}exit {}\n", answer.stdout, answer.code);
        answer
    }

    /// Applies, and sees that all is well and that nothing is left to do.
    #[track_caller]
    fn converges(&self, arguments: &str) -> String {
        let answer = self.provision(arguments);
        assert_eq!(answer.code, 0, "{}", answer.stdout);
        let planned = self.provision(&format!("{} --check", arguments.replace("apply", "plan").replace("--yes", "")));
        assert_eq!(planned.code, 0, "{}", planned.stdout);
        answer.stdout
    }

    /// Converges with a text: it is there in both members, and the command was started so often in the first.
    #[track_caller]
    fn converges_with(&self, text: &str, starts: usize) {
        self.converges(&self.apply(text));
        for id in self.on.ids {
            assert_eq!(self.lab.inside(id, "cat /etc/last").trim(), text);
        }
        assert_eq!(
            self.lab.inside(self.on.ids[0], &format!("grep -cx {text} /var/tmp/starts")).trim(),
            starts.to_string()
        );
        self.no_rest();
    }

    /// The second member was not held up by what became of the first.
    #[track_caller]
    fn other_lane_has(&self, text: &str) {
        assert_eq!(self.lab.inside(self.on.ids[1], "cat /etc/last").trim(), text);
    }

    /// What is in `/run/provision` of the first member is whole, and nothing works there any more.
    #[track_caller]
    fn no_rest(&self) {
        let rest = "cd /run/provision; ls -A | grep -v -x -e agent.lock -e agent.children -e '[0-9a-f]*' || true
                    for file in ????????????????????????????????????????????????????????????????; do
                        echo \"$file  $file\" | sha256sum -c --quiet 2>&1 || true
                    done";
        assert_eq!(self.lab.inside(self.on.ids[0], rest), "");
    }
}

#[track_caller]
fn says(answer: &Answer, code: i32, words: &[&str]) {
    assert_eq!(answer.code, code, "{}", answer.stdout);
    for word in words {
        assert!(answer.stdout.contains(word), "`{word}` is not in:\n{}", answer.stdout);
    }
}

fn members_are_made(host: &Host) {
    host.converges(&host.apply("first"));
    host.other_lane_has("first");
}

fn a_create_that_was_ended_is_made_anew(host: &Host) {
    let apply = "apply /srv/tiny.toml --yes";
    let attempt = "running `/usr/sbin/pct create 310";
    let again = "Run the same command again";
    let half = "what a killed run left half made";
    for (deed, code, words, left) in [
        // It takes away itself what it made.
        ("kill -TERM $pct", 1, &[attempt, "received interrupt", again][..], ""),
        ("kill -KILL $pct", 1, &[attempt, "ended by signal 9", again], half),
        ("kill -HUP $pct", 1, &[attempt, "ended by signal 1", again], half),
        ("kill -KILL $provision", 137, &[], half),
        // The call that is under way is waited for.
        ("kill -TERM $provision", 143, &["interrupted; host/file:/srv/after"], ""),
        ("kill -HUP $provision", 129, &["interrupted; host/file:/srv/after"], ""),
    ] {
        says(&host.cut_call(apply, "unpack", deed), code, words);
        let said = host.converges(apply);
        assert!(said.contains(left), "{deed}: {said}");
        let there = "cat /etc/pve/lxc/310.conf; ls /var/lib/vz/images/310; grep -c lxc/310 /proc/mounts || true";
        let there = host.lab.sh(there);
        assert!(there.contains("hostname: tiny") && !there.contains("lock:"), "{deed}: {there}");
        assert!(there.ends_with("vm-310-disk-0.raw\n0\n"), "{deed}: {there}");
        says(&host.provision("destroy /srv/tiny.toml --yes --data 310"), 0, &[]);
        assert_eq!(host.lab.sh("ls /etc/pve/lxc; ls -d /var/lib/vz/images/310 /srv/after 2>/dev/null || true"), "");
    }
}

fn a_change_that_was_ended_is_made(host: &Host) {
    let more = |memory: u32, disk: u32| {
        let mounts = r#"mounts = [{ source = "/srv/a", target = "/mnt/a" }]"#;
        host.apply_with("first", &format!(r#"memory = "{memory}MiB", disk = "{disk}GiB", {mounts}"#))
    };
    let [changed, again] = ["running `/usr/sbin/pct set 301", "Run the same command again"];
    says(&host.cut_call(&more(300, 4), "set", "kill -KILL $pct"), 1, &[changed, "ended by signal 9", again]);
    host.converges(&more(300, 4));
    assert_eq!(host.cut_call(&more(310, 4), "set", "kill -KILL $provision").code, 137);
    host.converges(&more(310, 4));
    assert_eq!(host.lab.inside(301, "grep -c ' /mnt/a ' /proc/mounts").trim(), "1");

    let [grown, size] = ["running `/usr/sbin/pct resize 301", "stat -c %s /var/lib/vz/images/301/vm-301-disk-0.raw"];
    says(&host.cut_call(&more(310, 5), "resize", "kill -KILL $pct"), 1, &[grown, "ended by signal 9", again]);
    assert_eq!(host.lab.sh(size), format!("{}\n", 5_u64 << 30), "it has grown, and nobody wrote that down");
    host.converges(&more(310, 5));
    assert_eq!(host.cut_call(&more(310, 6), "resize", "kill -KILL $provision").code, 137);
    host.converges(&more(310, 6));
    let conf = host.lab.sh("cat /etc/pve/lxc/301.conf");
    assert!(conf.contains("memory: 310\n") && conf.contains("size=6G\n"), "{conf}");
    host.lab.sh("pct set 301 --delete mp0; pct stop 301");
}

fn a_start_that_was_ended_is_made(host: &Host) {
    let apply = host.apply_with("first", r#"memory = "310MiB", disk = "6GiB", mounts = []"#);
    for point in ["start", "started"] {
        for (deed, code) in [("kill -KILL $pct", 1), ("kill -KILL $provision", 137)] {
            assert_eq!(host.cut_call(&apply, point, deed).code, code, "{deed} at {point}");
            host.converges(&apply);
            host.lab.sh("lxc-info -n 301 -sH | grep -q RUNNING; pct stop 301");
        }
    }
    // As the next ones know it.
    host.lab.sh("sed -i -e 's/size=6G/size=4G/' -e 's/memory: 310/memory: 256/' /etc/pve/lxc/301.conf");
    host.converges(&host.apply("first"));
}

fn members_are_cut_off(host: &Host) {
    a_binary_that_was_half_pushed_is_never_run(host);
    a_child_that_runs_is_waited_for_and_not_started_again(host);
    what_leads_to_the_agent_may_end_and_the_agent_too(host);
    a_container_that_is_stopped_or_destroyed_ends_its_lane_alone(host);
    without_a_way_into_containers_each_lane_says_so(host);
}

fn a_binary_that_was_half_pushed_is_never_run(host: &Host) {
    let id = host.on.ids[0];
    let tmp = format!("/var/lib/lxc/{id}/rootfs/var/tmp");
    // It reads half of what it is given, and then waits.
    let cat = "#!/bin/sh\nhead -c 1000000; touch /var/tmp/middle\nwhile [ -e /var/tmp/slow ]; do sleep 0.1; done\nexec /bin/cat\n";
    let inside = format!("lxc-attach -n {id} --");
    let copying = format!("copying `provision` into container {id}");
    for (deed, code) in [
        ("kill -KILL $provision".to_owned(), 137),
        (format!("kill -KILL $(pgrep -f '^lxc-attach .*-n {id} .*new')"), 1),
        (format!("{inside} sh -c 'kill -KILL $(pgrep -f ^sh.-c..set.-e)'"), 1),
        (format!("{inside} sh -c 'kill -TERM $(pgrep -f ^sh.-c..set.-e)'"), 1),
    ] {
        host.lab.inside(
            id,
            &format!(
                "rm -rf /run/provision; printf '{}' >/usr/local/bin/cat; chmod 755 /usr/local/bin/cat",
                cat.replace('\n', "\\n")
            ),
        );
        host.lab.sh(&format!("touch {tmp}/slow; rm -f {tmp}/middle"));
        let last = format!("{deed}; ls -A /proc/$(lxc-info -n {id} -pH)/root/run/provision; rm {tmp}/slow");
        let answer = host.cut(&host.apply("first"), &format!("[ -e {tmp}/middle ]"), &last);
        let words = [copying.as_str()];
        says(&answer, code, if code == 1 { &words } else { &[] });
        host.lab.inside(id, "rm /usr/local/bin/cat");
        host.converges_with("first", 1);
    }
}

fn a_child_that_runs_is_waited_for_and_not_started_again(host: &Host) {
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        assert_eq!(host.cut_lane(signal, &format!("kill -{signal} $provision")).code, code);
        host.converges_with(signal, 1);
    }
    let again = format!(
        "kill -KILL $provision; wait $provision; provision {} >/run/said 2>&1 & provision=$!
         until grep -q 'waits for `sh` (pid [0-9]* there), which an earlier run has started' /run/said; do
             kill -0 $provision || {{ cat /run/said; exit 99; }}; sleep 0.05
         done",
        host.apply("killed")
    );
    says(&host.cut_lane("killed", &again), 0, &[]);
    host.converges_with("killed", 1);
}

fn what_leads_to_the_agent_may_end_and_the_agent_too(host: &Host) {
    let id = host.on.ids[0];
    // The pipes stay: the agent does its work to the end.
    let attach = host.cut_lane("attach", &format!("kill -KILL $(pgrep -f '^lxc-attach .*-n {id} .*agent$')"));
    says(&attach, 0, &[]);
    host.converges_with("attach", 1);
    let agent =
        host.cut_lane("agent", &format!("lxc-attach -n {id} -- sh -c 'kill -KILL $(cat /run/provision/agent.lock)'"));
    let failed = format!("{id}/command:slow failed");
    says(
        &agent,
        1,
        &[&failed, "it ended before its job was done", "1 later resource was not tried", "run the same command again"],
    );
    host.other_lane_has("agent");
    // Nobody knows how far it came.
    host.converges_with("agent", 2);
    // What it has started is at work still: it is not started beside itself.
    let again = format!(
        "lxc-attach -n {id} -- sh -c 'kill -KILL $(cat /run/provision/agent.lock)'; wait $provision
         provision {} >/run/said 2>&1 & provision=$!
         until grep -q 'waits for `sh` (pid [0-9]* there), which an earlier run has started' /run/said; do
             kill -0 $provision || {{ cat /run/said; exit 99; }}; sleep 0.05
         done
         [ $(lxc-attach -n {id} -- grep -cx orphan /var/tmp/starts) = 1 ] || exit 98",
        host.apply("orphan")
    );
    says(&host.cut_lane("orphan", &again), 0, &[]);
    host.converges_with("orphan", 2);
}

fn a_container_that_is_stopped_or_destroyed_ends_its_lane_alone(host: &Host) {
    let (On { ids: [id, _], stop, destroy }, next) = (host.on, "un the same command again: it is");
    let stopped = host.cut_lane("stopped", &format!("{stop} {id}"));
    says(&stopped, 1, &[&format!("container {id} was stopped meanwhile"), &format!("{next} started")]);
    host.other_lane_has("stopped");
    host.converges_with("stopped", 2);
    let destroyed = host
        .cut_lane("destroyed", &format!("kill -STOP $provision; {stop} {id}; {destroy} {id}; kill -CONT $provision"));
    says(&destroyed, 1, &[&format!("container {id} was taken away meanwhile"), &format!("{next} made anew")]);
    host.converges_with("destroyed", 1);
}

fn without_a_way_into_containers_each_lane_says_so(host: &Host) {
    host.lab.sh("mv /usr/bin/lxc-attach /root/");
    let words = ["running `lxc-attach`", "No such file or directory", "ee whether `lxc-attach` is installed"];
    let apply = host.apply("attached");
    says(&host.provision(&apply), 1, &words);
    says(&host.provision(&apply.replace("apply", "plan").replace("--yes", "")), 1, &words);
    host.lab.sh("mv /root/lxc-attach /usr/bin/");
    host.converges_with("attached", 1);
}

fn without_its_tool_a_node_is_no_plain_host(host: &Host) {
    let lacking = [
        "looking for the program `/usr/sbin/pct`",
        "container 301 can't be changed without it",
        "nstall the package pve-container",
    ];
    let before = host.lab.sh("cat /var/lib/lxc/301/config /etc/pve/lxc/301.conf");
    host.lab.sh("mv /usr/sbin/pct /root/");
    // What is as asked needs no tool.
    host.converges(&host.apply("attached"));
    let more = host.apply_with("gone", r#"memory = "300MiB", disk = "4GiB", mounts = []"#);
    says(&host.provision(&more.replace("apply", "plan").replace("--yes", "")), 1, &lacking);
    says(&host.provision(&more), 1, &lacking);
    host.other_lane_has("gone");
    assert_eq!(host.lab.sh("cat /var/lib/lxc/301/config /etc/pve/lxc/301.conf"), before);
    host.lab.sh("mv /root/pct /usr/sbin/");
    host.converges_with("gone", 1);

    // It goes while the lanes are at work, and something is to be made after them.
    let third = format!("{} --var third=true", host.apply("half"));
    let tmp = "/var/lib/lxc/301/rootfs/var/tmp";
    host.lab.sh(&format!("touch {tmp}/slow; rm -f {tmp}/middle"));
    let half = host.cut(&third, &format!("[ -e {tmp}/middle ]"), &format!("mv /usr/sbin/pct /root/; rm {tmp}/slow"));
    says(&half, 1, &["host/container:303 failed", "looking for the program `/usr/sbin/pct`"]);
    host.lab.sh("mv /root/pct /usr/sbin/");
    host.converges(&third);
    host.converges_with("half", 1);

    host.lab.sh("mv /etc/pve/lxc /root/");
    says(&host.provision(&host.apply("half")), 1, &["reading `/etc/pve/lxc`", "ee `systemctl status pve-cluster`"]);
    host.lab.sh("mv /root/lxc /etc/pve/");
    host.converges_with("half", 1);
}

fn an_unpacking_that_was_ended_is_made_anew(host: &Host) {
    let id = host.on.ids[0];
    for signal in ["TERM", "KILL", "HUP"] {
        let until = format!("[ -e /var/lib/lxc/{id}/rootfs/etc ] && pgrep -x tar >/dev/null");
        let cut = host.cut(&host.apply("first"), &until, &format!("kill -{signal} $(pgrep -x tar)"));
        says(&cut, 1, &["unpacking `", "run again"]);
    }
}

fn a_plain_host_without_its_tools_says_so(host: &Host) {
    let id = host.on.ids[0];
    host.lab.sh(&format!("lxc-stop -k -n {id}; mv /usr/bin/lxc-start /root/"));
    let lacking = ["looking for the program `/usr/bin/lxc-start`", "nstall the package lxc"];
    says(&host.provision(&host.apply("started")), 1, &lacking);
    host.other_lane_has("started");
    host.lab.sh("mv /root/lxc-start /usr/bin/");
    host.converges_with("started", 1);
}
