//! What is there of one package, and of its programs: they are npm's links, or somebody else's files.
use super::{Stamp, Waiting, modules};
use crate::error::{Attempt as _, Result};
use crate::field::NpmName;
use crate::system::npm::{Manifest, Program, parse_manifest, plain};
use crate::system::{FileKind, System};
use std::io;
use std::path::{Path, PathBuf};

/// What is there of one package.
pub(super) enum Found {
    Nothing,
    /// Its `package.json` is missing or broken, or its installation was interrupted; what can still be read of it.
    Half(&'static str, Option<Manifest>),
    Whole(Manifest),
}

/// What stands where a program is to be linked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// npm's link to it.
    There,
    /// Nothing, or a link to another file of the package.
    Missing,
    /// What npm would overwrite, and take away with the package.
    Strangers,
}

impl Found {
    pub(super) fn at(prefix: &Path, name: &NpmName, stamp: &Stamp, sys: &dyn System) -> Result<Self> {
        let directory = modules(prefix).join(&name.0);
        let path = directory.join("package.json");
        let json = match sys.read(&path) {
            Ok(json) => Some(json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).attempt(|| format!("reading `{}`", path.display())),
        };
        let mut manifest = json.as_deref().and_then(parse_manifest);
        if let Some(manifest) = &mut manifest {
            // npm links no program that the package does not have.
            let there = |program: &Program| matches!(sys.lstat(&directory.join(&program.file)), Ok(Some(_)));
            manifest.programs.retain(there);
        }
        if stamp.is_interrupted() {
            return Ok(Self::Half("interrupted", manifest));
        }
        Ok(match (json, manifest) {
            (_, Some(manifest)) => Self::Whole(manifest),
            (Some(_), None) => Self::Half("a broken package.json", None),
            (None, None) => {
                let there = sys.lstat(&directory).attempt(|| format!("reading `{}`", directory.display()))?;
                there.map_or(Self::Nothing, |_| Self::Half("without package.json", None))
            }
        })
    }

    /// Says what waits where a program of somebody else's has the name of one of its own: npm would take it away.
    pub(super) fn strangers_program(&self, prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<Option<Waiting>> {
        let (Self::Half(_, Some(manifest)) | Self::Whole(manifest)) = self else { return Ok(None) };
        for program in &manifest.programs {
            if Link::of(program, prefix, name, sys)? == Link::Strangers {
                let path = path_of(prefix, program);
                return Ok(Some(Waiting {
                    name: name.0.clone(),
                    because: format!("`{}` is somebody else's, and npm would take it away", path.display()),
                    remedy: Some("move it away, then run again".to_owned()),
                    supplies: Vec::new(),
                }));
            }
        }
        Ok(None)
    }
}

impl Link {
    pub(super) fn of(program: &Program, prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<Self> {
        let path = path_of(prefix, program);
        let package = plain(&modules(prefix).join(&name.0));
        Ok(match target(&path, sys)? {
            Target::Nothing => Self::Missing,
            Target::Link(target) if target == package.join(&program.file) => Self::There,
            Target::Link(target) if target.starts_with(&package) => Self::Missing,
            Target::Link(_) | Target::Other => Self::Strangers,
        })
    }
}

/// Returns where the link to a program is.
pub(super) fn path_of(prefix: &Path, program: &Program) -> PathBuf {
    prefix.join("bin").join(&program.name)
}

enum Target {
    Nothing,
    Link(PathBuf),
    Other,
}

fn target(path: &Path, sys: &dyn System) -> Result<Target> {
    let attempt = || format!("reading `{}`", path.display());
    Ok(match sys.lstat(path).attempt(attempt)?.map(|stat| stat.kind) {
        None => Target::Nothing,
        Some(FileKind::Link) => {
            let to = sys.read_link(path).attempt(attempt)?;
            Target::Link(plain(&path.parent().unwrap_or(path).join(to)))
        }
        Some(_) => Target::Other,
    })
}

/// Returns the links in `bin` that lead into a package.
pub(super) fn links_into(prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<Vec<PathBuf>> {
    let (bin, package) = (prefix.join("bin"), plain(&modules(prefix).join(&name.0)));
    let mut links = Vec::new();
    for path in sys.list(&bin).unwrap_or_default().into_iter().map(|link| bin.join(link)) {
        if matches!(target(&path, sys)?, Target::Link(target) if target.starts_with(&package)) {
            links.push(path);
        }
    }
    Ok(links)
}
