//! A `.deb` of its own: kept below the state directory until it is installed, so that a run that was killed can go on with it.
use super::refusal::lacks_dependencies;
use super::{Apt, printed, quiet};
use crate::error::{Attempt as _, Error, Result};
use crate::system::{Command, NewFile, System, state};
use std::path::{Path, PathBuf};

const DOWNLOADS: &str = "downloads";

/// A `.deb`, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deb {
    /// Without the architecture.
    pub package: String,
    /// With epoch and revision.
    pub version: String,
    path: PathBuf,
}

impl Deb {
    /// Keeps a download, which is to hold the package `name`.
    ///
    /// # Errors
    /// Where it can't be written, is no .deb, or is one of another package; then nothing is kept.
    pub fn keep(sys: &dyn System, name: &str, content: &[u8]) -> Result<Self> {
        let path = state::directory(sys, DOWNLOADS)?.join(format!("{name}.deb"));
        sys.write(&path, &NewFile { content, uid: 0, gid: 0, mode: 0o600 }, &|_| Ok(()))?;
        let deb = Self::of(sys, path.clone());
        match deb {
            Ok(deb) if deb.package == name => Ok(deb),
            Ok(deb) => {
                sys.remove_file(&path)?;
                Err(Error::new(format!("installing `{name}`"))
                    .reason(format!("the .deb holds the package `{}`", deb.package))
                    .remedy("name that package, or give the `url` of the right one; nothing was installed"))
            }
            Err(error) => {
                sys.remove_file(&path)?;
                Err(error)
            }
        }
    }

    fn of(sys: &dyn System, path: PathBuf) -> Result<Self> {
        let argv = ["dpkg-deb", "--field", &path.display().to_string(), "Package", "Version"].map(str::to_owned);
        let command = Command::new(argv);
        let text = sys.run(&command)?.success(&command)?.text();
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned());
        let lacks = || Error::new(format!("reading `{}`", path.display())).reason("it names no package and version");
        let (package, version) = field("Package:").zip(field("Version:")).ok_or_else(lacks)?;
        Ok(Self { package, version, path })
    }

    /// Takes the file away.
    ///
    /// # Errors
    /// Where it can't be removed.
    pub fn drop_from(self, sys: &dyn System) -> Result<()> {
        sys.remove_file(&self.path)
    }
}

/// Returns the file that a killed run has left of a package.
pub(super) fn kept(sys: &dyn System, name: &str) -> Result<Option<PathBuf>> {
    let path = sys.state_dir().join(DOWNLOADS).join(format!("{name}.deb"));
    Ok(sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.map(|_| path))
}

impl Apt<'_> {
    /// Installs a `.deb` with what it depends on, again where that version of it is there. apt-get only says whether that can
    /// be: it would take a repository's file in place of this one where name and version are the same.
    ///
    /// # Errors
    /// Where it is not installed, with what apt-get or dpkg said.
    pub fn install_deb(&self, deb: &Deb) -> Result<()> {
        let file = shown(&deb.path);
        self.must(install_again(["--simulate".to_owned(), file.clone()]))?;
        let install = quiet(["dpkg", "--force-confdef", "--force-confold", "--install", &file]);
        let output = self.locked(&install)?;
        match output.code {
            0 => Ok(()),
            _ if lacks_dependencies(&printed(&output)) => self.fix_broken(),
            _ => Err(self.explain_dpkg(&install, &output)),
        }
    }
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Returns the arguments that install packages or files though they are there.
pub(super) fn install_again(what: impl IntoIterator<Item = String>) -> impl Iterator<Item = String> {
    ["install", "--no-remove", "--reinstall"].map(str::to_owned).into_iter().chain(what)
}
