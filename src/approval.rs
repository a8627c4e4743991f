//! The changes of a plan, the digest by which a person approves them, and how two plans differ.
use crate::event::Event;
use crate::id::Id;
use crate::ledger::hash;
use crate::resource::Change;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// All that an apply would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// By id; without diffs, which say no more.
    changes: BTreeMap<Id, Vec<Change>>,
    /// What is checked again, by that after which it is.
    behind: BTreeMap<Id, BTreeSet<Id>>,
}

/// What two plans do otherwise with one id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which.
    pub id: Id,
    /// What was expected; nothing: no change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<Change>,
    /// What is planned; nothing: no change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned: Vec<Change>,
}

impl Changes {
    /// Takes in what an event says of a plan.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Planned { id, changes, .. } => {
                let bare = changes.iter().map(|change| Change { diff: None, ..change.clone() });
                self.changes.entry(id.clone()).or_default().extend(bare);
            }
            Event::Behind { after, ids } => {
                self.behind.entry(after.clone()).or_default().extend(ids.iter().cloned());
            }
            _ => {}
        }
    }

    /// Returns whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns whether something of that kind is to be changed.
    pub fn are_of(&self, kind: &str) -> bool {
        self.changes.keys().any(|id| id.kind == kind)
    }

    /// Returns what is taken away.
    pub fn removed(&self) -> BTreeSet<Id> {
        let removed = self.changes.iter().filter(|(_, changes)| changes.iter().any(Change::removes));
        removed.map(|(id, _)| id.clone()).collect()
    }

    /// Returns the digest, 64 hexadecimal digits; of equal plans it is equal. Empty where nothing is to be changed.
    pub fn digest(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        hash(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Returns in what a plan differs from these.
    pub fn differences(&self, planned: &Self) -> Vec<Difference> {
        let (one, other) = (self.by_id(), planned.by_id());
        let ids: BTreeSet<&Id> = one.keys().chain(other.keys()).collect();
        let differing = ids.into_iter().filter(|id| one.get(id) != other.get(id));
        let of = |by_id: &BTreeMap<Id, Vec<Change>>, id: &Id| by_id.get(id).cloned().unwrap_or_default();
        differing.map(|id| Difference { id: id.clone(), expected: of(&one, id), planned: of(&other, id) }).collect()
    }

    /// Returns all by id; what is checked again as a change of that sort.
    fn by_id(&self) -> BTreeMap<Id, Vec<Change>> {
        let mut all = self.changes.clone();
        for (after, ids) in &self.behind {
            for id in ids {
                let again = Change::field(&id.name, "checked again", None, None).after(Some(after.clone()));
                all.entry(id.clone()).or_default().push(again);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Label;

    fn plan(changes: &[(&str, &str)]) -> Changes {
        let mut all = Changes::default();
        for (id, to) in changes {
            let id: Id = id.parse().unwrap();
            let change = Change::made(&id.name, *to).diff(Some("+a".into()));
            all.take(&Event::Planned { id, label: Label::New, changes: vec![change], opaque: false, phase: None });
        }
        all
    }

    #[test]
    fn a_digest_hangs_on_what_is_changed_and_not_on_the_order_of_lanes() {
        let all = plan(&[("201/file:/a", "x"), ("202/file:/a", "x")]);
        assert_eq!(all.digest(), plan(&[("202/file:/a", "x"), ("201/file:/a", "x")]).digest());
        assert_eq!(all.digest().len(), 64);
        let mut others = vec![plan(&[("201/file:/a", "x")]), plan(&[("201/file:/a", "y"), ("202/file:/a", "x")])];
        let mut behind = all.clone();
        behind
            .take(&Event::Behind { after: "201/file:/a".parse().unwrap(), ids: vec!["201/file:/b".parse().unwrap()] });
        others.push(behind);
        for other in others {
            assert_ne!(all.digest(), other.digest(), "{other:?}");
            assert!(!all.differences(&other).is_empty(), "whatever has another digest can be told");
        }
        assert!(all.differences(&all).is_empty());
        assert_eq!(Changes::default().digest(), "");
    }

    #[test]
    fn a_difference_says_what_was_expected_and_what_is_planned() {
        let differences =
            plan(&[("file:/a", "x"), ("file:/b", "x")]).differences(&plan(&[("file:/b", "y"), ("file:/c", "z")]));
        let told: Vec<(String, usize, usize)> =
            differences.iter().map(|one| (one.id.local(), one.expected.len(), one.planned.len())).collect();
        assert_eq!(told, [("file:/a".into(), 1, 0), ("file:/b".into(), 1, 1), ("file:/c".into(), 0, 1)]);
    }
}
