//! What holds for a recipe as a whole: an id is one resource, a container is in one lane.
use super::collect::Pass;
use super::error::{Mistake, Place};
use super::load::{Loader, Slot};
use crate::id::{Id, Machine};
use crate::item::Item;
use crate::resource::Kind;
use std::collections::HashMap;

/// An item, and where it came from.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) item: Item,
    pub(super) slot: Slot,
    /// Of its table.
    pub(super) place: Place,
}

/// Makes one resource of those with one id; where they differ, or stand in different lanes, that is reported.
pub(super) fn ids(loader: &mut Loader<'_>) {
    let mut first: HashMap<Id, usize> = HashMap::new();
    let mut again: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, built) in loader.built.iter().enumerate() {
        loader.mistakes.next_instance();
        for (position, id) in built.item.ids().into_iter().enumerate() {
            let Some(earlier) = first.get(&id).copied() else {
                first.insert(id, index);
                continue;
            };
            let other = &loader.built[earlier];
            match difference(other, built) {
                None => again.entry(index).or_default().push(position),
                Some(why) => {
                    let mistake = Mistake::new(built.place.clone(), format!("`{id}` is defined twice"), why);
                    let mistake = if other.place == built.place {
                        mistake.note("this table is used more than once, and each time the name is the same")
                    } else {
                        mistake.with(other.place.clone(), "first here")
                    };
                    loader.mistakes.add(Pass::Whole, mistake);
                }
            }
        }
    }
    let kinds = loader.kinds;
    let mut index = 0;
    loader.built.retain_mut(|built| {
        let dropped = again.remove(&index);
        index += 1;
        dropped.is_none_or(|dropped| without_names(&mut built.item, &dropped, kinds))
    });
}

/// Returns why two resources of one id are not one.
fn difference(first: &Built, second: &Built) -> Option<&'static str> {
    if let (Slot::Lane { name: one, .. }, Slot::Lane { name: other, .. }) = (&first.slot, &second.slot)
        && one != other
    {
        return Some("again here, in another lane");
    }
    let same = first.item.job.digest == second.item.job.digest && first.item.job.gate == second.item.job.gate;
    (!same).then_some("again here, with other fields")
}

/// Takes names out of an item's list, by their places in it; false where none is left.
pub(super) fn without_names(item: &mut Item, dropped: &[usize], kinds: &'static [Kind]) -> bool {
    let Some(kind) = kinds.iter().find(|kind| kind.header == item.job.kind) else { return false };
    let Some(serde_json::Value::Array(names)) = item.job.fields.get_mut(kind.name) else { return false };
    let mut position = 0;
    names.retain(|_| {
        position += 1;
        !dropped.contains(&(position - 1))
    });
    if names.is_empty() {
        return false;
    }
    match kind.from_json(&item.job.fields) {
        Ok(resource) => {
            item.resource = resource;
            true
        }
        Err(_) => false,
    }
}

/// Looks whether every container belongs to one lane: two would feed one agent.
pub(super) fn containers(loader: &mut Loader<'_>) {
    let mut first: HashMap<u32, (&str, &Place)> = HashMap::new();
    for built in &loader.built {
        let (Machine::Container(id), Slot::Lane { name, place, .. }) = (built.item.job.machine, &built.slot) else {
            continue;
        };
        let (other, earlier) = *first.entry(id).or_insert((name, place));
        if other == name {
            continue;
        }
        loader.mistakes.next_instance();
        let title = format!("container {id} is in two lanes, `{other}` and `{name}`");
        let mistake =
            Mistake::new(place.clone(), title, "lanes run side by side, a container runs one thing at a time");
        let mistake = if earlier == place { mistake } else { mistake.with(earlier.clone(), "in a lane here") };
        loader.mistakes.add(Pass::Whole, mistake);
    }
}
