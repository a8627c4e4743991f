//! Templates: archives of root file systems, found by name or downloaded and checked.
use super::Driver;
use crate::error::{Attempt as _, Error, Result};
use crate::system::fingerprint::hex;
use crate::system::{Fetch, NewFile, System};
use sha2::{Digest as _, Sha512};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More than any root file system that somebody would send.
const LARGEST: u64 = 4 << 30;

/// The templates that a driver can fetch by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// By what it fetches them.
    pub by: &'static str,
    /// Their file names; empty where it was never told them.
    pub names: Vec<String>,
    /// The command by which it is told them anew.
    pub renewed_by: &'static str,
}

/// Returns the path of a template: of its own, or in one of the driver's directories. `None` where it is not there.
pub fn find(sys: &dyn System, driver: &dyn Driver, name: &str) -> Result<Option<PathBuf>> {
    for path in places(sys, driver, name)? {
        if sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns where a template may be, in the order in which it is looked for.
pub fn places(sys: &dyn System, driver: &dyn Driver, name: &str) -> Result<Vec<PathBuf>> {
    if name.starts_with('/') {
        return Ok(vec![PathBuf::from(name)]);
    }
    Ok(driver.template_dirs(sys)?.iter().map(|dir| dir.join(name)).collect())
}

/// Downloads a template to the first of the driver's directories and returns its path.
pub fn download(
    sys: &dyn System,
    driver: &dyn Driver,
    name: &str,
    url: &str,
    sha512: &str,
    timeout: Duration,
) -> Result<PathBuf> {
    let dirs = driver.template_dirs(sys)?;
    let Some(dir) = dirs.first() else {
        return Err(Error::new(format!("fetching the template `{url}`"))
            .reason("no storage of this node holds templates")
            .remedy("allow `vztmpl` in the content of a storage that has a directory"));
    };
    let mut parents: Vec<&Path> = dir.ancestors().collect();
    parents.reverse();
    for parent in parents {
        if sys.lstat(parent).attempt(|| format!("reading `{}`", parent.display()))?.is_none() {
            sys.make_dir(parent, 0, 0, 0o755)?;
        }
    }
    let fetched = sys.fetch(&Fetch { url, timeout, limit: LARGEST, whole: true, follow: true })?;
    let failed = || Error::new(format!("fetching the template `{url}`"));
    if fetched.status != 200 {
        return Err(failed().reason(format!("the server answered {}", fetched.status)));
    }
    let found = hex(&Sha512::digest(&fetched.body));
    if found != sha512 {
        return Err(failed()
            .reason(format!("its sha512 is {found}"))
            .reason(format!("instead of {sha512}"))
            .remedy("see which of the two is right before anything else"));
    }
    let path = dir.join(name);
    sys.write(&path, &NewFile { content: &fetched.body, uid: 0, gid: 0, mode: 0o644 }, &|_| Ok(()))?;
    Ok(path)
}
