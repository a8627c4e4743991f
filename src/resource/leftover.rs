//! What a killed run left beside a path: a temporary that no later write of that path would come across.
use super::{Change, Plan, Step};
use crate::error::Result;
use crate::system::{FileKind, System, temporary};
use std::path::Path;

/// Puts a step in front of a plan that removes the temporary of `path`, where there is one.
pub(crate) fn sweep(path: &Path, plan: &mut Plan<'_>, sys: &dyn System) -> Result<()> {
    let left = temporary(path);
    // The usual case costs one question; what is there is looked at with care.
    if matches!(sys.lstat(&left), Ok(None)) {
        return Ok(());
    }
    let Some(is) = sys.look(&left)? else { return Ok(()) };
    let name = path.to_string_lossy();
    let change = Change::field(name, "leftover", Some(format!("`{}` of a killed run", left.display())), None);
    let step = Step::new(vec![change], move |sys| match is.kind {
        FileKind::Directory => sys.remove_dir(&left),
        FileKind::File | FileKind::Link | FileKind::Other => sys.remove_file(&left),
    });
    plan.steps.insert(0, step);
    Ok(())
}
