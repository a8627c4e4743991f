//! `[[file]]`: a whole file, a link, or the owner and mode of a file.
use super::need::{Needs, Ownership};
use super::{Ask, Mistake, Plan, Resource, Step, Thing, Want, kept, leftover};
use crate::error::{Error, Result};
use crate::field::{AbsPath, Digest, Mode, Principal, Text};
use crate::system::{FileKind, Stat, System};
use serde::Deserialize;

mod absent;
mod content;
mod link;
mod metadata;

use content::{Content, Keep};

/// A whole file, a link, or only the owner and mode of a file.
///
/// Of `content`, `source`, `url` and `link` there is one at most. Without any the file must be there, and only what
/// is given of owner, group and mode is looked after; who is given a file without a mode gets it without setuid and
/// setgid. It is put in place in one step, with owner and mode, so that it is there whole or not at all; a
/// directory, device, socket or pipe is never replaced. No link is followed on the way to it that others than root
/// can have put there. A file or link that was there before us is copied to the state directory before it is first
/// overwritten, with owner, mode, ACL and extended attributes, and put back once the file is absent. A file that is
/// rewritten keeps its ACL and extended attributes (not its capabilities) as long as its owner stays; other names
/// (hard links) of it keep what they had. One that changes hands and loses rights at once is rewritten as well. Absent: removed if it still is what we wrote, else kept and said.
///
/// ```toml
/// [[file]]
/// path     = "/etc/sudoers.d/lilly"
/// content  = "lilly ALL=(ALL) NOPASSWD:ALL\n"
/// mode     = "0440"
/// validate = ["visudo", "-cf"]
///
/// [[file]]
/// path = "/etc/localtime"
/// link = "/usr/share/zoneinfo/Europe/Berlin"
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// Where it is.
    path: AbsPath,
    /// What it holds.
    content: Option<Text>,
    /// A file beside the recipe.
    source: Option<Text>,
    /// Downloaded when it differs.
    url: Option<Text>,
    /// Required with `url`.
    sha256: Option<Digest<256>>,
    /// The file is a symbolic link to this.
    link: Option<Text>,
    /// `source` is rendered.
    #[serde(default)]
    template: bool,
    /// Written if nothing is there; then left alone.
    #[serde(default)]
    once: bool,
    /// Default: `root`. Whose it is, by name or number; `root` without.
    owner: Option<Principal>,
    /// Default: the owner's primary group. Its group, by name or number; the owner's primary group without.
    group: Option<Principal>,
    /// Default: `"0644"`. `"0600"` where it holds a secret.
    mode: Option<Mode>,
    /// A program with its arguments, to which the path of the new file is appended; it must exit 0 before the file is
    /// in place.
    #[serde(default)]
    validate: Vec<Text>,
}

impl Resource for File {
    fn names(&self) -> Vec<String> {
        vec![self.path.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = match ask.want {
            Want::Absent => match sys.look(self.path.path()) {
                // Nothing of ours can be where the way leads by now.
                Err(_) if !self.is_ours(ask, sys)? => return Ok(Plan::in_sync()),
                is => self.check_absent(is?, ask, sys)?,
            },
            Want::Present => self.check_present(ask, sys)?,
        };
        if plan.waiting.is_empty() {
            leftover::sweep(self.path.path(), &mut plan, sys)?;
        }
        Ok(plan)
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
        if self.link.as_ref().is_some_and(|target| target.is_empty() || target.contains('\0')) {
            mistakes.push(Mistake::at("link", "`link` is a path to which the link leads"));
        }
        if self.link.is_some() && self.mode.is_some() {
            mistakes.push(Mistake::at("mode", "a link has no mode"));
        }
        mistakes
    }
}

impl File {
    fn check_present<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let asked = self.asked(ask)?;
        let found = match &asked {
            Some(Content::Bytes { bytes, .. }) if !self.once => sys.look_into(self.path.path(), bytes.len() as u64)?,
            _ => sys.look(self.path.path())?.map(|is| (is, None)),
        };
        let (is, bytes) = found.map_or((None, None), |(is, bytes)| (Some(is), bytes));
        // In a plan, what an earlier step takes away is still there.
        let going = is.filter(|is| is.kind == FileKind::Directory).and_then(|_| ask.pending.coming(&self.thing()));
        let is = is.filter(|_| going.is_none());
        match is.map(|is| is.kind) {
            Some(_) if self.once => return Ok(Plan::in_sync()),
            Some(FileKind::Directory) => {
                return Err(self.in_the_way("a directory").remedy("remove it, or use [[directory]]"));
            }
            Some(FileKind::Other) => {
                let error = self.in_the_way("a device, socket or pipe");
                return Err(error.remedy("remove it, or choose another path"));
            }
            Some(FileKind::File | FileKind::Link) | None => {}
        }
        let mut plan = match (&self.link, asked) {
            (Some(target), _) => self.check_link(target, is, ask, sys),
            (None, Some(content)) => self.check_content(content, is, bytes.as_deref(), ask, sys),
            (None, None) => self.check_metadata(is, ask, sys),
        }?;
        for change in plan.steps.iter_mut().flat_map(|step| &mut step.changes).filter(|_| going.is_some()) {
            change.after = going.cloned();
        }
        Ok(plan)
    }

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
        bytes: Option<&[u8]>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let mut needs = Needs::default();
        let owner = self.ownership().planned(&mut needs, ask, sys)?;
        let mode = self.mode(ask);
        let same = match is {
            Some(is) if is.kind == FileKind::File => content.is_in(&self.path, bytes, sys)?,
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
        // What another owner may still have open for writing does not become ours, nor ours theirs: it is written anew.
        let writes = changes.iter().any(|change| change.makes() || ["content", "owner"].contains(&&*change.field));
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
        let keep = (is.is_some() && !ask.ours(&self.path.0)).then(|| self.keeper(ask));
        let draft = content.into_draft(ask.timeout);
        let step = Step::new(changes, move |sys| {
            if writes {
                return self.write(&draft, mode, keep, sys);
            }
            if let Some(keep) = keep {
                keep(self.path.path(), sys)?;
            }
            self.set_metadata(Some(mode), sys)
        });
        plan.steps.push(step.supplies([self.thing()]));
        Ok(plan)
    }

    /// Returns what keeps a copy of what was there before us: of an earlier time of ours there may be another one.
    fn keeper(&self, ask: &Ask<'_>) -> Keep {
        if ask.claim(&self.path.0).is_none() { kept::keep_anew } else { kept::keep }
    }

    fn thing(&self) -> Thing {
        Thing::Path(self.path.path().to_owned())
    }
}
