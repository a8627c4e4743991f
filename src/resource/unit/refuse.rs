//! What can't be of a unit, said before anything is tried.
use super::look::Look;
use super::{Unit, why};
use crate::error::{Error, Result};
use crate::system::unit_file;
use crate::system::{System, systemctl};

pub(super) const ENDS: &str =
    "a oneshot service without `RemainAfterExit=yes` is done once its command ends, so it is never active";

impl Unit {
    /// Fails where what is asked of a unit can't be, as far as that is known of what it is now or will be.
    pub(super) fn refuse(&self, look: &Look<'_, '_>, sys: &dyn System) -> Result<()> {
        let Look { name, .. } = *look;
        let loaded = look.lasting().filter(|unit| unit.load == "loaded");
        let text = look.bytes.map(String::from_utf8_lossy);
        let ends = text
            .as_ref()
            .map_or(loaded.is_some_and(|unit| unit.ends_by_itself), |text| unit_file::ends_by_itself(text));
        if self.active == Some(true) && ends {
            let error = Error::new(format!("keeping `{name}` active")).reason(ENDS);
            return Err(error.remedy("leave `active` out; a [[command]] or a timer runs it"));
        }
        if self.reload && loaded.is_some_and(|unit| !unit.can_reload) {
            let error = Error::new(format!("looking at `{name}`")).reason("it can't reload: it has no `ExecReload=`");
            return Err(error.remedy("leave `reload` out, so that it is restarted"));
        }
        match look.lasting().filter(|unit| is_refused(unit)) {
            Some(unit) if self.wants_it_there() || self.brings_file() => Err(why::not_loaded(sys, unit)),
            _ => Ok(()),
        }
    }
}

/// Returns whether systemd has read a unit's files and can't use them.
pub(super) fn is_refused(unit: &systemctl::Unit) -> bool {
    matches!(unit.load.as_str(), "error" | "bad-setting")
}
