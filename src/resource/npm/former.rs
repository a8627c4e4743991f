//! What we put into a prefix that the recipe has no more: it goes once the package is in the new one.
use super::install::{Stamp, there};
use super::session::Session;
use super::{Found, modules};
use crate::error::{Attempt as _, Result};
use crate::field::NpmName;
use crate::resource::ground::foreign_above;
use crate::resource::{Ask, Plan, Remark};
use crate::system::System;
use std::path::{Path, PathBuf};

/// Returns the former prefixes from which a package of ours goes. Another recipe may have it there still, and then it stays.
pub(super) fn former_prefixes(
    name: &NpmName,
    stamp: &Stamp,
    prefix: &Path,
    ask: &Ask<'_>,
    sys: &dyn System,
    plan: &mut Plan<'_>,
) -> Result<Vec<PathBuf>> {
    let mut going = Vec::new();
    if !ask.ours(&name.0) || ask.is_shared(&name.0) {
        return Ok(going);
    }
    for former in stamp.prefixes() {
        if is_same(former, prefix, name, sys)? || !there(former, name, sys)? {
            continue;
        }
        if let Some(why) = stays(former, name, sys)? {
            let text = format!("its former prefix `{}` still has it: {why}", former.display());
            plan.remarks.push(Remark { name: name.0.clone(), text });
        } else {
            going.push(former.clone());
        }
    }
    Ok(going)
}

/// Takes packages out of their former prefixes, as far as they are in the new one.
pub(super) fn leave_former(session: &Session<'_>, leave: &[(&NpmName, PathBuf)]) -> Result<()> {
    for (name, former) in leave {
        if !there(&session.prefix, name, session.sys)? {
            continue;
        }
        if !is_same(former, &session.prefix, name, session.sys)? {
            session.elsewhere(former).uninstall(&[name])?;
        }
        Stamp::read(session.sys, &name.0)?.without(former).leave(session.sys, &name.0)?;
    }
    Ok(())
}

/// Returns whether a package in one prefix is that in the other one: a link can lead from one to the other.
pub(super) fn is_same(one: &Path, other: &Path, name: &NpmName, sys: &dyn System) -> Result<bool> {
    if one == other {
        return Ok(true);
    }
    let at = |prefix: &Path| {
        let path = modules(prefix).join(&name.0);
        sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))
    };
    Ok(at(one)?.zip(at(other)?).is_some_and(|(one, other)| one.inode == other.inode))
}

/// Says why npm can't take it away.
fn stays(former: &Path, name: &NpmName, sys: &dyn System) -> Result<Option<String>> {
    if let Some(foreign) = foreign_above(sys, &modules(former).join("package"))? {
        return Ok(Some(format!("`{}` belongs to {}", foreign.directory.display(), foreign.owner)));
    }
    let found = Found::at(former, name, &Stamp::default(), sys)?;
    Ok(found.strangers_program(former, name, sys)?.map(|waiting| waiting.because))
}
