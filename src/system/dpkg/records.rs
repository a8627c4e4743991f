//! dpkg's records as they are on a machine: `/var/lib/dpkg/status`, its journal, and whether dpkg was interrupted.
use super::{Packages, is_journal};
use crate::error::{Attempt as _, Result};
use crate::system::System;
use crate::system::fingerprint::listed;
use crate::system::lock::Holder;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Held while dpkg works: the first by a frontend such as apt-get, the second by dpkg itself.
pub const LOCKS: [&str; 2] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];

const STATUS: &str = "/var/lib/dpkg/status";
const JOURNAL: &str = "/var/lib/dpkg/updates";

/// What dpkg knows.
#[derive(Debug)]
pub struct Records {
    /// The packages.
    pub packages: Packages,
    /// dpkg has left something half done, and nobody is at it.
    pub interrupted: bool,
}

impl Records {
    /// Returns the records, read once until something is changed.
    ///
    /// # Errors
    /// Where they are there and can't be read.
    pub fn read(sys: &dyn System) -> Result<Arc<Self>> {
        sys.facts().get("dpkg", || {
            let mut texts = vec![read(sys, Path::new(STATUS))?];
            let names = listed(sys, Path::new(JOURNAL)).attempt(|| format!("reading `{JOURNAL}`"))?;
            for name in names.iter().filter(|name| is_journal(name)) {
                texts.push(read(sys, &Path::new(JOURNAL).join(name))?);
            }
            let packages = Packages::parse(texts.iter().map(String::as_str));
            // A dpkg at work looks the same, but for its lock.
            let half_done = texts.len() > 1 || packages.halfway().next().is_some();
            let holder = || Holder::of(sys, &LOCKS).attempt(|| "asking who holds dpkg's lock".to_owned());
            let interrupted = half_done && holder()?.is_none();
            Ok(Self { packages, interrupted })
        })
    }
}

fn read(sys: &dyn System, path: &Path) -> Result<String> {
    match sys.read(path) {
        Ok(bytes) => {
            Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}
