//! LXC's programs: a container runs while its command socket is in /proc/net/unix, and its first process has the mounts that
//! its configuration names.
use super::{FakeMachine, PROGRAMS, answer, refuse};
use provision::system::{Command, Output};
use std::path::Path;

const LXC: &str = "/var/lib/lxc";

/// What of the host LXC and the driver read.
pub fn host(machine: &FakeMachine) {
    machine.dir("/proc/net");
    machine.dir("/proc/1");
    machine.file("/proc/net/unix", "Num       RefCount Protocol Flags    Type St Inode Path\n");
    machine.file("/proc/1/cgroup", "0::/init.scope\n");
    machine.file("/proc/swaps", "Filename\n");
    machine.dir("/sys/fs/cgroup");
    machine.file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    machine.file("/sys/fs/cgroup/cpuset.cpus.effective", "0-3\n");
    machine.file("/etc/resolv.conf", "nameserver 192.0.2.53\n");
}

pub fn start(machine: &FakeMachine, command: &Command) -> Output {
    let Some(id) = named(command) else { return refuse(1, "lxc-start: no name\n") };
    let config = machine.text(&format!("{LXC}/{id}/config"));
    let there = |path: &str| machine.disk().node(Path::new(path)).is_some();
    let fail = |why: &str| {
        machine.file(&format!("{LXC}/{id}/start.log"), &format!("lxc-start {id} ERROR {why}\n"));
        refuse(1, "lxc-start: the container failed to start\n")
    };
    if !there(&format!("{LXC}/{id}/rootfs/etc")) {
        return fail("no root file system");
    }
    if let Some(bridge) = values(&config, "link").into_iter().find(|name| !there(&format!("/sys/class/net/{name}"))) {
        return fail(&format!("no bridge {bridge}"));
    }
    let entries: Vec<Vec<&str>> =
        values(&config, "lxc.mount.entry").into_iter().map(|entry| entry.split(' ').collect()).collect();
    if let Some(entry) = entries.iter().find(|entry| !entry[3].contains("optional") && !there(entry[0])) {
        return fail(&format!("no {}", entry[0]));
    }
    let sockets = machine.text("/proc/net/unix");
    if sockets.contains(&socket(&id)) {
        return refuse(1, "lxc-start: already running\n");
    }
    let pid = first_process(&id);
    machine.dir(&format!("/proc/{pid}"));
    machine.file(&format!("/proc/{pid}/status"), &format!("Name:\tsystemd\nNSpid:\t{pid}\t1\n"));
    let mounts = entries.iter().map(|entry| format!("1 1 8:1 {} /{} rw - ext4 /dev/sda1 rw\n", entry[0], entry[1]));
    machine.file(&format!("/proc/{pid}/mountinfo"), &mounts.collect::<String>());
    let cgroup = format!("/sys/fs/cgroup/lxc.payload.{id}/init.scope");
    machine.dir(&cgroup);
    machine.file(&format!("{cgroup}/cgroup.procs"), &format!("{pid}\n"));
    let inode = machine.disk().tick();
    machine.file("/proc/net/unix", &format!("{sockets}0: 2 0 10000 1 1 {inode} {}\n", socket(&id)));
    answer(0, "")
}

pub fn stop(machine: &FakeMachine, command: &Command) -> Output {
    let Some(id) = named(command) else { return refuse(1, "lxc-stop: no name\n") };
    let sockets = machine.text("/proc/net/unix");
    if !sockets.contains(&socket(&id)) {
        return refuse(2, &format!("lxc-stop: {id} is not running\n"));
    }
    let rest = sockets.lines().filter(|line| !line.ends_with(&socket(&id))).map(|line| format!("{line}\n"));
    machine.file("/proc/net/unix", &rest.collect::<String>());
    machine.disk().remove_tree(Path::new(&format!("/proc/{}", first_process(&id))));
    machine.disk().remove_tree(Path::new(&format!("/sys/fs/cgroup/lxc.payload.{id}")));
    answer(0, "")
}

pub fn cgroup(machine: &FakeMachine, command: &Command) -> Output {
    let (Some(id), [.., name, value]) = (named(command), command.argv.as_slice()) else {
        return refuse(1, "lxc-cgroup: a name and a value are expected\n");
    };
    machine.file(&format!("/sys/fs/cgroup/lxc.payload.{id}/{name}"), value);
    answer(0, "")
}

/// `lxc-attach … -- PROGRAM`: in its root file system, where it runs.
pub fn attach(machine: &FakeMachine, command: &Command) -> Output {
    let Some(id) = named(command) else { return refuse(1, "lxc-attach: no name\n") };
    if !machine.text("/proc/net/unix").contains(&socket(&id)) {
        return refuse(1, "lxc-attach: Failed to get init pid\n");
    }
    inside(machine, &format!("{LXC}/{id}/rootfs"), after_dashes(command), command)
}

/// `lxc-usernsexec … -- PROGRAM`.
pub fn usernsexec(machine: &FakeMachine, command: &Command) -> Output {
    let argv = after_dashes(command).to_vec();
    match argv.first().and_then(|name| PROGRAMS.iter().find(|(known, _)| known == name)) {
        Some((_, program)) => program(machine, &Command { argv, ..command.clone() }),
        None => refuse(127, "lxc-usernsexec: no such program\n"),
    }
}

/// `tar` of a template and `chroot DIR PROGRAM`, with the ids of a container or without.
pub fn rootfs(machine: &FakeMachine, command: &Command) -> Output {
    let argv = command.argv.as_slice();
    let next = |flag: &str| argv.iter().position(|part| part == flag).and_then(|at| argv.get(at + 1));
    match argv.first().map(String::as_str) {
        Some("tar") => {
            let Some(root) = next("-C") else { return refuse(2, "tar: usage\n") };
            if !command.stdin.starts_with(b"template") {
                return refuse(2, "tar: this does not look like a tar archive\n");
            }
            for dir in ["etc/ssh", "etc/network", "var/lib/dbus", "root"] {
                machine.dir(&format!("{root}/{dir}"));
            }
            machine.file(&format!("{root}/etc/ssh/ssh_host_rsa_key"), "everybody's\n");
            machine.file(&format!("{root}/etc/machine-id"), "everybody's\n");
            answer(0, "")
        }
        Some("chroot") => inside(machine, &argv[1], &argv[2..], command),
        _ => refuse(127, "no such program\n"),
    }
}

/// The few programs that the driver runs in a container.
fn inside(machine: &FakeMachine, root: &str, argv: &[String], command: &Command) -> Output {
    match argv.first().map(String::as_str) {
        // What a clone forgets, and its keys.
        Some("sh") if argv[2].contains("/etc/machine-id") => {
            machine.file(&format!("{root}/etc/machine-id"), "");
            machine.disk().remove_tree(Path::new(&format!("{root}/etc/ssh/ssh_host_rsa_key")));
            answer(0, "")
        }
        Some("sh") if argv[2].contains("ssh-keygen") => answer(0, ""),
        Some("sh") => {
            let Some(path) = argv.last() else { return refuse(2, "sh: usage\n") };
            machine.file(&format!("{root}{path}"), &String::from_utf8_lossy(&command.stdin));
            answer(0, "")
        }
        Some("sed") => {
            let (Some(path), Some(name)) = (argv.last(), argv[2].split("\\t").nth(1)) else {
                return refuse(2, "sed\n");
            };
            let path = format!("{root}{path}");
            let new = format!("127.0.1.1\t{}", name.trim_end_matches('/'));
            let line = |line: &str| format!("{}\n", if line.starts_with("127.0.1.1") { &new } else { line });
            let text: String = machine.text(&path).lines().map(line).collect();
            machine.file(&path, &text);
            answer(0, "")
        }
        Some("systemctl") => answer(0, "running\n"),
        _ => refuse(127, "no such program in this container\n"),
    }
}

/// `sed -i s/FROM/TO/ FILE` with plain text, for cases.
pub fn sed(machine: &FakeMachine, command: &Command) -> Output {
    let [_, _, script, path] = command.argv.as_slice() else { return refuse(2, "sed: usage\n") };
    let parts: Vec<&str> = script.split(&script[1..2]).collect();
    let text = machine.text(path);
    let changed = text.replace(parts[1], parts[2]);
    if changed == text {
        return refuse(1, &format!("sed: there is no `{}` in {path}:\n{text}", parts[1]));
    }
    machine.file(path, &changed);
    answer(0, "")
}

fn named(command: &Command) -> Option<String> {
    let at = command.argv.iter().position(|part| part == "-n")?;
    command.argv.get(at + 1).cloned()
}

fn after_dashes(command: &Command) -> &[String] {
    let at = command.argv.iter().position(|part| part == "--").map_or(command.argv.len(), |at| at + 1);
    &command.argv[at..]
}

/// Returns the values of a key, by its end.
fn values<'c>(config: &'c str, key: &str) -> Vec<&'c str> {
    let pairs = config.lines().filter_map(|line| line.split_once(" = "));
    pairs.filter(|(name, _)| *name == key || name.ends_with(&format!(".{key}"))).map(|(_, value)| value).collect()
}

fn socket(id: &str) -> String {
    format!("@{LXC}/{id}/command")
}

fn first_process(id: &str) -> String {
    format!("1{id}")
}
