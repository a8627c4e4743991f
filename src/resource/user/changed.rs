//! A user that is there: what differs, field by field.
use super::deeds::Deeds;
use super::follow::Follow;
use super::home::{self, Home};
use super::needs::is_elsewhere;
use super::{User, keys, running};
use crate::error::{Error, Result};
use crate::field::{Principal, UserName};
use crate::resource::need::Needs;
use crate::resource::{Ask, Change, Plan, Step, Thing, Waiting, account};
use crate::system::passwd::{self, Accounts};
use crate::system::{Command, System};
use std::path::Path;

/// One user in one check: what differs so far, and what is to be done about it.
pub(super) struct Draft<'a, 'v> {
    pub(super) asked: &'a User,
    pub(super) is: &'v passwd::User,
    pub(super) accounts: &'v Accounts,
    pub(super) ask: &'v Ask<'v>,
    pub(super) sys: &'v dyn System,
    pub(super) plan: Plan<'a>,
    pub(super) changes: Vec<Change>,
    pub(super) deeds: Deeds<'a>,
    needs: Needs,
    usermod: Vec<String>,
    supplies: Vec<Thing>,
}

impl User {
    pub(super) fn check_there<'a>(
        &'a self,
        is: &passwd::User,
        accounts: &Accounts,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let needs = self.needs(Some(is), accounts, ask, sys)?;
        let mut draft = Draft {
            asked: self,
            is,
            accounts,
            ask,
            sys,
            plan: Plan::in_sync(),
            changes: Vec::new(),
            deeds: Deeds::default(),
            needs,
            usermod: Vec::new(),
            supplies: Vec::new(),
        };
        let home = draft.numbers_and_home()?;
        draft.texts_and_groups()?;
        draft.own_group()?;
        draft.password()?;
        self.remark_expiry(&mut draft.plan, sys)?;
        if draft.home(&home)? {
            draft.keys(Path::new(&home))?;
        }
        Ok(draft.into_plan())
    }
}

impl<'a> Draft<'a, '_> {
    pub(super) fn shows(&mut self, field: &str, from: &str, to: &str) {
        let from = Some(from.to_owned()).filter(|from| !from.is_empty());
        self.changes.push(Change::field(&self.asked.name.0, field, from, Some(to.to_owned())));
    }

    fn differs(&mut self, field: &str, from: &str, to: &str, options: &[&str]) {
        self.usermod.extend(options.iter().chain(&[to]).map(|word| (*word).to_owned()));
        self.shows(field, from, to);
    }

    /// Returns the home that it will have.
    fn numbers_and_home(&mut self) -> Result<String> {
        let (asked, is) = (self.asked, self.is);
        let mut uid = asked.uid.filter(|uid| uid.0 != is.uid);
        let mut moved = asked.home.as_ref().filter(|home| home.0 != is.home);
        // usermod takes neither from a user that is at work.
        let busy = if uid.is_some() || moved.is_some() { running(is, self.sys) } else { None };
        if let Some(busy) = busy {
            let what = if uid.is_some() { "its uid" } else { "its home" };
            let name = asked.name.0.clone();
            let supplies =
                [uid.map(|_| Thing::User(name.clone())), moved.map(|home| Thing::Path(home.path().to_owned()))];
            self.plan.waiting.push(Waiting {
                name,
                because: format!("{what} is not changed while its processes run: {busy}"),
                remedy: Some("stop them, then run again".to_owned()),
                // What belongs to it would get the number that it is about to give up.
                supplies: supplies.into_iter().flatten().collect(),
            });
            (uid, moved) = (None, None);
        }
        if let Some(uid) = uid {
            self.differs("uid", &is.uid.to_string(), &uid.to_string(), &["--uid"]);
        }
        if let Some(home) = moved {
            self.differs("home", &is.home, &home.0, &["--home"]);
            if !matches!(home::look(Path::new(&is.home), None, self.accounts, self.sys), Ok(Home::Missing)) {
                self.plan.remarks.push(asked.remark(format!("what is in `{}` stays there", is.home)));
            }
        }
        let regrouped = asked.group.as_ref().filter(|group| !self.is_primary(group));
        if let Some(group) = regrouped {
            self.differs("group", &self.accounts.shown_group(is.gid), &group.to_string(), &["--gid"]);
        }
        if uid.is_some() || regrouped.is_some() {
            self.supplies.push(Thing::User(asked.name.0.clone()));
            if home::is_own(is, &[is.uid], self.sys)? {
                self.deeds.follow = Some(Follow::of(is));
            }
            if let Some(uid) = uid {
                let text = format!("files in its home get uid {uid}; files of uid {} elsewhere keep it", is.uid);
                self.plan.remarks.push(asked.remark(text));
            }
        } else if (asked.uid.is_some() || asked.group.is_some())
            && let Some(owed) = Follow::owed(is, self.sys)?
        {
            self.shows("files in its home", &owed.shown(), &format!("uid {}, gid {}", is.uid, is.gid));
            self.deeds.follow = Some(owed);
        }
        Ok(moved.map_or(&is.home, |home| &home.0).clone())
    }

    fn is_primary(&self, group: &Principal) -> bool {
        match group {
            Principal::Number(gid) => *gid == self.is.gid,
            Principal::Name(name) => self.accounts.group(name).is_some_and(|group| group.gid == self.is.gid),
        }
    }

    fn texts_and_groups(&mut self) -> Result<()> {
        let (asked, is, accounts) = (self.asked, self.is, self.accounts);
        if asked.shell.0 != is.shell {
            self.differs("shell", &is.shell, &asked.shell.0, &["--shell"]);
            asked.remark_shell(&mut self.plan, self.sys)?;
        }
        if let Some(comment) = asked.comment.as_ref().filter(|comment| comment.0 != is.comment) {
            self.differs("comment", &is.comment, &comment.0, &["--comment"]);
        }
        let has: Vec<&str> = accounts.groups_with(&is.name).map(|group| group.name.as_str()).collect();
        let primary = accounts.group_of(is.gid).map(|group| group.name.as_str());
        let mut lacks: Vec<&UserName> = Vec::new();
        for group in &asked.groups {
            let name = group.0.as_str();
            // It is a member of those that are kept elsewhere: `needs` has seen to that.
            if !has.contains(&name) && primary != Some(name) && !is_elsewhere(name, accounts, self.sys)? {
                lacks.push(group);
            }
        }
        if let Some(groups) = asked.joined(lacks.into_iter()) {
            self.differs("groups", &has.join(","), &groups, &["--append", "--groups"]);
        }
        Ok(())
    }

    /// A `useradd` or `groupmod` that was cut off leaves a user whose primary group is not there, or only half.
    fn own_group(&mut self) -> Result<()> {
        let (is, name, timeout) = (self.is, &self.asked.name.0, self.ask.timeout);
        if self.asked.group.is_some() || !self.ask.ours(name) {
            return Ok(());
        }
        let gid = is.gid.to_string();
        match self.accounts.group_of(is.gid) {
            Some(group) if group.name == *name => {
                if let Some(command) = account::missing_entry(name, timeout, self.sys)? {
                    self.shows("group", "not in gshadow", name);
                    self.deeds.commands.push(command);
                }
            }
            Some(_) => {}
            None if self.accounts.group(name).is_some() => self.differs("group", &gid, name, &["--gid"]),
            None => {
                self.shows("group", "", name);
                self.deeds.commands.push(Command::new(["groupadd", "--gid", &gid, name]).timeout(timeout));
                self.supplies.push(Thing::Group(name.clone()));
            }
        }
        Ok(())
    }

    /// Returns whether it has a home of its own in the end.
    fn home(&mut self, home: &str) -> Result<bool> {
        let (asked, path) = (self.asked, Path::new(home));
        let managed = asked.home.is_some() || (self.ask.ours(&asked.name.0) && asked.has_home());
        let coming = self.ask.pending.coming(&Thing::Path(path.to_owned())).is_some();
        if coming || (!managed && asked.ssh_keys.is_empty()) {
            return Ok(true);
        }
        match asked.look_at_home(path, Some(self.is.uid), self.accounts, self.sys)? {
            Home::Missing if managed => {
                self.needs.parent(path, self.ask, self.sys)?;
                self.deeds.home = true;
                self.supplies.push(Thing::Path(path.to_owned()));
                if home == self.is.home {
                    self.shows("home", "not there", home);
                }
            }
            Home::Missing => {
                return Err(Error::new(format!("putting keys into the home of `{}`", asked.name.0))
                    .reason(format!("`{home}` is not there"))
                    .remedy("give it a `home`, which is then made"));
            }
            Home::Own | Home::Unknown => {}
            Home::Roots => asked.remark_roots_home(home, &mut self.plan),
            // It has the number that its user had: what is owed sets that right.
            Home::Foreign(_) if self.deeds.follow.is_some() => {}
            Home::Foreign(owner) => {
                self.plan.waiting.push(asked.waiting_for_home(home, &owner));
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn keys(&mut self, home: &Path) -> Result<()> {
        let keys = &self.asked.ssh_keys;
        if keys.is_empty() {
            return Ok(());
        }
        let owed = self.deeds.follow.map(|follow| follow.uid);
        let owners: Vec<u32> = [self.is.uid].into_iter().chain(owed).collect();
        let seen = keys::Seen::read(home, &owners, self.sys)?;
        let (lacking, asked) = (seen.lacking(keys), keys.len());
        if lacking > 0 {
            self.shows("ssh-keys", &format!("{} of {asked}", asked - lacking), &format!("{asked} of {asked}"));
        }
        let loose = seen.loose();
        for (path, mode) in &loose {
            self.shows(path, &format!("writable by others ({mode:04o})"), &format!("{:04o}", mode & !0o022));
        }
        if lacking > 0 || !loose.is_empty() || self.deeds.home {
            self.deeds.keys = keys;
        }
        Ok(())
    }

    fn into_plan(mut self) -> Plan<'a> {
        let name = &self.asked.name.0;
        if self.changes.is_empty() {
            return self.plan;
        }
        if let Some(waiting) = self.needs.waiting(name, Vec::new()) {
            return Plan { waiting: vec![waiting], ..self.plan };
        }
        if !self.usermod.is_empty() {
            let argv = ["usermod".to_owned()].into_iter().chain(self.usermod).chain([name.clone()]);
            // Before the password, behind what makes the group.
            let at = self.deeds.commands.iter().take_while(|command| command.argv[0].starts_with("group")).count();
            self.deeds.commands.insert(at, Command::new(argv).timeout(self.ask.timeout));
        }
        for change in &mut self.changes {
            change.after.clone_from(&self.needs.after);
        }
        let deeds = self.deeds;
        let step = Step::new(self.changes, move |sys| deeds.make(name, sys)).supplies(self.supplies);
        self.plan.steps.push(step);
        self.plan
    }
}
