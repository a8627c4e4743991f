//! Something done to a machine by hand, as a case names it.
use super::repository;
use provision::field::{Field, Mode};
use provision::system::{Command, FileKind, NewFile, System};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Something done to a machine by hand.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Deed {
    /// A file with its content; owner root, mode 0644 unless it is there.
    Write(String, String),
    /// A directory and its parents.
    Dir(String),
    /// A symbolic link: target, path.
    Link(String, String),
    /// A file, link or tree taken away.
    Remove(String),
    /// A mode.
    Chmod(String, String),
    /// An owner and group, by number.
    Chown(String, u32, u32),
    /// A program that must succeed.
    Run(Vec<String>),
    /// What the machine's only apt repository has, in stanzas that tests/lab/apt-repository.sh explains; the lists are fetched.
    Packages(String),
}

impl Deed {
    /// Does it.
    pub fn on(&self, sys: &dyn System) -> Result<(), String> {
        self.attempt(sys)
            .map_err(|error| format!("{self:?}: {error}: {} {}", error.causes.join(": "), error.output.join("\n")))
    }

    fn attempt(&self, sys: &dyn System) -> provision::error::Result<()> {
        let path = |path: &str| PathBuf::from(path);
        match self {
            Self::Write(at, content) => {
                let is = sys.lstat(&path(at)).ok().flatten();
                let (uid, gid, mode) = is.map_or((0, 0, 0o644), |is| (is.uid, is.gid, is.mode));
                sys.write(&path(at), &NewFile { content: content.as_bytes(), uid, gid, mode }, &|_| Ok(()))
            }
            Self::Dir(at) => {
                let mut parents: Vec<&Path> = Path::new(at).ancestors().collect();
                parents.reverse();
                let missing = parents.into_iter().filter(|parent| matches!(sys.lstat(parent), Ok(None)));
                missing.collect::<Vec<_>>().into_iter().try_for_each(|parent| sys.make_dir(parent, 0, 0, 0o755))
            }
            Self::Link(target, at) => sys.symlink(&path(target), &path(at), 0, 0),
            Self::Remove(at) => match sys.lstat(&path(at)).ok().flatten() {
                Some(is) if is.kind == FileKind::Directory => sys.remove_tree(&path(at)),
                _ => sys.remove_file(&path(at)),
            },
            Self::Chmod(at, mode) => sys.chmod(&path(at), Mode::from_text(mode).expect("a mode").0),
            Self::Chown(at, uid, gid) => sys.chown(&path(at), *uid, *gid),
            Self::Run(argv) => {
                let command = Command::new(argv.iter());
                sys.run(&command)?.success(&command).map(drop)
            }
            Self::Packages(stanzas) => {
                let program = NewFile { content: repository::MAKE.as_bytes(), uid: 0, gid: 0, mode: 0o755 };
                sys.write(Path::new("/usr/local/bin/apt-repository"), &program, &|_| Ok(()))?;
                Self::Dir("/srv/apt".to_owned()).attempt(sys)?;
                Self::Write(repository::PACKAGES.to_owned(), stanzas.clone()).attempt(sys)?;
                Self::Run(vec!["apt-repository".to_owned()]).attempt(sys)?;
                Self::Run(["apt-get", "update"].map(str::to_owned).to_vec()).attempt(sys)
            }
        }
    }
}
