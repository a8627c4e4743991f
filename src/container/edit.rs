//! `Edit`: one setting that differs. It says what changes and is what the driver is given to make it so.
use super::Found;
use super::settings::{Features, Mount, Net, Settings, Startup};
use crate::field::Size;
use crate::resource::Change;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// One setting that differs from what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What changes, field by field.
    pub changes: Vec<Changed>,
    /// The setting as it is to be, whole.
    pub set: Set,
}

/// A field, what it is and what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Dotted below the top: `network.eth0.address`.
    pub field: String,
    /// What is.
    pub from: Option<String>,
    /// What is asked.
    pub to: String,
}

/// A setting as it is to be, whole: what a recipe doesn't name of it stays as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of `Settings` of that name")]
pub enum Set {
    Hostname(String),
    Disk(Size),
    Cores(u32),
    Memory(Size),
    Swap(Size),
    Net(Net),
    Mount(Mount),
    Features(Features),
    Onboot(bool),
    Startup(Startup),
    Nameserver(Vec<IpAddr>),
    Searchdomain(String),
    Tags(BTreeSet<String>),
    Description(String),
    Protection(bool),
}

/// When an edit takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// At once.
    Live,
    /// It is written at once and takes effect when the container starts again.
    Restart,
}

impl Edit {
    fn one(field: &str, from: Option<String>, to: String, set: Set) -> Self {
        Self { changes: vec![Changed { field: field.to_owned(), from, to }], set }
    }

    /// Returns the changes as a plan shows them.
    pub fn shown<'e>(&'e self, name: &'e str) -> impl Iterator<Item = Change> + 'e {
        self.changes.iter().map(move |c| Change::field(name, &c.field, c.from.clone(), Some(c.to.clone())))
    }
}

/// So much more is the same size of a disk: storages round up, and one whose growing was cut off grows a little more.
const ROUNDED: u64 = 16 << 20;

/// Returns what leads from what was found to what is asked. What is fixed when a container is made is not among it, nor
/// a disk that would have to shrink: see `fixed`.
pub fn edits(asked: &Settings, found: &Found) -> Vec<Edit> {
    let is = &found.settings;
    let mut edits = Vec::new();
    let mut add = |edit: Option<Edit>| edits.extend(edit);
    add(differs("hostname", asked.hostname.as_ref(), is.hostname.as_ref(), Set::Hostname));
    if is.disk.is_none_or(|disk| asked.disk.is_some_and(|asked| asked > disk)) {
        add(differs("disk", asked.disk.as_ref(), is.disk.as_ref(), Set::Disk));
    }
    add(differs("cores", asked.cores.as_ref(), is.cores.as_ref(), Set::Cores));
    add(differs("memory", asked.memory.as_ref(), is.memory.as_ref(), Set::Memory));
    add(differs("swap", asked.swap.as_ref(), is.swap.as_ref(), Set::Swap));
    for net in &asked.nets {
        add(net_edit(net, is.nets.iter().find(|found| found.name == net.name)));
    }
    for mount in &asked.mounts {
        add(mount_edit(mount, found));
    }
    let on = |on: bool| on.to_string();
    let features = parts("features", &asked.features.each(), &is.features.each(), on, Some(false));
    add(features.map(|changes| Edit { changes, set: Set::Features(is.features.with(asked.features)) }));
    add(differs("onboot", asked.onboot.as_ref(), is.onboot.as_ref(), Set::Onboot));
    let startup = parts("startup", &asked.startup.each(), &is.startup.each(), |n| n.to_string(), None);
    add(startup.map(|changes| Edit { changes, set: Set::Startup(is.startup.with(asked.startup)) }));
    if !asked.nameserver.is_empty() && asked.nameserver != is.nameserver {
        let set = Set::Nameserver(asked.nameserver.clone());
        add(Some(Edit::one("nameserver", joined(&is.nameserver, " "), join(&asked.nameserver, " "), set)));
    }
    let domain = is.searchdomain.as_ref();
    add(differs("searchdomain", asked.searchdomain.as_ref(), domain, Set::Searchdomain));
    if !asked.tags.is_subset(&is.tags) {
        let tags: BTreeSet<String> = is.tags.union(&asked.tags).cloned().collect();
        add(Some(Edit::one("tags", joined(&is.tags, ", "), join(&tags, ", "), Set::Tags(tags))));
    }
    let description = is.description.clone().unwrap_or_default();
    if asked.description.as_ref().is_some_and(|asked| *asked != description) {
        add(differs("description", asked.description.as_ref(), is.description.as_ref(), Set::Description));
    }
    add(differs("protection", asked.protection.as_ref(), is.protection.as_ref(), Set::Protection));
    edits
}

/// Returns what is fixed when a container is made and differs: only a new container can have it.
pub fn fixed(asked: &Settings, is: &Settings) -> Vec<Changed> {
    let mut changes = Vec::new();
    let mut add = |field: &str, asked: Option<String>, is: Option<String>| {
        if let (Some(to), Some(from)) = (asked, is)
            && to != from
        {
            changes.push(Changed { field: field.to_owned(), from: Some(from), to });
        }
    };
    let shown = |on: bool| on.to_string();
    add("unprivileged", asked.unprivileged.map(shown), is.unprivileged.map(shown));
    add("template", asked.template.clone(), is.template.clone());
    add("storage", asked.storage.clone(), is.storage.clone());
    if asked.disk.zip(is.disk).is_some_and(|(asked, is)| is.0 > asked.0.saturating_add(ROUNDED)) {
        add("disk", asked.disk.map(|disk| disk.to_string()), is.disk.map(|disk| disk.to_string()));
    }
    changes
}

/// Returns those settings that are about to change.
pub fn changing(settings: &Settings, edits: &[Edit]) -> Settings {
    let changes = |part: &str| {
        let below = format!("{part}.");
        edits
            .iter()
            .flat_map(|edit| &edit.changes)
            .any(|change| change.field == part || change.field.starts_with(&below))
    };
    Settings {
        disk: settings.disk.filter(|_| changes("disk")),
        cores: settings.cores.filter(|_| changes("cores")),
        swap: settings.swap.filter(|_| changes("swap")),
        nets: settings.nets.iter().filter(|net| changes(&format!("network.{}", net.name))).cloned().collect(),
        features: if changes("features") { settings.features } else { Features::default() },
        startup: if changes("startup") { settings.startup } else { Startup::default() },
        unprivileged: settings.unprivileged,
        ..Settings::default()
    }
}

fn differs<T: ToString + Clone + PartialEq>(
    field: &str,
    asked: Option<&T>,
    is: Option<&T>,
    set: impl FnOnce(T) -> Set,
) -> Option<Edit> {
    let asked = asked.filter(|asked| Some(*asked) != is)?;
    Some(Edit::one(field, is.map(T::to_string), asked.to_string(), set(asked.clone())))
}

/// Compares parts that are named one by one; `unset` is what a part is that was never set.
fn parts<T: Copy + PartialEq>(
    field: &str,
    asked: &[(&str, Option<T>)],
    is: &[(&str, Option<T>)],
    show: impl Fn(T) -> String,
    unset: Option<T>,
) -> Option<Vec<Changed>> {
    let changes: Vec<Changed> = asked
        .iter()
        .zip(is)
        .filter_map(|((name, asked), (_, is))| {
            let asked = asked.filter(|asked| Some(*asked) != is.or(unset))?;
            Some(Changed { field: format!("{field}.{name}"), from: is.map(&show), to: show(asked) })
        })
        .collect();
    (!changes.is_empty()).then_some(changes)
}

fn net_edit(asked: &Net, is: Option<&Net>) -> Option<Edit> {
    let field = format!("network.{}", asked.name);
    let Some(is) = is else {
        return Some(Edit::one(&field, None, asked.to_string(), Set::Net(asked.clone())));
    };
    let is = &is.facing(asked.address);
    let differing = asked.each().into_iter().zip(is.each()).filter_map(|((name, asked), (_, is))| {
        let unset = (name == "firewall").then(|| "false".to_owned());
        let to = asked.filter(|asked| Some(asked) != is.as_ref().or(unset.as_ref()))?;
        Some(Changed { field: format!("{field}.{name}"), from: is, to })
    });
    let changes: Vec<Changed> = differing.collect();
    (!changes.is_empty()).then(|| Edit { changes, set: Set::Net(is.with(asked)) })
}

fn mount_edit(asked: &Mount, found: &Found) -> Option<Edit> {
    let is = found.settings.mounts.iter().find(|mount| mount.target == asked.target);
    let gone = found.mounted.as_ref().is_some_and(|mounted| !mounted.contains(&asked.target));
    if is == Some(asked) && !gone {
        return None;
    }
    let from = is.map(|mount| if gone { "not mounted".to_owned() } else { mount.to_string() });
    let field = format!("mounts.{}", asked.target);
    Some(Edit::one(&field, from, asked.to_string(), Set::Mount(asked.clone())))
}

fn join<T: ToString>(list: impl IntoIterator<Item = T>, by: &str) -> String {
    list.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(by)
}

fn joined<'a, T: ToString + 'a>(list: impl IntoIterator<Item = &'a T>, by: &str) -> Option<String> {
    let joined = join(list.into_iter().map(T::to_string), by);
    (!joined.is_empty()).then_some(joined)
}
