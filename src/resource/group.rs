//! `[[group]]`: a group of users.
use super::account::{self, foreign_group_name};
use super::{Ask, Change, Plan, Remark, Resource, Step, Thing, Want};
use crate::error::{Error, Result};
use crate::field::{AccountNumber, UserName};
use crate::system::passwd::{Accounts, accounts, gshadow};
use crate::system::{Command, System, state};
use serde::Deserialize;

/// Stamps with the gid that a group is about to give up.
const STAMP: &str = "group";

/// A group of this machine.
///
/// Absent: taken away if ours and without members.
///
/// ```toml
/// [[group]]
/// name = "signals"
/// gid  = 1200
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Group {
    /// Its name.
    name: UserName,
    /// Default: the next free one. Its number. Users whose primary group it is get the new one; files keep the old one.
    gid: Option<AccountNumber>,
    /// Its number comes from the range for system groups when it is made.
    #[serde(default)]
    system: bool,
}

impl Resource for Group {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let accounts = accounts(sys)?;
        let is = accounts.group(&self.name.0).map(|group| group.gid);
        let mut plan = match (ask.want, is) {
            (Want::Absent, _) => self.absent(&accounts, ask, sys)?,
            (Want::Present, None) => self.made(&accounts, ask, sys)?,
            (Want::Present, Some(gid)) => self.changed(gid, &accounts, ask, sys)?,
        };
        let name = &self.name.0;
        if let (Want::Present, Some(_), true) = (ask.want, is, ask.ours(name))
            && let Some(command) = account::missing_entry(name, ask.timeout, sys)?
        {
            let change = Change::field(name, "gshadow", None, Some("entry".to_owned()));
            plan.steps.push(Step::new(vec![change], move |sys| account::run(&command, sys)));
        }
        account::sweep(name, &mut plan, sys)?;
        Ok(plan)
    }
}

impl Group {
    fn made(&self, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'_>> {
        let name = &self.name.0;
        if foreign_group_name(name, accounts, sys)?.is_some() {
            return Err(Error::new(format!("making the group `{name}`"))
                .reason("the name service knows it already, though /etc/group does not: it is kept elsewhere")
                .remedy("take this [[group]] out of the recipe, or choose another `name`"));
        }
        let mut argv = vec!["groupadd".to_owned()];
        if self.system {
            argv.push("--system".to_owned());
        }
        let mut supplies = vec![Thing::Group(name.clone())];
        let mut shown = "group".to_owned();
        if let Some(gid) = &self.gid {
            let predecessor =
                |other| account::predecessor(name, &format!("gid {gid}"), other, supplies[0].clone(), ask);
            if let Some(waiting) = accounts.group_of(gid.0).and_then(|other| predecessor(&other.name)) {
                return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
            }
            self.needs_gid(gid.0, accounts, ask, sys)?;
            argv.extend(["--gid".to_owned(), gid.to_string()]);
            supplies.push(Thing::Group(gid.to_string()));
            shown = format!("group, gid {gid}");
        }
        argv.push(name.clone());
        let command = Command::new(argv).timeout(ask.timeout);
        let step = Step::new(vec![Change::made(name, shown)], move |sys| account::run(&command, sys));
        Ok(Plan::step(step.supplies(supplies)))
    }

    fn changed(&self, is: u32, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'_>> {
        let name = &self.name.0;
        let Some(wanted) = self.gid.map(|gid| gid.0) else { return Ok(Plan::in_sync()) };
        if wanted == is {
            return self.owed(is, accounts, ask, sys);
        }
        self.needs_gid(wanted, accounts, ask, sys)?;
        let change = Change::field(name, "gid", Some(is.to_string()), Some(wanted.to_string()));
        let command = Command::new(["groupmod", "--gid", &wanted.to_string(), name]).timeout(ask.timeout);
        let step = Step::new(vec![change], move |sys| {
            state::set_stamp(sys, STAMP, name, &is.to_string())?;
            account::run(&command, sys)?;
            state::clear_stamp(sys, STAMP, name)
        });
        // What belongs to these users by their primary group belongs to another number then.
        let users = accounts.primary_of(is).map(|user| Thing::User(user.to_owned()));
        let groups = [Thing::Group(name.clone()), Thing::Group(wanted.to_string())];
        let mut plan = Plan::step(step.supplies(groups.into_iter().chain(users)));
        plan.remarks.push(self.remark(format!("files of gid {is} keep it")));
        Ok(plan)
    }

    /// A `groupmod` that was cut off may leave users whose primary group is the old number, which nobody has.
    fn owed(&self, is: u32, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'_>> {
        let name = &self.name.0;
        let stamp = state::stamp(sys, STAMP, name)?;
        let Some(old) = stamp.and_then(|text| text.trim().parse().ok()).filter(|old| *old != is) else {
            return Ok(Plan::in_sync());
        };
        let is_free = accounts.group_of(old).is_none();
        let users: Vec<String> = accounts.primary_of(old).filter(|_| is_free).map(str::to_owned).collect();
        let shown = format!("some may have gid {old}");
        let change = Change::field(name, "primary group of its users", Some(shown), Some(format!("gid {is}")));
        let things: Vec<Thing> = users.iter().cloned().map(Thing::User).collect();
        let timeout = ask.timeout;
        let step = Step::new(vec![change], move |sys| {
            for user in &users {
                account::run(&Command::new(["usermod", "--gid", name, user]).timeout(timeout), sys)?;
            }
            state::clear_stamp(sys, STAMP, name)
        });
        Ok(Plan::step(step.supplies(things)))
    }

    fn needs_gid(&self, gid: u32, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        let other = match accounts.group_of(gid) {
            Some(other) if ask.pending.coming(&Thing::Group(other.name.clone())).is_some() => None,
            Some(other) => Some(other.name.clone()),
            None => foreign_group_name(&gid.to_string(), accounts, sys)?,
        };
        let Some(other) = other else { return Ok(()) };
        Err(Error::new(format!("giving gid {gid} to the group `{}`", self.name.0))
            .reason(format!("the group `{other}` has it"))
            .remedy("choose another `gid`"))
    }

    fn absent(&self, accounts: &Accounts, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'_>> {
        let name = &self.name.0;
        let Some(is) = accounts.group(name) else { return self.gone(ask, sys) };
        let stays = |text: String| Ok(Plan { remarks: vec![self.remark(text)], ..Plan::default() });
        if !ask.ours(name) {
            return stays("kept: it was there before us".to_owned());
        }
        // In a plan, users that an earlier step takes away are still there.
        let mut after = None;
        let mut members: Vec<&str> = Vec::new();
        for member in is.members.iter().map(String::as_str).chain(accounts.primary_of(is.gid)) {
            match ask.pending.coming(&Thing::User(member.to_owned())) {
                Some(id) => after = Some(id.clone()),
                None if is_somebody(member, accounts, sys)? => members.push(member),
                None => {}
            }
        }
        if !members.is_empty() {
            return stays(format!("kept: it has members: {}", members.join(", ")));
        }
        let change = Change::removed(name, format!("group, gid {}", is.gid)).after(after);
        let command = Command::new(["groupdel", name]).timeout(ask.timeout);
        let step = Step::new(vec![change], move |sys| account::run(&command, sys));
        Ok(Plan::step(step.supplies([Thing::Group(name.clone())])))
    }

    /// One that is gone, and what a `groupdel` that was cut off left of it.
    fn gone(&self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'_>> {
        let name = &self.name.0;
        if !ask.ours(name) || !gshadow(sys)?.contains_key(name) {
            return Ok(Plan::in_sync());
        }
        let change = Change::field(name, "left of it", Some("in /etc/gshadow".to_owned()), None);
        // groupdel takes it away, given a group of that name to begin with.
        let commands = ["groupadd", "groupdel"].map(|tool| Command::new([tool, name]).timeout(ask.timeout));
        let step =
            Step::new(vec![change], move |sys| commands.iter().try_for_each(|command| account::run(command, sys)));
        Ok(Plan::step(step))
    }

    fn remark(&self, text: String) -> Remark {
        Remark { name: self.name.0.clone(), text }
    }
}

/// A name that a killed `userdel` left among the members is nobody.
fn is_somebody(member: &str, accounts: &Accounts, sys: &dyn System) -> Result<bool> {
    Ok(accounts.user(member).is_some() || account::foreign_user_name(member, accounts, sys)?.is_some())
}
