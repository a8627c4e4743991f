//! What is asked of the units of one resource, and the order in which it is done.
use super::start::{Way, bring_up, systemctl};
use super::{Unit, file};
use crate::field::UnitName;
use crate::resource::{Ask, Change, Plan, Step, Thing};
use crate::system::systemctl;

/// What is asked of units, gathered over the names of a resource.
#[derive(Default)]
pub(super) struct Asked<'a> {
    pub(super) files: Vec<(Change, &'a UnitName)>,
    pub(super) reread: Vec<Change>,
    pub(super) switches: Vec<(Change, &'a UnitName, &'static str)>,
    pub(super) stops: Vec<(Change, &'a UnitName)>,
    pub(super) starts: Vec<(Change, &'a UnitName, Way)>,
}

impl Unit {
    /// Orders the steps: files, what systemd knows of them, what it does at boot, then what runs.
    pub(super) fn steps<'a>(&'a self, asked: Asked<'a>, bytes: Option<&[u8]>, ask: &Ask<'_>, plan: &mut Plan<'a>) {
        let timeout = ask.timeout;
        let thing = |name: &UnitName| Thing::Unit(name.0.clone());
        if let Some(bytes) = bytes.filter(|_| !asked.files.is_empty()) {
            let bytes = bytes.to_vec();
            let (changes, mut names): (Vec<Change>, Vec<&UnitName>) = asked.files.into_iter().unzip();
            names.dedup();
            let foreign: Vec<bool> = names.iter().map(|name| !ask.ours(&name.0)).collect();
            let supplies: Vec<Thing> =
                names.iter().flat_map(|name| [Thing::Path(file::path_of(name)), thing(name)]).collect();
            let step = Step::new(changes, move |sys| {
                for (name, foreign) in names.iter().zip(foreign) {
                    file::write(name, &bytes, foreign, sys)?;
                }
                if systemctl::show(sys, [])?.running { systemctl(sys, "daemon-reload", &[], timeout) } else { Ok(()) }
            });
            plan.steps.push(step.supplies(supplies));
        }
        if !asked.reread.is_empty() {
            plan.steps.push(Step::new(asked.reread, move |sys| systemctl(sys, "daemon-reload", &[], timeout)));
        }
        for verb in ["mask", "unmask", "enable", "disable"] {
            let some = asked.switches.iter().filter(|switch| switch.2 == verb);
            let (changes, names): (Vec<Change>, Vec<&UnitName>) =
                some.map(|(change, name, _)| (change.clone(), *name)).unzip();
            if !changes.is_empty() {
                plan.steps.push(Step::new(changes, move |sys| systemctl(sys, verb, &texts(&names), timeout)));
            }
        }
        if !asked.stops.is_empty() {
            let (changes, names): (Vec<Change>, Vec<&UnitName>) = asked.stops.into_iter().unzip();
            plan.steps.push(Step::new(changes, move |sys| systemctl(sys, "stop", &texts(&names), timeout)));
        }
        if !asked.starts.is_empty() {
            let supplies: Vec<Thing> = asked.starts.iter().map(|(_, name, _)| thing(name)).collect();
            let settle = self.settle();
            let ways: Vec<(&str, Way)> = asked.starts.iter().map(|(_, name, way)| (name.0.as_str(), *way)).collect();
            let changes = asked.starts.iter().map(|(change, ..)| change.clone()).collect();
            let step = Step::new(changes, move |sys| bring_up(sys, &ways, &self.watch, settle, timeout));
            plan.steps.push(step.supplies(supplies));
        }
    }
}

fn texts<'t>(names: &[&'t UnitName]) -> Vec<&'t str> {
    names.iter().map(|name| name.0.as_str()).collect()
}
