//! A drop-in that stands after the unit which runs with it: that unit would be started without it, and restarted by the next
//! run.
use super::collect::Pass;
use super::error::Mistake;
use super::load::Loader;
use crate::id::{Id, Machine};
use crate::resource::Want;
use crate::system::unit_file::{UNIT_DIRECTORY, drop_in_directories};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Reports each drop-in, also one that is to go, after a unit that is to be active.
pub(super) fn look(loader: &mut Loader<'_>) {
    let mut started: HashMap<(Machine, PathBuf), (usize, Id)> = HashMap::new();
    for (index, built) in loader.built.iter().enumerate() {
        loader.mistakes.next_instance();
        let job = &built.item.job;
        let is_active = job.fields.get("active").and_then(Value::as_bool).unwrap_or_default();
        if job.kind == "unit" && job.want == Want::Present && is_active {
            for id in built.item.ids() {
                for directory in drop_in_directories(&id.name) {
                    let directory = Path::new(UNIT_DIRECTORY).join(directory);
                    started.entry((id.machine, directory)).or_insert_with(|| (index, id.clone()));
                }
            }
        }
        if job.kind != "file" {
            continue;
        }
        for id in built.item.ids() {
            let path = Path::new(&id.name);
            let Some(directory) = path.parent().filter(|_| path.extension().is_some_and(|is| is == "conf")) else {
                continue;
            };
            let Some((unit, of)) = started.get(&(id.machine, directory.to_owned())) else { continue };
            let title = format!("`{id}` stands after `{of}`, which runs with it");
            let mistake =
                Mistake::new(built.place.clone(), title, "too late: only the next run would restart the unit");
            let mistake = mistake.with(loader.built[*unit].place.clone(), "put it before this one");
            loader.mistakes.add(Pass::Whole, mistake);
        }
    }
}
