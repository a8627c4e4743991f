//! What is done to bring a user to what is asked, in order. Each deed can be cut off and is found undone by the next check.
use super::follow::Follow;
use super::{home, keys};
use crate::error::{Error, Result};
use crate::field::SshKey;
use crate::resource::account;
use crate::system::passwd::accounts;
use crate::system::{Command, System};

/// What is done.
#[derive(Debug, Default)]
pub(super) struct Deeds<'a> {
    /// The account itself: groupadd, useradd, usermod, chpasswd.
    pub(super) commands: Vec<Command>,
    /// Its files get the new numbers.
    pub(super) follow: Option<Follow>,
    /// Its home is made.
    pub(super) home: bool,
    /// Its keys are put in place; none: they are left alone.
    pub(super) keys: &'a [SshKey],
}

impl Deeds<'_> {
    /// Does it.
    pub(super) fn make(&self, name: &str, sys: &dyn System) -> Result<()> {
        if let Some(follow) = self.follow {
            follow.note(name, sys)?;
        }
        for command in &self.commands {
            account::run(command, sys)?;
        }
        if self.follow.is_none() && !self.home && self.keys.is_empty() {
            return Ok(());
        }
        sys.facts().forget();
        let missing = || Error::new(format!("looking up the user `{name}`")).reason("it is not there");
        let accounts = accounts(sys)?;
        let user = accounts.user(name).ok_or_else(missing)?;
        if let Some(follow) = self.follow {
            follow.make(user, sys)?;
        }
        if self.home {
            home::make(user, sys)?;
        }
        if self.keys.is_empty() { Ok(()) } else { keys::put(user, self.keys, sys) }
    }
}
