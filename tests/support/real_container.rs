//! The container kind on this machine's own LXC, as root: everything that the fake machine can only claim. For the
//! end-to-end binary: `all` wants a template, a free id and a free bridge name, and leaves nothing behind.
use super::contract::{apply, run};
use super::watched::Watched;
use provision::container::push::{self, Binary};
use provision::container::{Driver, driver};
use provision::engine::Mode;
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want};
use provision::system::{Command, System};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

type Done = Result<(), String>;
type Step = fn(&mut Bench<'_>) -> Done;

/// Where the containers of these tests live.
pub struct Lab<'a> {
    pub id: u32,
    pub bridge: &'a str,
    /// The first three numbers of a network of /24 that nobody uses.
    pub net: &'a str,
    pub template: PathBuf,
}

/// Everything, one after another; the error says what was seen instead.
pub fn all(lab: &Lab<'_>, say: &dyn Fn(&str)) -> Done {
    let mut bench = Bench::new(lab)?;
    let steps: &[(&str, Step)] = &[
        ("an unpacking that is cut off is done again", unpacking_cut_off),
        ("a container is made, booted and in sync", made_and_booted),
        ("a plan that changes nothing starts no program", no_op_starts_nothing),
        ("the binary is pushed once and older ones go", binary_is_pushed),
        ("drift by hand is repaired, live", drift_is_repaired),
        ("edits of live fields are made at once", live_edits),
        ("what needs a restart waits for a word", restart_waits),
        ("a stopped one is started, one that should not run is stopped", start_and_stop),
        ("a mount that was taken away comes back", mounts_come_back),
        ("what only a new container can have waits for a word", replace_waits),
        ("a foreign one is not touched before it is adopted", adoption),
        ("it goes with its data only when that is named", destruction),
    ];
    for (what, step) in steps {
        let begun = std::time::Instant::now();
        step(&mut bench).map_err(|why| format!("{what}: {why}"))?;
        say(&format!("{what} ({:.1} s)", begun.elapsed().as_secs_f64()));
    }
    Ok(())
}

struct Bench<'l> {
    lab: &'l Lab<'l>,
    sys: Watched,
    driver: &'static dyn Driver,
    known: Known,
    fields: Value,
    dir: tempfile::TempDir,
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        // Without the minute that a shutdown may take.
        let id = self.lab.id.to_string();
        let _gone = self.sys.run(&Command::new(["lxc-stop", "-P", "/var/lib/lxc", "-n", &id, "-k"]));
        let _gone = self.driver.destroy(&self.sys, self.lab.id);
        let _gone = self.sys.run(&Command::new(["ip", "link", "del", "dev", self.lab.bridge]));
    }
}

impl<'l> Bench<'l> {
    fn new(lab: &'l Lab<'l>) -> Result<Self, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        // Root of the container must get through to what it mounts.
        std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::create_dir(dir.path().join("shared")).unwrap();
        std::fs::create_dir(dir.path().join("more")).unwrap();
        std::fs::write(dir.path().join("shared/mark"), "here\n").unwrap();
        std::fs::write(dir.path().join("one-file"), "alone\n").unwrap();
        let sys = Watched::new(dir.path());
        let Lab { id, bridge, net, template } = lab;
        let driver = driver(&sys).map_err(|error| format!("{error:?}"))?;
        let fields = json!({
            "id": id, "hostname": "first", "template": template, "cores": 1, "memory": "256MiB", "disk": "4GiB",
            "network": [{ "bridge": bridge, "address": format!("{net}.{}/24", 10), "gateway": format!("{net}.1") }],
            "features": { "nesting": true, "keyctl": true },
            "mounts": [
                { "source": dir.path().join("shared"), "target": "/mnt/shared" },
                { "source": dir.path().join("one-file"), "target": "/etc/one-file", "read-only": true },
            ],
            "nameserver": ["9.9.9.9"], "searchdomain": "lab.example", "tags": ["Lab"], "description": "two\nlines",
        });
        let known = Known { key: "test".to_owned(), ..Known::default() };
        let bench = Self { lab, sys, driver, known, fields, dir };
        for argv in [
            vec!["ip", "link", "add", bridge, "type", "bridge"],
            vec!["ip", "address", "add", &format!("{net}.1/24"), "dev", bridge],
            vec!["ip", "link", "set", bridge, "up"],
        ] {
            bench.host(&argv)?;
        }
        Ok(bench)
    }

    fn item(&self, want: Want) -> Vec<Item> {
        let job = JobItem {
            machine: Machine::Host,
            kind: "container".to_owned(),
            fields: self.fields.clone(),
            phase: None,
            gate: None,
            want,
            timeout: Duration::from_mins(5),
            retries: 0,
            source: None,
            secret: std::collections::BTreeSet::new(),
            unknown: std::collections::BTreeSet::new(),
            digest: self.fields.to_string(),
            place: String::new(),
        };
        vec![Item::receive(job).expect("the fields are right")]
    }

    fn host(&self, argv: &[&str]) -> Result<String, String> {
        let command = Command::new(argv.iter().copied());
        let output = self.sys.run(&command).and_then(|output| output.success(&command));
        output.map(|output| output.text().trim().to_owned()).map_err(|error| format!("{error:?}"))
    }

    fn inside(&self, script: &str) -> Result<String, String> {
        let argv = self.driver.attach(self.lab.id, &["sh", "-c", script].map(str::to_owned));
        self.host(&argv.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn says(&self, script: &str, expected: &str) -> Done {
        let found = self.inside(script)?;
        same(&format!("`{script}` inside"), &found, expected)
    }

    fn ready(&self) -> Done {
        self.driver.ready(&self.sys, self.lab.id, Duration::from_mins(1)).map_err(|error| format!("{error:?}"))
    }

    /// Plans, applies, and sees the same changes and ends in both; then nothing is left to do.
    fn converge(&mut self, changes: &[&str], ends: &[&str]) -> Done {
        self.converge_to(Want::Present, changes, ends)
    }

    fn converge_to(&mut self, want: Want, changes: &[&str], ends: &[&str]) -> Done {
        let items = self.item(want);
        self.sys.facts().forget();
        let planned = run(&items, Mode::Plan, &self.known, &self.sys)?;
        let cut = |lines: Vec<String>| {
            lines
                .join("\n")
                .replace(&format!("container:{} ", self.lab.id), "")
                .replace(&format!("container:{}", self.lab.id), "")
        };
        same("the plan's ends", &cut(planned.ends()), &ends.join("\n"))?;
        same("the plan", &cut(planned.changes()), &changes.join("\n"))?;
        let applied = apply(&items, &mut self.known, &self.sys)?;
        same("the apply's ends", &cut(applied.ends()), &ends.join("\n"))?;
        same("the apply", &cut(applied.changes()), &changes.join("\n"))?;
        let again = run(&items, Mode::Plan, &self.known, &self.sys)?;
        same("the plan after it", &cut(again.changes()), "")
    }

    fn config(&self) -> PathBuf {
        PathBuf::from(format!("/var/lib/lxc/{}/config", self.lab.id))
    }

    fn edit_config(&self, from: &str, to: &str) -> Done {
        let text = std::fs::read_to_string(self.config()).map_err(|error| error.to_string())?;
        if !text.contains(from) {
            return Err(format!("the configuration has no `{from}`:\n{text}"));
        }
        std::fs::write(self.config(), text.replace(from, to)).map_err(|error| error.to_string())
    }

    fn set(&mut self, field: &str, value: Value) {
        self.fields[field] = value;
    }
}

fn same(what: &str, found: &str, expected: &str) -> Done {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what} is\n{found}\ninstead of\n{expected}"))
}

fn unpacking_cut_off(bench: &mut Bench<'_>) -> Done {
    *bench.sys.cut.lock().unwrap() = Some((" tar ", Duration::from_millis(120)));
    let items = bench.item(Want::Present);
    let failed = apply(&items, &mut bench.known, &bench.sys)?;
    *bench.sys.cut.lock().unwrap() = None;
    if !failed.ends().iter().any(|end| end.contains("failed: unpacking")) {
        return Err(format!("unpacking was not cut off: {:?}", failed.ends()));
    }
    let text = std::fs::read_to_string(bench.config()).map_err(|error| error.to_string())?;
    if !text.contains("#provision.lock = create") {
        return Err(format!("half a container has no mark:\n{text}"));
    }
    // As after a kill, when the ledger could not even note the failure.
    bench.known.claims.clear();
    Ok(())
}

fn made_and_booted(bench: &mut Bench<'_>) -> Done {
    let Lab { net, bridge, template, .. } = bench.lab;
    let dir = bench.dir.path().display();
    let summary = format!(
        ": nothing -> first from {}; 1 core; 256MiB memory; 4GiB disk; eth0 on {bridge}, address {net}.10/24, gateway {net}.1; \
         /mnt/shared from {dir}/shared; /etc/one-file from {dir}/one-file, read-only",
        template.display()
    );
    let disk = "remark: plain LXC cannot hold to disk = 4GiB: its files share the host's file system";
    bench.converge(&[&summary, "running: nothing -> true"], &[disk])?;
    bench.ready()?;
    bench.says(
        "hostname; nproc; cat /etc/hostname; cat /mnt/shared/mark /etc/one-file",
        "first\n1\nfirst\nhere\nalone",
    )?;
    bench.says("cat /etc/resolv.conf", "search lab.example\nnameserver 9.9.9.9")?;
    bench.says(
        "ip -4 -o address show eth0 | awk '{print $4}'; ip route | head -1",
        &format!("{}.10/24\ndefault via {}.1 dev eth0", bench.lab.net, bench.lab.net),
    )?;
    bench.says("cat /proc/self/uid_map | tr -s ' '", "0 100000 65536")?;
    bench.says("sh -c 'echo x >/etc/one-file' 2>/dev/null || echo refused", "refused")?;
    bench.says("wc -c </etc/machine-id", "33")?;
    bench.says("env | grep -v -e '^PATH=' -e '^PWD=' -e '^_=' -e '^SHLVL='", "container=lxc")?;
    let id = bench.lab.id;
    bench
        .host(&["ping", "-c1", "-W2", &format!("{}.10", bench.lab.net)])
        .or_else(|_| bench.inside(&format!("grep -q . /proc/net/arp; echo {id}")))?;
    let identity = bench.driver.identity(&bench.sys, id).map_err(|error| format!("{error:?}"))?.unwrap_or_default();
    let mac = bench.inside("cat /sys/class/net/eth0/address")?.to_ascii_uppercase();
    same("its identity", &identity, &mac)?;
    Ok(())
}

fn no_op_starts_nothing(bench: &mut Bench<'_>) -> Done {
    let before = std::fs::metadata(bench.config()).unwrap().modified().unwrap();
    let items = bench.item(Want::Present);
    bench.sys.facts().forget();
    bench.sys.take_runs();
    let applied = apply(&items, &mut bench.known, &bench.sys)?;
    same("the apply", &applied.changes().join("\n"), "")?;
    same("what was started", &bench.sys.take_runs().join("\n"), "")?;
    let after = std::fs::metadata(bench.config()).unwrap().modified().unwrap();
    if before == after { Ok(()) } else { Err("the configuration was written".to_owned()) }
}

fn binary_is_pushed(bench: &mut Bench<'_>) -> Done {
    let id = bench.lab.id;
    let binary = |extra: &str| Binary::new(format!("#!/bin/sh\necho agent {extra} \"$@\"\n").into_bytes());
    let start = |bench: &Bench<'_>, binary: &Binary| {
        let argv = bench.driver.attach(id, &push::agent_argv(&binary.hash));
        bench.sys.run(&Command::new(argv)).map_err(|error| format!("{error:?}"))
    };
    let (old, new) = (binary("old"), binary("new"));
    same("the code of one that is not there", &start(bench, &old)?.code.to_string(), "127")?;
    for one in [&old, &new] {
        push::push(&bench.sys, bench.driver, id, one).map_err(|error| format!("{error:?}"))?;
    }
    same("the new one", start(bench, &new)?.text().trim(), "agent new agent")?;
    same("the code of the old one", &start(bench, &old)?.code.to_string(), "127")?;
    // Where nothing in /run can be executed.
    bench.inside("mount -o remount,bind,nosuid,nodev,noexec /run && rm -rf /run/provision")?;
    push::push(&bench.sys, bench.driver, id, &old).map_err(|error| format!("{error:?}"))?;
    same("one beside a /run without programs", start(bench, &old)?.text().trim(), "agent old agent")?;
    bench.inside("mount -o remount,bind,nosuid,nodev,exec /run")?;
    push::push(&bench.sys, bench.driver, id, &new).map_err(|error| format!("{error:?}"))?;
    same("the new one again", start(bench, &new)?.text().trim(), "agent new agent")?;
    bench.says("ls /var/lib/provision/bin /run/provision | grep -c '[0-9a-f]\\{64\\}'", "1")
}

fn drift_is_repaired(bench: &mut Bench<'_>) -> Done {
    let disk = "remark: plain LXC cannot hold to disk = 4GiB: its files share the host's file system";
    let cases: &[(&str, &str, &str, &[&str])] = &[
        (
            "memory.limit_in_bytes = 268435456\n",
            "memory.limit_in_bytes = 134217728\n",
            "memory: 128MiB -> 256MiB\nswap: 128MiB -> 0B",
            &[],
        ),
        ("lxc.start.auto = 1\n", "", "onboot: false -> true", &[]),
        ("#provision.tags = lab\n", "", "tags: nothing -> lab", &[]),
        ("\"two\\nlines\"", "\"one\"", "description: one -> two\nlines", &[]),
        ("#provision.disk = 4GiB\n", "#provision.disk = 2GiB\n", "disk: 2GiB -> 4GiB", &[disk]),
    ];
    for (from, to, changes, ends) in cases {
        if from.starts_with("memory.limit") && !first_cgroups() {
            continue;
        }
        let own_lines = "# mine\nlxc.environment = MINE=1\n";
        bench.edit_config(from, to)?;
        let text = std::fs::read_to_string(bench.config()).unwrap();
        std::fs::write(bench.config(), format!("{own_lines}{text}")).unwrap();
        bench.converge(&[*changes], ends)?;
        let text = std::fs::read_to_string(bench.config()).unwrap();
        let Some(rest) = text.strip_prefix(own_lines) else {
            return Err(format!("lines of the user's own were changed:\n{text}"));
        };
        std::fs::write(bench.config(), rest).unwrap();
    }
    Ok(())
}

/// The host limits memory together with swap, as cgroups of version 1 do.
fn first_cgroups() -> bool {
    Path::new("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").exists()
}

fn live_edits(bench: &mut Bench<'_>) -> Done {
    let Lab { id, bridge, net, .. } = *bench.lab;
    let cgroup =
        |bench: &Bench<'_>, name: &str| bench.host(&["lxc-cgroup", "-P", "/var/lib/lxc", "-n", &id.to_string(), name]);
    let memory = if first_cgroups() { "memory.limit_in_bytes" } else { "memory.max" };
    bench.set("memory", json!("512MiB"));
    bench.set("swap", json!("128MiB"));
    bench.converge(&["memory: 256MiB -> 512MiB", "swap: 0B -> 128MiB"], &[])?;
    same("its memory", &cgroup(bench, memory)?, "536870912")?;
    if first_cgroups() {
        same("its memory and swap", &cgroup(bench, "memory.memsw.limit_in_bytes")?, "671088640")?;
    }
    bench.set("memory", json!("128MiB"));
    bench.set("swap", json!("0B"));
    bench.converge(&["memory: 512MiB -> 128MiB", "swap: 128MiB -> 0B"], &[])?;
    same("its memory", &cgroup(bench, memory)?, "134217728")?;
    bench.set("memory", json!("512MiB"));
    bench.set("cores", json!(2));
    bench.converge(&["cores: 1 -> 2", "memory: 128MiB -> 512MiB"], &[])?;
    bench.says("nproc", "2")?;

    bench.set(
        "network",
        json!([
            { "bridge": bridge, "address": format!("{net}.11/24"), "gateway": format!("{net}.1"), "mtu": 1400 },
            { "bridge": bridge, "address": format!("{net}.12/24"), "mac": "BC:24:11:00:00:12" },
        ]),
    );
    let new = format!("network.eth1: nothing -> {bridge}, address {net}.12/24, mac BC:24:11:00:00:12");
    let address = format!("network.eth0.address: {net}.10/24 -> {net}.11/24");
    bench.converge(&[&address, "network.eth0.mtu: nothing -> 1400", &new], &[])?;
    bench.says(
        "ip -4 -o address show scope global | awk '{print $2, $4}'",
        &format!("eth0 {net}.11/24\neth1 {net}.12/24"),
    )?;
    bench.says(
        "cat /sys/class/net/eth0/mtu /sys/class/net/eth1/address; ip route | head -1",
        &format!("1400\nbc:24:11:00:00:12\ndefault via {net}.1 dev eth0"),
    )?;
    bench.set("nameserver", json!(["1.1.1.1", "8.8.8.8"]));
    bench.set("onboot", json!(false));
    bench.set("protection", json!(true));
    bench.set("tags", json!(["lab", "two"]));
    bench.set("startup", json!({ "order": 3, "up": 5 }));
    bench.converge(
        &[
            "onboot: true -> false",
            "startup.order: nothing -> 3",
            "startup.up: nothing -> 5",
            "nameserver: 9.9.9.9 -> 1.1.1.1 8.8.8.8",
            "tags: lab -> lab, two",
            "protection: false -> true",
        ],
        &[],
    )?;
    bench.says("cat /etc/resolv.conf", "search lab.example\nnameserver 1.1.1.1\nnameserver 8.8.8.8")?;
    bench.set("protection", json!(false));
    bench.converge(&["protection: true -> false"], &[])
}

fn restart_waits(bench: &mut Bench<'_>) -> Done {
    let id = bench.lab.id.to_string();
    bench.set("hostname", json!("second"));
    bench.set("features", json!({ "nesting": true, "keyctl": true, "fuse": true }));
    let waits =
        format!("waiting: features.fuse, hostname takes effect at a restart only (run again with `--restart {id}`)");
    bench.converge(&["hostname: first -> second", "features.fuse: false -> true"], &[&waits])?;
    bench.says("hostname; cat /etc/hostname; ls /dev/fuse 2>/dev/null || echo none", "first\nsecond\nnone")?;
    bench.converge(&[], &[&waits])?;
    // Back to what is in effect: nothing is owed.
    bench.set("features", json!({ "nesting": true, "keyctl": true, "fuse": false }));
    let less = format!("waiting: hostname takes effect at a restart only (run again with `--restart {id}`)");
    bench.converge(&["features.fuse: true -> false"], &[&less])?;
    bench.set("features", json!({ "nesting": true, "keyctl": true, "fuse": true }));
    bench.known.allowed.restart.insert(id);
    bench.converge(&["features.fuse: false -> true", "running: true -> restarted"], &[])?;
    bench.known.allowed.restart.clear();
    bench.ready()?;
    bench.says("hostname; ls /dev/fuse; grep 127.0.1.1 /etc/hosts", "second\n/dev/fuse\n127.0.1.1\tsecond")?;
    let Lab { net, .. } = bench.lab;
    bench.says(
        "ip -4 -o address show scope global | awk '{print $2, $4}'",
        &format!("eth0 {net}.11/24\neth1 {net}.12/24"),
    )
}

fn start_and_stop(bench: &mut Bench<'_>) -> Done {
    let id = bench.lab.id.to_string();
    bench.host(&["lxc-stop", "-P", "/var/lib/lxc", "-n", &id, "-t", "30"])?;
    bench.converge(&["running: false -> true"], &[])?;
    bench.ready()?;
    bench.set("running", json!(false));
    bench.converge(&["running: true -> false"], &[])?;
    bench.set("hostname", json!("third"));
    bench.converge(&["hostname: second -> third"], &[])?;
    bench.set("running", json!(true));
    bench.converge(&["running: false -> true"], &[])?;
    bench.ready()?;
    bench.says("hostname; grep 127.0.1.1 /etc/hosts", "third\n127.0.1.1\tthird")
}

fn mounts_come_back(bench: &mut Bench<'_>) -> Done {
    let dir = bench.dir.path().display().to_string();
    bench.inside("umount /mnt/shared")?;
    bench.converge(&[&format!("mounts./mnt/shared: not mounted -> {dir}/shared")], &[])?;
    bench.says("cat /mnt/shared/mark", "here")?;
    let line = format!("lxc.mount.entry = {dir}/shared mnt/shared none bind,create=dir 0 0\n");
    bench.edit_config(&line, "")?;
    bench.converge(&[&format!("mounts./mnt/shared: nothing -> {dir}/shared")], &[])?;
    bench.says("grep -c ' /mnt/shared ' /proc/self/mounts", "1")?;
    let mut mounts = bench.fields["mounts"].as_array().unwrap().clone();
    mounts.push(json!({ "source": format!("{dir}/more"), "target": "/srv/a b/more", "read-only": true }));
    bench.set("mounts", json!(mounts));
    bench.converge(&[&format!("mounts./srv/a b/more: nothing -> {dir}/more, read-only")], &[])?;
    bench.says("touch '/srv/a b/more/x' 2>/dev/null || echo refused; stat -c '%u %g' '/srv/a b'", "refused\n0 0")?;
    let id = bench.lab.id.to_string();
    mounts[2] = json!({ "source": format!("{dir}/shared"), "target": "/srv/a b/more" });
    bench.set("mounts", json!(mounts));
    let waits =
        format!("waiting: mounts./srv/a b/more takes effect at a restart only (run again with `--restart {id}`)");
    bench.converge(&[&format!("mounts./srv/a b/more: {dir}/more, read-only -> {dir}/shared")], &[&waits])?;
    bench.known.allowed.restart.insert(id);
    bench.converge(&["running: true -> restarted"], &[])?;
    bench.known.allowed.restart.clear();
    bench.ready()?;
    bench.says("cat '/srv/a b/more/mark'", "here")
}

fn replace_waits(bench: &mut Bench<'_>) -> Done {
    let id = bench.lab.id.to_string();
    bench.inside("touch /root/old")?;
    let before = bench.inside("cat /sys/class/net/eth0/address /etc/machine-id")?;
    bench.set("disk", json!("2GiB"));
    let waits = format!(
        "waiting: only a new container can have disk = 2GiB (to destroy it and make it anew, run again with `--replace {id}`)"
    );
    bench.converge(&[], &[&waits])?;
    bench.known.allowed.replace.insert(id.clone());
    let items = bench.item(Want::Present);
    let applied = apply(&items, &mut bench.known, &bench.sys)?;
    bench.known.allowed.replace.clear();
    let changes = applied.changes();
    let first: Vec<&str> = changes.iter().take(2).map(String::as_str).collect();
    same(
        "the apply",
        &first.join("\n"),
        &format!("container:{id}: the container with all that is in it -> nothing\ncontainer:{id} disk: 4GiB -> 2GiB"),
    )?;
    bench.ready()?;
    bench.says("ls /root/old 2>/dev/null || echo new", "new")?;
    let after = bench.inside("cat /sys/class/net/eth0/address /etc/machine-id")?;
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    same("its MAC", new[0], old[0])?;
    if old[1] == new[1] { Err("its machine-id is the old one".to_owned()) } else { bench.converge(&[], &[]) }
}

fn adoption(bench: &mut Bench<'_>) -> Done {
    let id = bench.lab.id.to_string();
    bench.known.claims.clear();
    bench.set("tags", json!(["lab", "adopted"]));
    let text = std::fs::read_to_string(bench.config()).unwrap();
    let waits = format!("waiting: it exists and is not ours (to take it over, run again with `--adopt {id}`)");
    bench.converge(&[], &[&waits])?;
    same("its configuration", &std::fs::read_to_string(bench.config()).unwrap(), &text)?;
    bench.known.allowed.adopt.insert(id);
    bench.converge(&["tags: lab, two -> adopted, lab, two"], &[])?;
    bench.known.allowed.adopt.clear();
    bench.converge(&[], &[])?;
    bench.converge_to(Want::Absent, &[], &["remark: kept: it was not made here"])
}

fn destruction(bench: &mut Bench<'_>) -> Done {
    let id = bench.lab.id.to_string();
    bench.known.claims.clear();
    bench.known.claims.entry(format!("container:{id}").parse().unwrap()).or_default().made = true;
    let waits = format!(
        "waiting: it would go with its data (to destroy it with all that is in it, run again with `--data {id}`)"
    );
    bench.converge_to(Want::Absent, &[], &[&waits])?;
    bench.known.allowed.data.insert(id.clone());
    bench.converge_to(Want::Absent, &[": third with all that is in it -> nothing"], &[])?;
    if Path::new(&format!("/var/lib/lxc/{id}")).exists() || !bench.dir.path().join("shared/mark").exists() {
        return Err("it is still there, or what it had mounted is gone".to_owned());
    }
    Ok(())
}
