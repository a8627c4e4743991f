//! `[[file]]`: a whole file, a link, or the owner and mode of a file.
use super::need::{Needs, Ownership};
use super::{Ask, Mistake, Plan, Resource, Step, Thing, Want, kept};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{AbsPath, Digest, Mode, Principal, Text};
use crate::system::{FileKind, Stat, System};
use serde::Deserialize;

mod absent;
mod content;
mod link;
mod metadata;

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

    fn thing(&self) -> Thing {
        Thing::Path(self.path.path().to_owned())
    }
}
