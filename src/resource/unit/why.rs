//! Why a unit is not what it should be: its state, and the last lines of its journal.
use crate::error::Error;
use crate::system::systemctl::{Unit, Units};
use crate::system::{Command, System};
use std::time::Duration;

/// How many lines of the journal an error shows.
const LINES: usize = 20;

/// How long the journal may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the error of a unit that systemd has read and can't use.
pub(super) fn not_loaded(sys: &dyn System, unit: &Unit) -> Error {
    let name = unit.names.first().map_or("", String::as_str);
    let error = Error::new(format!("loading `{name}`")).reason(format!("systemd refuses it: {}", unit.load));
    let error = if unit.load_error.is_empty() { error } else { error.reason(unit.load_error.clone()) };
    let remedy = match &unit.fragment {
        Some(path) => format!("correct `{}`; `systemd-analyze verify {name}` checks it", path.display()),
        None => format!("`systemd-analyze verify {name}` checks it"),
    };
    error.output(&journal(sys, &[name])).remedy(remedy)
}

/// Adds to a failed start of which units are down, and why.
pub(super) fn not_started(sys: &dyn System, error: Error, names: &[&str], now: &Units) -> Error {
    let is_down = |name: &&&str| !now.get(name).is_some_and(|unit| unit.is_active());
    let mut down: Vec<&str> = names.iter().filter(is_down).copied().collect();
    let mut error = error;
    for name in &down {
        let Some(unit) = now.get(name) else { continue };
        error = error.reason(format!("`{name}` is {}", unit.shown_state()));
        if unit.active == "activating" {
            error = error.reason(format!("systemd goes on starting `{name}`"));
        }
        if !unit.load_error.is_empty() {
            error = error.reason(unit.load_error.clone());
        }
    }
    // None is down where a reload failed.
    if down.is_empty() {
        down = names.to_vec();
    }
    let journal = journal(sys, &down);
    if journal.trim().is_empty() { error } else { error.output(&journal) }
}

/// Returns the last lines of the journals of units: as many of each as fit.
pub(super) fn journal(sys: &dyn System, names: &[&str]) -> String {
    let run = |words: &[&str]| {
        let command = Command::new(["journalctl"].iter().chain(words).copied()).timeout(PATIENCE);
        sys.run(&command).map_or(String::new(), |output| output.text())
    };
    // What a unit said last may not be written yet.
    run(&["--sync"]);
    let share = (LINES / names.len().max(1)).max(1).to_string();
    // More than `-u` has: of a process that is gone the journal does not know the unit, but who starts it for systemd names it.
    let last = |name: &&str| {
        let [its, of_it, dumped] = ["_SYSTEMD_UNIT", "UNIT", "COREDUMP_UNIT"].map(|field| format!("{field}={name}"));
        let root = "_UID=0";
        run(&["-n", &share, "--no-pager", "-q", "-o", "cat", &its, "+", root, &of_it, "+", root, &dumped])
    };
    names.iter().map(last).collect()
}
