//! A checkout that a killed run left between two commits: what its git wrote is told from what the user did, and taken back.
use super::Git;
use super::checkout::{Checkout, Found, short};
use super::obstacle::Obstacle;
use super::program::{Program, Submodules};
use crate::error::{Attempt as _, Result};
use crate::resource::Change;
use crate::system::state::{clear_stamp, set_stamp, stamp};
use crate::system::{FileKind, System};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The mode of a submodule, see git-diff-tree(1).
const SUBMODULE: &str = "160000";

/// What a run that was cut off left in a checkout. Nothing, where it was cut off just before or after.
#[derive(Debug, Default)]
pub(super) struct Torn {
    /// Lock files of a git that is gone.
    locks: Vec<PathBuf>,
    /// Files of the other commit that the one at which HEAD stands has not.
    added: Vec<PathBuf>,
    /// Other files are not as HEAD has them.
    mixed: bool,
    /// The commit at which HEAD stands.
    head: String,
    /// The commits between which it went.
    between: [String; 2],
    /// Files that somebody else has changed since.
    foreign: Vec<String>,
    at_work: bool,
}

/// A file that differs between two commits.
struct Touched {
    file: String,
    /// The ids of its content in each; zeros where there is none.
    ids: [String; 2],
    is_submodule: bool,
}

impl Program {
    /// Notes between which commits the checkout is about to go, so that a run that finds it between them knows why.
    pub(super) fn going_to(&self, sys: &dyn System, target: &str) -> Result<()> {
        if !self.in_place {
            return Ok(());
        }
        let commit = |name: &str| format!("{name}^{{commit}}");
        let from = if self.has(sys, &commit("HEAD"))? {
            self.run(sys, &["rev-parse", "--verify", &commit("HEAD")])?
        } else {
            self.run(sys, &["hash-object", "-t", "tree", "--stdin"])?
        };
        let to =
            if target == "HEAD" { from.clone() } else { self.run(sys, &["rev-parse", "--verify", &commit(target)])? };
        set_stamp(sys, "git", &self.path.to_string_lossy(), &format!("{} {}", from.trim(), to.trim()))
    }

    /// Takes the note away once what was begun has ended, well or with nothing left of it.
    pub(super) fn ended(&self, sys: &dyn System, done: Result<()>) -> Result<()> {
        let is_whole = || {
            let (Found::Checkout(checkout), Some(note)) = (Found::at(sys, &self.path)?, self.note(sys)?) else {
                return Ok(true);
            };
            self.torn(sys, &checkout, &note).map(|torn| torn.is_whole())
        };
        if done.is_ok() || is_whole().is_ok_and(|whole| whole) {
            self.forget(sys)?;
        }
        done
    }

    /// Returns what a run noted that was cut off.
    pub(super) fn note(&self, sys: &dyn System) -> Result<Option<String>> {
        stamp(sys, "git", &self.path.to_string_lossy())
    }

    /// Takes the note away.
    pub(super) fn forget(&self, sys: &dyn System) -> Result<()> {
        clear_stamp(sys, "git", &self.path.to_string_lossy())
    }

    /// Returns what a run left that noted this and was cut off.
    pub(super) fn torn(&self, sys: &dyn System, checkout: &Checkout, note: &str) -> Result<Torn> {
        let Some((from, to)) = note.split_once(' ') else { return Ok(Torn::default()) };
        let between = [from.to_owned(), to.to_owned()];
        let head = checkout.commit.clone().unwrap_or_else(|| from.to_owned());
        let mut torn = Torn { locks: checkout.locks(sys)?, head, between, ..Torn::default() };
        if !torn.between.contains(&torn.head) {
            // Somebody went on from there.
            torn.locks.clear();
            return Ok(torn);
        }
        torn.at_work = !torn.locks.is_empty() && git_is_at_work(sys, &self.path);
        let touched = self.touched(sys, from, to)?;
        let side = usize::from(torn.head != torn.between[0]);
        for file in touched.iter().filter(|file| !file.is_submodule) {
            let path = self.path.join(&file.file);
            let is_new = is_none(&file.ids[side]);
            match self.content(sys, &file.file)? {
                // A git that was refused leaves no lock, and what was in its way.
                Content::Empty if is_new && torn.locks.is_empty() => torn.foreign.push(file.file.clone()),
                Content::None => torn.mixed |= !is_new,
                Content::Other => torn.foreign.push(file.file.clone()),
                Content::Id(id) if id == file.ids[side] => {}
                Content::Id(id) if !file.ids.contains(&id) => torn.foreign.push(file.file.clone()),
                Content::Empty | Content::Id(_) if is_new => torn.added.push(path),
                Content::Empty | Content::Id(_) => torn.mixed = true,
            }
        }
        for file in self.status(sys, Submodules::Ignored)?.changed {
            if !touched.iter().any(|touched| touched.file == file) {
                // What is not there, or empty, has nothing of anybody's in it: a sparse checkout was cut off.
                match self.content(sys, &file)? {
                    Content::None | Content::Empty => torn.mixed = true,
                    Content::Other | Content::Id(_) => torn.foreign.push(file),
                }
            }
        }
        Ok(torn)
    }

    /// Takes back what a run left that was cut off.
    pub(super) fn mend(&self, sys: &dyn System, torn: &Torn) -> Result<()> {
        torn.locks.iter().chain(&torn.added).try_for_each(|path| sys.remove_file(path))?;
        if torn.mixed || !torn.locks.is_empty() {
            self.run(sys, &["read-tree", "--reset", "-u", &torn.head])?;
        }
        Ok(())
    }

    fn touched(&self, sys: &dyn System, from: &str, to: &str) -> Result<Vec<Touched>> {
        let listed = self.run(sys, &["diff-tree", "-r", "-z", "--no-renames", from, to])?;
        let mut parts = listed.split('\0');
        let mut touched = Vec::new();
        // `:MODE MODE ID ID STATUS`, then the file.
        while let (Some(told), Some(file)) = (parts.next(), parts.next()) {
            let mut words = told.trim_start_matches(':').split(' ');
            let (Some(old), Some(new), Some(before), Some(after)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            let is_submodule = [old, new].contains(&SUBMODULE);
            touched.push(Touched { file: file.to_owned(), ids: [before, after].map(str::to_owned), is_submodule });
        }
        Ok(touched)
    }

    /// Returns what stands in a checkout under the name of a file.
    fn content(&self, sys: &dyn System, file: &str) -> Result<Content> {
        let path = self.path.join(file);
        // A name that git could not tell us as it is, or that can't be told to git.
        if file.contains(['\n', '\u{fffd}']) {
            return Ok(Content::Other);
        }
        let is = match sys.look(&path) {
            Ok(Some(is)) => is,
            Ok(None) => return Ok(Content::None),
            // A link is on the way.
            Err(_) => return Ok(Content::Other),
        };
        let id = match is.kind {
            // Of a directory in the place of a file, git says what is in it.
            FileKind::Directory => return Ok(Content::None),
            FileKind::Other => return Ok(Content::Other),
            FileKind::File if is.size == 0 => return Ok(Content::Empty),
            FileKind::File => self.feed(sys, &["hash-object", "--stdin-paths"], format!("{file}\n").as_bytes())?,
            FileKind::Link => {
                let target = sys.read_link(&path).attempt(|| format!("reading `{}`", path.display()))?;
                self.feed(sys, &["hash-object", "--stdin"], target.as_os_str().as_encoded_bytes())?
            }
        };
        Ok(Content::Id(id.trim().to_owned()))
    }
}

enum Content {
    None,
    Empty,
    Id(String),
    Other,
}

impl Torn {
    /// Returns whether there is nothing that has to be taken back.
    pub(super) fn is_whole(&self) -> bool {
        self.locks.is_empty() && self.added.is_empty() && !self.mixed
    }

    /// Says what a person has to do first.
    pub(super) fn obstacle(&self, path: &str) -> Option<Obstacle> {
        if self.at_work {
            return Some(Obstacle::locked(path));
        }
        (!self.is_whole() && !self.foreign.is_empty()).then(|| Obstacle::dirty(path, &self.foreign))
    }
}

impl Git {
    /// Says that what a run left that was cut off is taken back.
    pub(super) fn mended(&self, torn: &Torn) -> Change {
        let from = match torn.between.iter().find(|commit| **commit != torn.head) {
            Some(other) => format!("cut off between {} and {}", short(&torn.head), short(other)),
            None => format!("cut off at {}", short(&torn.head)),
        };
        Change::field(&self.path.0, "files", Some(from), Some(format!("all of {}", short(&torn.head))))
    }
}

fn is_none(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

/// Returns whether any process with git's name works in a directory.
fn git_is_at_work(sys: &dyn System, directory: &Path) -> bool {
    let processes = sys.list(Path::new("/proc")).unwrap_or_default();
    processes.iter().filter(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit)).any(|pid: &_| {
        let process = Path::new("/proc").join(AsRef::<OsStr>::as_ref(pid));
        let is_git = sys.read(&process.join("comm")).is_ok_and(|comm| comm.starts_with(b"git"));
        is_git && sys.read_link(&process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
    })
}
