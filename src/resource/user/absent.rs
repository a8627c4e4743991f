//! Taking a user away: only one that we made, and its home only where a person named it.
use super::home::is_own;
use super::{User, running};
use crate::error::{Attempt as _, Result};
use crate::resource::{Ask, Change, Plan, Step, Thing, Waiting, account};
use crate::system::passwd::{self, Accounts, accounts, gshadow, shadow};
use crate::system::{Command, System, state};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Stamps with the gid of a group that stays when the user of its name goes.
const GROUP_STAMP: &str = "group-of-user";

impl User {
    pub(super) fn check_absent<'a>(&'a self, is: &passwd::User, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        let mut plan = Plan::in_sync();
        if !ask.ours(name) {
            plan.remarks.push(self.remark("kept: it was there before us"));
            return Ok(plan);
        }
        // In a plan, a unit that is about to be stopped still runs.
        let stopped = ask.pending.coming_in(Path::new("/etc/systemd/system")).map(|(_, unit)| unit.clone());
        if let (Some(busy), None) = (running(is, sys), &stopped) {
            let because = format!("it is not taken away while its processes run: {busy}");
            let remedy = Some("stop them, then run again".to_owned());
            plan.waiting.push(Waiting { name: name.clone(), because, remedy, supplies: Vec::new() });
            return Ok(plan);
        }
        let after = stopped.filter(|_| running(is, sys).is_some());
        let mut changes = vec![Change::removed(name, format!("user, uid {}", is.uid)).after(after)];
        let mut goes = None;
        if is_own(is, &[is.uid], sys)? {
            if ask.allows_to_go(&ask.known.allowed.data, name) {
                changes.push(Change::field(name, "home", Some(is.home.clone()), None));
                goes = Some(PathBuf::from(&is.home));
            } else {
                let text = format!("its home `{}` stays; `--data {}` takes it away as well", is.home, ask.id(name));
                plan.remarks.push(self.remark(text));
            }
        }
        let mut supplies = vec![Thing::User(name.clone())];
        supplies.extend(goes.clone().map(Thing::Path));
        let (gid, timeout, group_stays) = (is.gid, ask.timeout, self.group_was_there(ask));
        let step = Step::new(changes, move |sys| {
            // The home first: once the user is gone nobody knows whose it was.
            if let Some(home) = &goes {
                sys.remove_tree(home)?;
            }
            if group_stays {
                state::set_stamp(sys, GROUP_STAMP, name, &gid.to_string())?;
            }
            account::run(&Command::new(["userdel", name]).timeout(timeout), sys)?;
            self.settle_group(timeout, sys)
        });
        plan.steps.push(step.supplies(supplies));
        Ok(plan)
    }

    /// One that is gone, and what a `userdel` that was cut off left of it.
    pub(super) fn check_gone<'a>(&'a self, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        if !ask.ours(name) {
            return Ok(Plan::in_sync());
        }
        let mut left: Vec<String> =
            accounts.groups_with(name).map(|group| format!("in the group {}", group.name)).collect();
        if shadow(sys)?.contains_key(name) {
            left.push("in /etc/shadow".to_owned());
        }
        for file in ["/etc/subuid", "/etc/subgid"] {
            if has_line_of(sys, Path::new(file), name)? {
                left.push(format!("in {file}"));
            }
        }
        if gshadow(sys)?
            .iter()
            .any(|(group, members)| group == name && accounts.group(name).is_none() || members.contains(name))
        {
            left.push("in /etc/gshadow".to_owned());
        }
        let (stays, group) = (self.group_was_there(ask), accounts.group(name));
        if !stays && self.group.is_none() && group.is_some_and(|group| is_unused(&group.name, accounts)) {
            left.push(format!("the group {name}"));
        }
        let mut changes = Vec::new();
        if !left.is_empty() {
            changes.push(Change::field(name, "left of it", Some(left.join(", ")), None));
        }
        if let Some(gid) = state::stamp(sys, GROUP_STAMP, name)? {
            changes.push(Change::field(name, "group", None, Some(format!("{name}, gid {gid}"))));
        }
        if changes.is_empty() {
            return Ok(Plan::in_sync());
        }
        let (gid, timeout) = (group.map(|group| group.gid.to_string()), ask.timeout);
        let step = Step::new(changes, move |sys| {
            if !left.is_empty() {
                // userdel takes all of it away, given a user of that name to begin with.
                let mut argv = vec!["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin"];
                argv.extend(gid.as_ref().map_or(vec!["--user-group"], |gid| vec!["--gid", gid]));
                argv.push(name);
                account::run(&Command::new(argv).timeout(timeout), sys)?;
                account::run(&Command::new(["userdel", name]).timeout(timeout), sys)?;
            }
            self.settle_group(timeout, sys)
        });
        Ok(Plan::step(step))
    }

    /// Returns whether the group of its name was there before the user, as was noted when that was made.
    fn group_was_there(&self, ask: &Ask<'_>) -> bool {
        let noted = ask.claim(&self.name.0).and_then(|claim| claim.last.get("existing group"));
        noted == Some(&self.name.0)
    }

    /// Whether userdel takes the group of the user's name with it is a setting of the machine. One that came with the
    /// user goes, one that was there before it is put back.
    fn settle_group(&self, timeout: Duration, sys: &dyn System) -> Result<()> {
        let name = &self.name.0;
        sys.facts().forget();
        let accounts = accounts(sys)?;
        let is_there = accounts.group(name).is_some();
        if let Some(gid) = state::stamp(sys, GROUP_STAMP, name)? {
            if !is_there {
                account::run(&Command::new(["groupadd", "--gid", gid.trim(), name]).timeout(timeout), sys)?;
            }
            return state::clear_stamp(sys, GROUP_STAMP, name);
        }
        if is_there && self.group.is_none() && is_unused(name, &accounts) {
            account::run(&Command::new(["groupdel", name]).timeout(timeout), sys)?;
        }
        Ok(())
    }
}

/// Returns whether nobody is in a group.
fn is_unused(group: &str, accounts: &Accounts) -> bool {
    accounts
        .group(group)
        .is_none_or(|group| group.members.is_empty() && accounts.primary_of(group.gid).next().is_none())
}

/// Returns whether a line of a file begins with the name and a colon.
fn has_line_of(sys: &dyn System, path: &Path, name: &str) -> Result<bool> {
    match sys.read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        bytes => {
            let bytes = bytes.attempt(|| format!("reading `{}`", path.display()))?;
            Ok(String::from_utf8_lossy(&bytes).lines().any(|line| line.split(':').next() == Some(name)))
        }
    }
}
