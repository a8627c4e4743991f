//! The fake machine's file system: paths to nodes, with an inode and a change count each.
use provision::system::{FileKind, Stat};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    File(Vec<u8>),
    Directory,
    Link(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub body: Body,
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub inode: u64,
    /// Counts like a ctime: it differs after any change.
    pub changed: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Disk {
    pub nodes: BTreeMap<PathBuf, Node>,
    clock: u64,
}

impl Disk {
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Follows links in the parents of `path`, as the kernel does.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        let mut resolved = PathBuf::from("/");
        let parent = path.parent().unwrap_or(Path::new("/"));
        for part in parent.components().skip(1) {
            let next = resolved.join(part);
            resolved = match self.nodes.get(&next).map(|node| &node.body) {
                Some(Body::Link(target)) => self.resolve_all(&resolved.join(target), 0),
                _ => next,
            };
        }
        path.file_name().map_or(resolved.clone(), |name| resolved.join(name))
    }

    /// Follows links, the last part's as well.
    pub fn resolve_all(&self, path: &Path, depth: usize) -> PathBuf {
        let path = self.resolve(path);
        match self.nodes.get(&path).map(|node| &node.body) {
            Some(Body::Link(target)) if depth < 40 => {
                let next = path.parent().unwrap_or(Path::new("/")).join(target);
                self.resolve_all(&next, depth + 1)
            }
            _ => path,
        }
    }

    /// Returns the first link on the way to `path` that others than root can have put there; the last part is not on it.
    pub fn untrusted_link(&self, path: &Path) -> Option<PathBuf> {
        let parts =
            |path: &Path| path.components().skip(1).map(|part| part.as_os_str().to_owned()).collect::<VecDeque<_>>();
        let (mut at, mut links, mut is_roots) = (PathBuf::from("/"), 0, true);
        let mut rest = parts(path.parent()?);
        while let Some(part) = rest.pop_front() {
            let node = self.nodes.get(&at)?;
            is_roots &= node.uid == 0 && node.mode & 0o022 == 0;
            let next = at.join(part);
            match &self.nodes.get(&next)?.body {
                Body::Link(_) if !is_roots || links == 40 => return Some(next),
                Body::Link(target) => {
                    links += 1;
                    rest = parts(&at.join(target)).into_iter().chain(rest).collect();
                    (at, is_roots) = (PathBuf::from("/"), true);
                }
                _ => at = next,
            }
        }
        None
    }

    pub fn node(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(&self.resolve(path))
    }

    pub fn stat(&self, path: &Path) -> Option<Stat> {
        let node = self.node(path)?;
        let (kind, size) = match &node.body {
            Body::File(bytes) => (FileKind::File, bytes.len()),
            Body::Directory => (FileKind::Directory, 4096),
            Body::Link(target) => (FileKind::Link, target.as_os_str().len()),
        };
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + node.changed);
        Some(Stat {
            kind,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            size: size as u64,
            modified,
            inode: (1, node.inode),
        })
    }

    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        match self.nodes.get(&self.resolve_all(path, 0)).map(|node| &node.body) {
            Some(Body::File(bytes)) => Ok(bytes.clone()),
            Some(_) => Err(Error::from(ErrorKind::IsADirectory)),
            None => Err(Error::from(ErrorKind::NotFound)),
        }
    }

    pub fn list(&self, path: &Path) -> Result<Vec<OsString>> {
        let path = self.resolve_all(path, 0);
        match self.nodes.get(&path).map(|node| &node.body) {
            Some(Body::Directory) => {
                Ok(self.children(&path).filter_map(|child| child.file_name().map(Into::into)).collect())
            }
            Some(_) => Err(Error::from(ErrorKind::NotADirectory)),
            None => Err(Error::from(ErrorKind::NotFound)),
        }
    }

    pub fn children<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.nodes.keys().filter(move |child| child.parent() == Some(path))
    }

    /// Puts a node in place of whatever is there; its parent must be a directory.
    pub fn put(&mut self, path: &Path, body: Body, uid: u32, gid: u32, mode: u32) -> Result<()> {
        let path = self.resolve(path);
        let parent = path.parent().unwrap_or(Path::new("/"));
        match self.nodes.get(parent).map(|node| &node.body) {
            Some(Body::Directory) => {}
            Some(_) => return Err(Error::from(ErrorKind::NotADirectory)),
            None => return Err(Error::from(ErrorKind::NotFound)),
        }
        if matches!(self.nodes.get(&path).map(|node| &node.body), Some(Body::Directory)) {
            return Err(Error::from(if body == Body::Directory {
                ErrorKind::AlreadyExists
            } else {
                ErrorKind::IsADirectory
            }));
        }
        let inode = self.tick();
        self.nodes.insert(path, Node { body, uid, gid, mode, inode, changed: inode });
        Ok(())
    }

    pub fn change(&mut self, path: &Path, change: impl FnOnce(&mut Node)) -> Result<()> {
        let now = self.tick();
        let path = self.resolve(path);
        let node = self.nodes.get_mut(&path).ok_or_else(|| Error::from(ErrorKind::NotFound))?;
        change(node);
        node.changed = now;
        Ok(())
    }

    pub fn remove_tree(&mut self, path: &Path) {
        let path = self.resolve(path);
        self.nodes.retain(|node, _| !node.starts_with(&path));
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (from, to) = (self.resolve(from), self.resolve(to));
        if !self.nodes.contains_key(&from) {
            return Err(Error::from(ErrorKind::NotFound));
        }
        if self.children(&to).next().is_some() {
            return Err(Error::from(ErrorKind::DirectoryNotEmpty));
        }
        let moved: Vec<PathBuf> = self.nodes.keys().filter(|node| node.starts_with(&from)).cloned().collect();
        for old in moved {
            let rest = old.strip_prefix(&from).expect("it starts with it");
            let new = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            let node = self.nodes.remove(&old).expect("it is there");
            self.nodes.insert(new, node);
        }
        Ok(())
    }
}
