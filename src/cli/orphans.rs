//! What the ledger knows of earlier forms of a recipe: which of it is left to be taken away.
use crate::hub::Left;
use crate::id::{Id, Machine};
use crate::item::{Item, changes_nothing};
use crate::lanes::Orphans;
use crate::resource::Want;
use std::collections::BTreeSet;

/// Sorts out what is left of a recipe, on machines that stand where they stood; `news` are its resources that never held.
pub(super) fn orphans(mut left: Vec<Left>, news: &[(Id, &Item)], prune: bool) -> Orphans {
    let mut orphans = Orphans { prune, ..Orphans::default() };
    left.sort_by(|a, b| (a.id.machine, a.claim.nth, &a.id).cmp(&(b.id.machine, b.claim.nth, &b.id)));
    let is_ours = |one: &Left| one.others.is_empty() && one.claim.is_touched() && !changes_nothing(&one.id.kind);
    let (ours, rest): (Vec<Left>, Vec<Left>) = left.into_iter().partition(is_ours);
    orphans.released = rest.into_iter().map(|one| one.id).collect();
    let containers = ours.iter().filter(|one| one.id.machine == Machine::Host && one.id.kind == "container");
    let whole: BTreeSet<u32> = containers.filter_map(|one| one.id.name.parse().ok()).collect();
    // What is in a container that goes goes with it.
    let stands_alone = |one: &&Left| !matches!(one.id.machine, Machine::Container(id) if whole.contains(&id));
    for one in ours.iter().filter(stands_alone) {
        match Item::left(&one.id, one.claim.asked.clone().unwrap_or_default()) {
            Ok(item) => orphans.items.push(item.job),
            Err(_) => orphans.unknown.push(one.id.clone()),
        }
        if one.claim.made {
            orphans.made.insert(one.id.clone());
        }
    }
    orphans.renamed = renamed(&ours, news);
    orphans
}

/// Returns each new resource that has the fields of one orphan of its kind and machine, where no other fits either.
fn renamed(left: &[Left], news: &[(Id, &Item)]) -> Vec<(Id, Id)> {
    let like = |one: &Left, (id, item): &(Id, &Item)| {
        // What a package is called is not the recipe's choice.
        let is_named_here = item.job.want == Want::Present && !matches!(item.job.kind.as_str(), "package" | "npm");
        let same = one.claim.held.as_ref() == Some(&item.job.digest);
        is_named_here && same && (one.id.machine, &one.id.kind) == (id.machine, &id.kind)
    };
    let pairs = left.iter().filter_map(|one| {
        let mut fit = news.iter().filter(|new| like(one, new));
        let new = fit.next().filter(|_| fit.next().is_none())?;
        let alone = left.iter().filter(|other| like(other, new)).count() == 1;
        alone.then(|| (new.0.clone(), one.id.clone()))
    });
    pairs.collect()
}
