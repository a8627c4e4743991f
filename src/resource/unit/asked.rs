//! What is asked of the units of one resource, and the order in which it is done.
use super::boot::Switch;
use super::refuse::is_refused;
use super::start::{Way, bring_up, systemctl};
use super::{Unit, file, install, mask, why};
use crate::error::Result;
use crate::field::UnitName;
use crate::resource::{Ask, Change, Plan, Step, Thing};
use crate::system::systemctl::show;
use crate::system::{System, unit_file};
use std::time::Duration;

/// What is asked of units, gathered over the names of a resource; each with the name that systemd has for it.
#[derive(Default)]
pub(super) struct Asked<'a> {
    /// Links of units that their new files do not name.
    pub(super) unlinks: Vec<(Change, Vec<String>)>,
    pub(super) files: Vec<(Change, &'a UnitName)>,
    pub(super) reread: Vec<Change>,
    pub(super) switches: Vec<(Change, String, Switch)>,
    pub(super) stops: Vec<(Change, String)>,
    pub(super) starts: Vec<(Vec<Change>, String, Way)>,
}

impl<'a> Asked<'a> {
    /// Adds what is asked of another unit.
    pub(super) fn add(&mut self, other: Asked<'a>) {
        let Asked { unlinks, files, reread, switches, stops, starts } = other;
        self.unlinks.extend(unlinks);
        self.files.extend(files);
        self.reread.extend(reread);
        self.switches.extend(switches);
        self.stops.extend(stops);
        self.starts.extend(starts);
    }
}

impl Unit {
    /// Orders the steps: links that no file will name, files, what systemd knows of them, what becomes of it at boot, then what runs.
    pub(super) fn steps<'a>(&'a self, asked: Asked<'a>, bytes: Option<&[u8]>, ask: &Ask<'_>, plan: &mut Plan<'a>) {
        let timeout = ask.timeout;
        if !asked.unlinks.is_empty() {
            let (changes, links): (Vec<Change>, Vec<Vec<String>>) = asked.unlinks.into_iter().unzip();
            plan.steps.push(Step::new(changes, move |sys| install::remove(links.iter().flatten(), sys)));
        }
        if let Some(bytes) = bytes.filter(|_| !asked.files.is_empty()) {
            plan.steps.push(written(asked.files, bytes.to_vec(), ask));
        }
        if !asked.reread.is_empty() {
            plan.steps.push(Step::new(asked.reread, move |sys| systemctl(sys, &["daemon-reload"], &[], timeout)));
        }
        for switch in Switch::ALL {
            let some = asked.switches.iter().filter(|(.., wanted)| *wanted == switch);
            let (changes, names): (Vec<Change>, Vec<String>) =
                some.map(|(change, name, _)| (change.clone(), name.clone())).unzip();
            if !changes.is_empty() {
                let aliases = bytes.filter(|_| switch == Switch::Enable).map(aliases).unwrap_or_default();
                let step = Step::new(changes, move |sys| {
                    if switch == Switch::Mask {
                        names.iter().try_for_each(|name| mask::claim(name, sys))?;
                    }
                    switch.arguments().iter().try_for_each(|verb| systemctl(sys, verb, &names, timeout))?;
                    if switch == Switch::Unmask {
                        names.iter().try_for_each(|name| mask::release(name, sys))?;
                    }
                    Ok(())
                });
                plan.steps.push(step.supplies(aliases));
            }
        }
        if !asked.stops.is_empty() {
            let (changes, names): (Vec<Change>, Vec<String>) = asked.stops.into_iter().unzip();
            plan.steps.push(Step::new(changes, move |sys| systemctl(sys, &["stop"], &names, timeout)));
        }
        if !asked.starts.is_empty() {
            let mut changes = Vec::new();
            let mut ways = Vec::new();
            for (some, name, way) in asked.starts {
                changes.extend(some);
                ways.push((name, way));
            }
            let supplies: Vec<Thing> = ways.iter().map(|(name, _)| Thing::Unit(name.clone())).collect();
            let settle = self.settle();
            let step = Step::new(changes, move |sys| bring_up(sys, &ways, &self.watch, settle, timeout));
            plan.steps.push(step.supplies(supplies));
        }
    }
}

/// Returns the step that writes the files of units and has systemd read them.
fn written<'a>(files: Vec<(Change, &'a UnitName)>, bytes: Vec<u8>, ask: &Ask<'_>) -> Step<'a> {
    let timeout = ask.timeout;
    let (changes, mut names): (Vec<Change>, Vec<&UnitName>) = files.into_iter().unzip();
    names.dedup();
    let foreign: Vec<bool> = names.iter().map(|name| !ask.ours(&name.0)).collect();
    let supplies: Vec<Thing> =
        names.iter().flat_map(|name| [Thing::Path(file::path_of(name)), Thing::Unit(name.0.clone())]).collect();
    let step = Step::new(changes, move |sys| {
        for (name, foreign) in names.iter().zip(foreign) {
            file::write(name, &bytes, foreign && !mask::is_in_place(name, sys)?, sys)?;
        }
        read_again(sys, &names, timeout)
    });
    step.supplies(supplies)
}

/// Has systemd read its files again, where it runs, and fails where it can't use one: before what runs is touched.
fn read_again(sys: &dyn System, names: &[&UnitName], timeout: Duration) -> Result<()> {
    if !show(sys, [])?.running {
        return Ok(());
    }
    systemctl(sys, &["daemon-reload"], &[], timeout)?;
    let units = show(sys, names.iter().map(|name| name.0.as_str()))?;
    let refused = names.iter().filter_map(|name| units.get(&name.0)).find(|unit| is_refused(unit));
    refused.map_or(Ok(()), |unit| Err(why::not_loaded(sys, unit)))
}

fn aliases(bytes: &[u8]) -> Vec<Thing> {
    let text = String::from_utf8_lossy(bytes);
    unit_file::aliases(&text).into_iter().map(|name| Thing::Unit(name.to_owned())).collect()
}
