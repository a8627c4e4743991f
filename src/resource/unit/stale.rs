//! Whether a unit runs with older files than there are now: by the stamp left at its last start, without one by time.
use crate::error::{Attempt as _, Error, Result};
use crate::field::AbsPath;
use crate::system::fingerprint::{Fingerprint, fingerprint, listed};
use crate::system::systemctl::{UNIT_DIRECTORY, Unit};
use crate::system::{System, state};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The kind under which stamps are kept.
const KIND: &str = "unit";

/// Made anew by systemd at every reload, so that their time says nothing.
const GENERATED: &str = "/run/systemd";

/// A path from which a unit is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The recipe names it in `watch`: a reload may be enough.
    pub(super) watched: bool,
}

/// What a unit was last started with: the digests of its inputs, empty where nothing was there.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stamp {
    invocation: String,
    digests: BTreeMap<PathBuf, String>,
}

/// Returns what a unit is started from: its file, drop-ins, environment files, and what the recipe watches.
pub(super) fn inputs(sys: &dyn System, name: &str, unit: &Unit, watch: &[AbsPath]) -> Result<Vec<Input>> {
    let mut own: Vec<PathBuf> = unit.fragment.iter().chain(&unit.drop_ins).cloned().collect();
    // Those that systemd has not read yet.
    let template = unit.fragment.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
    for name in [Some(name), template.filter(|template| *template != name)].into_iter().flatten() {
        let directory = Path::new(UNIT_DIRECTORY).join(format!("{name}.d"));
        let names = listed(sys, &directory).attempt(|| format!("reading `{}`", directory.display()))?;
        let paths = names.iter().map(|name| directory.join(name));
        own.extend(
            paths.filter(|path| path.extension().is_some_and(|is| is == "conf") && !unit.drop_ins.contains(path)),
        );
    }
    own.extend(unit.environment_files.iter().cloned());
    let own = own.into_iter().map(|path| Input { path, watched: false });
    Ok(own.chain(watch.iter().map(|path| Input { path: path.path().to_owned(), watched: true })).collect())
}

/// Returns the first input that is newer than the running unit; those that need a restart before those that are watched.
pub(super) fn changed(sys: &dyn System, name: &str, unit: &Unit, inputs: &[Input]) -> Result<Option<Input>> {
    let stamp = read(sys, name)?.filter(|stamp| !stamp.invocation.is_empty() && stamp.invocation == unit.invocation);
    for input in inputs {
        let now = look(sys, &input.path)?;
        let is_newer = match (stamp.as_ref().and_then(|stamp| stamp.digests.get(&input.path)), now) {
            (Some(then), now) => *then != now.map_or(String::new(), |now| now.digest),
            (None, Some(now)) if !input.path.starts_with(GENERATED) => {
                unit.started.is_some_and(|started| now.modified > started)
            }
            _ => false,
        };
        if is_newer {
            return Ok(Some(input.clone()));
        }
    }
    for (path, digest) in stamp.map(|stamp| stamp.digests).unwrap_or_default() {
        let known = inputs.iter().any(|input| input.path == path);
        if !known && !digest.is_empty() && look(sys, &path)?.is_none() {
            return Ok(Some(Input { path, watched: false }));
        }
    }
    // Its definition is an old one, however that came about.
    Ok(inputs.first().filter(|_| unit.needs_reload).cloned())
}

/// Returns the digests of inputs, to be taken before a start and recorded after it.
pub(super) fn digests(sys: &dyn System, inputs: &[Input]) -> Result<BTreeMap<PathBuf, String>> {
    let digest =
        |input: &Input| Ok((input.path.clone(), look(sys, &input.path)?.map_or(String::new(), |now| now.digest)));
    inputs.iter().map(digest).collect()
}

/// Leaves the stamp of a start.
pub(super) fn record(sys: &dyn System, name: &str, unit: &Unit, digests: BTreeMap<PathBuf, String>) -> Result<()> {
    let stamp = Stamp { invocation: unit.invocation.clone(), digests };
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
