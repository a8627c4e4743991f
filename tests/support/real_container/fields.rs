//! The fields of a container on real LXC: drifted, edited live, waiting for a restart.
use super::bench::{Bench, same};
use super::{Done, Lab};
use serde_json::json;
use std::path::Path;

pub fn drift_is_repaired(bench: &mut Bench<'_>) -> Done {
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

pub fn live_edits(bench: &mut Bench<'_>) -> Done {
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

pub fn restart_waits(bench: &mut Bench<'_>) -> Done {
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

pub fn mounts_come_back(bench: &mut Bench<'_>) -> Done {
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
