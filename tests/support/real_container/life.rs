//! How a container comes to be, runs and goes, on real LXC.
use super::bench::{Bench, same};
use super::{Done, Lab};
use crate::support::contract::apply;
use provision::container::push::{self, Binary};
use provision::resource::Want;
use provision::system::{Command, System};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub fn unpacking_cut_off(bench: &mut Bench<'_>) -> Done {
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

pub fn made_and_booted(bench: &mut Bench<'_>) -> Done {
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

pub fn no_op_starts_nothing(bench: &mut Bench<'_>) -> Done {
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

pub fn binary_is_pushed(bench: &mut Bench<'_>) -> Done {
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

pub fn start_and_stop(bench: &mut Bench<'_>) -> Done {
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

pub fn replace_waits(bench: &mut Bench<'_>) -> Done {
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

pub fn adoption(bench: &mut Bench<'_>) -> Done {
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

pub fn destruction(bench: &mut Bench<'_>) -> Done {
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
