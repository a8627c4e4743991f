//! Starting, restarting, reloading and stopping units.
use super::{settle, stale, why};
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
pub(super) fn systemctl(sys: &dyn System, verb: &[&str], names: &[String], timeout: Duration) -> Result<()> {
    require(sys, verb)?;
    let names = names.iter().map(String::as_str);
    // A name may begin with a dash: `-.mount`.
    let words = ["systemctl"].into_iter().chain(verb.iter().copied()).chain(["--"]).chain(names);
    let command = Command::new(words).timeout(timeout);
    sys.run(&command)?.success(&command).map(drop)
}

/// Fails where systemd does not run.
fn require(sys: &dyn System, verb: &[&str]) -> Result<()> {
    if matches!(sys.lstat(std::path::Path::new("/run/systemd/system")), Ok(Some(_))) {
        return Ok(());
    }
    let error = Error::new(format!("running `systemctl {}`", verb.join(" ")));
    Err(error.reason("systemd does not run on this machine").remedy("boot it with systemd, then run again"))
}

/// Returns the services that run and so keep their sockets from being started: they are stopped for that.
pub(super) fn served<'u>(sys: &dyn System, sockets: impl IntoIterator<Item = &'u Unit>) -> Result<Vec<String>> {
    let sockets = sockets.into_iter().filter(|unit| unit.names.first().is_some_and(|name| is_socket(name)));
    let services: Vec<&str> = sockets.flat_map(|unit| &unit.triggers).map(String::as_str).collect();
    if services.is_empty() {
        return Ok(Vec::new());
    }
    let units = systemctl::show(sys, services.iter().copied())?;
    let running = |name: &&&str| units.get(name).is_some_and(|unit| !unit.is_stopped());
    Ok(services.iter().filter(running).map(|name| (*name).to_owned()).collect())
}

fn is_socket(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|is| is == "socket")
}

/// Brings units to run with what there is now, and sees that they still do after `settle`.
pub(super) fn bring_up(
    sys: &dyn System,
    units: &[(String, Way)],
    watch: &[AbsPath],
    settle: Duration,
    timeout: Duration,
) -> Result<()> {
    let names: Vec<&str> = units.iter().map(|(name, _)| name.as_str()).collect();
    require(sys, &["start"])?;
    let mut before = systemctl::show(sys, names.iter().copied())?;
    if names.iter().any(|name| before.get(name).is_some_and(|unit| unit.needs_reload)) {
        systemctl(sys, &["daemon-reload"], &[], timeout)?;
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
    let reset = Command::new(["systemctl", "reset-failed", "--"].iter().chain(&names).copied());
    sys.run(&reset.timeout(timeout))?;
    let outcome = start_all(sys, units, &before, timeout);
    let started = systemctl::show(sys, names.iter().copied())?;
    for (name, digests) in digests {
        if let Some(unit) = started.get(name).filter(|unit| unit.is_active()) {
            stale::record(sys, name, unit, digests)?;
        }
    }
    outcome.map_err(|error| why::not_started(sys, error, &names, &started))?;
    settle::stay_up(sys, &names, &started, settle)
}

/// Tries all of them; the first error counts. Sockets go first: they don't start while their services run.
fn start_all(sys: &dyn System, units: &[(String, Way)], before: &Units, timeout: Duration) -> Result<()> {
    let of = |way: Way, sockets: bool| -> Vec<String> {
        let some = units.iter().filter(|(name, its)| *its == way && is_socket(name) == sockets);
        some.map(|(name, _)| name.clone()).collect()
    };
    let sockets = units.iter().filter(|(name, way)| *way != Way::Reload && is_socket(name));
    let served = served(sys, sockets.filter_map(|(name, _)| before.get(name)).map(AsRef::as_ref))?;
    let runs = [
        ("stop", served.clone()),
        (Way::Start.verb(), of(Way::Start, true)),
        (Way::Restart.verb(), of(Way::Restart, true)),
        (Way::Start.verb(), of(Way::Start, false)),
        (Way::Restart.verb(), of(Way::Restart, false)),
        (Way::Start.verb(), served),
        (Way::Reload.verb(), [of(Way::Reload, true), of(Way::Reload, false)].concat()),
    ];
    let runs = runs.into_iter().filter(|(_, names)| !names.is_empty());
    let outcomes: Vec<Result<()>> = runs.map(|(verb, names)| systemctl(sys, &[verb], &names, timeout)).collect();
    outcomes.into_iter().collect()
}
