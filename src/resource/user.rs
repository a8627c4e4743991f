//! `[[user]]`: a user with its groups, home, password and ssh keys.
use super::{Ask, Mistake, Plan, Remark, Resource, Want, account};
use crate::error::Result;
use crate::field::{AbsPath, AccountNumber, Principal, SshKey, Text, UserName};
use crate::system::System;
use crate::system::passwd::{self, accounts, shadow};
use crate::system::process::running_as;
use serde::Deserialize;
use std::time::UNIX_EPOCH;

mod absent;
mod changed;
mod deeds;
mod follow;
mod home;
mod keys;
mod made;
mod needs;
mod password;

/// A user account of this machine.
///
/// A home that is there and belongs to root is left as it is; for one that belongs to somebody else the user is made and
/// then waits, and no key is put into it (a system user may share a home). Users and groups that the name service knows
/// from elsewhere (LDAP, sss) can own files and be named in `groups`, but not be made or changed.
///
/// Absent: taken away if ours and none of its processes runs. Its home stays unless `--data user:NAME` names it, and the
/// group of its name if that was there before it.
///
/// ```toml
/// [[user]]
/// name     = "lilly"
/// uid      = 1201
/// groups   = ["signals"]
/// ssh-keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3kLr0CkQz1v0bV8H8p0t3kz1b2m4n5o6p7q8r9s0tu lilly@desk"]
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct User {
    /// Its login name.
    name: UserName,
    /// Default: the next free one. Its number. A change waits while the user's processes run, and so does all that
    /// belongs to it; files in its home follow.
    uid: Option<AccountNumber>,
    /// Default: a group of its own name. Its primary group.
    group: Option<Principal>,
    /// Groups that it is in, at least.
    #[serde(default)]
    groups: Vec<UserName>,
    /// Default: `/home/NAME`, none for a system user. Its home directory. It is made with what `/etc/skel` holds; one
    /// that belongs to somebody else is left as it is.
    home: Option<AbsPath>,
    /// Default: `"/bin/bash"`. Its login shell, which must be there.
    #[serde(default = "default_shell")]
    shell: AbsPath,
    /// Its numbers come from the range for system users when it is made.
    #[serde(default)]
    system: bool,
    /// Its full name, or what it is for.
    comment: Option<Text>,
    /// Default: locked. The hash of its password, as `mkpasswd` prints it. A new user without one can't log in with a
    /// password; one that is there keeps what it has.
    password: Option<Text>,
    /// Lines that `~/.ssh/authorized_keys` has at least; other keys stay.
    #[serde(default)]
    ssh_keys: Vec<SshKey>,
}

fn default_shell() -> AbsPath {
    AbsPath("/bin/bash".to_owned())
}

impl Resource for User {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let accounts = accounts(sys)?;
        let mut plan = match (ask.want, accounts.user(&self.name.0)) {
            (Want::Present, None) => self.check_missing(&accounts, ask, sys)?,
            (Want::Present, Some(is)) => self.check_there(is, &accounts, ask, sys)?,
            (Want::Absent, None) => self.check_gone(&accounts, ask, sys)?,
            (Want::Absent, Some(is)) => self.check_absent(is, ask, sys)?,
        };
        account::sweep(&self.name.0, &mut plan, sys)?;
        Ok(plan)
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.comment.as_ref().is_some_and(|comment| comment.contains([':', '\n'])) {
            mistakes.push(Mistake::at("comment", "a comment has no `:` and is one line"));
        }
        if self.home.as_ref().is_some_and(|home| home.0.contains(':')) {
            mistakes.push(Mistake::at("home", "the path of a home has no `:`"));
        }
        if self.shell.0.contains(':') {
            mistakes.push(Mistake::at("shell", "the path of a shell has no `:`"));
        }
        if self.password.as_ref().is_some_and(|password| !password::may_be_hash(password)) {
            mistakes.push(Mistake::at("password", password::EXPECTED));
        }
        let key = |key: &SshKey| key.parsed().map(|parsed| parsed.key.to_owned());
        if (1..self.ssh_keys.len())
            .any(|at| self.ssh_keys[..at].iter().any(|other| key(other) == key(&self.ssh_keys[at])))
        {
            mistakes.push(Mistake::at("ssh-keys", "the same key is there twice"));
        }
        if !self.ssh_keys.is_empty() && self.system && self.home.is_none() {
            mistakes.push(Mistake::at("ssh-keys", "a system user has no home to keep keys in: give it a `home`"));
        }
        mistakes
    }
}

impl User {
    fn remark(&self, text: impl Into<String>) -> Remark {
        Remark { name: self.name.0.clone(), text: text.into() }
    }

    /// Says what keeps somebody from logging in that no field of ours looks after.
    fn remark_expiry(&self, plan: &mut Plan<'_>, sys: &dyn System) -> Result<()> {
        let today = sys.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400;
        let name = &self.name.0;
        if shadow(sys)?.get(name).and_then(|entry| entry.expires).is_some_and(|day| day <= today) {
            let text = format!("its account has expired: `chage --expiredate -1 {name}` lets it log in again");
            plan.remarks.push(self.remark(text));
        }
        Ok(())
    }
}

/// Returns a user's processes for people, at most five of them.
fn running(is: &passwd::User, sys: &dyn System) -> Option<String> {
    let processes = running_as(sys, is.uid);
    if processes.is_empty() {
        return None;
    }
    let mut shown: Vec<String> =
        processes.iter().take(5).map(|process| format!("{} {}", process.pid, process.name)).collect();
    if processes.len() > 5 {
        shown.push(format!("and {} more", processes.len() - 5));
    }
    Some(shown.join(", "))
}
