//! Taking a unit away: what we made of it is undone, what was there before us stays.
use super::boot::{AtBoot, Switch, at_boot};
use super::file::path_of;
use super::start::systemctl as run;
use super::{Unit, mask, name_in_systemd, stale};
use crate::error::{Attempt as _, Result};
use crate::field::UnitName;
use crate::resource::{Ask, Change, Plan, Remark, Step, Thing, kept};
use crate::system::systemctl::{self, Units};
use crate::system::{Command, System};
use std::path::Path;

/// What is undone of one unit.
#[derive(Debug)]
struct Undo<'a> {
    name: &'a UnitName,
    /// The name that systemd has for it.
    known_as: String,
    stop: bool,
    /// systemd remembers that it failed.
    failed: bool,
    switch: Option<Switch>,
    file: Option<File>,
    /// It ran before us as well, and should run with the file that is put back.
    restart: bool,
}

/// What becomes of a unit's file.
#[derive(Debug, Clone, Copy)]
enum File {
    Removed,
    Restored,
}

impl Unit {
    pub(super) fn check_absent<'a>(&'a self, units: &Units, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let (mut changes, mut undos) = (Vec::new(), Vec::new());
        for name in &self.name.0 {
            let (some, undo) = undo(name, units, ask, sys)?;
            let found = units.get(&name.0);
            let notable = match found {
                Some(unit) => unit.is_active() || starts_by_enabling(unit, sys)?,
                None => false,
            };
            let path = path_of(name);
            let there = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some();
            if undo.file.is_none() && (there || (some.is_empty() && notable)) {
                let why = if ask.ours(&name.0) { "changed since we wrote it" } else { "it was there before us" };
                plan.remarks.push(Remark { name: name.0.clone(), text: format!("kept: {why}") });
            }
            if !some.is_empty() {
                changes.extend(some);
                undos.push(undo);
            }
        }
        if changes.is_empty() {
            return Ok(plan);
        }
        let supplies: Vec<Thing> = undos.iter().map(|undo| Thing::Path(path_of(undo.name))).collect();
        let (timeout, running) = (ask.timeout, units.running);
        let step = Step::new(changes, move |sys| undos.iter().try_for_each(|undo| undo.make(sys, running, timeout)));
        plan.steps.push(step.supplies(supplies));
        Ok(plan)
    }
}

fn undo<'a>(name: &'a UnitName, units: &Units, ask: &Ask<'_>, sys: &dyn System) -> Result<(Vec<Change>, Undo<'a>)> {
    let path = path_of(name);
    let found = units.get(&name.0);
    let last = |field: &str| ask.claim(&name.0).and_then(|claim| claim.last.get(field)).map_or("", String::as_str);
    let is = sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?;
    let kept = kept::copy_of(&path, sys)?;
    let digest = sys.read(&path).map(|bytes| ask.digest(&bytes)).unwrap_or_default();
    let wrote = is.is_some() && !digest.is_empty() && (last("").ends_with(&digest) || last("content") == digest);
    let restored = match (&kept, is) {
        (Some((copy, _)), Some(_)) => kept::same(&path, copy, sys)?,
        _ => false,
    };
    let file = match kept {
        Some(_) if is.is_none() || wrote || restored => Some(File::Restored),
        None if ask.ours(&name.0) && wrote => Some(File::Removed),
        _ => None,
    };
    let goes = matches!(file, Some(File::Removed)) || (is.is_none() && kept.is_none() && ask.ours(&name.0));
    let mut changes = Vec::new();
    let mut change = |field: &str, from: String, to: &str| {
        changes.push(Change::field(&name.0, field, Some(from), Some(to.to_owned())));
    };
    let running = found.filter(|unit| !unit.is_stopped());
    let stop = running.filter(|_| goes || matches!(last("active"), "active"));
    if let Some(unit) = stop {
        change("active", unit.shown_state(), "inactive");
    }
    let switch = match found {
        Some(unit) if (goes || last("enabled") == "enabled") && starts_by_enabling(unit, sys)? => {
            change("enabled", "enabled".to_owned(), "disabled");
            Some(Switch::Disable)
        }
        Some(unit) if unit.is_masked() && last("masked") == "masked" => {
            change("masked", "masked".to_owned(), "unmasked");
            Some(Switch::Unmask)
        }
        _ => None,
    };
    let restart = matches!(file, Some(File::Restored)) && stop.is_none() && running.is_some() && restarts(&name.0);
    if matches!(file, Some(File::Restored)) {
        change("content", "ours".to_owned(), "as it was before us");
    }
    if restart {
        change("restarted", "started from our file".to_owned(), "restarted");
    }
    if matches!(file, Some(File::Removed)) {
        changes.push(Change::removed(&name.0, "unit file"));
    }
    let found = found.map(AsRef::as_ref);
    let (known_as, failed) = (name_in_systemd(name, found), found.is_some_and(|unit| unit.active == "failed"));
    Ok((changes, Undo { name, known_as, stop: stop.is_some(), failed, switch, file, restart }))
}

/// Returns whether a restart of such a unit ends nothing else.
fn restarts(name: &str) -> bool {
    !Path::new(name).extension().is_some_and(|is| is == "slice" || is == "target")
}

fn starts_by_enabling(unit: &systemctl::Unit, sys: &dyn System) -> Result<bool> {
    Ok(matches!(at_boot(unit, sys)?, AtBoot::Starts | AtBoot::Once))
}

impl Undo<'_> {
    fn make(&self, sys: &dyn System, running: bool, timeout: std::time::Duration) -> Result<()> {
        let name = std::slice::from_ref(&self.known_as);
        // First: after a kill in between, what is left to undo is seen all the same.
        stale::forget(sys, &self.known_as)?;
        mask::forget(&self.known_as, sys)?;
        if self.stop {
            run(sys, &["stop"], name, timeout)?;
        }
        for verb in self.switch.map_or(&[] as &[&[&str]], Switch::arguments) {
            run(sys, verb, name, timeout)?;
        }
        if self.failed {
            // One that somebody else has reset meanwhile is none.
            let reset = Command::new(["systemctl", "reset-failed", "--", &self.known_as]);
            sys.run(&reset.timeout(timeout))?;
        }
        let reload = || if running { run(sys, &["daemon-reload"], &[], timeout) } else { Ok(()) };
        match self.file {
            Some(File::Removed) => {
                sys.remove_file(&path_of(self.name))?;
                reload()
            }
            Some(File::Restored) => kept::restore_for(&path_of(self.name), sys, || {
                reload()?;
                if self.restart { run(sys, &["restart"], name, timeout) } else { Ok(()) }
            }),
            None => Ok(()),
        }
    }
}
