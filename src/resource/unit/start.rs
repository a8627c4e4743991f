//! Starting, restarting, reloading and stopping units, and seeing that they stay up.
use super::stale;
use crate::error::{Error, Result};
use crate::field::AbsPath;
use crate::system::systemctl::{self, Unit, Units};
use crate::system::{Command, System};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a unit gets to run with what there is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It does not run.
    Start,
    /// It runs with older files.
    Restart,
    /// It runs, and reads what changed when told to.
    Reload,
}

impl Way {
    fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Reload => "reload",
        }
    }
}

/// Runs `systemctl` with a verb and units.
pub(super) fn systemctl(sys: &dyn System, verb: &str, names: &[&str], timeout: Duration) -> Result<()> {
    require(sys, verb)?;
    let command = Command::new(["systemctl", verb].iter().chain(names).copied()).timeout(timeout);
    sys.run(&command)?.success(&command).map(drop)
}

/// Fails where systemd does not run.
pub(super) fn require(sys: &dyn System, verb: &str) -> Result<()> {
    if matches!(sys.lstat(std::path::Path::new("/run/systemd/system")), Ok(Some(_))) {
        return Ok(());
    }
    let error = Error::new(format!("running `systemctl {verb}`")).reason("systemd does not run on this machine");
    Err(error.remedy("boot it with systemd, then run again"))
}

/// Brings units to run with what there is now, and sees that they still do after `settle`.
pub(super) fn bring_up(
    sys: &dyn System,
    units: &[(&str, Way)],
    watch: &[AbsPath],
    settle: Duration,
    timeout: Duration,
) -> Result<()> {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    require(sys, "start")?;
    let mut before = systemctl::show(sys, names.iter().copied())?;
    if names.iter().any(|name| before.get(name).is_some_and(|unit| unit.needs_reload)) {
        systemctl(sys, "daemon-reload", &[], timeout)?;
        before = systemctl::show(sys, names.iter().copied())?;
    }
    // What is read now is what the start uses, or older: a change in between is seen as one by the next check.
    let mut digests = BTreeMap::new();
    for name in &names {
        if let Some(unit) = before.get(name) {
            digests.insert(*name, stale::digests(sys, &stale::inputs(sys, name, unit, watch)?)?);
        }
    }
    // Starts by hand count for StartLimitBurst= as well. One that systemd has not loaded has nothing to reset.
    let reset = Command::new(["systemctl", "reset-failed"].iter().chain(&names).copied());
    sys.run(&reset.timeout(timeout))?;
    for way in [Way::Start, Way::Restart, Way::Reload] {
        let some: Vec<&str> = units.iter().filter(|unit| unit.1 == way).map(|(name, _)| *name).collect();
        if !some.is_empty() {
            systemctl(sys, way.verb(), &some, timeout).map_err(|error| explain(sys, error, &some))?;
        }
    }
    let started = systemctl::show(sys, names.iter().copied())?;
    for (name, digests) in digests {
        if let Some(unit) = started.get(name).filter(|unit| unit.is_active()) {
            stale::record(sys, name, unit, digests)?;
        }
    }
    stay_up(sys, &names, &started, settle)
}

/// Sees that units stay as they are after their start: active, not started again by systemd.
fn stay_up(sys: &dyn System, names: &[&str], started: &Units, settle: Duration) -> Result<()> {
    // A timer or a target that is active has nothing that could die.
    let lives = names.iter().any(|name| name.ends_with(".service"));
    let slice = Duration::from_secs(1);
    let mut left = if lives { settle } else { Duration::ZERO };
    let mut now = None;
    loop {
        let seen = now.as_ref().unwrap_or(started);
        for name in names {
            if let Some(why) = fallen(started.get(name).map(AsRef::as_ref), seen.get(name).map(AsRef::as_ref)) {
                let error = Error::new(format!("starting `{name}`")).reason(why);
                return Err(error.output(&journal(sys, name)).remedy(format!("`journalctl -u {name}` has the rest")));
            }
        }
        if left.is_zero() {
            return Ok(());
        }
        let nap = left.min(slice);
        sys.sleep(nap);
        left = left.saturating_sub(nap);
        now = Some(systemctl::show(sys, names.iter().copied())?);
    }
}

/// Returns how a unit has fallen since its start.
fn fallen(started: Option<&Unit>, now: Option<&Unit>) -> Option<String> {
    let (Some(started), Some(now)) = (started, now) else {
        return Some("systemd does not know it".to_owned());
    };
    if !now.is_active() {
        let how = if now.active == "inactive" && now.result == "success" {
            "its command ended and nothing starts it again".to_owned()
        } else {
            format!("it is {}", now.shown_state())
        };
        return Some(how);
    }
    let again = now.restarts > started.restarts || now.invocation != started.invocation;
    again.then(|| "it ended and was started again by systemd".to_owned())
}

/// Adds to a failed start why the first unit that is down is down.
fn explain(sys: &dyn System, error: Error, names: &[&str]) -> Error {
    let Ok(now) = systemctl::show(sys, names.iter().copied()) else { return error };
    let Some(name) = names.iter().find(|name| !now.get(name).is_some_and(|unit| unit.is_active())) else {
        return error;
    };
    let Some(unit) = now.get(name) else { return error };
    let journal = journal(sys, name);
    let error = error.reason(format!("`{name}` is {}", unit.shown_state()));
    let error = if unit.load_error.is_empty() { error } else { error.reason(unit.load_error.clone()) };
    if journal.trim().is_empty() { error } else { error.output(&journal) }
}

fn journal(sys: &dyn System, name: &str) -> String {
    let command = Command::new(["journalctl", "-u", name, "-n", "20", "--no-pager", "-o", "cat"]);
    sys.run(&command.timeout(Duration::from_secs(20))).map_or(String::new(), |output| output.text())
}
