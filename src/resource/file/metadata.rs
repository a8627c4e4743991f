//! Owner, group and mode of a file: beside its content, or all that a recipe says of it.
use super::File;
use crate::error::{Error, Result};
use crate::field::Mode;
use crate::resource::need::Needs;
use crate::resource::{Ask, Change, Plan, Step, owned};
use crate::system::passwd::accounts;
use crate::system::{FileKind, Stat, System};

impl File {
    /// Without content, only what is given is looked after.
    pub(super) fn check_metadata<'a>(&'a self, is: Option<Stat>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut needs = Needs::default();
        let uid = match &self.owner {
            None => None,
            Some(who) => Some(needs.owner(who, ask, sys)?.map(|(uid, _)| uid)),
        };
        let gid = match &self.group {
            None => None,
            Some(who) => Some(needs.group(who, ask, sys)?),
        };
        let mut changes = match is {
            Some(is) if is.kind == FileKind::Link && self.mode.is_some() => return Err(self.in_the_way("a link")),
            // What is not asked for is as it is.
            Some(is) => {
                let owner = (uid.unwrap_or(Some(is.uid)), gid.unwrap_or(Some(is.gid)));
                let mut changes = self.changed_metadata(is, owner, self.mode, sys)?;
                let left = owned::mode_once_given(is);
                if self.mode.is_none() && !changes.is_empty() && left != is.mode {
                    let (from, to) = (Mode(is.mode).to_string(), Mode(left).to_string());
                    changes.push(Change::field(&self.path.0, "mode", Some(from), Some(to)));
                }
                changes
            }
            None => {
                needs.missing(&self.thing(), ask, || {
                    Error::new(format!("looking at `{}`", self.path))
                        .reason("it is not there, and the recipe says nothing of its content")
                        .remedy("give it `content`, `source`, `url` or `link`")
                })?;
                let to = |field: &str, to: Option<String>| Change::field(&self.path.0, field, None, to);
                let asked = [
                    to("owner", self.owner.as_ref().map(ToString::to_string)),
                    to("group", self.group.as_ref().map(ToString::to_string)),
                    to("mode", self.mode.map(|mode| mode.to_string())),
                ];
                asked.into_iter().filter(|change| change.to.is_some()).collect()
            }
        };
        if let Some(waiting) = needs.waiting(&self.path.0, Vec::new()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        if changes.is_empty() {
            return Ok(Plan::in_sync());
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        Ok(Plan::step(Step::new(changes, move |sys| self.set_metadata(self.mode, sys)).supplies([self.thing()])))
    }

    /// Returns what differs of owner, group and mode; a uid or gid that is not known yet differs.
    pub(super) fn changed_metadata(
        &self,
        is: Stat,
        (uid, gid): (Option<u32>, Option<u32>),
        mode: Option<Mode>,
        sys: &dyn System,
    ) -> Result<Vec<Change>> {
        if uid == Some(is.uid)
            && gid == Some(is.gid)
            && mode.is_none_or(|mode| mode.0 == is.mode || is.kind == FileKind::Link)
        {
            return Ok(Vec::new());
        }
        let accounts = accounts(sys)?;
        let mut changes = Vec::new();
        let mut differs = |field, from, to| changes.push(Change::field(&self.path.0, field, Some(from), Some(to)));
        if uid != Some(is.uid) {
            differs("owner", accounts.shown_user(is.uid), self.ownership().shown_owner());
        }
        if gid != Some(is.gid) {
            let to = gid.map_or_else(|| self.ownership().shown_group(), |gid| accounts.shown_group(gid));
            differs("group", accounts.shown_group(is.gid), to);
        }
        if let Some(mode) = mode.filter(|mode| mode.0 != is.mode && is.kind != FileKind::Link) {
            differs("mode", Mode(is.mode).to_string(), mode.to_string());
        }
        Ok(changes)
    }

    /// Sets what is asked for of owner, group and mode.
    pub(super) fn set_metadata(&self, mode: Option<Mode>, sys: &dyn System) -> Result<()> {
        let path = self.path.path();
        let attempt = || format!("looking at `{}`", self.path);
        let is = sys.look(path)?.ok_or_else(|| Error::new(attempt()).reason("it is gone"))?;
        let whole = self.content.is_some() || self.source.is_some() || self.url.is_some();
        let (uid, gid) = match (whole, &self.owner, &self.group) {
            (false, None, None) => (is.uid, is.gid),
            (false, None, Some(_)) => (is.uid, self.ownership().now(sys)?.1),
            (false, Some(_), None) => (self.ownership().now(sys)?.0, is.gid),
            _ => self.ownership().now(sys)?,
        };
        owned::set(path, is, (uid, gid), mode.map(|mode| mode.0), sys)
    }
}
