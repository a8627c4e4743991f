//! What an apply came to, as metrics in the text format of Prometheus, version 0.0.4.
use crate::event::{Counts, Ended};
use crate::lanes::LaneTally;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

/// What the metrics of a run are made of.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The recipe's name.
    pub recipe: &'a str,
    /// How the run ended.
    pub ended: &'a Ended,
    /// When.
    pub at: SystemTime,
    /// How each lane ended.
    pub lanes: &'a BTreeMap<String, LaneTally>,
    /// How much drift the plan found, by lane.
    pub drift: &'a BTreeMap<String, usize>,
}

/// Returns the metrics of a run.
pub fn metrics(run: Measured<'_>) -> String {
    let recipe = ("recipe", run.recipe);
    let mut text = Text::default();
    text.family("provision_resources", "Resources of the recipe, by how they ended in its last run.");
    for (lane, tally) in run.lanes {
        for (outcome, count) in outcomes(tally.counts) {
            let labels = [recipe, ("lane", lane), ("outcome", outcome)];
            text.sample("provision_resources", &labels, count);
        }
    }
    text.family("provision_drift_resources", "Resources that differed though they were as asked before.");
    for lane in run.lanes.keys() {
        let count = run.drift.get(lane).copied().unwrap_or_default();
        text.sample("provision_drift_resources", &[recipe, ("lane", lane)], count);
    }
    text.family("provision_lane_duration_seconds", "How long the lane took in the last run.");
    for (lane, tally) in run.lanes {
        let seconds = format!("{:.3}", tally.seconds);
        text.sample("provision_lane_duration_seconds", &[recipe, ("lane", lane)], seconds);
    }
    let at = run.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let at = format!("{}.{:03}", at / 1000, at % 1000);
    for (name, help, value) in [
        ("provision_last_run_duration_seconds", "How long the last run took.", run.ended.seconds.to_string()),
        (
            "provision_last_run_exit_code",
            "How the last run ended: 0 converged, 1 failed, 3 waiting.",
            run.ended.exit.to_string(),
        ),
        ("provision_last_run_timestamp_seconds", "When the last run ended.", at),
    ] {
        text.family(name, help);
        text.sample(name, &[recipe], value);
    }
    text.0
}

/// Every outcome, so that no series comes and goes.
fn outcomes(counts: Counts) -> [(&'static str, usize); 6] {
    [
        ("converged", counts.in_sync),
        ("changed", counts.changed),
        ("waiting", counts.waiting),
        ("failed", counts.failed),
        ("test_failed", counts.failed_tests),
        ("skipped", counts.skipped),
    ]
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// Begins a family of gauges.
    fn family(&mut self, name: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
