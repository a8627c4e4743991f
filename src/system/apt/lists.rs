//! apt's lists of what its repositories have: whether they are fresh, and fetching them.
use super::refusal::complaints;
use super::{Apt, apt_get, printed};
use crate::error::Result;
use crate::system::fingerprint::{followed, listed};
use crate::system::{FileKind, System};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

const LISTS: &str = "/var/lib/apt/lists";
const DAY: Duration = Duration::from_hours(24);

impl Apt<'_> {
    /// Fetches the lists; returns what apt-get complained of. A repository that is down need not matter to what is installed.
    pub(super) fn update(&self) -> Result<Vec<String>> {
        let command = apt_get(["update"]).timeout(self.patience);
        let output = self.locked(&command)?;
        let mut complaints = complaints(&printed(&output));
        if output.code != 0 && complaints.is_empty() {
            complaints.push(format!("exit {}", output.code));
        }
        Ok(complaints)
    }
}

/// Returns whether the lists are not there, older than a day, or older than the sources or keys they came from.
pub(super) fn are_stale(sys: &dyn System) -> io::Result<bool> {
    let names = listed(sys, Path::new(LISTS))?;
    let filled = names.iter().any(|name| name.contains("_Packages") || name.ends_with("Release"));
    // apt gives the lists the server's times; what every update touches is the directory of its downloads.
    let updated = sys.lstat(&Path::new(LISTS).join("partial"))?.map(|stat| stat.modified);
    let (true, Some(updated)) = (filled, updated) else { return Ok(true) };
    // Those that are newer than the clock tell nothing: it was set back since.
    let fresh = sys.now().duration_since(updated).is_ok_and(|age| age <= DAY);
    Ok(!fresh || sources_changed(sys)? > Some(updated))
}

/// Returns when a source or key was last changed, put there or taken away.
fn sources_changed(sys: &dyn System) -> io::Result<Option<SystemTime>> {
    let mut latest = modified(sys, Path::new("/etc/apt/sources.list"))?;
    for directory in ["/etc/apt/sources.list.d", "/etc/apt/keyrings", "/etc/apt/trusted.gpg.d"].map(Path::new) {
        // A file that keeps its old time when it is moved here changes the directory.
        latest = latest.max(modified(sys, directory)?);
        for name in listed(sys, directory)? {
            latest = latest.max(modified(sys, &directory.join(name))?);
        }
    }
    Ok(latest)
}

fn modified(sys: &dyn System, path: &Path) -> io::Result<Option<SystemTime>> {
    let Some(path) = followed(sys, path)? else { return Ok(None) };
    let stat = sys.lstat(&path)?;
    Ok(stat.filter(|stat| matches!(stat.kind, FileKind::File | FileKind::Directory)).map(|stat| stat.modified))
}
