//! The last line of a run.
use super::plan::Labels;
use crate::event::{Counts, Ended};

/// How many digits of a head or a digest are shown; `ledger verify` and `--json` show all.
pub(super) const HEAD: usize = 16;

/// Returns what differs: `3 to change (1 new, 2 drift)`; in a `destroy`, `3 to take away`.
pub(super) fn differing(command: &str, labels: Labels) -> String {
    let Labels { new, edit, drift, orphan } = labels;
    let total = new + edit + drift + orphan;
    if command == "destroy" {
        return format!("{total} to take away");
    }
    let orphans = if orphan == 1 { "orphan" } else { "orphans" };
    let parts = [(new, "new"), (edit, "edit"), (drift, "drift"), (orphan, orphans)];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if parts.is_empty() { "0 to change".to_owned() } else { format!("{total} to change ({})", parts.join(", ")) }
}

/// Returns what became of a run's resources, a part each: `3 changed`, `280 in sync`.
pub(super) fn became(command: &str, counts: Counts, labels: Labels) -> Vec<String> {
    let Counts { in_sync, changed, waiting, failed, failed_tests, skipped, due } = counts;
    let mut parts = match command {
        "plan" => vec![differing(command, labels), format!("{in_sync} in sync")],
        "test" => vec![format!("{in_sync} passed")],
        "status" => vec![format!("{in_sync} in sync"), format!("{changed} differing")],
        "destroy" => vec![format!("{changed} taken away"), format!("{in_sync} gone or kept")],
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
    parts
}

/// Returns the last line of a run of `command`: what became of its resources, how long it took, its reference, the head.
pub(super) fn summary(command: &str, run: &str, ended: &Ended, labels: Labels) -> String {
    let parts = became(command, ended.counts, labels);
    let verb = match command {
        _ if ended.exit >= 128 => "interrupted",
        "apply" => "applied",
        "plan" => "planned",
        "test" => "tested",
        "destroy" => "destroyed",
        other => other,
    };
    let mut line = format!("{verb}: {} in {}", parts.join(", "), time(ended.seconds));
    if !run.is_empty() {
        line.push_str(" · ");
        line.push_str(run);
    }
    if let Some(digest) = ended.plan.get(..HEAD).filter(|_| command == "plan") {
        line.push_str(" · digest ");
        line.push_str(digest);
    }
    if let Some(head) = ended.head.get(..HEAD) {
        line.push_str(" · head ");
        line.push_str(head);
    }
    line
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
