//! A container that should not be there: it goes if it is ours and a person named it; else what it uses stays as well.
use super::View;
use crate::container::{Found, What};
use crate::resource::{Change, Plan, Step, Thing};
use std::path::{Path, PathBuf};

impl<'a> View<'a, '_> {
    /// One that should not be there.
    pub(super) fn absent(&self, found: &Found) -> Plan<'a> {
        let (id, driver) = (self.id(), self.driver);
        let mut plan = Plan::default();
        let half = matches!(found.what, What::Unfinished | What::Half);
        if !self.ask.ours(&self.name) && found.what != What::Unfinished {
            plan.remarks.push(self.remark("kept: it was not made here"));
        } else if found.settings.protection == Some(true) {
            plan.waiting.push(self.wait("it is protected", Some("set `protection = false` first".into()), Vec::new()));
        } else if !half && !self.ask.allows_to_go(&self.ask.known.allowed.data, &self.name) {
            let remedy = format!("to destroy it with all that is in it, run again with `--data {}`", self.name);
            plan.waiting.push(self.wait("it would go with its data", Some(remedy), Vec::new()));
        }
        if !plan.remarks.is_empty() || !plan.waiting.is_empty() {
            plan.needed = self.stands_on(found);
            return plan;
        }
        let what = match &found.settings.hostname {
            Some(hostname) => format!("{hostname} with all that is in it"),
            None => "what a killed run left of it".to_owned(),
        };
        let change = Change::removed(&self.name, what);
        let ends = driver.host_ends(self.sys, id).into_iter().map(|end| Thing::Path(interface(&end)));
        plan.steps.push(Step::new(vec![change], move |sys| driver.destroy(sys, id)).supplies(ends));
        plan
    }

    /// What of the host it uses.
    fn stands_on(&self, found: &Found) -> Vec<Thing> {
        let bridges = found.settings.nets.iter().filter_map(|net| net.bridge.as_ref());
        let bridges = bridges.map(|bridge| Thing::Path(interface(bridge)));
        let sources = found.settings.mounts.iter().map(|mount| Thing::Path(PathBuf::from(&mount.source)));
        self.machine().into_iter().chain(bridges).chain(sources).collect()
    }
}

/// Returns where the kernel shows an interface.
fn interface(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}
