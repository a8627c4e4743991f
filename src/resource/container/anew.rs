//! A container that goes first and is made anew: one that is replaced, one that was left half made.
use super::View;
use crate::container::{Changed, Found, Settings};
use crate::error::Result;
use crate::resource::{Change, Plan, Step};

impl<'a> View<'a, '_> {
    /// One that somebody's killed run left half made: there is nothing in it to lose, but it may be another's.
    pub(super) fn half_made(&self) -> Result<Plan<'a>> {
        let adopted = self.ask.allows(&self.ask.known.allowed.adopt, &self.name);
        if self.is_ours() || adopted {
            let half = Change::removed(&self.name, "what a killed run left half made");
            return Ok(self.anew(vec![half], self.made(&Settings::default())?));
        }
        let remedy = format!("to take it away and make it anew, run again with `--adopt {}`", self.name);
        let waiting = self.wait("a killed run of somebody else left it half made", Some(remedy), self.machine());
        Ok(Plan { waiting: vec![waiting], ..Plan::default() })
    }

    /// Destroys it and makes it anew; it keeps its MACs.
    pub(super) fn replaced(&self, found: &Found, fixed: &[Changed]) -> Result<Plan<'a>> {
        if found.settings.protection == Some(true) && self.settings.protection != Some(false) {
            let waiting = self.wait("it is protected", Some("set `protection = false` first".into()), Vec::new());
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let shown = |c: &Changed| Change::field(&self.name, &c.field, c.from.clone(), Some(c.to.clone()));
        let mut changes = vec![Change::removed(&self.name, "the container with all that is in it")];
        changes.extend(fixed.iter().map(shown));
        Ok(self.anew(changes, self.made(&found.settings)?))
    }

    /// Puts the taking away of what is there in front of the making.
    fn anew(&self, going: Vec<Change>, mut made: Plan<'a>) -> Plan<'a> {
        let (id, driver) = (self.id(), self.driver);
        if !made.steps.is_empty() {
            made.steps.insert(0, Step::new(going, move |sys| driver.vacate(sys, id)));
        }
        made
    }
}
