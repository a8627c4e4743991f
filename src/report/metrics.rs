//! What an apply came to, as metrics in the text format of Prometheus, version 0.0.4.
use crate::event::Counts;
use crate::lanes::LaneTally;
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::time::SystemTime;

/// What the metrics of a run are made of.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// The recipe's name.
    pub recipe: &'a str,
    /// The exit code.
    pub exit: i32,
    /// When it ended.
    pub at: SystemTime,
    /// How long it took; none: it could not begin, or not come to its end, and nothing is known of its lanes.
    pub seconds: Option<f64>,
    /// How each lane ended.
    pub lanes: &'a BTreeMap<String, LaneTally>,
    /// How much drift the plan found, by lane.
    pub drift: &'a BTreeMap<String, usize>,
}

/// Returns the metrics of a run.
pub fn metrics(run: Measured<'_>) -> String {
    let mut text = Text::default();
    if let Some(seconds) = run.seconds {
        text.of_lanes(run);
        text.of_run(run, "provision_last_run_duration_seconds", "How long the last run took.", seconds);
    }
    let at = run.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let at = format!("{}.{:03}", at / 1000, at % 1000);
    let completed = i32::from(run.seconds.is_some());
    text.of_run(run, "provision_last_run_completed", "Whether the last run came to its end.", completed);
    let help = "How the last run ended: 0 converged, 1 failed, 2 the recipe is wrong, 3 waiting.";
    text.of_run(run, "provision_last_run_exit_code", help, run.exit);
    text.of_run(run, "provision_last_run_timestamp_seconds", "When the last run ended.", at);
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
    fn of_lanes(&mut self, run: Measured<'_>) {
        let recipe = ("recipe", run.recipe);
        self.family("provision_resources", "Resources of the recipe, by how they ended in its last run.");
        for (lane, tally) in run.lanes {
            for (outcome, count) in outcomes(tally.counts) {
                let labels = [recipe, ("lane", lane), ("outcome", outcome)];
                self.sample("provision_resources", &labels, count);
            }
        }
        self.family("provision_drift_resources", "Resources that differed though they were as asked before.");
        for lane in run.lanes.keys() {
            let count = run.drift.get(lane).copied().unwrap_or_default();
            self.sample("provision_drift_resources", &[recipe, ("lane", lane)], count);
        }
        self.family("provision_lane_duration_seconds", "How long the lane took in the last run.");
        for (lane, tally) in run.lanes {
            let seconds = format!("{:.3}", tally.seconds);
            self.sample("provision_lane_duration_seconds", &[recipe, ("lane", lane)], seconds);
        }
    }

    fn of_run(&mut self, run: Measured<'_>, name: &str, help: &str, value: impl Display) {
        self.family(name, help);
        self.sample(name, &[("recipe", run.recipe)], value);
    }

    /// Begins a family of gauges.
    fn family(&mut self, name: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
