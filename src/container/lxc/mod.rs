//! Plain LXC: a container is a directory below `/var/lib/lxc` with a `config` and a `rootfs`.
mod base;
mod beyond;
mod config;
pub(super) mod host;
mod live;
mod mac;
mod make;
mod owed;
mod read;
pub(super) mod ready;
pub(super) mod rootfs;
pub(super) mod state;
mod store;
mod write;

use super::{Driver, Edit, Effect, Found, Net, Room, Set, Settings, What};
use crate::error::{Error, Result};
use crate::field::Address;
use crate::system::program::PATH;
use crate::system::{Command, System};
use config::ours;
use host::{Host, text};
use live::{Live, host_side, make_live};
use mac::{first_mac, keep_identity, with_macs};
use owed::{owe, owed};
use ready::not_ready;
use rootfs::inside;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{clear, config_path, home, is_file, known_config, lock, no_config, read_config, rootfs_path, write_config};
use write::Pen;

/// The driver of plain LXC.
#[derive(Debug, Clone, Copy)]
pub struct Lxc;

/// Always the same: LXC's sockets, locks and cgroups are named after it.
const LXC_PATH: &str = "/var/lib/lxc";

/// How long a container has to shut down.
const SHUTDOWN: Duration = Duration::from_mins(1);

impl Driver for Lxc {
    fn name(&self) -> &'static str {
        "lxc"
    }

    fn programs(&self) -> &'static [&'static str] {
        &["/usr/bin/lxc-start", "/usr/bin/lxc-usernsexec", "/usr/bin/lxc-attach"]
    }

    fn package(&self) -> &'static str {
        "lxc"
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
        // Nobody took away what need not be there.
        let mounted = mounted.map(|mounted| mounted.into_iter().chain(read::optional_targets(&config)).collect());
        Ok(Some(Found {
            what: match lock {
                Some(_) => What::Unfinished,
                None if base::is_base(&config) => What::Template,
                None => What::Container,
            },
            settings: read::settings(&config, &host),
            owed: owed(&config, instance.as_deref()),
            running: instance.is_some(),
            mounted,
            lock,
        }))
    }

    fn beyond(&self, sys: &dyn System, id: u32) -> Result<Vec<String>> {
        let config = known_config(sys, id)?;
        Ok(beyond::beyond(id, &config, &*Host::of(sys)?))
    }

    fn at_work(&self, _sys: &dyn System, _ids: &[u32]) -> Result<Option<(u32, String)>> {
        // Nobody but us works on one for longer, and what we started is known.
        Ok(None)
    }

    fn file(&self, id: u32) -> PathBuf {
        config_path(id).into()
    }

    fn create(&self, sys: &dyn System, id: u32, settings: &Settings, template: &Path, timeout: Duration) -> Result<()> {
        make::make(sys, id, settings, |rootfs, settings| {
            rootfs.unpack(sys, template, timeout)?;
            rootfs.personalise(sys, settings)
        })
    }

    fn clone(&self, sys: &dyn System, id: u32, settings: &Settings, base: u32, timeout: Duration) -> Result<()> {
        let origin = base::origin(sys, base)?;
        make::make(sys, id, settings, |rootfs, settings| {
            rootfs.copy(sys, base, timeout)?;
            rootfs.renew(sys, settings, &origin)
        })
    }

    fn seal(&self, sys: &dyn System, id: u32) -> Result<()> {
        self.stop(sys, id)?;
        base::seal(sys, id)
    }

    fn ids(&self, sys: &dyn System) -> Result<Vec<u32>> {
        store::ids(sys)
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
            let before = config.clone();
            let effect = match &edit.set {
                // Its end on the host has no name by which it could be changed.
                Set::Net(net) if is_nameless(&before, found, net) => Effect::Restart,
                _ => self.effect(&edit, found),
            };
            write::write(&mut config, &pen, &edit.set);
            let after = read::settings(&config, &host);
            inside(sys, id, found, &edit.set, &after)?;
            match (&instance, effect) {
                (Some(_), Effect::Live) => make_live(&live, &edit.set, found, &after, &config)?,
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
        let until = sys.uptime() + timeout;
        loop {
            let Some(missing) = not_ready(sys, id, &nets)? else { return Ok(()) };
            if sys.uptime() >= until {
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

    fn enter(&self, id: u32, command: &[String]) -> Vec<String> {
        enter(id, command)
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

    fn room(&self, sys: &dyn System, _storage: Option<&str>) -> Result<Room> {
        // Before there is any container, it is to be where the directory above is.
        let free = [LXC_PATH, "/var/lib"].iter().find_map(|path| sys.free_space(Path::new(path)).ok());
        Ok(Room { place: LXC_PATH.to_owned(), free })
    }

    fn storages(&self) -> &'static str {
        LXC_PATH
    }

    fn template_dirs(&self, _sys: &dyn System) -> Result<Vec<PathBuf>> {
        Ok(["/var/cache/provision/templates", "/var/lib/vz/template/cache"].map(PathBuf::from).to_vec())
    }
}

/// Returns the argv that runs a command, or a login shell, with root's environment.
pub(super) fn enter(id: u32, command: &[String]) -> Vec<String> {
    let (id, path) = (id.to_string(), format!("PATH={PATH}"));
    let argv = ["lxc-attach", "-P", LXC_PATH, "-n", &id, "--clear-env", "--keep-var", "TERM"];
    let environment = ["-v", "HOME=/root", "-v", "USER=root", "-v", "LANG=C.UTF-8", "-v", &path, "--"];
    let mut argv: Vec<String> = argv.into_iter().chain(environment).map(str::to_owned).collect();
    if command.is_empty() {
        argv.extend(["su", "-l"].map(str::to_owned));
    }
    argv.extend_from_slice(command);
    argv
}

/// Returns the argv that runs another one inside, with a cleared environment.
pub(super) fn attach<S: AsRef<str>>(id: u32, argv: &[S]) -> Vec<String> {
    let id = id.to_string();
    let head = ["lxc-attach", "-P", LXC_PATH, "-n", &id, "--clear-env", "--"].map(str::to_owned);
    head.into_iter().chain(argv.iter().map(|part| part.as_ref().to_owned())).collect()
}

/// Returns whether a container has this interface and its end on the host is not known.
fn is_nameless(config: &config::Config, found: &Found, net: &Net) -> bool {
    found.settings.nets.iter().any(|is| is.name == net.name) && host_side(config, &net.name).is_none()
}
