//! Whether a unit runs with older files than there are now: by the stamp left at its last start, without one by time.
use crate::error::{Attempt as _, Error, Result};
use crate::field::AbsPath;
use crate::system::fingerprint::{Fingerprint, fingerprint};
use crate::system::glob::expand;
use crate::system::systemctl::Unit;
use crate::system::unit_file::{drop_ins, shadow};
use crate::system::{System, state};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The kind under which stamps are kept.
const KIND: &str = "unit";

/// Made anew by systemd at every reload, so that their time says nothing.
const GENERATED: &str = "/run/systemd";

/// Where `systemctl set-property` puts drop-ins; what they say holds at once.
const SET_AT_ONCE: [&str; 2] = ["/etc/systemd/system.control", "/run/systemd/system.control"];

/// A path from which a unit is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The recipe names it in `watch`: a reload may be enough.
    pub(super) watched: bool,
}

/// What a unit runs with that is not what there is now.
#[derive(Debug)]
pub(super) struct Stale {
    /// Which input.
    pub(super) input: Input,
    /// It is there no more.
    pub(super) is_gone: bool,
}

impl Stale {
    /// Returns one that is, or will be, other than it was.
    pub(super) fn other(input: Input) -> Self {
        Self { input, is_gone: false }
    }

    /// Returns how the unit runs, for people.
    pub(super) fn shown(&self) -> String {
        let path = self.input.path.display();
        if self.is_gone { format!("started with {path}, which is gone") } else { format!("older than {path}") }
    }
}

/// What a unit was last started with: the digests of its inputs, empty where nothing was there.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stamp {
    invocation: String,
    /// Its file, drop-ins and environment files.
    own: BTreeMap<PathBuf, String>,
    /// What the recipe watches.
    watched: BTreeMap<PathBuf, String>,
}

/// The digests of what a unit is about to be started with.
#[derive(Debug, Default)]
pub(super) struct Digests {
    own: BTreeMap<PathBuf, String>,
    watched: BTreeMap<PathBuf, String>,
}

/// Returns what a unit is started from: its file, drop-ins, environment files, and what the recipe watches.
pub(super) fn inputs(sys: &dyn System, name: &str, unit: &Unit, watch: &[AbsPath]) -> Result<Vec<Input>> {
    let attempt = || format!("looking for the files of `{name}`");
    let (mut fragment, mut drops) = (unit.fragment.clone(), unit.drop_ins.clone());
    if unit.needs_reload {
        // What systemd will read is not what it has read.
        if let Some(read) = &unit.fragment {
            fragment = shadow(sys, name, read).attempt(attempt)?.or(fragment);
        }
        drops = drop_ins(sys, &unit.names).attempt(attempt)?;
        drops.extend(unit.drop_ins.iter().filter(|path| path.starts_with(GENERATED)).cloned());
    }
    drops.retain(|path| !SET_AT_ONCE.iter().any(|directory| path.starts_with(directory)));
    let mut own: Vec<PathBuf> = fragment.into_iter().chain(drops).collect();
    for pattern in &unit.environment_files {
        own.extend(expand(sys, pattern).attempt(attempt)?);
    }
    let own = own.into_iter().map(|path| Input { path, watched: false });
    Ok(own.chain(watch.iter().map(|path| Input { path: path.path().to_owned(), watched: true })).collect())
}

/// Returns the first input that is newer than the running unit; those that need a restart before those that are watched.
pub(super) fn changed(sys: &dyn System, name: &str, unit: &Unit, inputs: &[Input]) -> Result<Option<Stale>> {
    let stamp = read(sys, name)?.filter(|stamp| !stamp.invocation.is_empty() && stamp.invocation == unit.invocation);
    for input in inputs {
        let now = look(sys, &input.path)?;
        let is_gone = now.is_none();
        let then = stamp.as_ref().map(|stamp| {
            let digests = if input.watched { &stamp.watched } else { &stamp.own };
            digests.get(&input.path)
        });
        let is_newer = match (then, now) {
            (Some(Some(then)), now) => *then != now.map_or(String::new(), |now| now.digest),
            // One that it was not started with.
            (Some(None), now) if !input.watched => now.is_some(),
            (_, Some(now)) if !input.path.starts_with(GENERATED) => {
                unit.started.is_some_and(|started| now.modified > started)
            }
            _ => false,
        };
        if is_newer {
            return Ok(Some(Stale { input: input.clone(), is_gone }));
        }
    }
    let Some(stamp) = stamp else {
        // Who knows what it was started with: not with what systemd would read now.
        return Ok(inputs.first().filter(|_| unit.needs_reload).cloned().map(Stale::other));
    };
    for (path, digest) in stamp.own {
        let known = inputs.iter().any(|input| input.path == path);
        if !known && !digest.is_empty() && look(sys, &path)?.is_none() {
            return Ok(Some(Stale { input: Input { path, watched: false }, is_gone: true }));
        }
    }
    Ok(None)
}

/// Returns the digests of inputs, to be taken before a start and recorded after it.
pub(super) fn digests(sys: &dyn System, inputs: &[Input]) -> Result<Digests> {
    let mut digests = Digests::default();
    for input in inputs {
        let digest = look(sys, &input.path)?.map_or(String::new(), |now| now.digest);
        let to = if input.watched { &mut digests.watched } else { &mut digests.own };
        to.insert(input.path.clone(), digest);
    }
    Ok(digests)
}

/// Leaves the stamp of a start.
pub(super) fn record(sys: &dyn System, name: &str, unit: &Unit, digests: Digests) -> Result<()> {
    let stamp = Stamp { invocation: unit.invocation.clone(), own: digests.own, watched: digests.watched };
    let text = serde_json::to_string(&stamp).attempt(|| format!("writing the stamp of `{name}`"))?;
    state::set_stamp(sys, KIND, name, &text)
}

/// Takes the stamp away.
pub(super) fn forget(sys: &dyn System, name: &str) -> Result<()> {
    state::clear_stamp(sys, KIND, name)
}

/// A stamp that can't be read counts as none: the times of the files decide.
fn read(sys: &dyn System, name: &str) -> Result<Option<Stamp>> {
    Ok(state::stamp(sys, KIND, name)?.and_then(|text| serde_json::from_str(&text).ok()))
}

fn look(sys: &dyn System, path: &Path) -> Result<Option<Fingerprint>, Error> {
    fingerprint(sys, path).attempt(|| format!("reading `{}`", path.display()))
}
