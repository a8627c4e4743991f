//! A checkout as its files tell, without starting git. They are a user's: no link is followed, and nothing is believed twice.
use crate::error::{Attempt as _, Result};
use crate::field::{GitRef, is_object_id};
use crate::system::fingerprint::listed;
use crate::system::git::{Head, Target, parse_cone, parse_config, parse_head, parse_packed_refs};
use crate::system::{FileKind, Stat, System};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Larger files are not read: packed-refs of a hundred thousand refs has 8 MB.
const LARGEST: u64 = 32 << 20;

/// What stands where a checkout should be.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A directory with nothing in it.
    Empty(Stat),
    /// Something else; why it is no checkout.
    Foreign(String),
    /// A checkout.
    Checkout(Checkout),
}

/// A checkout.
#[derive(Debug)]
pub(super) struct Checkout {
    /// The URL of `origin`.
    pub(super) url: Option<String>,
    /// What is checked out.
    pub(super) head: Head,
    /// The commit that is checked out; `None` before the first one.
    pub(super) commit: Option<String>,
    /// The directories of a sparse checkout; `None`: everything.
    pub(super) cone: Option<BTreeSet<String>>,
    /// The commits at which its history ends, where it has only the last ones. Each came from origin.
    pub(super) boundary: Vec<String>,
    /// Something is put away in the stash.
    pub(super) stashed: bool,
    /// Whose the directory is.
    pub(super) stat: Stat,
    directory: PathBuf,
    packed: BTreeMap<String, Target>,
}

/// Where a checkout stands, as far as its files tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// At what is asked.
    There,
    /// On the branch that is asked, not at the commit at which origin's was last seen.
    Apart(String),
    /// Perhaps at the tag that is asked: its commit is not in the files.
    Unpeeled,
    /// Elsewhere.
    Elsewhere,
}

impl Found {
    /// Looks at `path`.
    pub(super) fn at(sys: &dyn System, path: &Path) -> Result<Self> {
        let attempt = || format!("reading `{}`", path.display());
        let Some(stat) = sys.lstat(path).attempt(attempt)? else { return Ok(Self::Nothing) };
        if stat.kind != FileKind::Directory {
            return Ok(Self::Foreign("is not a directory".to_owned()));
        }
        match sys.lstat(&path.join(".git")).attempt(attempt)?.map(|stat| stat.kind) {
            Some(FileKind::Directory) => Checkout::read(sys, path, stat),
            Some(_) => Ok(Self::Foreign("belongs to another repository, of which it is a part".to_owned())),
            None if sys.list(path).attempt(attempt)?.is_empty() => Ok(Self::Empty(stat)),
            None => Ok(Self::Foreign("is a directory with something else in it".to_owned())),
        }
    }
}

impl Checkout {
    fn read(sys: &dyn System, path: &Path, stat: Stat) -> Result<Found> {
        let directory = path.join(".git");
        if inside(sys, &directory, "reftable/tables.list")?.is_some() {
            return Ok(Found::Foreign("keeps its refs as a reftable, which is not read yet".to_owned()));
        }
        let Some(head) = inside(sys, &directory, "HEAD")?.as_deref().and_then(parse_head) else {
            return Ok(Found::Foreign("has a `.git` without a HEAD that can be read".to_owned()));
        };
        let packed = inside(sys, &directory, "packed-refs")?.map(|text| parse_packed_refs(&text)).unwrap_or_default();
        let mut settings = parse_config(&inside(sys, &directory, "config")?.unwrap_or_default());
        settings.extend(parse_config(&inside(sys, &directory, "config.worktree")?.unwrap_or_default()));
        let setting = |name: &str| settings.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let is_sparse = setting("core.sparsecheckout").is_some_and(|value| value == "true");
        let patterns = inside(sys, &directory, "info/sparse-checkout")?.filter(|_| is_sparse);
        // Of several URLs git fetches from the first.
        let url = settings.iter().find(|(key, _)| key == "remote.origin.url").map(|(_, value)| value.clone());
        let mut checkout = Self {
            url,
            head,
            commit: None,
            // Patterns that are no cone take in no directory that is known.
            cone: patterns.map(|text| parse_cone(&text).unwrap_or_default()),
            boundary: inside(sys, &directory, "shallow")?.map(|text| parse_shallow(&text)).unwrap_or_default(),
            stashed: false,
            stat,
            directory,
            packed,
        };
        checkout.stashed = checkout.target(sys, "refs/stash")?.is_some();
        checkout.commit = match &checkout.head {
            Head::Branch(name) => checkout.target(sys, &format!("refs/heads/{name}"))?.map(|target| target.id),
            Head::Detached(commit) => Some(commit.clone()),
        };
        Ok(Found::Checkout(checkout))
    }

    /// Returns where it stands as to a ref.
    pub(super) fn standing(&self, sys: &dyn System, asked: &GitRef) -> Result<Standing> {
        let at = |commit: &str| self.commit.as_deref() == Some(commit);
        if asked.is_commit() {
            return Ok(if at(&asked.0) { Standing::There } else { Standing::Elsewhere });
        }
        if let Some(target) = self.target(sys, &format!("refs/remotes/origin/{asked}"))? {
            return Ok(match &self.head {
                Head::Branch(name) if *name == asked.0 && at(&target.id) => Standing::There,
                Head::Branch(name) if *name == asked.0 => Standing::Apart(target.id),
                _ => Standing::Elsewhere,
            });
        }
        Ok(match self.target(sys, &format!("refs/tags/{asked}"))? {
            Some(target) if at(target.peeled.as_ref().unwrap_or(&target.id)) => Standing::There,
            Some(Target { peeled: Some(_), .. }) | None => Standing::Elsewhere,
            Some(_) => Standing::Unpeeled,
        })
    }

    /// Returns what somebody has begun there and not ended, as wt-status.c of git tells it.
    pub(super) fn under_way(&self, sys: &dyn System) -> Result<Option<&'static str>> {
        let begun = [
            ("rebase-merge", "a rebase"),
            ("rebase-apply", "a rebase, or of applying patches"),
            ("MERGE_HEAD", "a merge"),
            ("CHERRY_PICK_HEAD", "a cherry-pick"),
            ("REVERT_HEAD", "a revert"),
            ("BISECT_LOG", "a bisection"),
        ];
        for (name, what) in begun {
            if self.there(sys, name)? {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    /// Returns whether a git is writing its index, or was killed while it did.
    pub(super) fn is_locked(&self, sys: &dyn System) -> Result<bool> {
        self.there(sys, "index.lock")
    }

    /// Returns the lock files of whatever writes it, or was killed while it did.
    pub(super) fn locks(&self, sys: &dyn System) -> Result<Vec<PathBuf>> {
        let mut directories = vec![self.directory.clone()];
        let mut locks = Vec::new();
        while let Some(directory) = directories.pop() {
            for name in listed(sys, &directory).attempt(|| format!("reading `{}`", directory.display()))? {
                let path = directory.join(&name);
                if path.extension().is_some_and(|extension| extension == "lock") {
                    locks.push(path);
                } else if directory != self.directory || ["info", "refs"].contains(&name.as_str()) {
                    let is = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
                    directories.extend(is.filter(|is| is.kind == FileKind::Directory).map(|_| path));
                }
            }
        }
        Ok(locks)
    }

    /// Returns what hangs on the repository and is not in its branches: submodules, and other work trees.
    pub(super) fn appendages(&self, sys: &dyn System) -> Result<Option<&'static str>> {
        for (name, what) in [("modules", "submodules"), ("worktrees", "other work trees")] {
            let path = self.directory.join(name);
            if !listed(sys, &path).attempt(|| format!("reading `{}`", path.display()))?.is_empty() {
                return Ok(Some(what));
            }
        }
        Ok(None)
    }

    fn there(&self, sys: &dyn System, name: &str) -> Result<bool> {
        let path = self.directory.join(name);
        Ok(sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some())
    }

    /// Returns what a whole ref names: its own file, else its line among the packed ones.
    fn target(&self, sys: &dyn System, name: &str) -> Result<Option<Target>> {
        let loose = inside(sys, &self.directory, name)?.map(|text| text.trim_end().to_owned());
        match loose.filter(|id| is_object_id(id)) {
            Some(id) => Ok(Some(Target { id, peeled: None })),
            None => Ok(self.packed.get(name).cloned()),
        }
    }

    /// Says where it stands: `main 1a2b3c4`.
    pub(super) fn shown(&self) -> String {
        let commit = self.commit.as_deref().map_or("without a commit", short);
        match &self.head {
            Head::Branch(name) => format!("{name} {commit}"),
            Head::Detached(_) => commit.to_owned(),
        }
    }
}

/// Returns the commits that git's file `shallow` names, see shallow.txt of git.
fn parse_shallow(text: &str) -> Vec<String> {
    text.lines().filter(|line| is_object_id(line)).map(str::to_owned).collect()
}

/// Returns as much of a commit's id as people read.
pub(super) fn short(commit: &str) -> &str {
    &commit[..commit.len().min(10)]
}

/// Reads a file below a directory; `None` where there is none, where it is huge, or where a link is on the way.
fn inside(sys: &dyn System, directory: &Path, relative: &str) -> Result<Option<String>> {
    let mut path = directory.to_owned();
    let mut parts = relative.split('/').peekable();
    while let Some(part) = parts.next() {
        path.push(part);
        let stat = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
        match (stat, parts.peek()) {
            (Some(stat), Some(_)) if stat.kind == FileKind::Directory => {}
            (Some(stat), None) if stat.kind == FileKind::File && stat.size <= LARGEST => {}
            _ => return Ok(None),
        }
    }
    match sys.read(&path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}
