//! Kept copies: what stood at a path before us, with owner and mode, in the state directory until it is put back.
use crate::error::{Attempt as _, Error, Result};
use crate::system::{FileKind, NewFile, Stat, System, state};
use std::path::{Path, PathBuf};

fn place(path: &Path, sys: &dyn System) -> PathBuf {
    sys.state_dir().join("kept").join(state::file_name(&path.to_string_lossy()))
}

/// Returns the copy of what stood at `path` before us.
pub(crate) fn copy_of(path: &Path, sys: &dyn System) -> Result<Option<(PathBuf, Stat)>> {
    let copy = place(path, sys);
    let is = sys.lstat(&copy).attempt(|| format!("looking for the kept copy `{}`", copy.display()))?;
    Ok(is.map(|is| (copy, is)))
}

/// Keeps a copy of the file or link at `path`, unless there is one already.
pub(crate) fn keep(path: &Path, sys: &dyn System) -> Result<()> {
    if copy_of(path, sys)?.is_some() {
        return Ok(());
    }
    state::directory(sys, "kept")?;
    copy(path, &place(path, sys), sys).attempt(|| format!("keeping a copy of `{}`", path.display()))
}

/// Puts back what stood at `path` before us, and drops the copy.
pub(crate) fn restore(path: &Path, sys: &dyn System) -> Result<()> {
    let kept = place(path, sys);
    copy(&kept, path, sys).attempt(|| format!("putting back `{}`", path.display()))?;
    sys.remove_file(&kept)
}

/// Returns whether two paths have the same kind, owner, mode and content.
pub(crate) fn same(one: &Path, other: &Path, sys: &dyn System) -> Result<bool> {
    let attempt = || format!("comparing `{}` with `{}`", one.display(), other.display());
    let (Some(a), Some(b)) = (sys.lstat(one).attempt(attempt)?, sys.lstat(other).attempt(attempt)?) else {
        return Ok(false);
    };
    if (a.kind, a.uid, a.gid, a.size) != (b.kind, b.uid, b.gid, b.size) {
        return Ok(false);
    }
    if a.kind == FileKind::Link {
        return Ok(sys.read_link(one).attempt(attempt)? == sys.read_link(other).attempt(attempt)?);
    }
    Ok(a.mode == b.mode && sys.read(one).attempt(attempt)? == sys.read(other).attempt(attempt)?)
}

fn copy(from: &Path, to: &Path, sys: &dyn System) -> Result<()> {
    let attempt = || format!("reading `{}`", from.display());
    let is = sys.lstat(from).attempt(attempt)?.ok_or_else(|| Error::new(attempt()).reason("it is gone"))?;
    match is.kind {
        FileKind::File => {
            let content = sys.read(from).attempt(attempt)?;
            sys.write(to, &NewFile { content: &content, uid: is.uid, gid: is.gid, mode: is.mode }, &|_| Ok(()))
        }
        FileKind::Link => sys.symlink(&sys.read_link(from).attempt(attempt)?, to, is.uid, is.gid),
        FileKind::Directory | FileKind::Other => Err(Error::new(attempt()).reason("it is no file")),
    }
}
