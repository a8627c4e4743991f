//! A file that is in the way of something else of the same machine: at its very path, or above it.
use super::collect::Pass;
use super::error::Mistake;
use super::load::Loader;
use super::unique::Built;
use crate::id::{Id, Machine};
use crate::resource::Want;
use std::collections::HashMap;
use std::path::PathBuf;

/// Reports each directory, checkout or file whose path is that of a file, or leads through one.
pub(super) fn look(loader: &mut Loader<'_>) {
    let mut files: HashMap<(Machine, PathBuf), (usize, Id)> = HashMap::new();
    for (index, built) in loader.built.iter().enumerate().filter(|(_, built)| makes_a_file(built)) {
        files.extend(built.item.ids().into_iter().map(|id| ((id.machine, PathBuf::from(&id.name)), (index, id))));
    }
    for (index, built) in loader.built.iter().enumerate() {
        loader.mistakes.next_instance();
        let is_file = built.item.job.kind == "file";
        if built.item.job.want != Want::Present
            || !(is_file || matches!(built.item.job.kind.as_str(), "directory" | "git"))
        {
            continue;
        }
        for id in built.item.ids() {
            let path = PathBuf::from(&id.name);
            // A file at the path of another one is the same id.
            for at in path.ancestors().skip(usize::from(is_file)) {
                let Some((other, file)) = files.get(&(id.machine, at.to_owned())) else { continue };
                // A link may lead to a directory.
                if at != path && loader.built[*other].item.job.fields.get("link").is_some() {
                    continue;
                }
                let second = &loader.built[*other];
                let (first, last) = if *other < index { (second, built) } else { (built, second) };
                let mistake = Mistake::new(
                    last.place.clone(),
                    format!("`{file}` is in the way of `{id}`"),
                    "they can't both be there",
                );
                let mistake = mistake.with(first.place.clone(), "the other one");
                loader.mistakes.add(
                    Pass::Whole,
                    mistake.note(
                        "give one of them another path, or take it out; `state = \"absent\"` takes away what is there",
                    ),
                );
            }
        }
    }
}

/// Returns whether it makes a file where there is none: what gives no content has its mode set alone.
pub(super) fn makes_a_file(built: &Built) -> bool {
    let job = &built.item.job;
    let gives = |field: &&str| job.fields.get(field).is_some();
    job.kind == "file" && job.want == Want::Present && ["content", "source", "url", "link"].iter().any(gives)
}
