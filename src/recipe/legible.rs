//! Names that can be shown: a ledger and a terminal have them without what steers a terminal, and would know them no more.
use super::collect::Pass;
use super::error::Mistake;
use super::load::Loader;
use crate::hub::steers;

/// Looks at every id.
pub(super) fn names(loader: &mut Loader<'_>) {
    for built in &loader.built {
        loader.mistakes.next_instance();
        for id in built.item.ids() {
            if let Some(char) = id.name.chars().find(|c| steers(*c)) {
                let title = format!("`{id}` has {} in it", char.escape_default());
                let mistake =
                    Mistake::new(built.place.clone(), title, "such a character is not seen, and steers a terminal");
                loader.mistakes.add(
                    Pass::Whole,
                    mistake.note("write the name without it; where a variable gives the name, mend that"),
                );
            }
        }
    }
}
