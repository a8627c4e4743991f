//! Where a base is done: after the last of what is in a container with `base = true`.
use super::unique::Built;
use crate::id::Machine;
use crate::item::{Item, JobItem};
use crate::resource::{Seal, Want};
use serde_json::Value;

/// Lets each base be sealed once all that is in it was gone through.
pub(super) fn seal(built: &mut Vec<Built>) {
    let mut index = 0;
    while let Some(one) = built.get(index) {
        let seal = seal_of(&one.item);
        if let Some(seal) = seal {
            let inside = Machine::Container(seal.id);
            let last = built.iter().rposition(|other| other.item.job.machine == inside).unwrap_or(index).max(index);
            let (job, slot) = (built[index].item.job.clone(), built[last].slot.clone());
            let job = JobItem { kind: "base".to_owned(), ..job };
            let item = Item { job, resource: Box::new(seal) };
            let place = built[index].place.clone();
            built.insert(last + 1, Built { item, slot, place });
        }
        index += 1;
    }
}

/// Returns what seals a container, where it is a base.
fn seal_of(item: &Item) -> Option<Seal> {
    let job = &item.job;
    if job.kind != "container" || job.want == Want::Absent || job.fields.get("base") != Some(&Value::Bool(true)) {
        return None;
    }
    let id = item.resource.names().first()?.parse().ok()?;
    let hostname = job.fields.get("hostname")?;
    let hostname = hostname.as_str().map_or_else(|| hostname.to_string(), str::to_owned);
    Some(Seal { id, hostname })
}

#[cfg(test)]
mod tests {
    use crate::recipe::{HostFacts, Options, SecretsMode, Stage, load};
    use std::path::{Path, PathBuf};

    /// Returns the ids of a recipe in order, with the lane in front.
    fn order(text: &str) -> Vec<String> {
        let files = [("a.toml", format!("name = \"a\"\n{text}")), ("b.toml", "[[group]]\nname = \"b\"".to_owned())];
        let files: std::collections::BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect();
        let options = Options {
            vars: Vec::new(),
            facts: HostFacts::default(),
            env: &|_| None,
            secrets: SecretsMode::AtHand,
            state_dir: PathBuf::from("/nowhere"),
            key: String::new(),
        };
        let recipe = load(Path::new("a.toml"), &files, &options).unwrap();
        let stages = recipe.stages.iter().flat_map(|stage| match stage {
            Stage::Plain(items) => vec![("", items)],
            Stage::Lanes(lanes) => lanes.iter().map(|lane| (lane.name.as_str(), &lane.items)).collect(),
        });
        let ids = stages.flat_map(|(lane, items)| {
            items.iter().flat_map(move |item| item.ids().into_iter().map(move |id| format!("{lane} {id}")))
        });
        ids.collect()
    }

    const BASE: &str = "[[container]]\nid = 200\nhostname = \"base\"\nbase = true\n";
    const INSIDE: &str = "[[include]]\nin = 200\nrecipe = \"b.toml\"\n";

    #[test]
    fn a_base_is_done_after_the_last_of_what_is_in_it() {
        let clone = "[[container]]\nid = 201\nhostname = \"x\"\nclone = 200\n";
        let all = order(&format!("{BASE}{INSIDE}{clone}"));
        assert_eq!(all, [" host/container:200", " 200/group:b", " host/base:200", " host/container:201"]);
        assert_eq!(order(BASE), [" host/container:200", " host/base:200"]);
        assert_eq!(order(&format!("{BASE}state = \"absent\"\n")), [" host/container:200"]);
    }

    #[test]
    fn a_base_with_a_lane_is_done_in_that_lane() {
        let all = order(&format!("{BASE}{}", INSIDE.replace("in =", "lane = \"L\"\nin =")));
        assert_eq!(all, [" host/container:200", "L 200/group:b", "L host/base:200"]);
    }
}
