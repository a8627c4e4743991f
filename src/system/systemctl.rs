//! What systemd says of units: the output of `systemctl show`.
mod parse;
mod timestamp;

pub use parse::{parse_show, parse_version};

use super::unit_file::is_redefined;
use super::{Command, System};
use crate::error::{Attempt as _, Error, Result};
use crate::field::is_template;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

const PROPERTIES: &str = "Id,Names,LoadState,LoadError,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,\
    EnvironmentFiles,InvocationID,NRestarts,NeedDaemonReload,InactiveExitTimestamp,ExecMainStartTimestamp,Result,\
    ExecMainStatus,Type,RemainAfterExit,SourcePath,Triggers,CanReload,ConditionResult,Conflicts";

/// The version from which on `UpheldBy=` is known in `[Install]`.
const UPHELD_BY: u32 = 254;

/// The units of one `systemctl show`.
#[derive(Debug, Default)]
pub struct Units {
    /// systemd runs here; without it nothing is known of any unit.
    pub running: bool,
    by_name: HashMap<String, Arc<Unit>>,
}

/// A unit as systemd sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Its names: its own first, then its aliases.
    pub names: Vec<String>,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
    pub load: String,
    /// Why it could not be loaded, in systemd's words.
    pub load_error: String,
    /// `active`, `reloading`, `inactive`, `failed`, `activating`, `deactivating`.
    pub active: String,
    /// `running`, `exited`, `auto-restart`, …
    pub sub: String,
    /// `enabled`, `disabled`, `static`, `masked`, …; empty where there is no file.
    pub file_state: String,
    /// Its unit file.
    pub fragment: Option<PathBuf>,
    /// That from which a generator made it, such as `/etc/fstab`.
    pub source: Option<PathBuf>,
    /// Its drop-ins.
    pub drop_ins: Vec<PathBuf>,
    /// The files of `EnvironmentFile=`, with their wildcards.
    pub environment_files: Vec<PathBuf>,
    /// Differs with each start.
    pub invocation: String,
    /// How often `Restart=` has started it again.
    pub restarts: u64,
    /// systemd would read something else now than it has read.
    pub needs_reload: bool,
    /// It can read its configuration again while it runs.
    pub can_reload: bool,
    /// The units that it starts: a socket's or a timer's service.
    pub triggers: Vec<String>,
    /// The units that it has stopped when it starts.
    pub conflicts: Vec<String>,
    /// Whether all `Condition…=` were met at its last start.
    pub conditions_met: Option<bool>,
    /// When it was last started.
    pub started: Option<SystemTime>,
    /// `success`, `exit-code`, `signal`, …
    pub result: String,
    /// The exit code or signal of its main process.
    pub status: String,
    /// It is done once its command ends, and is then inactive.
    pub ends_by_itself: bool,
}

impl Units {
    /// Returns what is known of a unit.
    pub fn get(&self, name: &str) -> Option<&Arc<Unit>> {
        self.by_name.get(name)
    }
}

impl Unit {
    /// Returns whether systemd has it, masked or not.
    pub fn exists(&self) -> bool {
        !matches!(self.load.as_str(), "" | "not-found")
    }

    /// Returns whether it runs, or does what stands for running.
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Returns whether it is stopped, by itself or not.
    pub fn is_stopped(&self) -> bool {
        matches!(self.active.as_str(), "" | "inactive" | "failed" | "deactivating")
    }

    /// Returns whether it is masked.
    pub fn is_masked(&self) -> bool {
        self.load == "masked" || self.file_state.starts_with("masked")
    }

    /// Returns its state with the reason, as `failed (exit-code, status 203)`.
    pub fn shown_state(&self) -> String {
        match (self.active.as_str(), self.result.as_str()) {
            ("", _) => "inactive".to_owned(),
            ("failed", result) if matches!(self.status.as_str(), "" | "0") => format!("failed ({result})"),
            ("failed", result) => format!("failed ({result}, status {})", self.status),
            ("activating", _) => format!("activating ({})", self.sub),
            (state, _) => state.to_owned(),
        }
    }
}

/// Reads the state of units in one go. Where systemd does not run, nothing is known and that is no error.
pub fn show<'a>(sys: &dyn System, names: impl IntoIterator<Item = &'a str>) -> Result<Units> {
    let running = matches!(sys.lstat(Path::new("/run/systemd/system")), Ok(Some(_)));
    // A template has no state of its own; systemctl refuses to be asked.
    let names: BTreeSet<&str> = names.into_iter().filter(|name| !is_template(name)).collect();
    if !running || names.is_empty() {
        return Ok(Units { running, by_name: HashMap::new() });
    }
    let command = Command::new(["systemctl", "show", "--no-pager", "--timestamp=us", "--property", PROPERTIES, "--"]);
    let mut command = command.env("TZ", "UTC").timeout(Duration::from_mins(1));
    command.argv.extend(names.iter().map(|name| (*name).to_owned()));
    let output = sys.run(&command)?.success(&command)?.text();
    let mut by_name = HashMap::new();
    for mut unit in parse_show(&output) {
        if let Some(fragment) = unit.fragment.as_ref().filter(|_| !unit.needs_reload && !unit.is_masked()) {
            let attempt = || format!("looking for the files of `{}`", unit.names.join("`, `"));
            unit.needs_reload = is_redefined(sys, &unit.names, fragment, &unit.drop_ins).attempt(attempt)?;
        }
        let unit = Arc::new(unit);
        by_name.extend(unit.names.iter().map(|name| (name.clone(), unit.clone())));
    }
    Ok(Units { running, by_name })
}

/// Returns whether the systemd of this machine knows `UpheldBy=` in an `[Install]` section; one before 254 passes over it.
pub fn knows_upheld_by(sys: &dyn System) -> Result<bool> {
    if !matches!(sys.lstat(Path::new("/run/systemd/system")), Ok(Some(_))) {
        return Ok(true);
    }
    let knows = sys.facts().get("systemd knows UpheldBy=", || {
        let command = Command::new(["systemctl", "--version"]).timeout(Duration::from_mins(1));
        let output = sys.run(&command)?.success(&command)?.text();
        Ok::<_, Error>(parse_version(&output).is_none_or(|version| version >= UPHELD_BY))
    })?;
    Ok(*knows)
}
