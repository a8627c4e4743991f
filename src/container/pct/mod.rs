//! Proxmox VE: read from the files of its cluster file system and from LXC's state, written by `pct` alone.
mod beyond;
mod busy;
mod clone;
mod cluster;
mod conf;
mod grow;
mod hostname;
mod index;
mod meaning;
mod mounts;
mod read;
mod recover;
mod room;
mod status;
mod storage;
mod tool;
mod write;

use super::lxc::{attach, enter, host::text, ready::not_ready, state};
use super::template::Offer;
use super::{Driver, Edit, Effect, Found, Room, Set, Settings, What, edits};
use crate::error::{Attempt as _, Error, Result};
use crate::field::Size;
use crate::system::{System, state as stamps};
use conf::Conf;
use hostname::{owe_hostname, owed_hostname};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tool::pct;

/// The driver of Proxmox VE.
#[derive(Debug, Clone, Copy)]
pub struct Pct;

/// Where Proxmox has its tool.
pub(super) const PCT: &str = "/usr/sbin/pct";
/// Where it mounts the files of its cluster.
pub(super) const CLUSTER: &str = "/etc/pve";
/// Where the files of this node's containers are among them.
const CONTAINERS: &str = "/etc/pve/lxc";

/// How long a container has to shut down.
const SHUTDOWN: Duration = Duration::from_mins(1);
/// How long a call may take that waits for nothing but the node.
const CALL: Duration = Duration::from_mins(2);

impl Driver for Pct {
    fn name(&self) -> &'static str {
        "pct"
    }

    fn programs(&self) -> &'static [&'static str] {
        &[PCT, "/usr/bin/lxc-attach"]
    }

    fn package(&self) -> &'static str {
        "pve-container"
    }

    fn found(&self, sys: &dyn System, id: u32) -> Result<Option<Found>> {
        let Some(conf) = read_conf(sys, id)? else { return cluster::elsewhere(sys, id) };
        let instance = state::instance(sys, id)?;
        let mounted = match &instance {
            Some(_) => state::first_process(sys, id)?.map(|pid| state::mounted(sys, pid)).transpose()?.flatten(),
            None => None,
        };
        let lock = conf.now.get("lock").cloned();
        let what = match lock.as_deref() {
            Some("create") if instance.is_none() && busy::at_work(sys, &[id])?.is_none() => What::Half,
            _ if clone::is_unfinished(&conf) => What::Unfinished,
            _ if conf.now.get("template").is_some_and(|on| read::is_on(on)) => What::Template,
            _ => What::Container,
        };
        let owed = match &instance {
            Some(instance) => read::owed(&conf).into_iter().chain(owed_hostname(sys, id, instance)?).collect(),
            None => Vec::new(),
        };
        let mut settings = read::settings(&conf);
        // So Proxmox calls one whose file names none.
        settings.hostname.get_or_insert_with(|| format!("CT{id}"));
        Ok(Some(Found {
            lock: lock.filter(|_| what == What::Container),
            what,
            settings,
            owed,
            running: instance.is_some(),
            mounted,
        }))
    }

    fn beyond(&self, sys: &dyn System, id: u32) -> Result<Vec<String>> {
        let text = text(sys, &conf_path(id))?.unwrap_or_default();
        Ok(beyond::beyond(&text, &Conf::parse(&text)))
    }

    fn at_work(&self, sys: &dyn System, ids: &[u32]) -> Result<Option<(u32, String)>> {
        busy::at_work(sys, ids)
    }

    fn file(&self, id: u32) -> PathBuf {
        conf_path(id).into()
    }

    fn create(&self, sys: &dyn System, id: u32, settings: &Settings, template: &Path, timeout: Duration) -> Result<()> {
        if read_conf(sys, id)?.is_some() {
            recover::recover(sys, id)?;
        }
        let storages = cluster::storages(sys)?;
        let storage = room::storage(sys, settings.storage.as_deref())?.name;
        let unprivileged = u8::from(settings.unprivileged != Some(false)).to_string();
        let rootfs = format!("{storage}:{}", gibibytes(settings.disk.unwrap_or(Size(8 << 30))));
        let mut argv =
            ["create", &id.to_string(), &storage::template_name(&storages, template)].map(str::to_owned).to_vec();
        argv.extend(["--unprivileged", &unprivileged, "--rootfs", &rootfs].map(str::to_owned));
        let mut conf = Conf::default();
        for edit in edits(settings, &Found::default()) {
            if let Some((option, value)) = write::argument(&conf, &edit.set)? {
                conf.now.insert(option.trim_start_matches("--").to_owned(), value.clone());
                argv.extend([option, value]);
            }
        }
        pct(sys, argv, timeout)
    }

    fn clone(&self, sys: &dyn System, id: u32, settings: &Settings, base: u32, timeout: Duration) -> Result<()> {
        clone::clone(sys, id, settings, base, timeout)
    }

    fn seal(&self, sys: &dyn System, id: u32) -> Result<()> {
        self.stop(sys, id)?;
        // What is mounted of the host can't be cloned.
        let conf = known_conf(sys, id)?;
        let bound = |key: &String| conf.next(key).is_some_and(|value| value.starts_with('/'));
        let mounts: Vec<String> = conf.numbers("mp").iter().map(|n| format!("mp{n}")).filter(bound).collect();
        if !mounts.is_empty() {
            pct(sys, ["set", &id.to_string(), "--delete", &mounts.join(",")].map(str::to_owned), CALL)?;
        }
        pct(sys, ["template".to_owned(), id.to_string()], CALL)
    }

    fn ids(&self, sys: &dyn System) -> Result<Vec<u32>> {
        cluster::ids(sys)
    }

    fn set(&self, sys: &dyn System, id: u32, found: &Found, edits: &[Edit]) -> Result<()> {
        let mut conf = known_conf(sys, id)?;
        let mut argv = vec!["set".to_owned(), id.to_string()];
        let least = argv.len();
        for edit in edits {
            if let Some(mount) = mounts::only_gone(edit, found) {
                mounts::restore(sys, id, mount)?;
                continue;
            }
            if let Set::Mount(mount) = &edit.set {
                mounts::take_back(sys, id, mount, found)?;
            }
            if let Some((option, value)) = write::argument(&conf, &edit.set)? {
                conf.pending.insert(option.trim_start_matches("--").to_owned(), value.clone());
                argv.extend([option, value]);
            }
        }
        if argv.len() > least {
            pct(sys, argv, CALL)?;
        }
        for edit in edits {
            match &edit.set {
                Set::Hostname(_) => owe_hostname(sys, id, edit)?,
                Set::Disk(size) => grow::grow(sys, id, *size)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn effect(&self, edit: &Edit, found: &Found) -> Effect {
        let waits = match &edit.set {
            Set::Hostname(_) | Set::Features(_) | Set::Nameserver(_) | Set::Searchdomain(_) => true,
            Set::Mount(mount) => found.settings.mounts.iter().any(|is| is.target == mount.target && is != mount),
            _ => false,
        };
        if found.running && waits { Effect::Restart } else { Effect::Live }
    }

    fn start(&self, sys: &dyn System, id: u32) -> Result<()> {
        pct(sys, ["start".to_owned(), id.to_string()], CALL)
    }

    fn stop(&self, sys: &dyn System, id: u32) -> Result<()> {
        if !state::runs_now(sys, id)? {
            return Ok(());
        }
        let seconds = SHUTDOWN.as_secs().to_string();
        let argv = ["shutdown", &id.to_string(), "--timeout", &seconds, "--forceStop", "1"].map(str::to_owned);
        pct(sys, argv, SHUTDOWN + CALL)
    }

    fn destroy(&self, sys: &dyn System, id: u32) -> Result<()> {
        let Some(found) = self.found(sys, id)? else { return Ok(()) };
        if matches!(found.what, What::Half | What::Unfinished) {
            return recover::recover(sys, id);
        }
        self.stop(sys, id)?;
        pct(sys, ["destroy".to_owned(), id.to_string()], CALL)?;
        stamps::clear_stamp(sys, "container", &id.to_string())
    }

    fn vacate(&self, sys: &dyn System, id: u32) -> Result<()> {
        self.destroy(sys, id)
    }

    fn ready(&self, sys: &dyn System, id: u32, timeout: Duration) -> Result<()> {
        let nets = read::settings(&known_conf(sys, id)?).nets;
        let until = sys.uptime() + timeout;
        while let Some(missing) = not_ready(sys, id, &nets)? {
            if sys.uptime() >= until {
                return Err(Error::new(format!("waiting for container {id} to boot"))
                    .reason(missing)
                    .remedy(format!("look into it with `provision enter {id}`")));
            }
            sys.sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn attach(&self, id: u32, argv: &[String]) -> Vec<String> {
        attach(id, argv)
    }

    fn enter(&self, id: u32, command: &[String]) -> Vec<String> {
        enter(id, command)
    }

    fn identity(&self, sys: &dyn System, id: u32) -> Result<Option<String>> {
        let Some(conf) = read_conf(sys, id)? else { return Ok(None) };
        let mac = read::settings(&conf).nets.into_iter().find_map(|net| net.mac);
        // Its disk without the size, which grows.
        let disk = || conf.now.get("rootfs")?.split(',').next().map(str::to_owned);
        Ok(mac.or_else(disk))
    }

    fn limits(&self, _sys: &dyn System, _settings: &Settings) -> Vec<String> {
        Vec::new()
    }

    fn room(&self, sys: &dyn System, storage: Option<&str>) -> Result<Room> {
        room::room(sys, storage)
    }

    fn ask_free(&self, sys: &dyn System, places: &[&str]) -> Vec<Result<u64>> {
        status::ask_free(sys, places)
    }

    fn storages(&self) -> &'static str {
        cluster::STORAGES
    }

    fn offer(&self, sys: &dyn System) -> Result<Option<Offer>> {
        index::offer(sys).map(Some)
    }

    fn fetch_template(&self, sys: &dyn System, name: &str, timeout: Duration) -> Result<()> {
        index::fetch(sys, name, timeout)
    }

    fn template_dirs(&self, sys: &dyn System) -> Result<Vec<PathBuf>> {
        Ok(cluster::storages(sys)?.iter().filter_map(storage::Storage::templates).collect())
    }
}

/// Returns the path of a container's file.
fn conf_path(id: u32) -> String {
    format!("{CONTAINERS}/{id}.conf")
}

fn read_conf(sys: &dyn System, id: u32) -> Result<Option<Conf>> {
    if let Some(text) = text(sys, &conf_path(id))? {
        return Ok(Some(Conf::parse(&text)));
    }
    // Without the files of the cluster no container would seem to be there.
    let attempt = || format!("reading `{CONTAINERS}`");
    if sys.lstat(Path::new(CONTAINERS)).attempt(attempt)?.is_some() {
        return Ok(None);
    }
    Err(Error::new(attempt())
        .reason("it is not there, though this is a node of Proxmox VE: the files of its cluster are not mounted")
        .remedy("see `systemctl status pve-cluster`, then run again"))
}

fn known_conf(sys: &dyn System, id: u32) -> Result<Conf> {
    let gone = || Error::new(format!("reading `{}`", conf_path(id))).reason("there is no such container");
    read_conf(sys, id)?.ok_or_else(gone)
}

/// Returns a size as `pct create` takes it: GiB, with a fraction where there is one.
fn gibibytes(size: Size) -> String {
    let (whole, rest) = (size.0 >> 30, size.0 & ((1 << 30) - 1));
    if rest == 0 {
        return whole.to_string();
    }
    // Exact: a fraction of a power of two, at most thirty digits.
    let mut digits = String::new();
    let mut rest = rest;
    while rest > 0 {
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest >> 30).unwrap_or_default()));
        rest &= (1 << 30) - 1;
    }
    format!("{whole}.{digits}")
}

#[cfg(test)]
mod tests;
