//! Plain LXC: a container is a directory below `/var/lib/lxc` with a `config` and a `rootfs`.
mod config;
mod host;
mod live;
mod read;
mod rootfs;
mod state;
mod write;

use super::{Driver, Edit, Effect, Found, Net, Owed, Set, Settings, What, edits};
use crate::error::{Attempt as _, Error, Result};
use crate::field::Address;
use crate::system::{Command, FileKind, NewFile, System};
use config::{Config, ours};
use host::{Host, text};
use live::{Live, host_side};
use read::unescaped;
use rootfs::Rootfs;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use write::{IDS, Pen, SHIFT, config_path, escaped};

/// The driver of plain LXC.
#[derive(Debug, Clone, Copy)]
pub struct Lxc;

/// Always the same: LXC's sockets, locks and cgroups are named after it.
const LXC_PATH: &str = "/var/lib/lxc";

/// How long a container has to shut down.
const SHUTDOWN: Duration = Duration::from_mins(1);

fn home(id: u32) -> String {
    format!("{LXC_PATH}/{id}")
}

fn rootfs_path(id: u32) -> String {
    format!("{LXC_PATH}/{id}/rootfs")
}

impl Driver for Lxc {
    fn name(&self) -> &'static str {
        "lxc"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["/usr/bin/lxc-start", "/usr/bin/lxc-usernsexec"]
    }

    fn found(&self, sys: &dyn System, id: u32) -> Result<Option<Found>> {
        let Some(config) = read_config(sys, id)? else { return no_config(sys, id) };
        let host = Host::of(sys)?;
        let instance = state::instance(sys, id)?;
        let lock = config.get(&ours("lock")).map(str::to_owned);
        let mounted = match &instance {
            Some(_) => state::first_process(sys, id)?.map(|pid| state::mounted(sys, pid)).transpose()?.flatten(),
            None => None,
        };
        Ok(Some(Found {
            what: if lock.is_some() { What::Unfinished } else { What::Container },
            settings: read::settings(&config, &host),
            owed: owed(&config, instance.as_deref()),
            running: instance.is_some(),
            mounted,
            lock,
        }))
    }

    fn create(&self, sys: &dyn System, id: u32, settings: &Settings, template: &Path, timeout: Duration) -> Result<()> {
        let (host, unprivileged) = (Host::of(sys)?, settings.unprivileged != Some(false));
        if unprivileged {
            ["/etc/subuid", "/etc/subgid"].into_iter().try_for_each(|path| grant_ids(sys, path))?;
        }
        reachable(sys)?;
        let mut config = write::fresh(id, settings);
        let mut settings = settings.clone();
        for (n, net) in settings.nets.iter_mut().enumerate() {
            net.mac.get_or_insert_with(|| new_mac(sys, id, n));
        }
        let is_file = |path: &str| is_file(sys, path);
        for edit in edits(&settings, &Found::default()) {
            write::write(&mut config, &Pen { id, host: &host, is_file: &is_file }, &edit.set);
        }
        keep_identity(&mut config);
        if sys.lstat(Path::new(&home(id))).attempt(|| format!("reading `{}`", home(id)))?.is_none() {
            sys.make_dir(Path::new(&home(id)), 0, 0, 0o755)?;
        }
        lock(sys, id, &config, "create")?;
        clear(sys, id)?;
        let rootfs = Rootfs::new(id, unprivileged);
        rootfs.unpack(sys, template, timeout)?;
        rootfs.personalise(sys, &settings)?;
        write_config(sys, id, &config)
    }

    fn set(&self, sys: &dyn System, id: u32, found: &Found, edits: &[Edit]) -> Result<()> {
        let mut config = known_config(sys, id)?;
        let host = Host::of(sys)?;
        let instance = state::instance(sys, id)?;
        let is_file = |path: &str| is_file(sys, path);
        let pen = Pen { id, host: &host, is_file: &is_file };
        let live = Live { sys, id, host: &host };
        keep_identity(&mut config);
        for edit in edits {
            let edit = with_macs(sys, id, &config, edit);
            let effect = self.effect(&edit, found);
            let before = config.clone();
            write::write(&mut config, &pen, &edit.set);
            let after = read::settings(&config, &host);
            inside(sys, id, found, &edit.set, &after)?;
            match (&instance, effect) {
                (Some(_), Effect::Live) => make_live(&live, &edit.set, found, &after, &before, &config)?,
                (Some(instance), Effect::Restart) => owe(&mut config, instance, &edit),
                (None, _) => {}
            }
        }
        config.remove_where(&ours("owed"), |owed| instance.as_deref() != owed.split(' ').next());
        // Last: what is written is in effect, so that a run that was cut off does it again.
        write_config(sys, id, &config)
    }

    fn effect(&self, edit: &Edit, found: &Found) -> Effect {
        let waits = match &edit.set {
            Set::Hostname(_) | Set::Features(_) => true,
            Set::Mount(mount) => found.settings.mounts.iter().any(|is| is.target == mount.target && is != mount),
            Set::Net(net) => {
                let is = found.settings.nets.iter().find(|is| is.name == net.name);
                let dhcp = |net: &Net| net.address == Some(Address::Dhcp);
                // VLANs and DHCP are set up while it starts.
                net.vlan != is.and_then(|is| is.vlan) || dhcp(net) != is.is_some_and(dhcp)
            }
            _ => false,
        };
        if found.running && waits { Effect::Restart } else { Effect::Live }
    }

    fn start(&self, sys: &dyn System, id: u32) -> Result<()> {
        let log = format!("{}/start.log", home(id));
        sys.remove_file(Path::new(&log))?;
        let argv = ["lxc-start", "-P", LXC_PATH, "-n", &id.to_string(), "-o", &log, "-l", "ERROR"];
        let command = Command::new(argv).timeout(SHUTDOWN);
        let started = sys.run(&command)?.success(&command);
        if started.is_ok() && state::runs_now(sys, id)? {
            return Ok(());
        }
        let logged = text(sys, &log)?.unwrap_or_default();
        let ended = || Error::new(format!("starting container {id}")).reason("it ended at once");
        Err(started.map_or_else(|error| error, |_| ended()).output(&logged))
    }

    fn stop(&self, sys: &dyn System, id: u32) -> Result<()> {
        if !state::runs_now(sys, id)? {
            return Ok(());
        }
        let seconds = SHUTDOWN.as_secs().to_string();
        let command = Command::new(["lxc-stop", "-P", LXC_PATH, "-n", &id.to_string(), "-t", &seconds]);
        let command = command.timeout(SHUTDOWN * 2);
        sys.run(&command)?.success(&command)?;
        // Its socket outlives it by a moment.
        for _ in 0..100 {
            if !state::runs_now(sys, id)? {
                return Ok(());
            }
            sys.sleep(Duration::from_millis(100));
        }
        Err(Error::new(format!("stopping container {id}")).reason("it still runs"))
    }

    fn destroy(&self, sys: &dyn System, id: u32) -> Result<()> {
        self.vacate(sys, id)?;
        sys.remove_tree(Path::new(&home(id)))
    }

    fn vacate(&self, sys: &dyn System, id: u32) -> Result<()> {
        self.stop(sys, id)?;
        if let Some(config) = read_config(sys, id)? {
            let path = config.get("lxc.rootfs.path").unwrap_or_default();
            if !path.is_empty() && path.trim_start_matches("dir:") != rootfs_path(id) {
                return Err(Error::new(format!("destroying container {id}"))
                    .reason(format!("its root file system is `{path}`, which is not ours"))
                    .remedy(format!("destroy it by `lxc-destroy -n {id}`")));
            }
            lock(sys, id, &config, "destroy")?;
        }
        clear(sys, id)
    }

    fn ready(&self, sys: &dyn System, id: u32, timeout: Duration) -> Result<()> {
        let config = known_config(sys, id)?;
        let nets = read::settings(&config, &*Host::of(sys)?).nets;
        let until = sys.now() + timeout;
        loop {
            let Some(missing) = not_ready(sys, id, &nets)? else { return Ok(()) };
            if sys.now() >= until {
                return Err(Error::new(format!("waiting for container {id} to boot"))
                    .reason(missing)
                    .remedy(format!("look into it with `provision enter {id}`")));
            }
            sys.sleep(Duration::from_millis(100));
        }
    }

    fn attach(&self, id: u32, argv: &[String]) -> Vec<String> {
        attach(id, argv)
    }

    fn enter(&self, id: u32) -> Vec<String> {
        let id = id.to_string();
        let argv = ["lxc-attach", "-P", LXC_PATH, "-n", &id, "--clear-env", "--keep-var", "TERM", "--", "su", "-l"];
        argv.map(str::to_owned).to_vec()
    }

    fn identity(&self, sys: &dyn System, id: u32) -> Result<Option<String>> {
        let Some(config) = read_config(sys, id)? else { return Ok(None) };
        if let Some(first) = config.get(&ours("identity")) {
            return Ok(Some(first.to_owned()));
        }
        Ok(first_mac(&config))
    }

    fn limits(&self, sys: &dyn System, settings: &Settings) -> Vec<String> {
        let mut limits = Vec::new();
        let mut add = |what: String| limits.push(format!("plain LXC cannot hold to {what}"));
        if let Some(disk) = settings.disk {
            add(format!("disk = {disk}: its files share the host's file system"));
        }
        if let Some(storage) = &settings.storage {
            add(format!("storage = {storage}: its files are below `{LXC_PATH}`"));
        }
        if settings.features.mknod == Some(true) && settings.unprivileged != Some(false) {
            add("features.mknod in an unprivileged container".to_owned());
        }
        if settings.nets.iter().any(|net| net.firewall == Some(true)) {
            add("firewall: it is Proxmox's".to_owned());
        }
        if let Some(down) = settings.startup.down {
            add(format!("startup.down = {down}: `SHUTDOWNDELAY` in `/etc/default/lxc` holds for all"));
        }
        if let Ok(host) = Host::of(sys) {
            let cpus = host.cpus.len();
            if let Some(cores) = settings.cores.filter(|cores| cpus > 0 && *cores as usize > cpus) {
                add(format!("cores = {cores}: the host has {cpus}"));
            }
            if !host.swap && settings.swap.is_some() {
                add("swap: the kernel does not account for it".to_owned());
            }
        }
        limits
    }

    fn template_dirs(&self) -> &'static [&'static str] {
        &["/var/cache/provision/templates", "/var/lib/vz/template/cache"]
    }
}

fn first_mac(config: &Config) -> Option<String> {
    let mut macs = read::interfaces(config).into_iter().map(|(n, _)| config.get(&format!("lxc.net.{n}.hwaddr")));
    macs.find_map(|mac| mac.map(str::to_ascii_uppercase))
}

/// Keeps the MAC that it has now as what tells it from others, whatever becomes of its interfaces.
fn keep_identity(config: &mut Config) {
    if config.get(&ours("identity")).is_none() {
        config.put(&ours("identity"), first_mac(config));
    }
}

fn attach<S: AsRef<str>>(id: u32, argv: &[S]) -> Vec<String> {
    let id = id.to_string();
    let head = ["lxc-attach", "-P", LXC_PATH, "-n", &id, "--clear-env", "--"].map(str::to_owned);
    head.into_iter().chain(argv.iter().map(|part| part.as_ref().to_owned())).collect()
}

fn read_config(sys: &dyn System, id: u32) -> Result<Option<Config>> {
    Ok(text(sys, &config_path(id))?.map(|text| Config::parse(&text)))
}

fn known_config(sys: &dyn System, id: u32) -> Result<Config> {
    let gone = || Error::new(format!("reading `{}`", config_path(id))).reason("there is no such container");
    read_config(sys, id)?.ok_or_else(gone)
}

/// A directory without a configuration is nothing, unless there is a root file system in it.
fn no_config(sys: &dyn System, id: u32) -> Result<Option<Found>> {
    let path = rootfs_path(id);
    if sys.lstat(Path::new(&path)).attempt(|| format!("reading `{path}`"))?.is_none() {
        return Ok(None);
    }
    Err(Error::new(format!("looking at container {id}"))
        .reason(format!("`{path}` is there, without a `config` beside it"))
        .remedy("move it away if it is not needed, then run again"))
}

fn write_config(sys: &dyn System, id: u32, config: &Config) -> Result<()> {
    let (path, content) = (PathBuf::from(config_path(id)), config.to_string());
    if sys.read(&path).is_ok_and(|is| is == content.as_bytes()) {
        return Ok(());
    }
    let stat = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
    let (uid, gid, mode) = stat.map_or((0, 0, 0o644), |stat| (stat.uid, stat.gid, stat.mode));
    sys.write(&path, &NewFile { content: content.as_bytes(), uid, gid, mode }, &|_| Ok(()))
}

/// Marks a container as one that is being made or destroyed: LXC would not start it, and `found` knows it.
fn lock(sys: &dyn System, id: u32, config: &Config, why: &str) -> Result<()> {
    let mut locked = config.clone();
    locked.set(&ours("lock"), why);
    // Not started with the host meanwhile.
    locked.set("lxc.start.auto", "0");
    write_config(sys, id, &locked)
}

/// Removes a root file system. Where the run that unpacked it was killed, its tar may go on for a moment.
fn clear(sys: &dyn System, id: u32) -> Result<()> {
    let path = rootfs_path(id);
    for _ in 0..100 {
        if sys.remove_tree(Path::new(&path)).is_ok() {
            return Ok(());
        }
        sys.sleep(Duration::from_millis(200));
    }
    sys.remove_tree(Path::new(&path))
}

/// Lets root hand out the ids of unprivileged containers (subuid(5)).
fn grant_ids(sys: &dyn System, path: &str) -> Result<()> {
    let lines = text(sys, path)?.unwrap_or_default();
    let covers = |line: &str| {
        let mut parts = line.split(':');
        let (who, from, count) = (parts.next(), parts.next(), parts.next());
        let number = |part: Option<&str>| part.and_then(|part| part.trim().parse::<u32>().ok());
        let range = number(from).zip(number(count)).map(|(from, count)| from..=from.saturating_add(count));
        matches!(who, Some("root" | "0"))
            && range.is_some_and(|ids| ids.contains(&SHIFT) && ids.contains(&(SHIFT + IDS)))
    };
    if lines.lines().any(covers) {
        return Ok(());
    }
    let apart = if lines.is_empty() || lines.ends_with('\n') { "" } else { "\n" };
    let lines = format!("{lines}{apart}root:{SHIFT}:{IDS}\n");
    sys.write(Path::new(path), &NewFile { content: lines.as_bytes(), uid: 0, gid: 0, mode: 0o644 }, &|_| Ok(()))
}

/// Root of an unprivileged container is nobody here and must get to its files.
fn reachable(sys: &dyn System) -> Result<()> {
    let missing = || Error::new(format!("reading `{LXC_PATH}`")).remedy("install the package lxc");
    let stat = sys.lstat(Path::new(LXC_PATH)).attempt(|| format!("reading `{LXC_PATH}`"))?.ok_or_else(missing)?;
    if stat.mode & 0o001 == 0 {
        return Err(Error::new(format!("making containers below `{LXC_PATH}`"))
            .reason("other users may not pass through it, and root of a container is one")
            .remedy(format!("`chmod o+x {LXC_PATH}`")));
    }
    Ok(())
}

fn is_file(sys: &dyn System, path: &str) -> bool {
    matches!(sys.lstat(Path::new(path)), Ok(Some(stat)) if stat.kind != FileKind::Directory && stat.kind != FileKind::Link)
}

/// Returns a new MAC with Proxmox's prefix. Another one for each container ever made: claims hang on it.
fn new_mac(sys: &dyn System, id: u32, n: usize) -> String {
    let random = sys.read(Path::new("/proc/sys/kernel/random/uuid")).unwrap_or_default();
    let now = sys.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let seed =
        Sha256::new().chain_update(random).chain_update(now.to_be_bytes()).chain_update(format!("{id} {n}")).finalize();
    format!("BC:24:11:{:02X}:{:02X}:{:02X}", seed[0], seed[1], seed[2])
}

/// Gives an interface that has no MAC yet one of its own.
fn with_macs(sys: &dyn System, id: u32, config: &Config, edit: &Edit) -> Edit {
    let mut edit = edit.clone();
    if let Set::Net(net) = &mut edit.set {
        net.mac.get_or_insert_with(|| new_mac(sys, id, read::interfaces(config).len()));
    }
    edit
}

/// Changes what a setting means to the files inside.
fn inside(sys: &dyn System, id: u32, found: &Found, set: &Set, after: &Settings) -> Result<()> {
    let rootfs = Rootfs::new(id, after.unprivileged != Some(false));
    match set {
        Set::Hostname(name) => rootfs.rename(sys, found.running, name),
        Set::Nameserver(_) | Set::Searchdomain(_) => rootfs.resolve(sys, found.running, after),
        Set::Net(net) => {
            let dhcp = |nets: &[Net]| nets.iter().any(|is| is.name == net.name && is.address == Some(Address::Dhcp));
            if dhcp(&found.settings.nets) == dhcp(&after.nets) {
                return Ok(());
            }
            rootfs.network(sys, found.running, after)
        }
        _ => Ok(()),
    }
}

fn make_live(
    live: &Live<'_>,
    set: &Set,
    found: &Found,
    after: &Settings,
    before: &Config,
    config: &Config,
) -> Result<()> {
    match set {
        Set::Memory(_) | Set::Swap(_) => live.memory(after.memory, after.swap),
        Set::Cores(cores) => live.cores(*cores),
        Set::Mount(mount) => live.mount(mount),
        Set::Net(net) => {
            let unknown = || {
                Error::new(format!("changing {} of a running container", net.name))
                    .reason("its end on the host has no name")
            };
            let side = host_side(config, &net.name).ok_or_else(unknown)?;
            match found.settings.nets.iter().find(|is| is.name == net.name) {
                Some(is) if host_side(before, &net.name).is_some() => live.change_net(is, net, side),
                Some(_) => Err(unknown()),
                None => live.add_net(net, side),
            }
        }
        _ => Ok(()),
    }
}

/// Notes what stays in effect until the next start: `INSTANCE FIELD [VALUE]`, the field with the escapes of fstab(5).
fn owe(config: &mut Config, instance: &str, edit: &Edit) {
    let key = ours("owed");
    for change in &edit.changes {
        let head = format!("{instance} {}", escaped(&change.field));
        let same = |owed: &str| owed == head || owed.strip_prefix(&head).is_some_and(|rest| rest.starts_with(' '));
        let noted = config.all(&key).into_iter().find(|owed| same(owed)).map(str::to_owned);
        match noted {
            // Back to what is in effect: nothing is owed any more.
            Some(owed) if owed[head.len()..].trim_start() == change.to => config.remove_where(&key, same),
            Some(_) => {}
            None => config.push(&key, format!("{head} {}", change.from.as_deref().unwrap_or_default()).trim_end()),
        }
    }
}

fn owed(config: &Config, instance: Option<&str>) -> Vec<Owed> {
    let owed = |owed: &str| {
        let mut parts = owed.splitn(3, ' ');
        let (of, field, active) = (parts.next()?, parts.next()?, parts.next());
        (Some(of) == instance).then(|| Owed { field: unescaped(field), active: active.map(str::to_owned) })
    };
    config.all(&ours("owed")).into_iter().filter_map(owed).collect()
}

/// Returns what a container that boots still lacks.
fn not_ready(sys: &dyn System, id: u32, nets: &[Net]) -> Result<Option<String>> {
    if !state::runs_now(sys, id)? {
        return Err(Error::new(format!("waiting for container {id} to boot")).reason("it does not run"));
    }
    let command = Command::new(attach(id, &["systemctl", "is-system-running"])).timeout(Duration::from_secs(10));
    let output = sys.run(&command)?;
    let answer = output.text().trim().to_owned();
    if output.code != 127 && !matches!(answer.as_str(), "running" | "degraded") {
        return Ok(Some(format!("systemd says `{answer}`")));
    }
    sys.facts().forget();
    let Some(pid) = state::first_process(sys, id)? else { return Ok(Some("its first process can't be found".into())) };
    let own = state::parse_local_addresses(&text(sys, &format!("/proc/{pid}/net/fib_trie"))?.unwrap_or_default());
    let lacking = nets.iter().find(|net| match net.address {
        Some(Address::Fixed(cidr)) if cidr.address.is_ipv4() => !own.contains(&cidr.address.to_string()),
        Some(Address::Dhcp) => own.is_empty(),
        _ => false,
    });
    if let Some(net) = lacking {
        return Ok(Some(format!("{} has no address yet", net.name)));
    }
    let leads_out =
        |net: &Net| net.address == Some(Address::Dhcp) || net.gateway.is_some_and(|gateway| gateway.is_ipv4());
    let route = text(sys, &format!("/proc/{pid}/net/route"))?.unwrap_or_default();
    let lost = nets.iter().any(leads_out) && !state::has_default_route(&route);
    Ok(lost.then(|| "it has no default route yet".to_owned()))
}
