//! Users and groups as passwd(5), group(5), shadow(5) and nsswitch.conf(5) have them, read once and kept as a fact.
mod accounts;

pub use accounts::Accounts;

use super::{Command, System};
use crate::error::{Attempt as _, Error, Result};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A line of /etc/passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// GECOS.
    pub comment: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Its password is in shadow(5).
    pub shadowed: bool,
}

/// A line of /etc/group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Number.
    pub gid: u32,
    /// Users of whom this is a supplementary group.
    pub members: Vec<String>,
}

/// Returns the users of a passwd file; lines that are none (comments, `+` of NIS) are passed over.
pub fn parse_passwd(text: &str) -> Vec<User> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = name(fields.next()?)?;
        let shadowed = fields.next()? == "x";
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let mut text = || fields.next().map(str::to_owned);
        Some(User { name, uid, gid, comment: text()?, home: text()?, shell: text()?, shadowed })
    };
    text.lines().filter_map(user).collect()
}

/// Returns the groups of a group file; lines that are none are passed over.
pub fn parse_group(text: &str) -> Vec<Group> {
    let group = |line: &str| {
        let mut fields = line.split(':');
        let name = name(fields.next()?)?;
        let _password = fields.next()?;
        let gid = fields.next()?.parse().ok()?;
        let members = fields.next()?.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
        Some(Group { name, gid, members })
    };
    text.lines().filter_map(group).collect()
}

/// What a line of /etc/shadow says of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// The hash of the password; nobody has one that begins with `!` or `*`.
    pub password: String,
    /// The first day on which the account can't be used any more, counted from 1970.
    pub expires: Option<u64>,
}

/// Returns the users of a shadow file.
pub fn parse_shadow(text: &str) -> HashMap<String, Shadow> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let (name, password) = (name(fields.next()?)?, fields.next()?.to_owned());
        Some((name, Shadow { password, expires: fields.nth(5).and_then(|day| day.parse().ok()) }))
    };
    text.lines().filter_map(entry).collect()
}

/// Returns the groups of a gshadow file, each with its members.
pub fn parse_gshadow(text: &str) -> HashMap<String, Vec<String>> {
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = name(fields.next()?)?;
        let members = fields.nth(2)?.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
        Some((name, members))
    };
    text.lines().filter_map(entry).collect()
}

/// Returns whether a database, such as `passwd`, is looked up in more than files.
pub fn parse_nsswitch_names_more(text: &str, database: &str) -> bool {
    let sources = text.lines().find_map(|line| {
        let (name, sources) = line.split('#').next()?.split_once(':')?;
        (name.trim() == database).then_some(sources)
    });
    sources
        .is_some_and(|sources| sources.split_whitespace().any(|source| !source.starts_with('[') && source != "files"))
}

fn name(field: &str) -> Option<String> {
    (!field.is_empty() && !field.starts_with(['#', '+', '-'])).then(|| field.to_owned())
}

/// Returns the users and groups in the files of a machine.
pub fn accounts(sys: &dyn System) -> Result<Arc<Accounts>> {
    sys.facts().get("accounts", || {
        Ok(Accounts::parse(&text(sys, Path::new("/etc/passwd"))?, &text(sys, Path::new("/etc/group"))?))
    })
}

/// Returns the users in /etc/shadow; none where passwords are elsewhere.
pub fn shadow(sys: &dyn System) -> Result<Arc<HashMap<String, Shadow>>> {
    sys.facts().get("shadow", || Ok::<_, Error>(parse_shadow(&text(sys, Path::new("/etc/shadow"))?)))
}

/// Returns the groups in /etc/gshadow; none where there is no such file.
pub fn gshadow(sys: &dyn System) -> Result<Arc<HashMap<String, Vec<String>>>> {
    sys.facts().get("gshadow", || Ok::<_, Error>(parse_gshadow(&text(sys, Path::new("/etc/gshadow"))?)))
}

/// Asks the machine's name service for a user, by name or number, that its files do not know; nobody where it knows no
/// other source.
pub fn foreign_user(sys: &dyn System, name: &str) -> Result<Option<User>> {
    Ok(ask_name_service(sys, "passwd", name)?.and_then(|line| parse_passwd(&line).pop()))
}

/// Asks the machine's name service for a group, by name or number, that its files do not know.
pub fn foreign_group(sys: &dyn System, name: &str) -> Result<Option<Group>> {
    Ok(ask_name_service(sys, "group", name)?.and_then(|line| parse_group(&line).pop()))
}

/// Returns a user and all its groups' numbers, the primary one first.
pub(super) fn user_for_running(sys: &dyn System, name: &str) -> Result<(User, Vec<u32>)> {
    let accounts = accounts(sys)?;
    let user = match accounts.user(name) {
        Some(user) => user.clone(),
        None => foreign_user(sys, name)?
            .ok_or_else(|| Error::new(format!("becoming user `{name}`")).reason("no such user"))?,
    };
    let mut groups = vec![user.gid];
    groups.extend(accounts.groups_with(name).map(|group| group.gid).filter(|gid| *gid != user.gid));
    Ok((user, groups))
}

fn ask_name_service(sys: &dyn System, database: &str, name: &str) -> Result<Option<String>> {
    let more = sys.facts().get(&format!("nsswitch {database}"), || {
        text(sys, Path::new("/etc/nsswitch.conf")).map(|text| parse_nsswitch_names_more(&text, database))
    })?;
    if !*more {
        return Ok(None);
    }
    let output = sys.run(&Command::new(["getent", database, name]))?;
    Ok((output.code == 0).then(|| output.text()))
}

fn text(sys: &dyn System, path: &Path) -> Result<String> {
    match sys.read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/bash
# comment:x:1:1:::
+nis
broken:x:one:2:::
short:x:5:5
lilly:x:1201:1201:Lilly, Lead:/home/lilly:/bin/bash
twin:x:1201:100::/nonexistent:/usr/sbin/nologin
";

    #[test]
    fn lines_that_are_no_users_are_passed_over() {
        let names: Vec<_> = parse_passwd(PASSWD).into_iter().map(|user| user.name).collect();
        assert_eq!(names, ["root", "lilly", "twin"]);
    }

    #[test]
    fn shadow_has_the_password_and_the_day_on_which_it_ends() {
        let shadow = parse_shadow("root:*:19000:0:99999:7:::\nlilly:!:19000::::::\nold:$6$x:1:0:9:7::18000:\n");
        assert_eq!(shadow["lilly"], Shadow { password: "!".into(), expires: None });
        assert_eq!(shadow["old"], Shadow { password: "$6$x".into(), expires: Some(18000) });
    }

    #[test]
    fn gshadow_has_the_members_last() {
        let groups = parse_gshadow("root:*::\nsudo:*:boss:lilly,mike\nshort:!\n");
        assert_eq!((groups["root"].len(), groups["sudo"].len(), groups.len()), (0, 2, 2));
    }

    #[test]
    fn nsswitch_says_whether_there_is_more_than_files() {
        for (text, more) in [
            ("passwd: files\n", false),
            ("passwd:  files systemd # sss\n", true),
            ("#passwd: sss\ngroup: sss\n", false),
            ("passwd: files [NOTFOUND=return]\n", false),
            ("", false),
        ] {
            assert_eq!(parse_nsswitch_names_more(text, "passwd"), more, "{text}");
        }
    }
}
