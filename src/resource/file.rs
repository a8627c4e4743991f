//! `[[file]]`: a whole file, a link, or the owner and mode of a file.
use super::need::{Needs, Ownership};
use super::{Ask, Change, Mistake, Plan, Resource, Step, Thing, Want, kept};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{AbsPath, Digest, Mode, Principal, Text};
use crate::system::passwd::accounts;
use crate::system::{FileKind, Stat, System};
use serde::Deserialize;
use std::path::Path;

mod absent;
mod content;

use content::Content;

/// A file, as a recipe asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    path: AbsPath,
    content: Option<Text>,
    source: Option<Text>,
    url: Option<Text>,
    sha256: Option<Digest<256>>,
    link: Option<Text>,
    #[serde(default)]
    template: bool,
    #[serde(default)]
    once: bool,
    owner: Option<Principal>,
    group: Option<Principal>,
    mode: Option<Mode>,
    #[serde(default)]
    validate: Vec<Text>,
}

impl Resource for File {
    fn names(&self) -> Vec<String> {
        vec![self.path.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let is = sys.lstat(self.path.path()).attempt(|| format!("reading `{}`", self.path))?;
        match (ask.want, is) {
            (Want::Absent, is) => self.check_absent(is, ask, sys),
            (Want::Present, Some(_)) if self.once => Ok(Plan::in_sync()),
            (Want::Present, Some(is)) if is.kind == FileKind::Directory => {
                Err(self.in_the_way("a directory").remedy("remove it, or use [[directory]]"))
            }
            (Want::Present, Some(is)) if is.kind == FileKind::Other => Err(self.in_the_way("a device, socket or pipe")),
            (Want::Present, is) => match (&self.link, self.asked(ask)?) {
                (Some(target), _) => self.check_link(target, is, ask, sys),
                (None, Some(content)) => self.check_content(content, is, ask, sys),
                (None, None) => self.check_metadata(is, ask, sys),
            },
        }
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let given = [
            ("content", self.content.is_some()),
            ("source", self.source.is_some()),
            ("url", self.url.is_some()),
            ("link", self.link.is_some()),
        ];
        let given: Vec<&'static str> = given.iter().filter(|(_, is)| *is).map(|(key, _)| *key).collect();
        if let [first, second, ..] = given[..] {
            mistakes.push(Mistake::at(second, format!("`{second}` and `{first}`: a file has one of them")));
        }
        match (&self.url, &self.sha256) {
            (Some(_), None) => mistakes.push(Mistake::at("url", "`url` needs `sha256`")),
            (None, Some(_)) => mistakes.push(Mistake::at("sha256", "`sha256` belongs to a `url`")),
            _ => {}
        }
        if self.url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            mistakes.push(Mistake::at("url", "`url` begins with https:// or http://"));
        }
        if self.template && self.source.is_none() {
            mistakes.push(Mistake::at("template", "`template` belongs to a `source`; `content` is always rendered"));
        }
        if self.once && given.is_empty() {
            mistakes.push(Mistake::at("once", "`once` needs something to write: `content`, `source`, `url` or `link`"));
        }
        if !self.validate.is_empty() && (given.is_empty() || self.link.is_some()) {
            mistakes.push(Mistake::at("validate", "`validate` belongs to a `content`, `source` or `url`"));
        }
        if self.link.is_some() && self.mode.is_some() {
            mistakes.push(Mistake::at("mode", "a link has no mode"));
        }
        mistakes
    }
}

impl File {
    fn ownership(&self) -> Ownership<'_> {
        Ownership { owner: self.owner.as_ref(), group: self.group.as_ref() }
    }

    fn mode(&self, ask: &Ask<'_>) -> Mode {
        let secret = ask.is_secret("content") || ask.is_secret("source");
        self.mode.unwrap_or(Mode(if secret { 0o600 } else { 0o644 }))
    }

    fn in_the_way(&self, what: &str) -> Error {
        Error::new(format!("looking at `{}`", self.path)).reason(format!("{what} is there"))
    }

    fn check_content<'a>(
        &'a self,
        content: Content<'_>,
        is: Option<Stat>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let mut needs = Needs::default();
        let owner = self.ownership().planned(&mut needs, ask, sys)?;
        let mode = self.mode(ask);
        let same = match is {
            Some(is) if is.kind == FileKind::File => content.is_in(&self.path, is.size, sys)?,
            _ => false,
        };
        let mut plan = Plan::in_sync();
        let mut changes = match is {
            None => vec![content.made(&self.path, ask)],
            Some(is) => {
                let mut changes = self.changed_metadata(is, owner, Some(mode), sys)?;
                if content.is_unknown() && ask.claim(&self.path.0).is_some_and(|claim| claim.held.is_some()) {
                    let text = "its content holds a secret that is not at hand: not compared".to_owned();
                    plan.remarks.push(super::Remark { name: self.path.0.clone(), text });
                } else if !same {
                    changes.insert(0, content.changed(&self.path, is, ask, sys)?);
                }
                changes
            }
        };
        if changes.is_empty() {
            return Ok(plan);
        }
        if is.is_none() {
            needs.parent(self.path.path(), ask, sys)?;
        }
        let writes = changes.iter().any(|change| change.makes() || change.field == "content");
        if let (true, Some(program)) = (writes, self.validate.first()) {
            needs.program(program, ask, sys)?;
        }
        if let Some(waiting) = needs.waiting(&self.path.0, vec![self.thing()]) {
            plan.waiting.push(waiting);
            return Ok(plan);
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        let foreign = is.is_some() && !ask.ours(&self.path.0);
        let draft = content.into_draft(ask.timeout);
        let step = Step::new(changes, move |sys| {
            if !writes {
                return self.set_metadata(Some(mode), sys);
            }
            let bytes = draft.bytes(sys)?;
            if foreign {
                kept::keep(self.path.path(), sys)?;
            }
            self.write(&bytes, mode, draft.timeout, sys)
        });
        plan.steps.push(step.supplies([self.thing()]));
        Ok(plan)
    }

    fn check_link<'a>(
        &'a self,
        target: &'a Text,
        is: Option<Stat>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let path = self.path.path();
        let mut needs = Needs::default();
        let owner = self.ownership().planned(&mut needs, ask, sys)?;
        let mut changes = match is {
            None => {
                needs.parent(path, ask, sys)?;
                vec![Change::made(&self.path.0, format!("link to {target}"))]
            }
            Some(is) => {
                let mut changes = self.changed_metadata(is, owner, None, sys)?;
                let from = if is.kind == FileKind::Link {
                    let found = sys.read_link(path).attempt(|| format!("reading the link `{}`", self.path))?;
                    found.to_string_lossy().into_owned()
                } else {
                    format!("a file, {} B", is.size)
                };
                if is.kind != FileKind::Link || from != target.0 {
                    changes.insert(0, Change::field(&self.path.0, "link", Some(from), Some(target.0.clone())));
                }
                changes
            }
        };
        if changes.is_empty() {
            return Ok(Plan::in_sync());
        }
        if let Some(waiting) = needs.waiting(&self.path.0, vec![self.thing()]) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        let foreign = is.is_some() && !ask.ours(&self.path.0);
        let step = Step::new(changes, move |sys| {
            if foreign {
                kept::keep(path, sys)?;
            }
            let (uid, gid) = self.ownership().now(sys)?;
            sys.symlink(Path::new(&target.0), path, uid, gid)
        });
        Ok(Plan::step(step.supplies([self.thing()])))
    }

    /// Without content, only what is given is looked after.
    fn check_metadata<'a>(&'a self, is: Option<Stat>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
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
                self.changed_metadata(is, (uid.unwrap_or(Some(is.uid)), gid.unwrap_or(Some(is.gid))), self.mode, sys)?
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
    fn changed_metadata(
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

    /// Sets what is asked for of owner, group and mode, owner first: its change clears setuid and setgid.
    fn set_metadata(&self, mode: Option<Mode>, sys: &dyn System) -> Result<()> {
        let attempt = || format!("reading `{}`", self.path);
        let path = self.path.path();
        let is = sys.lstat(path).attempt(attempt)?.ok_or_else(|| Error::new(attempt()).reason("it is gone"))?;
        let whole = self.content.is_some() || self.source.is_some() || self.url.is_some();
        let (uid, gid) = match (whole, &self.owner, &self.group) {
            (false, None, None) => (is.uid, is.gid),
            (false, None, Some(_)) => (is.uid, self.ownership().now(sys)?.1),
            (false, Some(_), None) => (self.ownership().now(sys)?.0, is.gid),
            _ => self.ownership().now(sys)?,
        };
        if (uid, gid) != (is.uid, is.gid) {
            sys.chown(path, uid, gid)?;
        }
        let mode = mode.map_or(is.mode, |mode| mode.0);
        let cleared = (uid, gid) != (is.uid, is.gid) && mode & 0o6000 != 0;
        if is.kind != FileKind::Link && (mode != is.mode || cleared) {
            sys.chmod(path, mode)?;
        }
        Ok(())
    }

    fn thing(&self) -> Thing {
        Thing::Path(self.path.path().to_owned())
    }
}
