//! The password of a user: compared as a hash, set on stdin, never shown.
use super::{Deeds, User};
use crate::error::{Error, Result};
use crate::resource::{Ask, Change, Plan, Remark};
use crate::system::passwd::password;
use crate::system::{Command, System};

impl User {
    pub(super) fn check_password(
        &self,
        ask: &Ask<'_>,
        sys: &dyn System,
        plan: &mut Plan<'_>,
        changes: &mut Vec<Change>,
        deeds: &mut Deeds,
    ) -> Result<()> {
        let Some(asked) = &self.password else { return Ok(()) };
        let name = &self.name.0;
        if ask.is_unknown("password") && ask.claim(name).is_some_and(|claim| claim.held.is_some()) {
            let text = "its password is a secret that is not at hand: not compared".to_owned();
            plan.remarks.push(Remark { name: name.clone(), text });
            return Ok(());
        }
        let is = password(sys, name)?;
        if is.as_deref() == Some(asked.0.as_str()) && !ask.is_unknown("password") {
            return Ok(());
        }
        let from = match is.as_deref() {
            None | Some("") => "none",
            Some(hash) if hash.starts_with(['!', '*']) => "locked",
            Some(_) => "another one",
        };
        changes.push(Change::field(name, "password", Some(from.to_owned()), Some("(secret)".to_owned())));
        deeds.password = self.password_command(ask)?;
        Ok(())
    }

    /// Returns what sets the password; its hash goes in on stdin.
    pub(super) fn password_command(&self, ask: &Ask<'_>) -> Result<Option<Command>> {
        let Some(hash) = &self.password else { return Ok(None) };
        let refused =
            |reason: &str| Err(Error::new(format!("setting the password of `{}`", self.name.0)).reason(reason));
        if ask.is_unknown("password") {
            return Ok(None);
        }
        if hash.is_empty() || hash.contains([':', '\n']) || !hash.starts_with(['$', '!', '*', '_']) {
            return refused("`password` takes a hash such as `mkpasswd` prints, which begins with `$`");
        }
        let line = format!("{}:{}\n", self.name.0, hash.0);
        Ok(Some(Command::new(["chpasswd", "--encrypted"]).stdin(line).timeout(ask.timeout)))
    }
}
