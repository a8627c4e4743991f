//! What a user stands on: its groups, a free number, a shell.
use super::User;
use crate::error::{Attempt as _, Error, Result};
use crate::field::Principal;
use crate::resource::account::{self, foreign_group_name, foreign_user_name};
use crate::resource::need::Needs;
use crate::resource::{Ask, Plan, Thing, Waiting};
use crate::system::System;
use crate::system::passwd::{self, Accounts, foreign_group};
use std::io;
use std::path::Path;

const SHELLS: &str = "/etc/shells";
/// Shells with which nobody is meant to log in.
const NO_LOGIN: [&str; 2] = ["nologin", "false"];

impl User {
    /// Looks for the groups and the shell, and whether the uid is free.
    pub(super) fn needs(
        &self,
        is: Option<&passwd::User>,
        accounts: &Accounts,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Needs> {
        let mut needs = Needs::default();
        self.needs_uid(is, accounts, ask, sys)?;
        match &self.group {
            Some(Principal::Number(gid)) if accounts.group_of(*gid).is_none() => {
                needs.missing(&Thing::Group(gid.to_string()), ask, || {
                    Error::new(format!("looking up the group {gid}"))
                        .reason("it is not there")
                        .remedy(format!("put a [[group]] with gid = {gid} before it"))
                })?;
            }
            Some(group @ Principal::Name(_)) => drop(needs.group(group, ask, sys)?),
            _ => {}
        }
        for group in &self.groups {
            needs.group(&Principal::Name(group.0.clone()), ask, sys)?;
            self.needs_members(&group.0, accounts, sys)?;
        }
        needs.program(&self.shell.0, ask, sys).map_err(|error| match error.remedy {
            Some(_) => error.remedy("put the [[package]] that brings it before this, or name another `shell`"),
            None => error,
        })?;
        Ok(needs)
    }

    /// Returns what a new user waits for, where it is one that was renamed: its predecessor has the uid.
    pub(super) fn waits_for_predecessor(&self, accounts: &Accounts, ask: &Ask<'_>) -> Option<Waiting> {
        let (name, uid) = (&self.name.0, self.uid?.0);
        let other = &accounts.user_of(uid)?.name;
        account::predecessor(name, &format!("uid {uid}"), other, Thing::User(name.clone()), ask)
    }

    fn needs_uid(&self, is: Option<&passwd::User>, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        let Some(uid) = self.uid.map(|uid| uid.0).filter(|uid| is.is_none_or(|is| is.uid != *uid)) else {
            return Ok(());
        };
        let other = match accounts.user_of(uid) {
            Some(other) if ask.pending.coming(&Thing::User(other.name.clone())).is_some() => None,
            Some(other) => Some(other.name.clone()),
            None => foreign_user_name(&uid.to_string(), accounts, sys)?,
        };
        let Some(other) = other else { return Ok(()) };
        Err(Error::new(format!("giving uid {uid} to the user `{}`", self.name.0))
            .reason(format!("the user `{other}` has it"))
            .remedy("choose another `uid`"))
    }

    /// Members are kept in /etc/group: a group that is kept elsewhere can't be given new ones here.
    fn needs_members(&self, group: &str, accounts: &Accounts, sys: &dyn System) -> Result<()> {
        if !is_elsewhere(group, accounts, sys)? {
            return Ok(());
        }
        let is_member = |group: passwd::Group| group.members.contains(&self.name.0);
        if foreign_group(sys, group)?.is_some_and(is_member) {
            return Ok(());
        }
        Err(Error::new(format!("adding the user `{}` to the group `{group}`", self.name.0))
            .reason("the name service knows that group, though /etc/group does not: it is kept elsewhere")
            .remedy("add the user to it where it is kept, or take it out of `groups`"))
    }

    /// Says that some services refuse a shell that is not listed; only where it is about to be given.
    pub(super) fn remark_shell(&self, plan: &mut Plan<'_>, sys: &dyn System) -> Result<()> {
        let name = Path::new(&self.shell.0).file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| NO_LOGIN.contains(&name)) {
            return Ok(());
        }
        let listed = match sys.read(Path::new(SHELLS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            bytes => String::from_utf8_lossy(&bytes.attempt(|| format!("reading `{SHELLS}`"))?).into_owned(),
        };
        if !listed.lines().any(|line| line.trim() == self.shell.0) {
            let text = format!("its shell `{}` is not in `{SHELLS}`: some services let nobody in with it", self.shell);
            plan.remarks.push(self.remark(text));
        }
        Ok(())
    }
}

/// Returns whether a group is not in the files, and the name service knows it all the same.
pub(super) fn is_elsewhere(group: &str, accounts: &Accounts, sys: &dyn System) -> Result<bool> {
    Ok(accounts.group(group).is_none() && foreign_group_name(group, accounts, sys)?.is_some())
}
