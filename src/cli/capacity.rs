//! What all containers of a recipe may take together, held against the host.
use crate::field::{Field, Size};
use crate::item::Item;
use serde_json::Value;

/// What a host has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    /// Bytes.
    pub(super) memory: u64,
    /// Bytes that are free where containers are.
    pub(super) disk: u64,
}

/// Returns a warning for memory and one for disk, where the containers may take more than there is.
pub(super) fn warnings<'a>(items: impl Iterator<Item = &'a Item>, host: Host) -> Vec<String> {
    let all: Vec<&Value> = items.filter(|item| item.job.kind == "container").map(|item| &item.job.fields).collect();
    // A base is stopped by the time that others are made from it.
    let running: Vec<&Value> =
        all.iter().copied().filter(|fields| fields.get("base") != Some(&Value::Bool(true))).collect();
    let over = |what: &str, of: &[&Value], default: u64, has: u64, word: &str| {
        let sum = of.iter().map(|fields| size(fields, what).unwrap_or(default)).sum::<u64>();
        let (count, sum_shown, has_shown) = (of.len(), shown(sum), shown(has));
        let text = format!("{count} containers may take {sum_shown} of {what}; this host has {has_shown}{word}");
        (sum > has && has > 0).then_some(text)
    };
    let memory = over("memory", &running, 512 << 20, host.memory, "");
    let disk = over("disk", &all, 8 << 30, host.disk, " free");
    memory.into_iter().chain(disk).collect()
}

fn size(fields: &Value, field: &str) -> Option<u64> {
    match fields.get(field)? {
        Value::String(text) => Size::from_text(text).ok().map(|size| size.0),
        number => number.as_u64(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
fn shown(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Machine;
    use crate::item::JobItem;
    use crate::resource::Want;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn container(id: u32) -> Item {
        let fields = serde_json::json!({ "id": id, "hostname": "a", "memory": "4GiB", "disk": "40GiB" });
        Item::receive(JobItem {
            machine: Machine::Host,
            kind: "container".into(),
            fields,
            phase: None,
            gate: None,
            want: Want::Present,
            timeout: Duration::from_secs(1),
            retries: 0,
            source: None,
            secret: BTreeSet::new(),
            unknown: BTreeSet::new(),
            digest: String::new(),
            place: String::new(),
        })
        .unwrap()
    }

    #[test]
    fn what_fits_is_no_warning_and_what_does_not_says_how_much() {
        let items = [container(201), container(202)];
        assert_eq!(warnings(items.iter(), Host { memory: 8 << 30, disk: 80 << 30 }), Vec::<String>::new());
        assert_eq!(
            warnings(items.iter(), Host { memory: 6 << 30, disk: 20 << 30 }),
            [
                "2 containers may take 8.0 GiB of memory; this host has 6.0 GiB",
                "2 containers may take 80.0 GiB of disk; this host has 20.0 GiB free"
            ]
        );
    }
}
