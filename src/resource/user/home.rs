//! A home directory: whose it is; and how it is made, beside with what /etc/skel holds, then renamed, so that it is there
//! whole or not at all.
use crate::error::{Attempt as _, Error, Result};
use crate::resource::{Plan, Waiting};
use crate::system::passwd::{Accounts, User};
use crate::system::{FileKind, NewFile, System, shell_word};
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// What stands where a home is to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// Nothing.
    Missing,
    /// A directory of the user's.
    Own,
    /// A link, whose target is root's affair, or a directory whose owner can't be compared yet.
    Unknown,
    /// A directory of root's.
    Roots,
    /// A directory of somebody else, by name or number.
    Foreign(String),
}

/// Looks at the home of a user with that number.
pub(super) fn look(home: &Path, uid: Option<u32>, accounts: &Accounts, sys: &dyn System) -> Result<Home> {
    let attempt = || format!("looking for the home `{}`", home.display());
    let Some(found) = sys.lstat(home).attempt(attempt)? else { return Ok(Home::Missing) };
    Ok(match found.kind {
        FileKind::Link => Home::Unknown,
        FileKind::File | FileKind::Other => {
            return Err(Error::new(attempt()).reason("it is no directory").remedy("remove it, or give another `home`"));
        }
        FileKind::Directory if uid == Some(found.uid) => Home::Own,
        FileKind::Directory if found.uid == 0 => Home::Roots,
        FileKind::Directory if uid.is_none() && accounts.user_of(found.uid).is_none() => Home::Unknown,
        FileKind::Directory => Home::Foreign(accounts.shown_user(found.uid)),
    })
}

/// Returns whether a user's home is a directory that one of these numbers owns; never root's, and never `/`.
pub(super) fn is_own(user: &User, uids: &[u32], sys: &dyn System) -> Result<bool> {
    let home = Path::new(&user.home);
    let found = sys.lstat(home).attempt(|| format!("looking for the home `{}`", user.home))?;
    let own =
        found.is_some_and(|found| found.kind == FileKind::Directory && found.uid != 0 && uids.contains(&found.uid));
    Ok(own && home.is_absolute() && home.parent().is_some())
}

impl super::User {
    /// Returns whether it has a home that is its own affair.
    pub(super) fn has_home(&self) -> bool {
        !self.system || self.home.is_some()
    }

    /// Looks at its home. Whose that of a system user is says nothing: many share one, or have `/`.
    pub(super) fn look_at_home(
        &self,
        home: &Path,
        uid: Option<u32>,
        accounts: &Accounts,
        sys: &dyn System,
    ) -> Result<Home> {
        if !self.system {
            return look(home, uid, accounts, sys);
        }
        let found = sys.lstat(home).attempt(|| format!("looking for the home `{}`", home.display()))?;
        Ok(if found.is_none() { Home::Missing } else { Home::Unknown })
    }

    /// Says that it can't change its own home.
    pub(super) fn remark_roots_home(&self, home: &str, plan: &mut Plan<'_>) {
        let text =
            format!("its home `{home}` belongs to root and is left as it is; a [[directory]] with `owner` gives it");
        plan.remarks.push(self.remark(text));
    }

    /// Somebody else's directory is not touched, and no key is put into it.
    pub(super) fn waiting_for_home(&self, home: &str, owner: &str) -> Waiting {
        let name = &self.name.0;
        Waiting {
            name: name.clone(),
            because: format!("its home `{home}` belongs to {owner}"),
            remedy: Some(format!(
                "`chown --recursive {name}: {}` where it should be its own, else give another `home`",
                shell_word(home)
            )),
            supplies: Vec::new(),
        }
    }
}

/// Makes the home of a user.
pub(super) fn make(user: &User, sys: &dyn System) -> Result<()> {
    let home = Path::new(&user.home);
    let attempt = || format!("making the home `{}`", user.home);
    let name = home.file_name().ok_or_else(|| Error::new(attempt()).reason("it has no name"))?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".provision-new");
    let beside = home.with_file_name(beside);
    sys.remove_tree(&beside)?;
    let defaults = match sys.read(Path::new("/etc/login.defs")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).attempt(|| "reading `/etc/login.defs`".to_owned()),
    };
    // Nobody but root may look in, or put a link in, until it is whole.
    sys.make_dir(&beside, 0, 0, 0o700)?;
    copy_into(Path::new("/etc/skel"), &beside, user, sys)?;
    sys.chown(&beside, user.uid, user.gid)?;
    sys.chmod(&beside, parse_home_mode(&defaults))?;
    sys.rename(&beside, home)
}

/// Copies what is in `from`; nothing there is no error.
fn copy_into(from: &Path, to: &Path, user: &User, sys: &dyn System) -> Result<()> {
    let names = match sys.list(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names.attempt(|| format!("reading `{}`", from.display()))?,
    };
    for name in names {
        let (old, new) = (from.join(&name), to.join(&name));
        let attempt = || format!("reading `{}`", old.display());
        let Some(is) = sys.lstat(&old).attempt(attempt)? else { continue };
        match is.kind {
            FileKind::File => {
                let content = sys.read(&old).attempt(attempt)?;
                let file = NewFile { content: &content, uid: user.uid, gid: user.gid, mode: is.mode };
                sys.write(&new, &file, &|_| Ok(()))?;
            }
            FileKind::Link => {
                sys.symlink(&sys.read_link(&old).attempt(attempt)?, &new, user.uid, user.gid)?;
            }
            FileKind::Directory => {
                sys.make_dir(&new, 0, 0, 0o700)?;
                copy_into(&old, &new, user, sys)?;
                sys.chown(&new, user.uid, user.gid)?;
                sys.chmod(&new, is.mode)?;
            }
            FileKind::Other => {}
        }
    }
    Ok(())
}

/// Returns the mode of a new home by login.defs(5): `HOME_MODE`, else what `UMASK` leaves.
fn parse_home_mode(defaults: &str) -> u32 {
    let octal = |name: &str| {
        defaults.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next()? == name).then(|| u32::from_str_radix(words.next()?, 8).ok()).flatten()
        })
    };
    octal("HOME_MODE").unwrap_or_else(|| 0o777 & !octal("UMASK").unwrap_or(0o022)) & 0o7777
}

#[cfg(test)]
mod tests {
    use super::parse_home_mode;

    #[test]
    fn the_machine_says_which_mode_a_home_has() {
        for (defaults, mode) in [
            ("", 0o755),
            ("# HOME_MODE 0700\nUMASK\t\t027\n", 0o750),
            ("UMASK 022\nHOME_MODE\t0700\n", 0o700),
            ("HOME_MODE x\n", 0o755),
        ] {
            assert_eq!(parse_home_mode(defaults), mode, "{defaults}");
        }
    }
}
