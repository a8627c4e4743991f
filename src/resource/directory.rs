//! `[[directory]]`: a directory with owner, group and mode.
use super::need::{Needs, Ownership};
use super::{Ask, Change, Plan, Refused, Remark, Resource, Step, Thing, Want, leftover, owned};
use crate::error::{Error, Result};
use crate::field::{AbsPath, Mode, Names, Principal};
use crate::system::passwd::accounts;
use crate::system::{Body, FileKind, Stat, System};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Directories, with owner and mode.
///
/// Owner and group of a directory that is there are looked after where they are given. Absent: removed if ours and
/// empty.
///
/// ```toml
/// [[directory]]
/// path  = ["/srv/signals", "/srv/signals/lilly_inbox"]
/// owner = 101201
/// group = 101200
/// mode  = "3770"
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Directory {
    /// Parents are not made silently: list them, from the top.
    path: Names<AbsPath>,
    /// Default: `root` for a new one. Whose it is, by name or number; `root` for a new one.
    owner: Option<Principal>,
    /// Default: the owner's primary group for a new one. Its group, by name or number; the owner's primary group for a
    /// new one.
    group: Option<Principal>,
    /// Default: `"0755"`. Its mode, with setuid, setgid and sticky.
    #[serde(default = "default_mode")]
    mode: Mode,
}

fn default_mode() -> Mode {
    Mode(0o755)
}

impl Resource for Directory {
    fn names(&self) -> Vec<String> {
        self.path.0.iter().map(|path| path.0.clone()).collect()
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = Plan::in_sync();
        let refused = |path: &AbsPath, error| Refused { name: path.0.clone(), error };
        match ask.want {
            Want::Present => {
                let mut coming = BTreeSet::new();
                for path in &self.path.0 {
                    if let Err(error) = self.present(path, &mut coming, &mut plan, ask, sys) {
                        plan.refused.push(refused(path, error));
                    }
                }
            }
            Want::Absent => {
                let mut going = BTreeSet::new();
                // What is below another one goes before it.
                let mut paths: Vec<&AbsPath> = self.path.0.iter().collect();
                paths.sort_by(|a, b| b.cmp(a));
                for path in paths {
                    if let Err(error) = absent(path, &mut going, &mut plan, ask, sys) {
                        plan.refused.push(refused(path, error));
                    }
                }
            }
        }
        if plan.waiting.is_empty() {
            for path in &self.path.0 {
                let is_reached = plan.refusal(&path.0).is_none() && (ask.want == Want::Present || ask.ours(&path.0));
                if is_reached {
                    leftover::sweep(path.path(), &mut plan, sys)?;
                }
            }
        }
        Ok(plan)
    }
}

impl Directory {
    fn ownership(&self) -> Ownership<'_> {
        Ownership { owner: self.owner.as_ref(), group: self.group.as_ref() }
    }

    fn present<'a>(
        &'a self,
        path: &'a AbsPath,
        coming: &mut BTreeSet<&'a Path>,
        plan: &mut Plan<'a>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<()> {
        let attempt = || format!("looking at `{path}`");
        let mut needs = Needs::default();
        let thing = Thing::Path(path.path().to_owned());
        let is = sys.look(path.path())?;
        // In a plan, what an earlier step takes away is still there.
        let going = is.filter(|is| is.kind != FileKind::Directory).and_then(|_| ask.pending.coming(&thing));
        let is = is.filter(|_| going.is_none());
        let mut changes = match is {
            Some(is) if is.kind != FileKind::Directory => {
                let what = match is.kind {
                    FileKind::Link => "a link",
                    FileKind::Other => "a device, socket or pipe",
                    FileKind::File | FileKind::Directory => "a file",
                };
                return Err(Error::new(attempt())
                    .reason(format!("{what} is there"))
                    .remedy("remove it, or name another path"));
            }
            Some(is) => self.changed(path, is, &mut needs, ask, sys)?,
            None => {
                self.ownership().planned(&mut needs, ask, sys)?;
                match path.path().parent() {
                    Some(parent) if coming.contains(parent) => {
                        needs.after = Some(ask.id(&parent.to_string_lossy()));
                    }
                    _ => needs.parent(path.path(), ask, sys)?,
                }
                coming.insert(path.path());
                needs.after = going.cloned().or(needs.after);
                let (owner, group) = (self.ownership().shown_owner(), self.group.as_ref());
                let owner = group.map_or_else(|| owner.clone(), |group| format!("{owner}:{group}"));
                vec![Change::made(&path.0, format!("directory {} {owner}", self.mode))]
            }
        };
        if let Some(waiting) = needs.waiting(&path.0, vec![thing.clone()]) {
            plan.waiting.push(waiting);
            return Ok(());
        }
        if changes.is_empty() {
            return Ok(());
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        let step = Step::new(changes, move |sys| match is {
            None => {
                let (uid, gid) = self.ownership().now(sys)?;
                sys.make_dir(path.path(), uid, gid, self.mode.0)
            }
            Some(is) => self.set(path, is, sys),
        });
        plan.steps.push(step.supplies([thing]));
        Ok(())
    }

    /// Returns what differs; owner and group of a directory that is there are looked after where they are given.
    fn changed(
        &self,
        path: &AbsPath,
        is: Stat,
        needs: &mut Needs,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Vec<Change>> {
        let uid = match &self.owner {
            None => Some(is.uid),
            Some(who) => needs.owner(who, ask, sys)?.map(|(uid, _)| uid),
        };
        let gid = match &self.group {
            None => Some(is.gid),
            Some(who) => needs.group(who, ask, sys)?,
        };
        let mut changes = Vec::new();
        let mut differs = |field, from, to| changes.push(Change::field(&path.0, field, Some(from), Some(to)));
        if uid != Some(is.uid) {
            differs("owner", accounts(sys)?.shown_user(is.uid), self.ownership().shown_owner());
        }
        if gid != Some(is.gid) {
            let to = self.group.as_ref().map_or_else(String::new, ToString::to_string);
            differs("group", accounts(sys)?.shown_group(is.gid), to);
        }
        if is.mode != self.mode.0 {
            differs("mode", Mode(is.mode).to_string(), self.mode.to_string());
        }
        Ok(changes)
    }

    fn set(&self, path: &AbsPath, is: Stat, sys: &dyn System) -> Result<()> {
        let (owner, group) = self.ownership().now(sys)?;
        let uid = if self.owner.is_some() { owner } else { is.uid };
        let gid = if self.group.is_some() { group } else { is.gid };
        owned::set(path.path(), is, (uid, gid), Some(self.mode.0), sys)
    }
}

fn absent<'a>(
    path: &'a AbsPath,
    going: &mut BTreeSet<&'a Path>,
    plan: &mut Plan<'a>,
    ask: &Ask<'_>,
    sys: &dyn System,
) -> Result<()> {
    let there = match sys.capture(path.path()) {
        // Nothing of ours can be where the way leads by now.
        Err(_) if !ask.ours(&path.0) => return Ok(()),
        there => there?,
    };
    let Some(there) = there else { return Ok(()) };
    let mut stays = |text: String| plan.remarks.push(Remark { name: path.0.clone(), text });
    if let Some(by) = ask.pending.needed_by(&Thing::Path(path.path().to_owned())) {
        stays(format!("kept: {by} stays and needs it"));
        return Ok(());
    }
    if !ask.ours(&path.0) {
        stays("kept: it was there before us".to_owned());
        return Ok(());
    }
    let Body::Directory(names) = there.body else {
        stays("kept: it is no directory any more".to_owned());
        return Ok(());
    };
    let mut after = None;
    let mut others = 0;
    for name in names {
        let below = path.path().join(name);
        if going.contains(below.as_path()) {
            continue;
        }
        // In a plan, what an earlier step takes away is still there.
        match ask.pending.coming(&Thing::Path(below)) {
            Some(id) => after = Some(id.clone()),
            None => others += 1,
        }
    }
    if others > 0 {
        stays(format!("kept: it is not empty ({others} inside)"));
        return Ok(());
    }
    going.insert(path.path());
    let change = Change::removed(&path.0, "directory").after(after);
    let step = Step::new(vec![change], move |sys| sys.remove_dir(path.path()));
    plan.steps.push(step.supplies([Thing::Path(path.path().to_owned())]));
    Ok(())
}
