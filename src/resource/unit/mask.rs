//! Masks: a link to /dev/null in place of a unit's file, so that nothing can start it.
use super::file::path_of;
use super::name_in_systemd;
use crate::error::{Attempt as _, Error, Result};
use crate::field::UnitName;
use crate::resource::{Ask, Thing};
use crate::system::state::{clear_stamp, set_stamp, stamp};
use crate::system::systemctl::Unit;
use crate::system::{FileKind, System};
use std::path::{Path, PathBuf};

const NOTHING: &str = "/dev/null";

/// The kind under which a stamp says that a mask is ours, or was. The ledger alone can't: that we are about to take it away is
/// there before we do.
const KIND: &str = "unit-mask";
const OURS: &str = "masked";
const GONE: &str = "unmasked";

/// Returns whether the mask of a unit is one that we made.
pub(super) fn is_ours(name: &UnitName, found: Option<&Unit>, ask: &Ask<'_>, sys: &dyn System) -> Result<bool> {
    Ok(match stamp(sys, KIND, &name_in_systemd(name, found))? {
        Some(text) => text == OURS,
        None => ask.claim(&name.0).and_then(|claim| claim.last.get("masked")).is_some_and(|last| last == "masked"),
    })
}

/// Returns whether what stands in the place of a unit's file is a mask that we made.
pub(super) fn is_in_place(name: &UnitName, sys: &dyn System) -> Result<bool> {
    Ok(links_to_nothing(&path_of(name), sys)? && stamp(sys, KIND, &name.0)?.is_some_and(|text| text == OURS))
}

/// Notes that the mask of a unit, by the name that systemd has for it, is going to be ours.
pub(super) fn claim(name: &str, sys: &dyn System) -> Result<()> {
    set_stamp(sys, KIND, name, OURS)
}

/// Notes that a mask is gone: one that is there later is somebody else's.
pub(super) fn release(name: &str, sys: &dyn System) -> Result<()> {
    if stamp(sys, KIND, name)?.is_some() { set_stamp(sys, KIND, name, GONE) } else { Ok(()) }
}

/// Forgets all that.
pub(super) fn forget(name: &str, sys: &dyn System) -> Result<()> {
    clear_stamp(sys, KIND, name)
}

/// Returns the command that takes a mask away; `None` where a unit is not masked.
pub(super) fn unmasking(name: &UnitName, found: Option<&Unit>, sys: &dyn System) -> Result<Option<String>> {
    let own = path_of(name);
    let at = if links_to_nothing(&own, sys)? {
        own
    } else if let Some(unit) = found.filter(|unit| unit.is_masked()) {
        // The mask of an instance may be that of its template.
        unit.fragment.clone().unwrap_or_else(|| PathBuf::from(name_in_systemd(name, found)))
    } else {
        return Ok(None);
    };
    let runtime = if at.starts_with("/run") { "--runtime " } else { "" };
    let masked = at.file_name().map_or(name.0.clone(), |file| file.to_string_lossy().into_owned());
    Ok(Some(format!("systemctl unmask {runtime}{masked}")))
}

/// Fails where there is a file in the place of the mask, which systemd does not overwrite.
pub(super) fn has_place(name: &UnitName, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
    let path = path_of(name);
    let is = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
    if is.is_none() || links_to_nothing(&path, sys)? || ask.pending.coming(&Thing::Path(path.clone())).is_some() {
        return Ok(());
    }
    let error = Error::new(format!("masking `{name}`"))
        .reason(format!("its own file is where the mask would be, `{}`", path.display()));
    Err(error.remedy("remove that file, or say `enabled = false` and `active = false` instead"))
}

fn links_to_nothing(path: &Path, sys: &dyn System) -> Result<bool> {
    let attempt = || format!("reading `{}`", path.display());
    let is_link = sys.lstat(path).attempt(attempt)?.is_some_and(|is| is.kind == FileKind::Link);
    Ok(is_link && sys.read_link(path).attempt(attempt)? == Path::new(NOTHING))
}
