//! A number that two users or two groups of a machine are to have.
use super::collect::Pass;
use super::error::Mistake;
use super::load::Loader;
use super::unique::Built;
use crate::id::{Id, Machine};
use crate::resource::Want;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

/// The numbers of which `useradd` gives the group that it makes for a user that of the user itself, and those for a system
/// user, as login.defs(5) has them on Debian.
const GIDS: RangeInclusive<u64> = 1000..=60_000;
const SYSTEM_GIDS: RangeInclusive<u64> = 101..=999;

/// Reports each uid and gid that is asked for twice.
pub(super) fn look(loader: &mut Loader<'_>) {
    let mut users: HashMap<(Machine, u64), (usize, Id)> = HashMap::new();
    let mut groups: HashMap<(Machine, u64), (usize, Id)> = HashMap::new();
    let mut named: HashSet<Id> = HashSet::new();
    for (index, built) in loader.built.iter().enumerate().filter(|(_, built)| built.item.job.want == Want::Present) {
        loader.mistakes.next_instance();
        let kind = built.item.job.kind.as_str();
        for id in built.item.ids() {
            let taken = match (kind, number(built, "uid"), number(built, "gid")) {
                ("user", Some(uid), _) => {
                    if let Some(gid) = gid_of_own_group(built, uid).filter(|_| !named.contains(&group_of(&id))) {
                        groups.entry((id.machine, gid)).or_insert_with(|| (index, id.clone()));
                    }
                    taken(&mut users, (id.machine, uid), (index, &id))
                }
                ("group", _, Some(gid)) => taken(&mut groups, (id.machine, gid), (index, &id)),
                _ => None,
            };
            if kind == "group" {
                named.insert(id.clone());
            }
            let Some((other, with)) = taken else { continue };
            let what = if kind == "user" { "uid" } else { "gid" };
            let first = &loader.built[other];
            let (title, label) = if with.kind == id.kind {
                (format!("`{id}` has the {what} of `{with}`"), "choose another number")
            } else {
                let title = format!("`{id}` has the gid that the group of `{with}` is given with its uid");
                (title, "put it before that user, or give the user a `group`")
            };
            let mistake = Mistake::new(built.place.clone(), title, label);
            let mistake =
                if first.place == built.place { mistake } else { mistake.with(first.place.clone(), "the other one") };
            loader.mistakes.add(Pass::Whole, mistake);
        }
    }
}

/// Takes a number for one; returns who has it already, unless that is the group that comes with a user of this very name.
fn taken(
    all: &mut HashMap<(Machine, u64), (usize, Id)>,
    number: (Machine, u64),
    by: (usize, &Id),
) -> Option<(usize, Id)> {
    let (index, id) = by;
    let (other, has) = all.entry(number).or_insert_with(|| (index, id.clone()));
    (has.name != id.name).then(|| (*other, has.clone()))
}

fn number(built: &Built, field: &str) -> Option<u64> {
    let value = built.item.job.fields.get(field)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Returns the number of the group that is made for a user with this uid, where that is the same.
fn gid_of_own_group(built: &Built, uid: u64) -> Option<u64> {
    let fields = &built.item.job.fields;
    let is_system = fields.get("system").and_then(Value::as_bool).unwrap_or_default();
    let range = if is_system { SYSTEM_GIDS } else { GIDS };
    (fields.get("group").is_none() && range.contains(&uid)).then_some(uid)
}

/// Returns the id of the group of a user's name.
fn group_of(user: &Id) -> Id {
    Id::new(user.machine, "group", user.name.clone())
}
