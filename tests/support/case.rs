//! A case of a kind, as data in tests/cases/KIND/NAME.toml: resources and world before, changes and world after.
use provision::field::{Field, Mode};
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::resource::{Allowed, Known, Want};
use provision::system::{Command, FileKind, NewFile, System};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a case file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// `file/content`.
    #[serde(skip)]
    pub name: String,
    /// A sentence: what the case shows.
    pub about: String,
    /// Shown on the fake machine alone, with the reason: what a real one does not do on demand.
    #[serde(default)]
    pub only_fake: Option<String>,
    /// In order.
    pub resource: Vec<Asked>,
    /// What is allowed on the command line.
    #[serde(default)]
    pub allowed: Allowed,
    /// Makes the world before.
    #[serde(default)]
    pub before: Vec<Deed>,
    /// Every change that the plan names, a line each; checked exactly.
    pub changes: Vec<String>,
    /// Every end but in sync or changed, and every remark, a line each.
    #[serde(default)]
    pub ends: Vec<String>,
    /// What is to be seen after the first apply.
    #[serde(default)]
    pub after: Vec<Sight>,
    /// Damage done by hand after that; each entry is repaired on its own and all of them together.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// What is to be seen once all of it was destroyed.
    #[serde(default)]
    pub destroyed: Vec<Sight>,
    /// URLs that a server answers, with their bodies.
    #[serde(default)]
    pub web: std::collections::BTreeMap<String, String>,
}

/// A resource as a case gives it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub kind: String,
    pub fields: serde_json::Value,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub secret: Vec<String>,
    #[serde(default)]
    pub absent: bool,
    #[serde(default)]
    pub gate: Option<String>,
}

/// Damage, and the changes that a plan then names, exactly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    pub by: Vec<Deed>,
    pub changes: Vec<String>,
}

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
}

/// Something to be seen on a machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sight {
    /// A file with exactly this content.
    File(String, String),
    /// `0644 0 0`: mode, uid and gid of a path.
    Owned(String, String),
    /// A directory.
    Dir(String),
    /// A link: target, path.
    Link(String, String),
    /// Nothing at a path.
    Missing(String),
    /// A line in a file.
    Line(String, String),
    /// No such line in a file.
    NoLine(String, String),
    /// A program that succeeds.
    Succeeds(Vec<String>),
    /// A program that fails.
    Fails(Vec<String>),
}

/// Returns every case, by name.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> = Vec::new();
    for kind in std::fs::read_dir(&root).expect("tests/cases is there") {
        let Ok(entries) = std::fs::read_dir(kind.expect("readable").path()) else { continue };
        files.extend(entries.map(|entry| entry.expect("readable").path()));
    }
    files.sort();
    files.iter().map(|file| read(&root, file)).collect()
}

fn read(root: &Path, file: &Path) -> Case {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    case.name = file.strip_prefix(root).expect("below it").with_extension("").display().to_string();
    case
}

impl Case {
    /// Returns what is known before the first run: what is allowed.
    pub fn known(&self) -> Known {
        Known { key: "test".to_owned(), allowed: self.allowed.clone(), ..Known::default() }
    }

    /// Returns the items, as they cross the pipe.
    pub fn items(&self) -> Vec<Item> {
        let item = |asked: &Asked| {
            let job = JobItem {
                machine: Machine::Host,
                kind: asked.kind.clone(),
                fields: asked.fields.clone(),
                phase: None,
                gate: asked.gate.clone(),
                want: if asked.absent { Want::Absent } else { Want::Present },
                timeout: Duration::from_mins(10),
                retries: 0,
                source: asked.source.clone().map(String::into_bytes),
                secret: asked.secret.iter().cloned().collect(),
                unknown: std::collections::BTreeSet::new(),
                digest: asked.fields.to_string(),
                place: String::new(),
            };
            Item::receive(job).unwrap_or_else(|error| panic!("{}: {error}: {}", self.name, error.causes.join(": ")))
        };
        self.resource.iter().map(item).collect()
    }
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
        }
    }
}

impl Sight {
    /// Returns what is wrong with it.
    pub fn missed(&self, sys: &dyn System) -> Option<String> {
        let read = |at: &str| sys.read(Path::new(at)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let stat = |at: &str| sys.lstat(Path::new(at)).ok().flatten();
        let code = |argv: &[String]| sys.run(&Command::new(argv)).map_or(-1, |output| output.code);
        let seen = match self {
            Self::File(at, content) => match read(at) {
                Ok(found) if found == *content => return None,
                found => format!("{found:?}"),
            },
            Self::Owned(at, owned) => match stat(at).map(|is| format!("{:04o} {} {}", is.mode, is.uid, is.gid)) {
                Some(found) if found == *owned => return None,
                found => format!("{found:?}"),
            },
            Self::Dir(at) => match stat(at).map(|is| is.kind) {
                Some(FileKind::Directory) => return None,
                found => format!("{found:?}"),
            },
            Self::Link(target, at) => match sys.read_link(Path::new(at)) {
                Ok(found) if found == Path::new(target) => return None,
                found => format!("{found:?}"),
            },
            Self::Missing(at) => match stat(at) {
                None => return None,
                found => format!("{found:?}"),
            },
            Self::Line(at, line) => match read(at) {
                Ok(found) if found.lines().any(|found| found == line) => return None,
                found => format!("{found:?}"),
            },
            Self::NoLine(at, line) => match read(at) {
                Ok(found) if found.lines().any(|found| found == line) => format!("{found:?}"),
                _ => return None,
            },
            Self::Succeeds(argv) => match code(argv) {
                0 => return None,
                found => format!("exit {found}"),
            },
            Self::Fails(argv) => match code(argv) {
                0 => "exit 0".to_owned(),
                _ => return None,
            },
        };
        Some(format!("{self:?}: seen {seen}"))
    }
}
