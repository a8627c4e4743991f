//! The users and groups of a machine, found by name and number.
use super::{Group, User, parse_group, parse_passwd};
use std::cmp::Ordering;

/// The users and groups of a machine, found by name and number; of two with one number, the first.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
    users_by_name: Vec<usize>,
    users_by_uid: Vec<usize>,
    groups_by_name: Vec<usize>,
    groups_by_gid: Vec<usize>,
}

impl Accounts {
    /// Returns the accounts of a passwd and a group file.
    pub fn parse(passwd: &str, group: &str) -> Self {
        let (users, groups) = (parse_passwd(passwd), parse_group(group));
        Self {
            users_by_name: ordered(&users, |a, b| a.name.cmp(&b.name)),
            users_by_uid: ordered(&users, |a, b| a.uid.cmp(&b.uid)),
            groups_by_name: ordered(&groups, |a, b| a.name.cmp(&b.name)),
            groups_by_gid: ordered(&groups, |a, b| a.gid.cmp(&b.gid)),
            users,
            groups,
        }
    }

    /// Returns the user of that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        first(&self.users, &self.users_by_name, |user| user.name.as_str().cmp(name))
    }

    /// Returns the user of that number.
    pub fn user_of(&self, uid: u32) -> Option<&User> {
        first(&self.users, &self.users_by_uid, |user| user.uid.cmp(&uid))
    }

    /// Returns the group of that name.
    pub fn group(&self, name: &str) -> Option<&Group> {
        first(&self.groups, &self.groups_by_name, |group| group.name.as_str().cmp(name))
    }

    /// Returns the group of that number.
    pub fn group_of(&self, gid: u32) -> Option<&Group> {
        first(&self.groups, &self.groups_by_gid, |group| group.gid.cmp(&gid))
    }

    /// Returns the names of the users whose primary group has that number.
    pub fn primary_of(&self, gid: u32) -> impl Iterator<Item = &str> {
        self.users.iter().filter(move |user| user.gid == gid).map(|user| user.name.as_str())
    }

    /// Returns the groups that name a user as a member.
    pub fn groups_with(&self, user: &str) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(move |group| group.members.iter().any(|member| member == user))
    }

    /// Returns a uid as a name where it has one, for people.
    pub fn shown_user(&self, uid: u32) -> String {
        self.user_of(uid).map_or_else(|| uid.to_string(), |user| user.name.clone())
    }

    /// Returns a gid as a name where it has one, for people.
    pub fn shown_group(&self, gid: u32) -> String {
        self.group_of(gid).map_or_else(|| gid.to_string(), |group| group.name.clone())
    }
}

/// Returns the places of all in the order that `compare` gives; equals stay in the order of the file.
fn ordered<T>(all: &[T], compare: impl Fn(&T, &T) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| compare(&all[*a], &all[*b]));
    order
}

/// Returns the first that `compare` finds equal.
fn first<'t, T>(all: &'t [T], order: &[usize], compare: impl Fn(&T) -> Ordering) -> Option<&'t T> {
    let at = order.partition_point(|place| compare(&all[*place]).is_lt());
    order.get(at).map(|place| &all[*place]).filter(|found| compare(found).is_eq())
}

#[cfg(test)]
mod tests {
    use super::super::tests::PASSWD;
    use super::*;

    const GROUP: &str = "root:x:0:\nsignals:x:1300:lilly,mike\nlilly:x:1201:\nbad:x:y:\n";

    #[test]
    fn accounts_are_found_by_name_and_number() {
        let accounts = Accounts::parse(PASSWD, GROUP);
        assert_eq!(accounts.user("lilly").unwrap().comment, "Lilly, Lead");
        assert_eq!(accounts.user_of(1201).unwrap().name, "lilly", "the first of two");
        assert_eq!(accounts.group("signals").unwrap().members, ["lilly", "mike"]);
        assert_eq!(accounts.groups_with("lilly").map(|group| group.gid).collect::<Vec<_>>(), [1300]);
        assert_eq!(accounts.primary_of(100).collect::<Vec<_>>(), ["twin"]);
        assert_eq!((accounts.shown_user(7), accounts.shown_group(1300)), ("7".into(), "signals".into()));
    }
}
