//! The last line of a run.
use super::plan::Labels;
use crate::event::{Counts, Ended};

/// How many digits of the head are shown; `ledger verify` shows all.
const HEAD: usize = 16;

/// Returns what differs: `3 to change (1 new, 2 drift)`.
pub(super) fn differing(labels: Labels) -> String {
    let Labels { new, edit, drift } = labels;
    let parts = [(new, "new"), (edit, "edit"), (drift, "drift")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let total = new + edit + drift;
    if total == 0 { "0 to change".to_owned() } else { format!("{total} to change ({})", parts.join(", ")) }
}

/// Returns the last line of a run of `command`: what became of its resources, how long it took, its reference, the head.
pub(super) fn summary(command: &str, run: &str, ended: &Ended, labels: Labels) -> String {
    let Counts { in_sync, changed, waiting, failed, failed_tests, skipped, due } = ended.counts;
    let mut parts = match command {
        "plan" => vec![differing(labels), format!("{in_sync} in sync")],
        "test" => vec![format!("{in_sync} passed")],
        "status" => vec![format!("{in_sync} in sync"), format!("{changed} differ")],
        _ => vec![format!("{changed} changed"), format!("{in_sync} in sync")],
    };
    if command != "test" || waiting > 0 {
        parts.push(format!("{waiting} waiting"));
    }
    parts.push(format!("{} failed", if command == "test" { failed + failed_tests } else { failed }));
    if failed_tests > 0 && command != "test" {
        parts.push(plural(failed_tests, "test failed", "tests failed"));
    }
    if skipped > 0 {
        parts.push(format!("{skipped} not tried"));
    }
    if due > 0 && command == "plan" {
        parts.push(plural(due, "test due", "tests due"));
    }
    let verb = match command {
        _ if ended.exit >= 128 => "interrupted",
        "apply" => "applied",
        "plan" => "planned",
        "test" => "tested",
        "destroy" => "destroyed",
        other => other,
    };
    let mut line = format!("{verb}: {} in {:.1} s", parts.join(", "), ended.seconds);
    if !run.is_empty() {
        line.push_str(" · ");
        line.push_str(run);
    }
    if let Some(head) = ended.head.get(..HEAD) {
        line.push_str(" · head ");
        line.push_str(head);
    }
    line
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
