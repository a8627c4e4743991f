//! The files in a home follow when their user's numbers change. `usermod` sees to that after it has written the account, so
//! a stamp tells the next run what was still to do when it was cut off.
use super::home::is_own;
use crate::error::Result;
use crate::system::passwd::User;
use crate::system::{Command, System, state};

const KIND: &str = "user";

/// The numbers that a user's files had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Follow {
    pub(super) uid: u32,
    gid: u32,
}

impl Follow {
    /// Returns the numbers that are about to be given up.
    pub(super) fn of(is: &User) -> Self {
        Self { uid: is.uid, gid: is.gid }
    }

    /// Returns those that a change which was cut off has left in a home.
    pub(super) fn owed(is: &User, sys: &dyn System) -> Result<Option<Self>> {
        let stamp = state::stamp(sys, KIND, &is.name)?;
        let numbers = stamp.as_deref().and_then(|text| text.trim().split_once(':'));
        let old = numbers.and_then(|(uid, gid)| Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? }));
        let Some(old) = old.filter(|old| *old != Self::of(is)) else { return Ok(None) };
        Ok(is_own(is, &[is.uid, old.uid], sys)?.then_some(old))
    }

    /// Returns them for people.
    pub(super) fn shown(self) -> String {
        format!("some may have uid {}, gid {}", self.uid, self.gid)
    }

    /// Leaves the stamp.
    pub(super) fn note(self, name: &str, sys: &dyn System) -> Result<()> {
        state::set_stamp(sys, KIND, name, &format!("{}:{}\n", self.uid, self.gid))
    }

    /// Gives the files their user's new numbers; links are not followed.
    pub(super) fn make(self, user: &User, sys: &dyn System) -> Result<()> {
        if is_own(user, &[user.uid, self.uid], sys)? {
            let pairs = [
                (self.uid != user.uid, self.uid.to_string(), user.uid.to_string()),
                (self.gid != user.gid, format!(":{}", self.gid), format!(":{}", user.gid)),
            ];
            for (_, from, to) in pairs.into_iter().filter(|(differs, ..)| *differs) {
                let from = format!("--from={from}");
                let argv = ["chown", "--recursive", "--no-dereference", &from, &to, &user.home];
                let command = Command::new(argv);
                sys.run(&command)?.success(&command)?;
            }
        }
        state::clear_stamp(sys, KIND, &user.name)
    }
}
