//! Taking a user away: only one that we made, and its home only where a person named it.
use super::{User, running};
use crate::error::{Attempt as _, Result};
use crate::resource::{Ask, Change, Plan, Remark, Step, Thing, Waiting};
use crate::system::passwd;
use crate::system::{Command, FileKind, System};
use std::path::{Path, PathBuf};

impl User {
    pub(super) fn check_absent<'a>(&'a self, is: &passwd::User, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        let mut plan = Plan::in_sync();
        let mut say = |text: String| plan.remarks.push(Remark { name: name.clone(), text });
        if !ask.ours(name) {
            say("kept: it was there before us".to_owned());
            return Ok(plan);
        }
        if let Some(busy) = running(is.uid, sys) {
            let because = format!("it is not taken away while its processes run: {busy}");
            let remedy = Some("stop them, then run again".to_owned());
            plan.waiting.push(Waiting { name: name.clone(), because, remedy, supplies: Vec::new() });
            return Ok(plan);
        }
        let mut changes = vec![Change::removed(name, format!("user, uid {}", is.uid))];
        let mut goes = None;
        if let Some(home) = own_home(is, sys)? {
            if ask.allows(&ask.known.allowed.data, name) {
                changes.push(Change::field(name, "home", Some(is.home.clone()), None));
                goes = Some(home);
            } else {
                say(format!("its home `{}` stays; `--data {}` takes it away as well", is.home, ask.id(name)));
            }
        }
        let mut supplies = vec![Thing::User(name.clone())];
        supplies.extend(goes.clone().map(Thing::Path));
        let timeout = ask.timeout;
        let step = Step::new(changes, move |sys| {
            // The home first: once the user is gone nobody knows whose it was.
            if let Some(home) = &goes {
                sys.remove_tree(home)?;
            }
            let command = Command::new(["userdel", name]).timeout(timeout);
            sys.run(&command)?.success(&command).map(drop)
        });
        plan.steps.push(step.supplies(supplies));
        Ok(plan)
    }
}

/// Returns the home of a user if it is a directory of its own.
fn own_home(is: &passwd::User, sys: &dyn System) -> Result<Option<PathBuf>> {
    let home = Path::new(&is.home);
    let found = sys.lstat(home).attempt(|| format!("looking for the home `{}`", is.home))?;
    let own = found.is_some_and(|found| found.kind == FileKind::Directory && found.uid == is.uid);
    Ok((own && is.uid != 0 && home.is_absolute() && home.parent().is_some()).then(|| home.to_owned()))
}
