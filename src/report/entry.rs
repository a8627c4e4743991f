//! What a plan says of one id.
use super::alike::tokens;
use crate::event::Label;
use crate::id::{Id, Machine};
use crate::resource::Change;

/// What is said of one id.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: Id,
    pub(super) says: Says,
}

#[derive(Debug, Clone)]
pub(super) enum Says {
    Differs { label: Label, changes: Vec<Change> },
    Waits { because: String, remedy: Option<String> },
    Behind { ids: Vec<Id> },
    Kept { text: String },
}

impl Entry {
    /// Returns what entries that are alike have in common: the name with a lane's own words left open, and which fields
    /// differ how.
    pub(super) fn pattern(&self, is_own: &dyn Fn(&str) -> bool) -> String {
        let open = |text: &str| -> String {
            tokens(text).into_iter().map(|word| if is_own(word) { "\0" } else { word }).collect()
        };
        let place = if self.id.machine == Machine::Host { "host" } else { "in" };
        let says = match &self.says {
            Says::Differs { label, changes } => {
                let fields = changes.iter().map(|change| {
                    let after = change.after.as_ref().map(|after| (after.kind.as_str(), open(&after.name)));
                    format!("{} {:?} {after:?}\n", change.field, (change.from.is_some(), change.to.is_some()))
                });
                format!("{label:?} {}", fields.collect::<String>())
            }
            Says::Waits { because, remedy } => format!("waits {} {}", open(because), remedy.is_some()),
            Says::Behind { ids } => {
                let names: Vec<String> = ids.iter().map(|id| format!("{} {}", id.kind, open(&id.name))).collect();
                format!("behind {names:?}")
            }
            Says::Kept { text } => format!("kept {}", open(text)),
        };
        format!("{place}/{}:{} {says}", self.id.kind, open(&self.id.name))
    }
}
