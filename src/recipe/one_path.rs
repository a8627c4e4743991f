//! A path that two resources of a machine write, each its own way: of a unit or a user it is told by other fields than of a
//! file, so that their ids differ.
use super::collect::Pass;
use super::error::Mistake;
use super::in_the_way::makes_a_file;
use super::load::Loader;
use super::unique::Built;
use crate::id::{Id, Machine};
use crate::resource::Thing;
use serde_json::Value;
use std::collections::HashMap;
use std::path::PathBuf;

/// Reports each file that is also the file of a unit or holds the keys of a user.
pub(super) fn look(loader: &mut Loader<'_>) {
    let mut files: HashMap<(Machine, PathBuf), (usize, Id)> = HashMap::new();
    for (index, built) in loader.built.iter().enumerate().filter(|(_, built)| writes_a_file(built)) {
        files.extend(built.item.ids().into_iter().map(|id| ((id.machine, PathBuf::from(&id.name)), (index, id))));
    }
    for (index, built) in loader.built.iter().enumerate() {
        loader.mistakes.next_instance();
        if !matches!(built.item.job.kind.as_str(), "unit" | "user") {
            continue;
        }
        for (id, thing) in built.item.has() {
            let Thing::Path(path) = thing else { continue };
            let Some((other, file)) = files.get(&(id.machine, path.clone())) else { continue };
            let second = &loader.built[*other];
            if agrees(second, built) {
                continue;
            }
            let (first, last) = if *other < index { (second, built) } else { (built, second) };
            let title = format!("`{}` is written by `{file}` and by `{id}`", path.display());
            let mistake = Mistake::new(last.place.clone(), title, "one of them is too many");
            loader.mistakes.add(Pass::Whole, mistake.with(first.place.clone(), "the other one").note(remedy(&id.kind)));
        }
    }
}

/// Returns what to do where a resource of that kind and a file have one path.
fn remedy(kind: &str) -> &'static str {
    if kind == "unit" {
        "take the [[file]] out, or `content` and `source` out of the [[unit]]: it finds the file where that is"
    } else {
        "take the [[file]] out, or write all of `ssh-keys` into it: then the two agree"
    }
}

/// Returns whether it brings the content of a file, and sees to it that this stays so.
fn writes_a_file(built: &Built) -> bool {
    let once = built.item.job.fields.get("once").and_then(Value::as_bool).unwrap_or_default();
    makes_a_file(built) && !once
}

/// Returns whether a file has, or may have, all keys that a user is to have. A unit is never told by two.
fn agrees(file: &Built, user: &Built) -> bool {
    let Some(keys) = user.item.job.fields.get("ssh-keys").and_then(Value::as_array) else { return false };
    let job = &file.item.job;
    let bytes = job.source.as_deref().or(job.fields.get("content").and_then(Value::as_str).map(str::as_bytes));
    let Some(text) = bytes.filter(|_| job.unknown.is_empty()).map(String::from_utf8_lossy) else { return true };
    keys.iter().filter_map(Value::as_str).all(|key| text.contains(key.trim()))
}
