//! Whether a unit starts at boot, by what `systemctl enable` has made, or by something else that it can't change.
use crate::error::{Attempt as _, Error, Result};
use crate::system::System;
use crate::system::fingerprint::listed;
use crate::system::systemctl::{Unit, knows_upheld_by};
use crate::system::unit_file::{can_be_enabled, enabled_along, is_only_upheld};
use std::path::Path;

/// Where scripts of System V are.
const INIT_SCRIPTS: &str = "/etc/init.d";

/// What becomes of a unit at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AtBoot {
    /// It is enabled.
    Starts,
    /// It is enabled until the next boot only.
    Once,
    /// It is not.
    Stays,
    /// It is not, and can't be, for this reason.
    Never(String),
    /// Something else has it started, as this reason says, and disabling it does nothing.
    Always(String),
}

/// Runs of `systemctl` that change what becomes of a unit at boot, in the order in which they must come: a masked unit is
/// neither enabled nor disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Unmask,
    Disable,
    Enable,
    Mask,
}

impl Switch {
    /// All of them, in order.
    pub(super) const ALL: [Self; 4] = [Self::Unmask, Self::Disable, Self::Enable, Self::Mask];

    /// Returns the arguments: what holds until the next boot only is undone by a run of its own.
    pub(super) fn arguments(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Unmask => &[&["unmask"], &["unmask", "--runtime"]],
            Self::Disable => &[&["disable"], &["disable", "--runtime"]],
            Self::Enable => &[&["enable"]],
            Self::Mask => &[&["mask"]],
        }
    }
}

/// Returns what becomes of a unit that systemd has, as its files are now.
pub(super) fn at_boot(unit: &Unit, sys: &dyn System) -> Result<AtBoot> {
    let at_boot = match unit.file_state.as_str() {
        "enabled" | "alias" => AtBoot::Starts,
        "enabled-runtime" => AtBoot::Once,
        "static" => AtBoot::Never(no_install("")),
        "transient" => AtBoot::Never("it is transient: it was made for this boot and has no file".to_owned()),
        "indirect" => indirect(unit, sys)?,
        "generated" => generated(unit, sys)?,
        _ => AtBoot::Stays,
    };
    Ok(at_boot)
}

/// Fails where a unit can't be enabled or disabled.
pub(super) fn refuse(name: &str, enabled: bool, at_boot: &AtBoot) -> Result<()> {
    match (enabled, at_boot) {
        (true, AtBoot::Never(why)) => {
            let error = Error::new(format!("enabling `{name}`")).reason(why.clone());
            Err(error.remedy("leave `enabled` out: others start it"))
        }
        (false, AtBoot::Always(why)) => {
            let error = Error::new(format!("disabling `{name}`")).reason(why.clone());
            Err(error.remedy("change that, or say `masked = true`"))
        }
        _ => Ok(()),
    }
}

/// Returns why a unit with this file can't be enabled.
pub(super) fn no_install(file: &str) -> String {
    match enabled_along(file)[..] {
        [] => "it has no `[Install]` section that says for what it is wanted".to_owned(),
        ref along => format!("its `[Install]` section only names `{}`: enable that", along.join("`, `")),
    }
}

/// Returns why a unit with this file can't be enabled by the systemd of this machine, if it can't.
pub(super) fn hindrance(file: &str, sys: &dyn System) -> Result<Option<String>> {
    if !can_be_enabled(file) {
        return Ok(Some(no_install(file)));
    }
    let unknown = is_only_upheld(file) && !knows_upheld_by(sys)?;
    Ok(unknown.then(|| "its `[Install]` section has `UpheldBy=` alone, which systemd knows from 254 on".to_owned()))
}

/// It names other units in `Also=`, or something of another name leads to it.
fn indirect(unit: &Unit, sys: &dyn System) -> Result<AtBoot> {
    let Some(path) = &unit.fragment else { return Ok(AtBoot::Stays) };
    let text = sys.read(path).attempt(|| format!("reading `{}`", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(if can_be_enabled(&text) { AtBoot::Stays } else { AtBoot::Never(no_install(&text)) })
}

/// A script of System V is enabled by links to it; all else starts because of what it was made from.
fn generated(unit: &Unit, sys: &dyn System) -> Result<AtBoot> {
    let source = unit.source.as_deref().unwrap_or(Path::new("something else"));
    if !source.starts_with(INIT_SCRIPTS) {
        return Ok(AtBoot::Always(format!("it is made from `{}` at each boot", source.display())));
    }
    let Some(script) = source.file_name().and_then(|name| name.to_str()) else { return Ok(AtBoot::Stays) };
    for directory in ["/etc/rc5.d", "/etc/rcS.d"] {
        let names = listed(sys, Path::new(directory)).attempt(|| format!("reading `{directory}`"))?;
        let starts = |name: &String| name.starts_with('S') && name.get(3..) == Some(script);
        if names.iter().any(starts) {
            return Ok(AtBoot::Starts);
        }
    }
    Ok(AtBoot::Stays)
}
