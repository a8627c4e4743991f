//! Containers: what a `Driver` can do with one. Only a driver knows whether Proxmox or plain LXC is underneath.
mod edit;
pub mod lxc;
pub mod pct;
mod processes;
pub mod push;
mod renew;
mod settings;
pub mod template;

pub use edit::{Changed, Edit, Effect, Set, changing, edits, fixed};
pub use settings::{Features, Mount, Net, Settings, Startup};

use crate::error::{Attempt as _, Error, Result};
use crate::system::System;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use template::Offer;

/// What makes, changes and reaches containers. Everything it does passes `sys`; what reads starts no program, but for
/// `ask_free`.
pub trait Driver: Send + Sync {
    /// Returns its name: `lxc` or `pct`.
    fn name(&self) -> &'static str;

    /// Returns the programs without which it can change nothing, as absolute paths.
    fn programs(&self) -> &'static [&'static str];

    /// Returns the package that brings them.
    fn package(&self) -> &'static str;

    /// Returns what there is under this id, from files alone.
    fn found(&self, sys: &dyn System, id: u32) -> Result<Option<Found>>;

    /// Returns what is set of a container that no recipe can say, a line each, in the words of its file; it starts no program.
    fn beyond(&self, sys: &dyn System, id: u32) -> Result<Vec<String>>;

    /// Returns what is changing one of these containers just now, such as `pct create 201`, and which one: a run that was
    /// killed may have left it at work.
    fn at_work(&self, sys: &dyn System, ids: &[u32]) -> Result<Option<(u32, String)>>;

    /// Returns the file that says how a container is set, for people to read.
    fn file(&self, id: u32) -> PathBuf;

    /// Makes a container from a template, stopped. Cut off anywhere it leaves what `found` calls `What::Unfinished`.
    fn create(&self, sys: &dyn System, id: u32, settings: &Settings, template: &Path, timeout: Duration) -> Result<()>;

    /// Makes a container, stopped, with a copy of what is in a base: files of the base, nothing else of it. What must be a
    /// container's own (host name, machine-id, keys, MACs) is made anew. Cut off anywhere it leaves what `create` leaves.
    fn clone(&self, sys: &dyn System, id: u32, settings: &Settings, base: u32, timeout: Duration) -> Result<()>;

    /// Makes a base of a container: it is stopped and stays as it is, `What::Template`, for others to be cloned from.
    fn seal(&self, sys: &dyn System, id: u32) -> Result<()>;

    /// Returns the ids of the containers of this host.
    fn ids(&self, sys: &dyn System) -> Result<Vec<u32>>;

    /// Makes settings so: written for the next start, and in a running container at once where `effect` says `Live`.
    fn set(&self, sys: &dyn System, id: u32, found: &Found, edits: &[Edit]) -> Result<()>;

    /// Returns when an edit of this container takes effect.
    fn effect(&self, edit: &Edit, found: &Found) -> Effect;

    /// Starts it; returns before it has booted.
    fn start(&self, sys: &dyn System, id: u32) -> Result<()>;

    /// Shuts it down; what doesn't within 60 s is killed.
    fn stop(&self, sys: &dyn System, id: u32) -> Result<()>;

    /// Takes it away with its data, or what is left of one that was never finished. It is stopped first.
    fn destroy(&self, sys: &dyn System, id: u32) -> Result<()>;

    /// Takes its data away so that it can be made anew: what is left counts as `What::Unfinished`, and has its MACs where
    /// the driver can keep them. It is stopped first.
    fn vacate(&self, sys: &dyn System, id: u32) -> Result<()>;

    /// Waits until it has booted, with its address and route, where it should have them.
    fn ready(&self, sys: &dyn System, id: u32, timeout: Duration) -> Result<()>;

    /// Returns the argv that runs `argv` as root inside, with a cleared environment. stdin and stdout are 8-bit clean as
    /// long as stdin, stdout and stderr are all no terminals.
    fn attach(&self, id: u32, argv: &[String]) -> Vec<String>;

    /// Returns the argv that runs `command` as root inside, with root's environment; a login shell where it is empty.
    fn enter(&self, id: u32, command: &[String]) -> Vec<String>;

    /// Returns what tells this very container from another one of the same id: its MAC.
    fn identity(&self, sys: &dyn System, id: u32) -> Result<Option<String>>;

    /// Returns the interfaces of the host that go with it, as every driver calls them after Proxmox's manner.
    fn host_ends(&self, sys: &dyn System, id: u32) -> Vec<String> {
        let begins = ["veth", "fwpr", "fwln", "fwbr"].map(|kind| format!("{kind}{id}"));
        let is_its = |name: &String| {
            begins.iter().any(|begin| name.strip_prefix(begin).is_some_and(|rest| rest.starts_with(['i', 'p', 'o'])))
        };
        let names = sys.list(Path::new("/sys/class/net")).unwrap_or_default();
        names.into_iter().filter_map(|name| name.into_string().ok()).filter(is_its).collect()
    }

    /// Returns what of these settings it cannot hold to, to be said in the plan.
    fn limits(&self, sys: &dyn System, settings: &Settings) -> Vec<String>;

    /// Returns where a new container's root file system goes, in the storage that is asked for or the usual one, and what is
    /// free there. An error where it can't go there.
    fn room(&self, sys: &dyn System, storage: Option<&str>) -> Result<Room>;

    /// Asks a program of the host what is free where no file tells: in each of these places, bytes or why that is not known.
    /// Nothing else that reads starts one.
    fn ask_free(&self, _sys: &dyn System, places: &[&str]) -> Vec<Result<u64>> {
        let unknown =
            |place: &&str| Err(Error::new(format!("looking for what is free in `{place}`")).reason("no file tells"));
        places.iter().map(unknown).collect()
    }

    /// Returns the path that says where root file systems can go.
    fn storages(&self) -> &'static str;

    /// Returns the templates that it can fetch by name; `None` where it knows no place that has any.
    fn offer(&self, _sys: &dyn System) -> Result<Option<Offer>> {
        Ok(None)
    }

    /// Fetches one of those to where templates are looked for.
    fn fetch_template(&self, _sys: &dyn System, name: &str, _timeout: Duration) -> Result<()> {
        Err(Error::new(format!("fetching the template `{name}`")).reason("plain LXC knows no place that has it"))
    }

    /// Returns the directories in which templates are looked for by name; downloaded ones go to the first.
    fn template_dirs(&self, sys: &dyn System) -> Result<Vec<PathBuf>>;
}

/// The ids of this host that an unprivileged container has as its own, from 0 on.
pub const MAPPED: std::ops::Range<u32> = 100_000..165_536;

/// Where a root file system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its name: a storage, or a directory.
    pub place: String,
    /// Bytes that are free there; `None` where no file tells.
    pub free: Option<u64>,
}

/// What there is under an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub what: What,
    /// How it is set, as its next start will have it.
    pub settings: Settings,
    /// What is written and takes effect at its next start only. Empty where it is stopped.
    pub owed: Vec<Owed>,
    /// It runs.
    pub running: bool,
    /// The targets at which something is mounted in it now; `None` where it doesn't run or that can't be told.
    pub mounted: Option<BTreeSet<String>>,
    /// What holds it locked, such as `backup`.
    pub lock: Option<String>,
}

/// What is under an id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum What {
    /// A container.
    #[default]
    Container,
    /// One of ours that a killed run left half made or half destroyed.
    Unfinished,
    /// One that somebody's killed `pct create` left half made.
    Half,
    /// A base, from which others are cloned; Proxmox calls it a template.
    Template,
    /// A virtual machine.
    Machine,
    /// Something on another node of the cluster.
    Elsewhere(String),
}

/// A setting that is written but not in effect yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The field, as `Changed` names it.
    pub field: String,
    /// What is in effect now.
    pub active: Option<String>,
}

/// Returns the driver of this machine: that of Proxmox on a node of it, else plain LXC.
pub fn driver(sys: &dyn System) -> Result<&'static dyn Driver> {
    // A node stays one whose tool is gone: its containers are not plain LXC's.
    for mark in [pct::PCT, pct::CLUSTER] {
        if sys.lstat(Path::new(mark)).attempt(|| format!("reading `{mark}`"))?.is_some() {
            return Ok(&pct::Pct);
        }
    }
    Ok(&lxc::Lxc)
}
