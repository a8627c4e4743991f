//! A user that is not there yet.
use super::User;
use super::deeds::Deeds;
use super::home::Home;
use super::needs::is_elsewhere;
use crate::error::{Error, Result};
use crate::field::Principal;
use crate::resource::account::foreign_user_name;
use crate::resource::{Ask, Change, Plan, Step, Thing};
use crate::system::passwd::Accounts;
use crate::system::{Command, System};
use std::path::Path;

impl User {
    pub(super) fn check_missing<'a>(
        &'a self,
        accounts: &Accounts,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        let name = &self.name.0;
        if foreign_user_name(name, accounts, sys)?.is_some() {
            return Err(Error::new(format!("making the user `{name}`"))
                .reason("the name service knows it already, though /etc/passwd does not: it is kept elsewhere")
                .remedy("take this [[user]] out of the recipe, or choose another `name`"));
        }
        if let Some(waiting) = self.waits_for_predecessor(accounts, ask) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let mut needs = self.needs(None, accounts, ask, sys)?;
        let mut plan = Plan::in_sync();
        let home = self.home_of_a_new_user();
        let mut makes_home = false;
        if self.has_home() {
            match self.look_at_home(Path::new(&home), self.uid.map(|uid| uid.0), accounts, sys)? {
                Home::Missing if ask.pending.coming(&Thing::Path(home.clone().into())).is_none() => {
                    needs.parent(Path::new(&home), ask, sys)?;
                    makes_home = true;
                }
                Home::Missing | Home::Own | Home::Unknown => {}
                Home::Roots => self.remark_roots_home(&home, &mut plan),
                Home::Foreign(owner) => plan.waiting.push(self.waiting_for_home(&home, &owner)),
            }
        }
        let coming = ask.pending.coming(&Thing::Group(name.clone()));
        // Noted as a change of its own: what was there before the user is not taken away with it.
        let own_group = self.is_primary(name) && (accounts.group(name).is_some() || coming.is_some());
        if let (true, Some(id)) = (own_group, coming) {
            needs.after = Some(id.clone());
        }
        let mut groups = Vec::new();
        for group in &self.groups {
            if !is_elsewhere(&group.0, accounts, sys)? {
                groups.push(group);
            }
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
        option("--gid", self.group.as_ref().filter(|_| !own_group).map(ToString::to_string), "group");
        option("--groups", self.joined(groups.into_iter()), "groups");
        option("--home-dir", Some(home.clone()), "home");
        option("--shell", Some(self.shell.0.clone()), "shell");
        if let Some(comment) = &self.comment {
            argv.extend(["--comment".to_owned(), comment.0.clone()]);
        }
        if own_group {
            argv.extend(["--gid".to_owned(), name.clone()]);
        } else if self.group.is_none() {
            argv.push("--user-group".to_owned());
        }
        if self.system {
            argv.push("--system".to_owned());
        }
        argv.push(name.clone());
        if self.password.is_some() {
            said.push("a password".to_owned());
        }
        let keys = if plan.waiting.is_empty() { self.ssh_keys.as_slice() } else { &[] };
        if !keys.is_empty() {
            said.push(format!("{} ssh keys", keys.len()));
        }
        let mut commands = vec![Command::new(argv).timeout(ask.timeout)];
        commands.extend(self.password_command(ask)?);
        let deeds = Deeds { commands, follow: None, home: makes_home, keys };
        let mut supplies = vec![Thing::User(name.clone()), Thing::Path(home.into())];
        if self.group.is_none() {
            supplies.push(Thing::Group(name.clone()));
        }
        if let Some(waiting) = needs.waiting(name, supplies.clone()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        self.remark_shell(&mut plan, sys)?;
        let mut changes = vec![Change::made(name, said.join(", "))];
        changes.extend(own_group.then(|| Change::field(name, "existing group", None, Some(name.clone()))));
        let changes = changes.into_iter().map(|change| change.after(needs.after.clone())).collect();
        plan.steps.push(Step::new(changes, move |sys| deeds.make(name, sys)).supplies(supplies));
        Ok(plan)
    }

    fn home_of_a_new_user(&self) -> String {
        match &self.home {
            Some(home) => home.0.clone(),
            None if self.system => "/nonexistent".to_owned(),
            None => format!("/home/{}", self.name.0),
        }
    }

    /// Returns whether a group is its primary one, as far as the recipe says.
    pub(super) fn is_primary(&self, group: &str) -> bool {
        match &self.group {
            None => group == self.name.0,
            Some(Principal::Name(primary)) => primary == group,
            Some(Principal::Number(_)) => false,
        }
    }

    /// Returns groups for an option: with commas, without the primary one.
    pub(super) fn joined<'g>(&self, groups: impl Iterator<Item = &'g crate::field::UserName>) -> Option<String> {
        let names: Vec<&str> = groups.map(|group| group.0.as_str()).filter(|group| !self.is_primary(group)).collect();
        (!names.is_empty()).then(|| names.join(","))
    }
}
