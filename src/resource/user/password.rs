//! The password of a user: compared as a hash, set on stdin, never shown.
use super::User;
use super::changed::Draft;
use crate::error::{Error, Result};
use crate::resource::Ask;
use crate::system::Command;
use crate::system::passwd::shadow;

pub(super) const EXPECTED: &str = "`password` takes a hash such as `mkpasswd` prints, which begins with `$`";
/// What locks an account: no password has this hash.
const LOCKED: &str = "!";
/// What stands for a secret that is not at hand.
const UNKNOWN: &str = "(unknown)";

/// Returns whether it is a hash as crypt(5) has them, or one that locks.
pub(super) fn may_be_hash(text: &str) -> bool {
    text == UNKNOWN || (text.starts_with(['$', '!', '*', '_']) && !text.contains([':', '\n']))
}

impl Draft<'_, '_> {
    pub(super) fn password(&mut self) -> Result<()> {
        let (ask, is, user) = (self.ask, self.is, self.asked);
        let entries = shadow(self.sys)?;
        let entry = entries.get(&is.name);
        let Some(asked) = &user.password else {
            // A `useradd` that was cut off leaves an account without.
            if is.shadowed && entry.is_none() && !entries.is_empty() {
                self.shows("password", "", "locked");
                self.deeds.commands.push(set(&is.name, LOCKED, ask));
            }
            return Ok(());
        };
        if ask.is_unknown("password") && ask.claim(&is.name).is_some_and(|claim| claim.held.is_some()) {
            let text = "its password is a secret that is not at hand: not compared";
            self.plan.remarks.push(user.remark(text));
            return Ok(());
        }
        let hash = entry.map(|entry| entry.password.as_str());
        if hash == Some(asked.0.as_str()) && !ask.is_unknown("password") {
            return Ok(());
        }
        let from = match hash {
            None | Some("") => "none",
            Some(hash) if hash.starts_with(['!', '*']) => "locked",
            Some(_) => "another one",
        };
        self.shows("password", from, "(secret)");
        self.deeds.commands.extend(user.password_command(ask)?);
        Ok(())
    }
}

impl User {
    /// Returns what sets the password; its hash goes in on stdin.
    pub(super) fn password_command(&self, ask: &Ask<'_>) -> Result<Option<Command>> {
        let Some(hash) = &self.password else { return Ok(None) };
        if ask.is_unknown("password") {
            return Ok(None);
        }
        if !may_be_hash(hash) {
            return Err(Error::new(format!("setting the password of `{}`", self.name.0)).reason(EXPECTED));
        }
        Ok(Some(set(&self.name.0, hash, ask)))
    }
}

fn set(name: &str, hash: &str, ask: &Ask<'_>) -> Command {
    Command::new(["chpasswd", "--encrypted"]).stdin(format!("{name}:{hash}\n")).timeout(ask.timeout)
}
