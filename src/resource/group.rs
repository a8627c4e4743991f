//! `[[group]]`: a group of users.
use super::{Ask, Change, Plan, Remark, Resource, Step, Thing, Want};
use crate::error::{Error, Result};
use crate::field::{AccountNumber, UserName};
use crate::system::passwd::{Accounts, accounts};
use crate::system::{Command, System};
use serde::Deserialize;

/// A group, as a recipe asks for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Group {
    name: UserName,
    gid: Option<AccountNumber>,
    #[serde(default)]
    system: bool,
}

impl Resource for Group {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let accounts = accounts(sys)?;
        match ask.want {
            Want::Present => self.present(&accounts, ask),
            Want::Absent => Ok(self.absent(&accounts, ask)),
        }
    }
}

impl Group {
    fn present(&self, accounts: &Accounts, ask: &Ask<'_>) -> Result<Plan<'static>> {
        let name = self.name.0.as_str();
        let is = accounts.group(name).map(|group| group.gid);
        let wanted = self.gid.map(|gid| gid.0);
        if is.is_some() && (wanted.is_none() || wanted == is) {
            return Ok(Plan::in_sync());
        }
        if let Some(other) = wanted.and_then(|gid| accounts.group_of(gid))
            && ask.pending.coming(&Thing::Group(other.name.clone())).is_none()
        {
            return Err(Error::new(format!("giving gid {} to the group `{name}`", other.gid))
                .reason(format!("the group `{}` has it", other.name))
                .remedy("choose another `gid`"));
        }
        let mut argv = vec![if is.is_some() { "groupmod" } else { "groupadd" }.to_owned()];
        if self.system && is.is_none() {
            argv.push("--system".to_owned());
        }
        argv.extend(wanted.iter().flat_map(|gid| ["--gid".to_owned(), gid.to_string()]));
        argv.push(name.to_owned());
        let shown = wanted.map(|gid| gid.to_string());
        let change = match is {
            None => Change::made(name, shown.map_or("group".to_owned(), |gid| format!("group, gid {gid}"))),
            Some(gid) => Change::field(name, "gid", Some(gid.to_string()), shown),
        };
        let supplies = [Some(name.to_owned()), wanted.map(|gid| gid.to_string())];
        let step = Step::new(vec![change], run(argv, ask.timeout));
        Ok(Plan::step(step.supplies(supplies.into_iter().flatten().map(Thing::Group))))
    }

    fn absent(&self, accounts: &Accounts, ask: &Ask<'_>) -> Plan<'static> {
        let name = self.name.0.as_str();
        let Some(is) = accounts.group(name) else { return Plan::in_sync() };
        let stays = |text: String| Plan { remarks: vec![Remark { name: name.to_owned(), text }], ..Plan::default() };
        if !ask.ours(name) {
            return stays("kept: it was there before us".to_owned());
        }
        // In a plan, users that an earlier step takes away are still there.
        let mut after = None;
        let mut members: Vec<&str> = Vec::new();
        for member in is.members.iter().map(String::as_str).chain(accounts.primary_of(is.gid)) {
            match ask.pending.coming(&Thing::User(member.to_owned())) {
                Some(id) => after = Some(id.clone()),
                None => members.push(member),
            }
        }
        if !members.is_empty() {
            return stays(format!("kept: it has members: {}", members.join(", ")));
        }
        let change = Change::removed(name, format!("group, gid {}", is.gid)).after(after);
        let argv = vec!["groupdel".to_owned(), name.to_owned()];
        Plan::step(Step::new(vec![change], run(argv, ask.timeout)).supplies([Thing::Group(name.to_owned())]))
    }
}

fn run(argv: Vec<String>, timeout: std::time::Duration) -> impl FnOnce(&dyn System) -> Result<()> {
    move |sys| {
        let command = Command::new(argv).timeout(timeout);
        sys.run(&command)?.success(&command).map(drop)
    }
}
