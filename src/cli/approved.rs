//! Plans are kept below `--run-dir` until the next boot, by their digests, so that an apply that expects another one can say
//! what differs. Where nothing can be kept there, that alone is not said.
use crate::approval::Changes;
use crate::error::Result;
use crate::system::{NewFile, Real, System, state, surplus};
use std::path::{Path, PathBuf};

/// So many plans are kept.
const KEPT: usize = 32;

/// Keeps the changes of a plan.
pub(super) fn keep(changes: &Changes, run_dir: &Path, sys: &Real) {
    // Who may not write there has no say in what is applied.
    drop(try_keep(changes, run_dir, sys));
}

fn try_keep(changes: &Changes, run_dir: &Path, sys: &Real) -> Result<()> {
    let directory = run_dir.join("plans");
    state::make(sys, &directory)?;
    let content = serde_json::to_vec(changes).unwrap_or_default();
    let file = NewFile { content: &content, uid: 0, gid: 0, mode: 0o600 };
    sys.write(&directory.join(changes.digest()), &file, &|_| Ok(()))?;
    let dated = |path: PathBuf| Some((sys.lstat(&path).ok()??.modified, path));
    let all = kept(run_dir, sys).into_iter().filter_map(dated).collect();
    surplus(all, sys.now(), KEPT).iter().try_for_each(|path| sys.remove_file(path))
}

/// Returns the kept plan whose digest begins so; `None` where there is none, or more than one.
pub(super) fn find(digest: &str, run_dir: &Path, sys: &Real) -> Option<Changes> {
    let fits = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(digest));
    let mut fitting = kept(run_dir, sys).into_iter().filter(fits);
    let one = fitting.next().filter(|_| fitting.next().is_none())?;
    serde_json::from_slice(&sys.read(&one).ok()?).ok()
}

fn kept(run_dir: &Path, sys: &Real) -> Vec<PathBuf> {
    let directory = run_dir.join("plans");
    let names = sys.list(&directory).unwrap_or_default();
    names.into_iter().map(|name| directory.join(name)).filter(|path| is_digest(path)).collect()
}

fn is_digest(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.len() == 64)
}
