//! Plain LXC underneath: what a container's file says, as LXC wants it, and what is changed in one that runs.
use crate::conf::Conf;
use crate::options::{number_of, pairs};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

pub fn home(id: u32) -> String {
    format!("/var/lib/lxc/{id}")
}

/// Runs a program; its output goes where that of the real tool's children goes, to stdout.
pub fn run(argv: &[&str]) -> Result<(), String> {
    let output = Command::new(argv[0]).args(&argv[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("command '{}' failed: {error}", argv.join(" ")))?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    if output.status.success() {
        return Ok(());
    }
    print!("{}", String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().unwrap_or(-1);
    Err(format!("command '{}' failed: exit code {code}", argv.join(" ")))
}

pub fn runs(id: u32) -> bool {
    let socket = format!("@{}/command", home(id));
    fs::read_to_string("/proc/net/unix").unwrap_or_default().lines().any(|line| line.ends_with(&socket))
}

pub fn is_unprivileged(conf: &Conf) -> bool {
    conf.now.get("unprivileged").is_some_and(|on| on == "1")
}

/// Unpacks a template as the container's root sees it.
pub fn unpack(id: u32, template: &str, unprivileged: bool) -> Result<(), String> {
    let rootfs = format!("{}/rootfs", home(id));
    let tar = [
        "tar",
        "--extract",
        "--auto-compress",
        "--numeric-owner",
        "--preserve-permissions",
        "-C",
        &rootfs,
        "-f",
        template,
    ];
    if !unprivileged {
        return run(&tar);
    }
    run(&["chown", "100000:100000", &rootfs])?;
    let shifted = ["lxc-usernsexec", "-m", "u:0:100000:65536", "-m", "g:0:100000:65536", "--"];
    run(&[&shifted[..], &tar, &["--exclude=./dev/*"]].concat())
}

/// Writes LXC's own file, and what the container finds inside, as at each start.
pub fn prepare(id: u32, conf: &Conf) {
    let get = |key: &str| conf.now.get(key).map(String::as_str).unwrap_or_default();
    let rootfs = format!("{}/rootfs", home(id));
    let hostname = get("hostname");
    let mut text = format!(
        "lxc.include = /usr/share/lxc/config/common.conf\nlxc.arch = amd64\nlxc.apparmor.profile = unconfined\n\
         lxc.apparmor.allow_nesting = 0\nlxc.rootfs.path = dir:{rootfs}\nlxc.uts.name = {hostname}\n"
    );
    if is_unprivileged(conf) {
        text.push_str("lxc.include = /usr/share/lxc/config/userns.conf\nlxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 100000 65536\n");
    }
    if let Ok(memory) = get("memory").parse::<u64>() {
        let _ = writeln!(text, "lxc.cgroup.memory.limit_in_bytes = {0}\nlxc.cgroup2.memory.max = {0}", memory << 20);
    }
    if pairs(get("features"), "").contains(&("fuse".to_owned(), "1".to_owned())) {
        text.push_str("lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file 0 0\n");
    }
    for (key, value) in &conf.now {
        if let Some(n) = number_of(key, "net") {
            text.push_str(&net(id, n, value));
        } else if number_of(key, "mp").is_some() {
            text.push_str(&mount(value));
        }
    }
    fs::write(format!("{}/config", home(id)), text).expect("its directory is there");
    inside(&rootfs, "etc/hostname", &format!("{}\n", hostname.split('.').next().unwrap_or_default()));
    let servers: Vec<String> =
        get("nameserver").split_whitespace().map(|server| format!("nameserver {server}\n")).collect();
    let servers = servers.concat();
    let search =
        if get("searchdomain").trim().is_empty() { String::new() } else { format!("search {}\n", get("searchdomain")) };
    if servers.is_empty() {
        inside(&rootfs, "etc/resolv.conf", &fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    } else {
        inside(&rootfs, "etc/resolv.conf", &format!("# --- BEGIN PVE ---\n{search}{servers}# --- END PVE ---\n"));
    }
}

fn inside(rootfs: &str, path: &str, text: &str) {
    let path = Path::new(rootfs).join(path);
    drop(fs::remove_file(&path));
    drop(fs::write(path, text));
}

fn net(id: u32, n: u32, text: &str) -> String {
    let parts = pairs(text, "");
    let get = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let mut lines = format!("lxc.net.{n}.type = veth\nlxc.net.{n}.veth.pair = veth{id}i{n}\nlxc.net.{n}.flags = up\n");
    let fixed = get("ip").filter(|ip| ip.contains('/'));
    for (key, value) in [
        ("link", get("bridge")),
        ("name", get("name")),
        ("hwaddr", get("hwaddr")),
        ("ipv4.address", fixed),
        ("ipv4.gateway", get("gw")),
    ] {
        if let Some(value) = value {
            writeln!(lines, "lxc.net.{n}.{key} = {value}").expect("a string takes it");
        }
    }
    lines
}

fn mount(text: &str) -> String {
    let (source, target, read_only) = parts(text);
    if !source.starts_with('/') {
        return String::new();
    }
    let kind = if Path::new(&source).is_dir() { "dir" } else { "file" };
    let ro = if read_only { ",ro" } else { "" };
    format!("lxc.mount.entry = {source} {} none bind,create={kind}{ro} 0 0\n", target.trim_start_matches('/'))
}

fn parts(text: &str) -> (String, String, bool) {
    let parts = pairs(text, "volume");
    let get =
        |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default();
    (get("volume"), get("mp"), get("ro") == "1")
}

pub fn first_process(id: u32) -> Option<u32> {
    let output = Command::new("lxc-info").args(["-n", &id.to_string(), "-pH"]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Changes the memory of one that runs.
pub fn set_memory(id: u32, mebibytes: &str) -> Result<(), String> {
    let bytes = (mebibytes.parse::<u64>().unwrap_or(0) << 20).to_string();
    let limit = |key: &str| run(&["lxc-cgroup", "-n", &id.to_string(), key, &bytes]);
    if Path::new("/sys/fs/cgroup/memory").exists() { limit("memory.limit_in_bytes") } else { limit("memory.max") }
}

/// Mounts a directory in one that runs.
pub fn add_mount(id: u32, key: &str, text: &str) -> Result<(), String> {
    let (source, target, _) = parts(text);
    let failed = |why: String| format!("{key}: unable to hotplug {key}: {why}\n");
    if !Path::new(&source).exists() {
        return Err(failed(format!("directory '{source}' does not exist")));
    }
    let pid = first_process(id).ok_or_else(|| failed("it does not run".to_owned()))?;
    let tree = open_tree(rustix::fs::CWD, &source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC);
    let tree = tree.map_err(|error| failed(error.to_string()))?;
    run(&["lxc-attach", "-n", &id.to_string(), "--", "mkdir", "-p", &target]).map_err(failed)?;
    let namespace = fs::File::open(format!("/proc/{pid}/ns/mnt")).map_err(|error| failed(error.to_string()))?;
    // In a thread with a file system view of its own: the rest of this call stays on the host.
    let mounting = std::thread::spawn(move || -> Result<(), String> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).map_err(|error| error.to_string())?;
        let entered = nix::sched::setns(namespace.as_fd(), nix::sched::CloneFlags::CLONE_NEWNS);
        entered.map_err(|error| error.to_string())?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(tree.as_fd(), "", rustix::fs::CWD, &target, flags).map_err(|error| error.to_string())
    });
    mounting.join().expect("it does not panic").map_err(failed)
}

/// Ties an interface to one that runs, in place of the one of that number.
pub fn set_net(id: u32, n: u32, text: &str) -> Result<(), String> {
    let parts = pairs(text, "");
    let get = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let (host, guest, name) = (format!("veth{id}i{n}"), format!("veth{id}p{n}"), get("name").unwrap_or_default());
    let failed = |why: String| format!("net{n}: unable to hotplug net{n}: {why}\n");
    let Some(bridge) = get("bridge").filter(|bridge| Path::new("/sys/class/net").join(bridge).exists()) else {
        return Err(failed(format!("bridge '{}' does not exist", get("bridge").unwrap_or_default())));
    };
    if get("tag").is_some() {
        return Err(failed(format!("no physical interface on bridge '{bridge}'\n")));
    }
    let pid = first_process(id).ok_or_else(|| failed("it does not run".to_owned()))?.to_string();
    let ns = |argv: &[&str]| run(&[&["nsenter", "-t", &pid, "-n", "ip"], argv].concat());
    if Path::new("/sys/class/net").join(&host).exists() {
        run(&["ip", "link", "delete", "dev", &host]).map_err(failed)?;
    }
    let mac = get("hwaddr").unwrap_or_default();
    let steps = || -> Result<(), String> {
        run(&["ip", "link", "add", &host, "type", "veth", "peer", "name", &guest, "address", mac])?;
        run(&["ip", "link", "set", &host, "master", bridge, "up"])?;
        run(&["ip", "link", "set", &guest, "netns", &pid, "name", name])?;
        ns(&["link", "set", name, "up"])?;
        if let Some(address) = get("ip").filter(|ip| ip.contains('/')) {
            ns(&["address", "add", address, "dev", name])?;
        }
        get("gw").map_or(Ok(()), |gateway| ns(&["route", "replace", "default", "via", gateway]))
    };
    steps().map_err(failed)
}
