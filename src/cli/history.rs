//! `history`: the runs that the ledger holds, and one of them event by event.
use super::Exit;
use super::options::Global;
use super::print::{print, warn};
use super::show::style;
use super::since;
use crate::error::Error;
use crate::event::Event;
use crate::ledger::{History, Ledger, NoRun, Run, rfc3339};
use crate::recipe::nearest;
use crate::report::history;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::SystemTime;

/// So many runs are named where a reference may mean several.
const NAMED: usize = 5;

/// Shows the runs that the ledger holds, a line each, the newest last.
///
/// With `--json`, one object a line.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  provision history\n  provision history --since 3d --lane CT201\n  provision history show last\n  \
                  provision history show APPLY20261120-003 --lane CT201"
)]
pub(super) struct Args {
    /// Only runs that changed, failed or tested something in this lane; `host` is what is outside any.
    #[arg(long, value_name = "LANE")]
    lane: Option<String>,
    /// Only runs that began since then: `30m`, `12h`, `3d` or `2w` ago, `2026-11-20`, `2026-11-20 12:00` (UTC).
    #[arg(long, value_name = "TIME", value_parser = since::parse)]
    since: Option<SystemTime>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Shows a run event by event, its failures with what was printed. With `--json`, its events.
    #[command(
        after_help = "Examples:\n  provision history show last\n  provision history show PROVISION-APPLY20261120-003\n  \
                      provision history show APPLY20261120-003"
    )]
    Show {
        /// The run's reference, or an end of it that no other run has; `last` is the newest.
        #[arg(value_name = "REF")]
        reference: String,
        /// Only what happened in this lane; `host` is what is outside any.
        #[arg(long, value_name = "LANE")]
        lane: Option<String>,
    },
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let history = Ledger::history(&global.state_dir)?;
        if history.unreadable > 0 {
            let s = if history.unreadable == 1 { " of the ledger" } else { "s of the ledger" };
            warn(&format!("{} line{s} can't be read; `provision ledger verify` says more", history.unreadable));
        }
        for name in &history.missing {
            warn(&format!("`{name}` is not there: the runs that it held can't be shown"));
        }
        match &self.command {
            None => self.list(&history, global)?,
            Some(Command::Show { reference, lane }) => {
                let run = find(&history, reference, global)?;
                let run = run.clone().with(Ledger::printed(&global.state_dir, &run.reference)?);
                let run = match lane {
                    Some(lane) if !run.lanes().contains(lane.as_str()) => {
                        return Err(no_lane(lane, std::slice::from_ref(&run), &format!("`{}`", run.reference)));
                    }
                    Some(lane) => run.in_lane(lane),
                    None => run,
                };
                if global.json {
                    let events = run.events.iter().filter_map(|envelope| serde_json::to_string(envelope).ok());
                    print(&events.map(|line| line + "\n").collect::<String>())?;
                } else {
                    print(&history::run(&run, style(global)))?;
                }
            }
        }
        Ok(0)
    }

    fn list(&self, history: &History, global: &Global) -> Result<(), Exit> {
        let lane = self.lane.as_deref();
        if let Some(lane) = lane.filter(|lane| !history.runs.iter().any(|run| run.lanes().contains(lane))) {
            return Err(no_lane(lane, &history.runs, "any run"));
        }
        let is_wanted = |run: &&Run| {
            lane.is_none_or(|lane| run.lanes().contains(lane))
                && self.since.is_none_or(|since| run.begun() >= Some(since))
        };
        let runs: Vec<Run> = history.runs.iter().filter(is_wanted).cloned().collect();
        let text = match runs.as_slice() {
            runs if global.json => runs.iter().map(line).collect(),
            [] if history.runs.is_empty() => format!("no runs yet in `{}`\n", ledger(global)),
            [] => format!("no such run; `{}` has {}\n", ledger(global), history.runs.len()),
            runs => history::runs(runs, style(global)),
        };
        Ok(print(&text)?)
    }
}

fn no_lane(lane: &str, runs: &[Run], whose: &str) -> Exit {
    let lanes: BTreeSet<&str> = runs.iter().flat_map(Run::lanes).collect();
    let error = Error::new(format!("looking for the lane `{lane}`")).reason(format!("nothing of {whose} was in it"));
    Exit::Usage(match nearest(lane, lanes.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean `{near}`?")),
        None if lanes.is_empty() => error,
        None => error.remedy(format!("there is {}", lanes.into_iter().collect::<Vec<_>>().join(", "))),
    })
}

fn ledger(global: &Global) -> String {
    global.state_dir.join("ledger.jsonl").display().to_string()
}

/// Returns a run as a line of JSON.
fn line(run: &Run) -> String {
    let started = run.started().cloned().unwrap_or_default();
    let acked = run.events.iter().filter_map(|envelope| match &envelope.event {
        Event::Acked { id, .. } => Some(id.to_string()),
        _ => None,
    });
    let mut object = json!({
        "v": crate::event::VERSION,
        "run": run.reference,
        "begun": run.begun().map(rfc3339),
        "command": started.command,
        "recipe": started.recipe,
        "file": started.file,
        "who": run.who(),
        "acked": acked.collect::<Vec<_>>(),
        "exit": run.ended().map(|ended| ended.exit),
        "seconds": run.ended().map(|ended| ended.seconds),
        "counts": run.ended().map(|ended| ended.counts),
    });
    if let Some(fields) = object.as_object_mut() {
        // As in events: what is nothing is left out.
        fields.retain(|_, value| !value.is_null() && *value != json!("") && *value != json!([]));
    }
    format!("{object}\n")
}

/// Returns the run of a reference.
pub(super) fn find<'h>(history: &'h History, reference: &str, global: &Global) -> Result<&'h Run, Exit> {
    history.find(reference).map_err(|why| not_found(reference, history, why, global))
}

fn not_found(reference: &str, history: &History, why: NoRun, global: &Global) -> Exit {
    let error = Error::new(format!("looking for the run `{reference}`"));
    let all = || "`provision history` lists the runs".to_owned();
    Exit::Usage(match why {
        NoRun::Empty => error.reason(format!("there are no runs yet in `{}`", ledger(global))),
        NoRun::Unknown => {
            let references = history.runs.iter().map(|run| run.reference.as_str());
            let near = nearest(&reference.to_ascii_uppercase(), references);
            let remedy = near.map_or_else(all, |near| format!("did you mean `{near}`?"));
            error.reason(format!("no run in `{}` has such a reference", ledger(global))).remedy(remedy)
        }
        NoRun::Several(mut several) => {
            let more = several.len().saturating_sub(NAMED);
            several.truncate(NAMED);
            if more > 0 {
                several.push(format!("{more} more"));
            }
            error.reason(format!("several end so: {}", several.join(", "))).remedy("give more of the reference")
        }
    })
}
