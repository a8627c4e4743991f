//! Units stay up after their start, or have not come up.
use super::why;
use crate::error::{Error, Result};
use crate::system::System;
use crate::system::systemctl::{self, Unit, Units};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long it is between two looks.
const SLICE: Duration = Duration::from_secs(1);

/// Sees that units stay as they are after their start for so long: active, not started again by systemd.
pub(super) fn stay_up(sys: &dyn System, names: &[&str], started: &Units, settle: Duration) -> Result<()> {
    let mut fallen = BTreeMap::new();
    note(&mut fallen, names, started, started);
    let lives = |name: &&str| !fallen.contains_key(*name) && started.get(name).is_some_and(|unit| can_die(name, unit));
    let mut left = if names.iter().any(lives) { settle } else { Duration::ZERO };
    while !left.is_zero() && fallen.len() < names.len() {
        let nap = left.min(SLICE);
        sys.sleep(nap);
        left = left.saturating_sub(nap);
        note(&mut fallen, names, started, &systemctl::show(sys, names.iter().copied())?);
    }
    if fallen.is_empty() {
        return Ok(());
    }
    let down: Vec<&str> = fallen.keys().copied().collect();
    let error = Error::new(format!("starting `{}`", down.join("`, `")));
    let error = match &fallen.values().collect::<Vec<_>>()[..] {
        [why] => error.reason(why.as_str()),
        _ => fallen.iter().fold(error, |error, (name, why)| error.reason(format!("`{name}`: {why}"))),
    };
    let remedy = format!("`journalctl -u {}` has the rest", down.join(" -u "));
    Err(error.output(&why::journal(sys, &down)).remedy(remedy))
}

/// A timer or a target that is active has nothing that could die, a service whose commands have ended neither.
fn can_die(name: &str, unit: &Unit) -> bool {
    std::path::Path::new(name).extension().is_some_and(|is| is == "service") && unit.sub != "exited"
}

/// Notes which units have fallen, and how they were first seen to have.
fn note<'n>(fallen: &mut BTreeMap<&'n str, String>, names: &[&'n str], started: &Units, now: &Units) {
    for name in names {
        let how = fall(started.get(name).map(AsRef::as_ref), now.get(name).map(AsRef::as_ref));
        if let Some(how) = how.filter(|_| !fallen.contains_key(name)) {
            fallen.insert(name, how);
        }
    }
}

/// Returns how a unit has fallen since its start.
fn fall(started: Option<&Unit>, now: Option<&Unit>) -> Option<String> {
    let (Some(started), Some(now)) = (started, now) else {
        return Some("systemd does not know it".to_owned());
    };
    if !now.is_active() {
        let how = match (now.active.as_str(), now.result.as_str()) {
            ("inactive", "success") if now.conditions_met == Some(false) => {
                "systemd skipped it: one of its conditions is not met".to_owned()
            }
            ("inactive", "success") => "its command ended and nothing starts it again".to_owned(),
            _ => format!("it is {}", now.shown_state()),
        };
        return Some(how);
    }
    let again = now.restarts > started.restarts || now.invocation != started.invocation;
    again.then(|| "it ended and was started again by systemd".to_owned())
}
