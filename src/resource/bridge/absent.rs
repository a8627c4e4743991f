//! Taking a bridge away: one that we made, once nothing is attached to it; one that was taken over gets back what it had.
use super::seen::{Seen, directory, text};
use super::stanza::{Stanza, drop_table};
use super::{Bridge, Look, ifup};
use crate::error::Result;
use crate::resource::{Ask, Change, Plan, Remark, Step, Thing, kept};
use crate::system::{Command, System};
use std::path::Path;
use std::time::Duration;

impl Bridge {
    pub(super) fn absent<'a>(&'a self, look: &Look<'a>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        if !look.exists {
            return Ok(Plan::in_sync());
        }
        let kept = |why: String| {
            let remark = Remark { name: name.clone(), text: format!("kept: {why}") };
            Plan { remarks: vec![remark], needed: vec![Thing::Program("ifup".to_owned())], ..Plan::default() }
        };
        if let Some(by) = ask.pending.needed_by(&Thing::Path(directory(name))) {
            return Ok(kept(format!("{by} stays and needs it")));
        }
        if !ask.ours(name) {
            return match kept::copy_of(&self.file(), sys)? {
                Some((copy, _)) => self.given_back(look, &copy, ask, sys),
                None => Ok(kept("it was there before".to_owned())),
            };
        }
        // In a plan, what an earlier step takes away is still there.
        let (mut after, mut attached) = (None, Vec::new());
        for port in &look.seen.ports {
            match ask.pending.coming(&Thing::Path(directory(port))) {
                Some(id) => after = Some(id.clone()),
                None => attached.push(port.as_str()),
            }
        }
        if !attached.is_empty() {
            return Ok(kept(format!("{} is attached to it", attached.join(", "))));
        }
        let (old, timeout) = (look.old, ask.timeout);
        let (table, address) = (old.table(), old.address.filter(|_| old.nat));
        let apply =
            move |sys: &dyn System| self.take_down(address.map(|address| drop_table(address, &table)), timeout, sys);
        Ok(Plan::step(Step::new(vec![Change::removed(name, old.shown()).after(after)], apply)))
    }

    /// Gives one that was taken over back the stanza that it had.
    fn given_back<'a>(&'a self, look: &Look<'a>, copy: &Path, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        let before = text(sys, copy)?;
        if look.written != look.asked.text() && look.written != before {
            let text =
                format!("kept: its stanza was changed since; what was there before us is in `{}`", copy.display());
            return Ok(Plan { remarks: vec![Remark { name: name.clone(), text }], ..Plan::default() });
        }
        let change = Change::field(name, "at boot", Some(look.old.shown()), Some("as it was before us".to_owned()));
        let (old, timeout) = (look.old, ask.timeout);
        let apply = move |sys: &dyn System| {
            self.leave(old, Stanza::read(&self.name, &before), timeout, sys)?;
            kept::restore_for(&self.file(), sys, || ifup(name, timeout, sys))
        };
        Ok(Plan::step(Step::new(vec![change], apply)))
    }

    fn take_down(&self, drop_table: Option<String>, timeout: Duration, sys: &dyn System) -> Result<()> {
        let name = &self.name.0;
        // What it leaves undone is done below, and seen by the next check.
        sys.run(&Command::new(["ifdown", "--force", name]).timeout(timeout))?;
        if let Some(script) = drop_table {
            sys.run(&Command::new(["nft", &script]).timeout(timeout))?;
        }
        if Seen::read(sys, name)?.exists {
            let command = Command::new(["ip", "link", "delete", "dev", name]).timeout(timeout);
            sys.run(&command)?.success(&command)?;
        }
        sys.remove_file(&self.file())
    }
}
