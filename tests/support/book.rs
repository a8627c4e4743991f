//! Claims in memory, kept as the ledger keeps them.
use provision::engine::Tally;
use provision::event::{Event, Outcome};
use provision::ledger::{ABSENT, LEFT};
use provision::resource::{Claim, Known};

/// Takes in what a run emitted.
pub fn take_in(known: &mut Known, events: Vec<Event>) {
    for event in events {
        fold(known, event);
    }
}

/// Takes in what a run that came to its end found in sync for the first time.
pub fn take_in_tally(known: &mut Known, tally: &Tally) {
    for (id, digest) in &tally.held {
        if digest == LEFT {
            known.claims.entry(id.clone()).and_modify(|claim| (claim.held, claim.left) = (None, true));
            continue;
        }
        ended(known, id, digest, digest.is_empty() || digest.starts_with(ABSENT));
    }
}

fn fold(known: &mut Known, event: Event) {
    match event {
        Event::Applying { ids, changes, absent: false } => {
            for change in changes {
                let Some(id) = ids.iter().find(|id| id.name == change.name) else { continue };
                let claim = known.claims.entry(id.clone()).or_default();
                claim.made |= change.makes();
                match change.to {
                    Some(to) => drop(claim.last.insert(change.field, to)),
                    None => drop(claim.last.remove(&change.field)),
                }
            }
        }
        Event::Unmade { ids } => {
            let claims = ids.iter().filter_map(|id| known.claims.get_mut(id).map(|claim| claim.made = false));
            claims.for_each(drop);
        }
        Event::Finished { id, outcome: Outcome::InSync | Outcome::Changed { .. }, digest, absent, .. } => {
            ended(known, &id, &digest, absent);
        }
        Event::Finished { id, outcome: Outcome::Failed { .. }, .. } => {
            known.claims.entry(id).or_default().failed = true;
        }
        _ => {}
    }
}

fn ended(known: &mut Known, id: &provision::id::Id, digest: &str, absent: bool) {
    if !absent {
        let claim = known.claims.entry(id.clone()).or_default();
        claim.held = Some(digest.to_owned()).filter(|digest| !digest.is_empty());
        claim.failed = false;
    } else if digest.is_empty() {
        known.claims.remove(id);
    } else {
        known.claims.insert(id.clone(), Claim { held: Some(digest.to_owned()), ..Claim::default() });
    }
}
