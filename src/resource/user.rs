//! `[[user]]`: a user with its groups, home, password and ssh keys.
use super::need::Needs;
use super::{Ask, Change, Mistake, Plan, Resource, Step, Thing, Waiting, Want};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{AbsPath, AccountNumber, Principal, Text, UserName};
use crate::system::passwd::{self, Accounts, accounts};
use crate::system::process::running_as;
use crate::system::{Command, System};
use serde::Deserialize;
use std::path::Path;

mod absent;
mod home;
mod keys;
mod password;

/// A user, as a recipe asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct User {
    name: UserName,
    uid: Option<AccountNumber>,
    group: Option<Principal>,
    #[serde(default)]
    groups: Vec<UserName>,
    home: Option<AbsPath>,
    #[serde(default = "default_shell")]
    shell: AbsPath,
    #[serde(default)]
    system: bool,
    comment: Option<Text>,
    password: Option<Text>,
    #[serde(default)]
    ssh_keys: Vec<Text>,
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
        match (ask.want, accounts.user(&self.name.0)) {
            (Want::Present, None) => self.check_missing(&accounts, ask, sys),
            (Want::Present, Some(is)) => self.check_there(is, &accounts, ask, sys),
            (Want::Absent, None) => Ok(Plan::in_sync()),
            (Want::Absent, Some(is)) => self.check_absent(is, ask, sys),
        }
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.comment.as_ref().is_some_and(|comment| comment.contains([':', '\n'])) {
            mistakes.push(Mistake::at("comment", "a comment has no `:` and is one line"));
        }
        if self.ssh_keys.iter().any(|key| keys::parse_key(key).is_none() || key.contains('\n')) {
            mistakes.push(Mistake::at("ssh-keys", "each key is one line such as \"ssh-ed25519 AAAA… name\""));
        }
        if !self.ssh_keys.is_empty() && self.system && self.home.is_none() {
            mistakes.push(Mistake::at("ssh-keys", "a system user has no home to keep keys in: give it a `home`"));
        }
        mistakes
    }
}

/// What is done to bring a user to what is asked, in this order.
#[derive(Debug, Default)]
struct Deeds {
    account: Option<Command>,
    password: Option<Command>,
    home: bool,
    keys: Vec<String>,
}

impl Deeds {
    fn make(self, name: &str, sys: &dyn System) -> Result<()> {
        for command in [self.account, self.password].into_iter().flatten() {
            sys.run(&command)?.success(&command)?;
        }
        if !self.home && self.keys.is_empty() {
            return Ok(());
        }
        sys.facts().forget();
        let missing = || Error::new(format!("looking up the user `{name}`")).reason("it is not there");
        let accounts = accounts(sys)?;
        let user = accounts.user(name).ok_or_else(missing)?;
        if self.home {
            home::make(user, sys)?;
        }
        if self.keys.is_empty() { Ok(()) } else { keys::add(user, &self.keys, sys) }
    }
}

impl User {
    fn check_missing<'a>(&'a self, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        let mut needs = self.needs(accounts, ask, sys)?;
        let home = self.home_of_a_new_user();
        let makes_home = self.makes_home(Path::new(&home), ask, sys)?;
        if makes_home {
            needs.parent(Path::new(&home), ask, sys)?;
        }
        let mut said = vec!["user".to_owned()];
        let mut argv = vec!["useradd".to_owned(), "--no-create-home".to_owned()];
        let mut option = |option: &str, value: Option<String>, shown: &str| {
            if let Some(value) = value {
                said.push(format!("{shown} {value}"));
                argv.extend([option.to_owned(), value]);
            }
        };
        option("--uid", self.uid.map(|uid| uid.to_string()), "uid");
        option("--gid", self.group.as_ref().map(ToString::to_string), "group");
        option("--groups", self.joined(self.groups.iter()), "groups");
        option("--home-dir", Some(home.clone()), "home");
        option("--shell", Some(self.shell.0.clone()), "shell");
        if let Some(comment) = &self.comment {
            argv.extend(["--comment".to_owned(), comment.0.clone()]);
        }
        if self.group.is_none() {
            let there = accounts.group(name).is_some() || ask.pending.coming(&Thing::Group(name.clone())).is_some();
            argv.extend(if there { vec!["--gid".to_owned(), name.clone()] } else { vec!["--user-group".to_owned()] });
        }
        if self.system {
            argv.push("--system".to_owned());
        }
        argv.push(name.clone());
        if self.password.is_some() {
            said.push("a password".to_owned());
        }
        if !self.ssh_keys.is_empty() {
            said.push(format!("{} ssh keys", self.ssh_keys.len()));
        }
        let deeds = Deeds {
            account: Some(Command::new(argv).timeout(ask.timeout)),
            password: self.password_command(ask)?,
            home: makes_home,
            keys: self.ssh_keys.iter().map(|key| key.0.clone()).collect(),
        };
        let mut supplies = vec![Thing::User(name.clone()), Thing::Path(home.clone().into())];
        if self.group.is_none() {
            supplies.push(Thing::Group(name.clone()));
        }
        if let Some(waiting) = needs.waiting(name, supplies.clone()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let change = Change::made(name, said.join(", ")).after(needs.after);
        let step = Step::new(vec![change], move |sys| deeds.make(name, sys)).supplies(supplies);
        Ok(Plan::step(step))
    }

    fn check_there<'a>(
        &'a self,
        is: &passwd::User,
        accounts: &Accounts,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let name = &self.name.0;
        let mut needs = self.needs(accounts, ask, sys)?;
        let mut plan = Plan::in_sync();
        let mut changes = Vec::new();
        let mut argv = Vec::new();
        let mut differs = |field: &str, from: String, to: String, option: &[&str]| {
            argv.extend(option.iter().map(|option| (*option).to_owned()));
            if !option.is_empty() {
                argv.push(to.clone());
            }
            let from = Some(from).filter(|from| !from.is_empty());
            changes.push(Change::field(name, field, from, Some(to)));
        };
        let uid = self.uid.filter(|uid| uid.0 != is.uid);
        let moved = self.home.as_ref().filter(|home| home.0 != is.home);
        // usermod takes neither from a user that is at work.
        let busy = if uid.is_some() || moved.is_some() { running(is.uid, sys) } else { None };
        if let Some(busy) = &busy {
            let what = if uid.is_some() { "its uid" } else { "its home" };
            let because = format!("{what} is not changed while its processes run: {busy}");
            let remedy = Some("stop them, then run again".to_owned());
            plan.waiting.push(Waiting { name: name.clone(), because, remedy, supplies: Vec::new() });
        } else {
            if let Some(uid) = uid {
                differs("uid", is.uid.to_string(), uid.to_string(), &["--uid"]);
            }
            if let Some(home) = moved {
                differs("home", is.home.clone(), home.0.clone(), &["--home"]);
            }
        }
        let group = match &self.group {
            Some(Principal::Number(gid)) => *gid == is.gid,
            Some(Principal::Name(group)) => accounts.group(group).is_some_and(|group| group.gid == is.gid),
            None => true,
        };
        if let (false, Some(group)) = (group, &self.group) {
            differs("group", accounts.shown_group(is.gid), group.to_string(), &["--gid"]);
        }
        if self.shell.0 != is.shell {
            differs("shell", is.shell.clone(), self.shell.0.clone(), &["--shell"]);
        }
        if let Some(comment) = self.comment.as_ref().filter(|comment| comment.0 != is.comment) {
            differs("comment", is.comment.clone(), comment.0.clone(), &["--comment"]);
        }
        let has: Vec<&str> = accounts.groups_with(name).map(|group| group.name.as_str()).collect();
        let primary = accounts.group_of(is.gid).map(|group| group.name.as_str());
        let lacks = |group: &&UserName| !has.contains(&group.0.as_str()) && primary != Some(group.0.as_str());
        if let Some(groups) = self.joined(self.groups.iter().filter(lacks)) {
            differs("groups", has.join(","), groups, &["--append", "--groups"]);
        }
        let account = (!argv.is_empty()).then(|| {
            let argv = ["usermod".to_owned()].into_iter().chain(argv).chain([name.clone()]);
            Command::new(argv).timeout(ask.timeout)
        });
        let mut deeds = Deeds { account, ..Deeds::default() };
        self.check_password(ask, sys, &mut plan, &mut changes, &mut deeds)?;
        let home = moved.filter(|_| busy.is_none()).map_or(is.home.as_str(), |home| home.0.as_str());
        if (self.home.is_some() || (ask.ours(name) && !self.system)) && self.makes_home(Path::new(home), ask, sys)? {
            needs.parent(Path::new(home), ask, sys)?;
            deeds.home = true;
            if moved.is_none() {
                changes.push(Change::field(name, "home", Some("not there".to_owned()), Some(home.to_owned())));
            }
        }
        deeds.keys = keys::missing(Path::new(home), &self.ssh_keys, sys)?;
        if !deeds.keys.is_empty() {
            let (lacking, asked) = (deeds.keys.len(), self.ssh_keys.len());
            let from = Some(format!("{} of {asked}", asked - lacking));
            changes.push(Change::field(name, "ssh-keys", from, Some(format!("{asked} of {asked}"))));
        }
        if changes.is_empty() {
            return Ok(plan);
        }
        if let Some(waiting) = needs.waiting(name, Vec::new()) {
            return Ok(Plan { waiting: vec![waiting], ..plan });
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        let mut supplies = Vec::new();
        if uid.is_some() && busy.is_none() {
            supplies.push(Thing::User(name.clone()));
        }
        if deeds.home {
            supplies.push(Thing::Path(home.into()));
        }
        plan.steps.push(Step::new(changes, move |sys| deeds.make(name, sys)).supplies(supplies));
        Ok(plan)
    }

    /// Looks for the groups, and whether the uid is free.
    fn needs(&self, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Needs> {
        let name = &self.name.0;
        let mut needs = Needs::default();
        if let Some(other) = self.uid.and_then(|uid| accounts.user_of(uid.0)).filter(|other| other.name != *name)
            && ask.pending.coming(&Thing::User(other.name.clone())).is_none()
            && accounts.user(name).is_none_or(|is| Some(is.uid) != self.uid.map(|uid| uid.0))
        {
            return Err(Error::new(format!("giving uid {} to the user `{name}`", other.uid))
                .reason(format!("the user `{}` has it", other.name))
                .remedy("choose another `uid`"));
        }
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
        }
        Ok(needs)
    }

    fn home_of_a_new_user(&self) -> String {
        match &self.home {
            Some(home) => home.0.clone(),
            None if self.system => "/nonexistent".to_owned(),
            None => format!("/home/{}", self.name.0),
        }
    }

    /// Returns whether a home directory is to be made: it is wanted, is not there, and no other resource brings it.
    fn makes_home(&self, home: &Path, ask: &Ask<'_>, sys: &dyn System) -> Result<bool> {
        if self.system && self.home.is_none() {
            return Ok(false);
        }
        let is = sys.lstat(home).attempt(|| format!("looking for the home `{}`", home.display()))?;
        Ok(is.is_none() && ask.pending.coming(&Thing::Path(home.to_owned())).is_none())
    }

    fn joined<'g>(&self, groups: impl Iterator<Item = &'g UserName>) -> Option<String> {
        let names: Vec<&str> = groups.map(|group| group.0.as_str()).filter(|group| *group != self.name.0).collect();
        (!names.is_empty()).then(|| names.join(","))
    }
}

/// Returns a user's processes for people, at most five of them.
fn running(uid: u32, sys: &dyn System) -> Option<String> {
    let processes = running_as(sys, uid);
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
