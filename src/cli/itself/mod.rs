//! `self`: what is done to this program itself.
mod uninstall;
mod update;
mod verify;

use super::Exit;
use super::options::Global;
use super::{print, prompt};
use crate::error::{Attempt as _, Error, Result};
use crate::system::{Real, System};
use std::path::{Path, PathBuf};

/// Updates or uninstalls this program.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Update(update::Args),
    Uninstall(uninstall::Args),
    Verify(verify::Args),
}

impl Command {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        match self {
            Self::Update(args) => args.run(global),
            Self::Uninstall(args) => args.run(global),
            Self::Verify(args) => args.run(global),
        }
    }
}

/// Returns where this program is, unless the package system has it: then `apt-get` and this would be in each other's way.
fn own_path(sys: &Real, doing: &str, instead: &str) -> Result<PathBuf, Exit> {
    let path = sys.read_link(Path::new("/proc/self/exe")).attempt(|| "finding this program".to_owned())?;
    let list = sys.read(Path::new("/var/lib/dpkg/info/provision.list")).unwrap_or_default();
    let packaged = String::from_utf8_lossy(&list).lines().any(|line| Path::new(line) == path);
    if packaged {
        let error =
            Error::new(format!("{doing} `{}`", path.display())).reason("it belongs to the Debian package `provision`");
        return Err(Exit::Usage(error.remedy(format!("run `{instead}`"))));
    }
    Ok(path)
}
