//! Plain LXC underneath: what a container's file says, as LXC wants it, and what is changed in one that runs.
use crate::conf::Conf;
use crate::options::{number_of, pairs};
use crate::{Done, Refusal, pause, refuse};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

pub fn home(id: u32) -> String {
    format!("/var/lib/lxc/{id}")
}

/// Runs a program; its output goes where that of the real tool's children goes, to stdout.
pub fn run(argv: &[&str]) -> Result<(), String> {
    print!("{}", output(argv)?);
    Ok(())
}

/// Runs a program and returns all that it says.
pub fn output(argv: &[&str]) -> Result<String, String> {
    let output = Command::new(argv[0]).args(&argv[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("command '{}' failed: {error}", argv.join(" ")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stderr) + &text(&output.stdout);
    if output.status.success() {
        return Ok(all);
    }
    print!("{all}");
    Err(format!("command '{}' failed: exit code {}", argv.join(" "), output.status.code().unwrap_or(-1)))
}

pub fn runs(id: u32) -> bool {
    let socket = format!("@{}/command", home(id));
    fs::read_to_string("/proc/net/unix").unwrap_or_default().lines().any(|line| line.ends_with(&socket))
}

pub fn is_unprivileged(conf: &Conf) -> bool {
    conf.now.get("unprivileged").is_some_and(|on| on == "1")
}

/// Unpacks a template as the container's root sees it.
pub fn unpack(id: u32, template: &str, unprivileged: bool, limit: Option<u64>) -> Result<(), String> {
    let rootfs = format!("{}/rootfs", home(id));
    let mut argv = Vec::new();
    if unprivileged {
        run(&["chown", "100000:100000", &rootfs])?;
        argv.extend(["lxc-usernsexec", "-m", "u:0:100000:65536", "-m", "g:0:100000:65536", "--"]);
    }
    argv.extend("tar xpf - --zstd --totals --one-file-system -p --sparse --numeric-owner --acls --xattrs".split(' '));
    argv.extend(["--xattrs-include=user.*", "--xattrs-include=security.capability", "--warning=no-file-ignored"]);
    argv.extend(["--warning=no-xattr-write", "-C", &rootfs, "--skip-old-files", "--anchored", "--exclude", "./dev/*"]);
    fed(&argv, template, limit)
}

/// Runs a program that reads a file, so many KiB a second; a signal that asks to end ends it.
fn fed(argv: &[&str], file: &str, limit: Option<u64>) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let is_special = |word: &str| word.contains(['*', '=']);
    let quoted = |word: &&str| if is_special(word) { format!("'{word}'") } else { (*word).to_owned() };
    let words = argv.iter().map(quoted).collect::<Vec<_>>().join(" ");
    let shown =
        limit.map_or_else(|| words.clone(), |limit| format!("set -o pipefail && cstream -t {} | {words}", limit << 10));
    let failed = |why: String| Err(format!("command '{shown}' failed: {why}"));
    let asked_to_end = SignalFd::with_flags(&ends(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        .map_err(|error| error.to_string())?;
    let mut source = fs::File::open(file).map_err(text)?;
    let mut command = Command::new(argv[0]);
    let piped =
        command.args(&argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = piped.spawn().map_err(text)?;
    let mut input = child.stdin.take().expect("it is piped");
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = source.read(&mut buffer) {
        if input.write_all(&buffer[..count]).is_err() {
            break;
        }
        if let Some(limit) = limit {
            std::thread::sleep(std::time::Duration::from_millis((count as u64 * 1000) / (limit << 10)));
        }
        if pause::here_until("unpack", || matches!(asked_to_end.read_signal(), Ok(Some(_)))) {
            drop(input);
            // All of it: what it started writes where nothing may be busy any more.
            let group = Pid::from_raw(child.id().cast_signed());
            _ = killpg(group, Signal::SIGKILL);
            drop(child.wait());
            while killpg(group, None).is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            return failed("received interrupt".to_owned());
        }
    }
    drop(input);
    let output = child.wait_with_output().map_err(text)?;
    print!("{}", String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(()) } else { failed(format!("exit code {}", output.status.code().unwrap_or(-1))) }
}

/// Returns the signals that ask a create to end: it takes away what it made.
pub fn ends() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT].into_iter().collect()
}

/// Writes LXC's own file, and what the container finds inside, as at each start.
pub fn prepare(id: u32, conf: &Conf) {
    let get = |key: &str| conf.now.get(key).map(String::as_str).unwrap_or_default();
    let rootfs = format!("{}/rootfs", home(id));
    let hostname = get("hostname");
    let mut text = format!(
        "lxc.include = /usr/share/lxc/config/common.conf\nlxc.arch = amd64\nlxc.apparmor.profile = unconfined\n\
         lxc.apparmor.allow_nesting = 0\nlxc.environment = TERM=linux\nlxc.rootfs.path = dir:{rootfs}\nlxc.uts.name = {hostname}\n"
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
    // Not even a destroy takes it away.
    fs::write(format!("{}/rules.seccomp", home(id)), "").expect("its directory is there");
    inside(&rootfs, "etc/hostname", &format!("{}\n", hostname.split('.').next().unwrap_or_default()));
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let of_host = |key: &str| {
        let values = host.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        values.map(str::to_owned).collect::<Vec<_>>()
    };
    let blank = |text: &str| text.trim().is_empty();
    let domain = Some(get("searchdomain"))
        .filter(|text| !blank(text))
        .map_or_else(|| of_host("search").join(" "), str::to_owned);
    let servers: Vec<String> = match get("nameserver") {
        text if blank(text) => of_host("nameserver"),
        text => text.split_whitespace().map(str::to_owned).collect(),
    };
    let mut text = if blank(&domain) { String::new() } else { format!("search {domain}\n") };
    for server in servers {
        writeln!(text, "nameserver {server}").expect("a string takes it");
    }
    inside(&rootfs, "etc/resolv.conf", &block(&text));
    let short = hostname.split('.').next().unwrap_or_default();
    let domain = domain.split(' ').next().unwrap_or_default();
    let full =
        if hostname.contains('.') || domain.is_empty() { hostname.to_owned() } else { format!("{short}.{domain}") };
    let net = conf.now.get("net0").map(|text| pairs(text, "")).unwrap_or_default();
    let address = net.iter().find(|(key, value)| key == "ip" && value.contains('/')).map(|(_, value)| value.clone());
    let address =
        address.and_then(|ip| ip.split('/').next().map(str::to_owned)).unwrap_or_else(|| "127.0.1.1".to_owned());
    let hosts = fs::read_to_string(Path::new(&rootfs).join("etc/hosts")).unwrap_or_default();
    let kept = hosts.split(BEGIN).next().unwrap_or_default();
    let line = if full == short { format!("{address} {short}\n") } else { format!("{address} {full} {short}\n") };
    inside(&rootfs, "etc/hosts", &format!("{kept}{}", block(&line)));
}

const BEGIN: &str = "# --- BEGIN PVE ---\n";

fn block(text: &str) -> String {
    format!("{BEGIN}{text}# --- END PVE ---\n")
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

/// What a change of one that runs says when it fails.
fn failed<T>(code: i32, key: &str, why: &str) -> Result<T, Refusal> {
    refuse(code, format!("{key}: unable to hotplug {key}: {why}\n\n"))
}

/// Mounts a directory in one that runs; a volume is not mounted anywhere.
pub fn add_mount(id: u32, key: &str, text: &str) -> Done {
    let (source, target, _) = parts(text);
    if !source.starts_with('/') {
        return Ok(());
    }
    if !Path::new(&source).exists() {
        return failed(1, key, &format!("directory '{source}' does not exist"));
    }
    mounted(id, &source, target).or_else(|why| failed(255, key, &why))
}

fn mounted(id: u32, source: &str, target: String) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let pid = first_process(id).ok_or("it does not run")?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(rustix::fs::CWD, source, flags).map_err(|error| error.to_string())?;
    run(&["lxc-attach", "-n", &id.to_string(), "--", "mkdir", "-p", &target])?;
    let namespace = fs::File::open(format!("/proc/{pid}/ns/mnt")).map_err(text)?;
    // In a thread with a file system view of its own: the rest of this call stays on the host.
    let mounting = std::thread::spawn(move || -> Result<(), String> {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).map_err(|error| error.to_string())?;
        let entered = nix::sched::setns(namespace.as_fd(), nix::sched::CloneFlags::CLONE_NEWNS);
        entered.map_err(|error| error.to_string())?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(tree.as_fd(), "", rustix::fs::CWD, &target, flags).map_err(|error| error.to_string())
    });
    mounting.join().expect("it does not panic")
}

/// Gives one that runs the interface of that number: one that has the same MAC stays, and only what differs is changed.
pub fn set_net(id: u32, n: u32, is: Option<&String>, text: &str) -> Done {
    let key = format!("net{n}");
    let get = |text: &str, key: &str| {
        pairs(text, "").into_iter().find(|(name, _)| name == key).map(|(_, value)| value).unwrap_or_default()
    };
    let bridge = get(text, "bridge");
    if !Path::new("/sys/class/net").join(&bridge).exists() {
        return failed(255, &key, &format!("bridge '{bridge}' does not exist"));
    }
    if !get(text, "tag").is_empty() {
        return failed(255, &key, &format!("no physical interface on bridge '{bridge}'\n"));
    }
    let stays = is.filter(|is| ["name", "bridge", "hwaddr"].iter().all(|key| get(is, key) == get(text, key)));
    let same_address = stays.is_some_and(|is| ["ip", "gw"].iter().all(|key| get(is, key) == get(text, key)));
    let done = match stays {
        Some(_) => Ok(()),
        None => plug(id, n, &get(text, "name"), &bridge, &get(text, "hwaddr")),
    };
    let link = if get(text, "link_down") == "1" { "down" } else { "up" };
    done.and_then(|()| if same_address { Ok(()) } else { addressed(id, text, stays.is_some()) })
        .and_then(|()| run(&["ip", "link", "set", &format!("veth{id}i{n}"), link]))
        .or_else(|why| failed(255, &key, &why))
}

fn plug(id: u32, n: u32, name: &str, bridge: &str, mac: &str) -> Result<(), String> {
    let (host, guest) = (format!("veth{id}i{n}"), format!("veth{id}p{n}"));
    let pid = first_process(id).ok_or("it does not run")?.to_string();
    if Path::new("/sys/class/net").join(&host).exists() {
        run(&["ip", "link", "delete", "dev", &host])?;
    }
    run(&["ip", "link", "add", &host, "type", "veth", "peer", "name", &guest, "address", mac])?;
    run(&["ip", "link", "set", &host, "master", bridge, "up"])?;
    run(&["ip", "link", "set", &guest, "netns", &pid, "name", name])?;
    inside_net(&pid, &["ip", "link", "set", name, "up"])
}

fn inside_net(pid: &str, argv: &[&str]) -> Result<(), String> {
    run(&[&["nsenter", "-t", pid, "-n"], argv].concat())
}

/// Gives an interface of one that runs its address and gateway; what it had before goes.
fn addressed(id: u32, text: &str, replaces: bool) -> Result<(), String> {
    let pid = first_process(id).ok_or("it does not run")?.to_string();
    let parts = pairs(text, "");
    let get = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let name = get("name").unwrap_or_default();
    if replaces {
        inside_net(&pid, &["ip", "-4", "address", "flush", "dev", name])?;
        println!("net.ipv4.conf.{name}.promote_secondaries = 1\nnet.ipv4.conf.{name}.promote_secondaries = 0");
    }
    if let Some(address) = get("ip").filter(|ip| ip.contains('/')) {
        inside_net(&pid, &["ip", "address", "add", address, "dev", name])?;
    }
    get("gw").map_or(Ok(()), |gateway| inside_net(&pid, &["ip", "route", "replace", "default", "via", gateway]))
}

/// Takes an interface away from one that runs.
pub fn remove_net(id: u32, n: u32) -> Result<(), String> {
    println!("delete ips from net{n}");
    run(&["ip", "link", "delete", "dev", &format!("veth{id}i{n}")])
}
