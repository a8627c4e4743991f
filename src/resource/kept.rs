//! Kept copies: what stood at a path before us, with owner and mode, in the state directory until it is put back.
use crate::error::{Attempt as _, Result};
use crate::system::{FileKind, Stat, System, state};
use std::path::{Path, PathBuf};

fn place(path: &Path, sys: &dyn System) -> PathBuf {
    sys.state_dir().join("kept").join(state::file_name(&path.to_string_lossy()))
}

/// Keeps a copy, though there may be one already of which nothing is known any more: that one is laid aside as `NAME.1` and so on.
pub(crate) fn keep_anew(path: &Path, sys: &dyn System) -> Result<()> {
    let copy = place(path, sys);
    if copy_of(path, sys)?.is_none() || same(path, &copy, sys)? {
        return keep(path, sys);
    }
    let aside = |number: u32| PathBuf::from(format!("{}.{number}", copy.display()));
    let is_free = |number: &u32| sys.lstat(&aside(*number)).is_ok_and(|is| is.is_none());
    let free = aside((1..=u32::MAX).find(is_free).unwrap_or_default());
    sys.copy(&copy, &free).attempt(|| format!("laying aside `{}`", copy.display()))?;
    sys.remove_file(&copy)?;
    keep(path, sys)
}

/// Returns the copy of what stood at `path` before us.
pub(crate) fn copy_of(path: &Path, sys: &dyn System) -> Result<Option<(PathBuf, Stat)>> {
    let copy = place(path, sys);
    let is = sys.look(&copy).attempt(|| format!("looking for the kept copy `{}`", copy.display()))?;
    Ok(is.map(|is| (copy, is)))
}

/// Keeps a copy of the file or link at `path`, unless there is one already.
pub(crate) fn keep(path: &Path, sys: &dyn System) -> Result<()> {
    if copy_of(path, sys)?.is_some() {
        return Ok(());
    }
    state::directory(sys, "kept")?;
    sys.copy(path, &place(path, sys)).attempt(|| format!("keeping a copy of `{}`", path.display()))
}

/// Puts back what stood at `path` before us, and drops the copy.
pub(crate) fn restore(path: &Path, sys: &dyn System) -> Result<()> {
    restore_for(path, sys, || Ok(()))
}

/// Puts back what stood at `path` before us, and drops the copy once that is in effect: until then it is known as owed.
pub(crate) fn restore_for(path: &Path, sys: &dyn System, take_effect: impl FnOnce() -> Result<()>) -> Result<()> {
    let kept = place(path, sys);
    sys.copy(&kept, path).attempt(|| format!("putting back `{}`", path.display()))?;
    take_effect()?;
    sys.remove_file(&kept)
}

/// Returns whether two paths have the same content, or lead to the same place.
pub(crate) fn same_content(one: &Path, other: &Path, sys: &dyn System) -> Result<bool> {
    let (Some(one), Some(other)) = (sys.capture(one)?, sys.capture(other)?) else { return Ok(false) };
    Ok(one.body == other.body)
}

/// Returns whether two paths have the same kind, owner, mode and content.
pub(crate) fn same(one: &Path, other: &Path, sys: &dyn System) -> Result<bool> {
    let (Some(one), Some(other)) = (sys.capture(one)?, sys.capture(other)?) else { return Ok(false) };
    let (a, b) = (one.stat, other.stat);
    let is_link = a.kind == FileKind::Link;
    Ok((a.uid, a.gid) == (b.uid, b.gid) && (is_link || a.mode == b.mode) && one.body == other.body)
}
