//! Something to be seen on a machine, as a case names it.
use provision::system::systemctl;
use provision::system::{Command, FileKind, System};
use serde::Deserialize;
use std::path::Path;

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
    /// A running unit, last started after this file was last changed: unit, path. No restart is owed.
    Fresh(String, String),
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
            Self::Fresh(unit, at) => {
                let units = systemctl::show(sys, [unit.as_str()]).unwrap_or_default();
                let started = units.get(unit).filter(|unit| unit.is_active()).and_then(|unit| unit.started);
                match (started, sys.lstat(Path::new(at)).ok().flatten().map(|is| is.modified)) {
                    (Some(started), Some(changed)) if started >= changed => return None,
                    found => format!("{found:?}"),
                }
            }
        };
        Some(format!("{self:?}: seen {seen}"))
    }
}
