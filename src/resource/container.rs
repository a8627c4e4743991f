//! `container`: an LXC container of this host. Everything that is Proxmox's or plain LXC's is the driver's affair.
mod absent;
mod anew;
mod asked;
mod import;
mod mistakes;
mod needs;
mod origin;
mod seal;
mod share;
mod source;
mod template;

use super::need::Needs;
use super::{Ask, Change, Claim, Mistake, Plan, Remark, Resource, Step, Thing, Waiting, Want};
use crate::container::{self, Driver, Edit, Effect, Found, Set, Settings, What, driver};
use crate::error::{Error, Result};
use crate::ledger::ABSENT;
use crate::system::System;
pub(super) use asked::Container;
pub use import::{Imported, imported};
use origin::Origin;
pub(crate) use seal::Seal;
pub use share::capacity;
use source::Fetched;

impl Resource for Container {
    fn names(&self) -> Vec<String> {
        vec![self.id.to_string()]
    }

    fn mistakes(&self) -> Vec<Mistake> {
        self.all_mistakes()
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let driver = driver(sys)?;
        let view = View { asked: self, settings: self.settings(), driver, ask, sys, name: self.id.to_string() };
        let found = driver.found(sys, self.id.0)?;
        let plan = match (ask.want, found) {
            (_, Some(Found { what: What::Machine, .. })) => Err(view.taken("it is the id of a virtual machine")),
            (_, Some(Found { what: What::Elsewhere(node), .. })) => {
                Err(view.taken(&format!("it is the id of something on the node `{node}`")))
            }
            (Want::Absent, None) => Ok(Plan::in_sync()),
            (Want::Absent, Some(found)) => Ok(view.absent(&found)),
            (Want::Present, None) => view.made(&Settings::default()),
            (Want::Present, Some(found)) if found.what == What::Unfinished => view.made(&found.settings),
            (Want::Present, Some(found)) if found.what == What::Half => view.half_made(),
            (Want::Present, Some(found)) if found.what == What::Template => view.sealed(&found),
            (Want::Present, Some(found)) => view.present(&found),
        }?;
        if !plan.steps.is_empty() {
            view.needs_tools(&mut Needs::default())?;
        }
        Ok(plan)
    }
}

/// The field of a change that says from which base a container is cloned.
pub(crate) const CLONE: &str = "clone";

/// One container in one check.
struct View<'a, 'v> {
    asked: &'a Container,
    settings: Settings,
    driver: &'static dyn Driver,
    ask: &'v Ask<'v>,
    sys: &'v dyn System,
    name: String,
}

impl<'a> View<'a, '_> {
    fn id(&self) -> u32 {
        self.asked.id.0
    }

    fn machine(&self) -> Vec<Thing> {
        vec![Thing::Machine(self.id())]
    }

    fn taken(&self, why: &str) -> Error {
        Error::new(format!("looking at container {}", self.name)).reason(why).remedy("choose another id")
    }

    fn wait(&self, because: impl Into<String>, remedy: Option<String>, supplies: Vec<Thing>) -> Waiting {
        Waiting { name: self.name.clone(), because: because.into(), remedy, supplies }
    }

    fn remark(&self, text: impl Into<String>) -> Remark {
        Remark { name: self.name.clone(), text: text.into() }
    }

    /// We made it, or took it over.
    fn is_ours(&self) -> bool {
        let held = |claim: &Claim| claim.held.as_ref().is_some_and(|held| !held.starts_with(ABSENT));
        self.ask.claim(&self.name).is_some_and(|claim| claim.made || held(claim))
    }

    /// One that is not there, or only half. `before` has what a new one takes over.
    fn made(&self, before: &Settings) -> Result<Plan<'a>> {
        let mut needs = Needs::default();
        self.needs_tools(&mut needs)?;
        let (origin, fetched) = self.origin(&mut needs)?;
        self.needs_room(&mut needs, origin)?;
        self.needs_to_start(&mut needs)?;
        if let Some(waiting) = needs.waiting(&self.name, self.machine()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let (id, driver, timeout) = (self.id(), self.driver, self.ask.timeout);
        let mut settings = self.settings.clone();
        for net in &mut settings.nets {
            let same = before.nets.iter().find(|is| is.name == net.name);
            net.mac = net.mac.take().or_else(|| same.and_then(|is| is.mac.clone()));
        }
        let mut changes = vec![Change::made(&self.name, self.summary(origin)).after(needs.after.clone())];
        if let Origin::Base(_, Some(base)) = origin {
            // By this the ledger knows that what is ours in the base is ours in the clone.
            changes.push(Change::field(&self.name, CLONE, None, Some(base.to_string())).after(needs.after.clone()));
        }
        let mut supplies = self.machine();
        if let Some(Fetched { from, path }) = fetched {
            let to = format!("{} from {from}", path.display());
            changes.push(Change::field(&self.name, "download", None, Some(to)));
            supplies.push(Thing::Path(path));
        }
        let create = Step::new(changes, move |sys| match origin {
            Origin::Base(_, Some(base)) => driver.clone(sys, id, &settings, base, timeout),
            Origin::Base(name, None) => Err(Error::new(format!("cloning `{name}`")).reason("it is not there")),
            Origin::Template(template) => {
                let path = template.bring(sys, driver, timeout)?;
                driver.create(sys, id, &settings, &path, timeout)
            }
        });
        let mut plan = Plan::step(create.supplies(supplies));
        if self.asked.running {
            let change = Change::field(&self.name, "running", None, Some("true".to_owned())).after(needs.after);
            plan.steps.push(Step::new(vec![change], move |sys| driver.start(sys, id)).supplies(self.machine()));
        }
        plan.remarks = self.driver.limits(self.sys, &self.settings).into_iter().map(|text| self.remark(text)).collect();
        plan.remarks.extend(self.foreign(&self.settings.mounts));
        Ok(plan)
    }

    /// Says in few words what it will be.
    fn summary(&self, origin: Origin<'_>) -> String {
        let mut parts = vec![format!("{} from {}", self.asked.hostname.0, origin.shown())];
        parts.extend(self.settings.cores.map(|cores| format!("{cores} core{}", if cores == 1 { "" } else { "s" })));
        parts.extend(self.settings.memory.map(|memory| format!("{memory} memory")));
        parts.extend(self.settings.disk.map(|disk| format!("{disk} disk")));
        parts.extend(self.settings.nets.iter().map(|net| format!("{} on {net}", net.name)));
        parts.extend(self.settings.mounts.iter().map(|mount| format!("{} from {mount}", mount.target)));
        parts.join("; ")
    }

    /// One that is there.
    fn present(&self, found: &Found) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        if !self.is_ours() && !self.ask.allows(&self.ask.known.allowed.adopt, &self.name) {
            // Not touched at all, so nothing inside is either.
            let remedy = format!("to take it over, run again with `--adopt {}`", self.name);
            plan.waiting.push(self.wait("it exists and is not ours", Some(remedy), self.machine()));
            return Ok(plan);
        }
        if let Some(lock) = &found.lock {
            let held = if found.running { Vec::new() } else { self.machine() };
            plan.waiting.push(self.wait(
                format!("it is locked ({lock})"),
                Some("run again once that has ended".into()),
                held,
            ));
            return Ok(plan);
        }
        let mut fixed = container::fixed(&self.settings, &found.settings);
        // Of a disk that nobody named, more is no mistake.
        fixed.retain(|change| change.field != "disk" || self.asked.disk.is_some());
        if !fixed.is_empty() && self.ask.allows_to_go(&self.ask.known.allowed.replace, &self.name) {
            return self.replaced(found, &fixed);
        }
        if !fixed.is_empty() {
            let fields: Vec<String> = fixed.iter().map(|c| format!("{} = {}", c.field, c.to)).collect();
            let remedy = format!("to destroy it and make it anew, run again with `--replace {}`", self.name);
            plan.waiting.push(self.wait(
                format!("only a new container can have {}", fields.join(", ")),
                Some(remedy),
                Vec::new(),
            ));
        }
        // What others are cloned from stays as it is.
        let sealed = found.what == What::Template;
        let edits =
            if sealed { Vec::new() } else { container::edits(&self.asked.settings_beside(&found.settings), found) };
        if let Some(waiting) = self.set(&mut plan, found, &edits)? {
            plan.waiting.insert(0, waiting);
            return Ok(plan);
        }
        self.run_state(&mut plan, found, &edits)?;
        Ok(plan)
    }

    /// Plans the step that makes the edits; returns what holds them back instead.
    fn set(&self, plan: &mut Plan<'a>, found: &Found, edits: &[Edit]) -> Result<Option<Waiting>> {
        if edits.is_empty() {
            return Ok(None);
        }
        let mut needs = Needs::default();
        for edit in edits {
            match &edit.set {
                Set::Net(net) => net.bridge.iter().try_for_each(|bridge| self.needs_bridge(&mut needs, bridge))?,
                Set::Mount(mount) => self.needs_source(&mut needs, &mount.source)?,
                _ => {}
            }
        }
        let held = if found.running { Vec::new() } else { self.machine() };
        if let Some(waiting) = needs.waiting(&self.name, held) {
            return Ok(Some(waiting));
        }
        let shown = edits.iter().flat_map(|edit| edit.shown(&self.name));
        let changes = shown.map(|change| change.after(needs.after.clone())).collect();
        let (id, driver, found, made) = (self.id(), self.driver, found.clone(), edits.to_vec());
        plan.steps.push(Step::new(changes, move |sys| driver.set(sys, id, &found, &made)));
        let limits = self.driver.limits(self.sys, &container::changing(&self.settings, edits));
        plan.remarks.extend(limits.into_iter().map(|text| self.remark(text)));
        let mounts = edits.iter().filter_map(|edit| if let Set::Mount(mount) = &edit.set { Some(mount) } else { None });
        plan.remarks.extend(self.foreign(mounts));
        Ok(None)
    }

    /// Plans start, stop and restart, or says that a restart is needed.
    fn run_state(&self, plan: &mut Plan<'a>, found: &Found, edits: &[Edit]) -> Result<()> {
        let (id, driver) = (self.id(), self.driver);
        let running =
            |from: bool, to: &str| Change::field(&self.name, "running", Some(from.to_string()), Some(to.to_owned()));
        let asked = self.asked.running && found.what != What::Template;
        match (found.running, asked) {
            (false, false) => {}
            (true, false) => plan.steps.push(Step::new(vec![running(true, "false")], move |sys| driver.stop(sys, id))),
            (false, true) => {
                let mut needs = Needs::default();
                self.needs_to_start(&mut needs)?;
                if let Some(waiting) = needs.waiting(&self.name, self.machine()) {
                    plan.waiting.insert(0, waiting);
                    return Ok(());
                }
                let change = running(false, "true").after(needs.after);
                plan.steps.push(Step::new(vec![change], move |sys| driver.start(sys, id)).supplies(self.machine()));
            }
            (true, true) => {
                let fields = self.owed(found, edits);
                if fields.is_empty() {
                    return Ok(());
                }
                if self.ask.allows(&self.ask.known.allowed.restart, &self.name) {
                    let step = Step::new(vec![running(true, "restarted")], move |sys| {
                        driver.stop(sys, id)?;
                        driver.start(sys, id)
                    });
                    plan.steps.push(step);
                    return Ok(());
                }
                let because = format!("{} takes effect at a restart only", fields.join(", "));
                let remedy = format!("run again with `--restart {}`", self.name);
                plan.waiting.insert(0, self.wait(because, Some(remedy), Vec::new()));
            }
        }
        Ok(())
    }

    /// Returns the fields of ours that are, or will be, written and not in effect.
    fn owed(&self, found: &Found, edits: &[Edit]) -> Vec<String> {
        let all = container::edits(&self.settings, &Found::default());
        let asked: Vec<&str> = all.iter().flat_map(|edit| &edit.changes).map(|change| change.field.as_str()).collect();
        // What is asked to be off is no edit of a container that has nothing.
        let off = |field: &str| {
            let feature = field.strip_prefix("features.");
            self.settings.features.each().iter().any(|(name, asked)| asked.is_some() && Some(*name) == feature)
        };
        let is_asked = |field: &str| {
            off(field) || asked.iter().any(|asked| field == *asked || field.starts_with(&format!("{asked}.")))
        };
        let waits = edits.iter().filter(|edit| self.driver.effect(edit, found) == Effect::Restart);
        // What goes back to what is in effect is owed no more.
        let back = |field: &str| {
            let to = edits
                .iter()
                .flat_map(|edit| &edit.changes)
                .find(|change| change.field == field)
                .map(|change| &change.to);
            to.is_some() && found.owed.iter().any(|owed| owed.field == field && owed.active.as_ref() == to)
        };
        let written = found.owed.iter().map(|owed| owed.field.clone()).filter(|field| is_asked(field));
        let coming = waits.flat_map(|edit| &edit.changes).map(|change| change.field.clone());
        let mut fields: Vec<String> = written.chain(coming).filter(|field| !back(field)).collect();
        fields.sort_unstable();
        fields.dedup();
        fields
    }
}
