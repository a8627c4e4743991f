//! What a resource stands on: a parent directory, an owner and group, a program. What is missing is about to come, is
//! held back, or is an error at plan time.
use super::{Ask, Missing, Thing, Waiting};
use crate::error::{Attempt as _, Error, Result};
use crate::field::Principal;
use crate::id::Id;
use crate::system::fingerprint::followed;
use crate::system::passwd::{accounts, foreign_group, foreign_user};
use crate::system::program::program;
use crate::system::{FileKind, System};
use std::path::Path;

/// What of all that is needed is not there yet.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The last step on which it hangs.
    pub(crate) after: Option<Id>,
    /// What waits for a person, and so holds it back.
    pub(crate) held: Option<Id>,
}

impl Needs {
    /// Notes a thing that is not on the machine; an error, said as `what`, where nothing supplies it.
    pub(crate) fn missing(&mut self, thing: &Thing, ask: &Ask<'_>, what: impl FnOnce() -> Error) -> Result<()> {
        match ask.needs(thing, what)? {
            Missing::After(id) => self.after = Some(id),
            Missing::Held(id) => self.held = Some(id),
            Missing::Nowhere => {}
        }
        Ok(())
    }

    /// Looks for the directory in which `path` is to be.
    pub(crate) fn parent(&mut self, path: &Path, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        let attempt = || format!("looking for the directory `{}`", parent.display());
        let leads = followed(sys, parent).attempt(attempt)?;
        match leads.map_or(Ok(None), |leads| sys.lstat(&leads)).attempt(attempt)?.map(|is| is.kind) {
            Some(FileKind::Directory) => return Ok(()),
            // In a plan, what an earlier step puts a directory in the place of is still there.
            Some(_) if ask.pending.coming_if(|| Thing::Path(parent.to_owned())).is_some() => {
                return self.missing(&Thing::Path(parent.to_owned()), ask, || Error::new(attempt()));
            }
            Some(_) => return Err(Error::new(attempt()).reason("it is not a directory")),
            None => {}
        }
        if sys.lstat(parent).attempt(attempt)?.is_some() {
            let target = parent.with_file_name("").join(sys.read_link(parent).attempt(attempt)?);
            return self.missing(&Thing::Path(target.clone()), ask, || {
                Error::new(attempt()).reason(format!("it is a link to `{}`, which is not there", target.display()))
            });
        }
        self.missing(&Thing::Path(parent.to_owned()), ask, || {
            Error::new(attempt())
                .reason("it is not there, and parent directories are never made silently")
                .remedy(format!("put a [[directory]] with path = \"{}\" before it", parent.display()))
        })
    }

    /// Looks for a program, by name or absolute path.
    pub(crate) fn program(&mut self, name: &str, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        if program(sys, name).attempt(|| format!("looking for the program `{name}`"))?.is_some() {
            return Ok(());
        }
        let thing = if name.contains('/') { Thing::Path(name.into()) } else { Thing::Program(name.to_owned()) };
        self.missing(&thing, ask, || {
            Error::new(format!("looking for the program `{name}`"))
                .reason("it is not there")
                .remedy("put the [[package]] that brings it before this")
        })
    }

    /// Returns uid and primary group of an owner; `None` where they are not known yet.
    pub(crate) fn owner(&mut self, who: &Principal, ask: &Ask<'_>, sys: &dyn System) -> Result<Option<(u32, u32)>> {
        let Principal::Name(name) = who else { return owner_of(sys, who) };
        let thing = || Thing::User(name.clone());
        if let Some(id) = ask.pending.coming_if(thing) {
            self.after = Some(id.clone());
            return Ok(None);
        }
        // It may be there, with a number that it is about to give up.
        if let Some(id) = ask.pending.held_if(thing) {
            self.held = Some(id.clone());
            return Ok(None);
        }
        if let Some(found) = owner_of(sys, who)? {
            return Ok(Some(found));
        }
        self.missing(&thing(), ask, || no_such("user", name))?;
        Ok(None)
    }

    /// Returns the gid of a group; `None` where it is not known yet.
    pub(crate) fn group(&mut self, who: &Principal, ask: &Ask<'_>, sys: &dyn System) -> Result<Option<u32>> {
        let Principal::Name(name) = who else { return group_of(sys, who) };
        let thing = || Thing::Group(name.clone());
        if let Some(id) = ask.pending.coming_if(thing) {
            self.after = Some(id.clone());
            return Ok(None);
        }
        if let Some(found) = group_of(sys, who)? {
            return Ok(Some(found));
        }
        self.missing(&thing(), ask, || no_such("group", name))?;
        Ok(None)
    }

    /// Returns the waiting of a name that is held back; what it would supply is held back with it.
    pub(crate) fn waiting(&self, name: &str, supplies: Vec<Thing>) -> Option<Waiting> {
        let because = format!("waits for {}", self.held.as_ref()?);
        Some(Waiting { name: name.to_owned(), because, remedy: None, supplies })
    }
}

fn no_such(what: &str, name: &str) -> Error {
    Error::new(format!("looking up the {what} `{name}`"))
        .reason("it is not there")
        .remedy(format!("put a [[{what}]] with name = \"{name}\" before it, or give its number"))
}

/// Returns uid and primary group of an owner as the machine has it now. A number without a user has itself as group.
pub(crate) fn owner_of(sys: &dyn System, who: &Principal) -> Result<Option<(u32, u32)>> {
    let name = match who {
        Principal::Number(0) => return Ok(Some((0, 0))),
        Principal::Number(uid) => {
            let gid = accounts(sys)?.user_of(*uid).map_or(*uid, |user| user.gid);
            return Ok(Some((*uid, gid)));
        }
        Principal::Name(name) if name == "root" => return Ok(Some((0, 0))),
        Principal::Name(name) => name,
    };
    if let Some(user) = accounts(sys)?.user(name) {
        return Ok(Some((user.uid, user.gid)));
    }
    Ok(foreign_user(sys, name)?.map(|user| (user.uid, user.gid)))
}

/// Returns the gid of a group as the machine has it now.
pub(crate) fn group_of(sys: &dyn System, who: &Principal) -> Result<Option<u32>> {
    let name = match who {
        Principal::Number(gid) => return Ok(Some(*gid)),
        Principal::Name(name) if name == "root" => return Ok(Some(0)),
        Principal::Name(name) => name,
    };
    if let Some(group) = accounts(sys)?.group(name) {
        return Ok(Some(group.gid));
    }
    Ok(foreign_group(sys, name)?.map(|group| group.gid))
}

/// The owner and group that a recipe asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ownership<'a> {
    /// Root where the recipe names none.
    pub(crate) owner: Option<&'a Principal>,
    /// The owner's primary group where the recipe names none.
    pub(crate) group: Option<&'a Principal>,
}

impl Ownership<'_> {
    /// Returns uid and gid as far as they are known in a plan.
    pub(crate) fn planned(
        self,
        needs: &mut Needs,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<(Option<u32>, Option<u32>)> {
        let owner = match self.owner {
            None => Some((0, 0)),
            Some(who) => needs.owner(who, ask, sys)?,
        };
        let gid = match self.group {
            None => owner.map(|(_, primary)| primary),
            Some(who) => needs.group(who, ask, sys)?,
        };
        Ok((owner.map(|(uid, _)| uid), gid))
    }

    /// Returns uid and gid as the machine has them now.
    pub(crate) fn now(self, sys: &dyn System) -> Result<(u32, u32)> {
        let (uid, primary) = match self.owner {
            None => (0, 0),
            Some(who) => owner_of(sys, who)?.ok_or_else(|| no_such("user", &who.to_string()))?,
        };
        match self.group {
            None => Ok((uid, primary)),
            Some(who) => Ok((uid, group_of(sys, who)?.ok_or_else(|| no_such("group", &who.to_string()))?)),
        }
    }

    /// Returns the owner as the recipe has it.
    pub(crate) fn shown_owner(self) -> String {
        self.owner.map_or_else(|| "root".to_owned(), ToString::to_string)
    }

    /// Returns the group as the recipe has it.
    pub(crate) fn shown_group(self) -> String {
        match (self.group, self.owner) {
            (Some(group), _) => group.to_string(),
            (None, None) => "root".to_owned(),
            (None, Some(owner)) => format!("the primary group of {owner}"),
        }
    }
}
