//! Runs of the ledger as text: a line each, or one of them event by event.
use super::failure::body;
use super::plan::Labels;
use super::style::{Hue, Style, columns, indented, wrap};
use super::{alike, change, summary};
use crate::event::{Counts, Ended, Envelope, Event, Outcome};
use crate::id::Id;
use crate::ledger::{Run, rfc3339};
use crate::resource::Change;

/// So many lines of what a program printed are shown.
const PRINTED: usize = 20;
/// What stands where nothing is known.
const NOTHING: &str = "-";

/// Returns a line a run, the newest last, below a heading.
pub fn runs(runs: &[Run], style: Style) -> String {
    let head = ["run", "begun (UTC)", "command", "recipe", "who", "exit", "what came of it"].map(str::to_owned);
    let rows: Vec<[String; 7]> = runs.iter().map(row).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| std::iter::once(&head).chain(&rows).map(|row| columns(&row[column])).max().unwrap_or_default())
        .collect();
    let line = |row: &[String; 7]| {
        let cells =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell}{}", " ".repeat(width - columns(cell))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = format!("{}\n", style.paint(Hue::Strong, &line(&head)));
    for row in &rows {
        let is_bad = !matches!(row[5].as_str(), "0" | "3");
        text.push_str(&if is_bad { style.paint(Hue::Bad, &line(row)) } else { line(row) });
        text.push('\n');
    }
    text
}

fn row(run: &Run) -> [String; 7] {
    let started = run.started();
    let or_nothing = |text: &str| if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() };
    [
        run.reference.clone(),
        run.begun().map_or_else(|| NOTHING.to_owned(), |begun| date(&rfc3339(begun))),
        or_nothing(started.map_or("", |started| &started.command)),
        or_nothing(started.map_or("", |started| &started.recipe)),
        or_nothing(run.who().unwrap_or_default()),
        run.ended().map_or_else(|| NOTHING.to_owned(), |ended| ended.exit.to_string()),
        became(run),
    ]
}

/// Returns what came of a run, in few words.
fn became(run: &Run) -> String {
    let acked = run.events.iter().filter_map(|envelope| match &envelope.event {
        Event::Acked { id, .. } => Some(id.to_string()),
        _ => None,
    });
    let acked: Vec<String> = acked.collect();
    let command = run.started().map_or("", |started| &started.command);
    match run.ended() {
        _ if !acked.is_empty() => format!("{} passed", acked.join(", ")),
        Some(ended) => summary::became(command, ended.counts, Labels::default()).join(", "),
        None => {
            format!("no end: killed, or under way; {}", summary::became(command, so_far(run), Labels::default())[0])
        }
    }
}

fn so_far(run: &Run) -> Counts {
    let changed =
        |envelope: &&Envelope| matches!(&envelope.event, Event::Finished { outcome: Outcome::Changed { .. }, .. });
    Counts { changed: run.events.iter().filter(changed).count(), ..Counts::default() }
}

/// Returns a run with its events, failures with what was printed.
pub fn run(run: &Run, style: Style) -> String {
    let mut text = format!("{}\n", style.paint(Hue::Strong, &run.reference));
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(started) = run.started() {
        let recipe = if started.recipe.is_empty() { String::new() } else { format!(" {}", started.recipe) };
        let file = if started.file.is_empty() { String::new() } else { format!(", from {}", started.file) };
        facts.push(("command", format!("{}{recipe}{file}", started.command)));
        facts.push(("version", started.version.clone()));
    }
    facts.extend(run.who().map(|who| ("who", who.to_owned())));
    let vars = run.started().into_iter().flat_map(|started| &started.vars);
    facts.extend(vars.map(|(name, value)| ("var", format!("{name}={}", value.replace('\n', " ")))));
    facts.extend(run.begun().map(|begun| ("begun", format!("{} UTC", date(&rfc3339(begun))))));
    text.extend(facts.iter().map(|(name, fact)| format!("  {name:<8} {fact}\n")));
    let lanes = run.events.iter().filter_map(|envelope| envelope.lane.as_deref());
    let width = lanes.map(columns).chain(["host".len()]).max().unwrap_or_default();
    for envelope in &run.events {
        text.push_str(&happened(envelope, run, width, style));
    }
    if run.ended().is_none() {
        let head = style.paint(Hue::Look, "no end:");
        text.extend([&head, " this run was killed, or is still under way\n"]);
    }
    text
}

/// Returns an event as lines; nothing for those that the head says.
fn happened(envelope: &Envelope, run: &Run, width: usize, style: Style) -> String {
    let line = |hue: Hue, what: &str, rest: &str| {
        let lane = envelope.lane.as_deref().unwrap_or("host");
        let pad = " ".repeat(width.saturating_sub(columns(lane)));
        let time = style.paint(Hue::Faint, envelope.time.get(11..19).unwrap_or(NOTHING));
        let what = style.paint(hue, &format!("{what:<8}"));
        format!("{time}  {lane}{pad}  {what}  {}\n", rest.trim_end())
    };
    match &envelope.event {
        Event::Applying { ids, changes, .. } => {
            let each = ids.iter().map(|id| line(Hue::Look, "changes", &format!("{id}  {}", words(id, changes))));
            each.collect()
        }
        Event::Finished { id, outcome, .. } => match outcome {
            Outcome::Changed { .. } => line(Hue::Good, "changed", &id.to_string()),
            Outcome::Failed { error } => line(Hue::Bad, "failed", &id.to_string()) + &body(error, style),
            Outcome::Waiting { because, .. } => line(Hue::Look, "waits", &format!("{id}  {because}")),
            Outcome::Skipped { because } => line(Hue::Look, "skipped", &format!("{id}  {because}")),
            Outcome::InSync | Outcome::Differs { .. } => String::new(),
        },
        Event::Unmade { ids } => line(Hue::Bad, "not made", &alike::ids(&ids.iter().collect::<Vec<_>>())),
        Event::Identified { machine, identity } => line(Hue::Faint, "machine", &format!("{machine} is {identity}")),
        Event::Acked { id, ack } => {
            let evidence = if ack.evidence.is_empty() { String::new() } else { format!(": {}", ack.evidence) };
            line(Hue::Good, "passed", &format!("{id}  says {}{evidence}", ack.who))
        }
        Event::Warned { text } => format!("{} {text}\n", style.paint(Hue::Look, "warning:")),
        Event::Printed { id, program, code, text } => {
            let exit = if *code == 0 { String::new() } else { format!(", exit {code}") };
            line(Hue::Faint, "printed", &format!("{id}  `{program}`{exit}")) + &printed(text, style)
        }
        Event::Said { id, text } => line(Hue::Faint, "says", &format!("{id}  {text}")),
        Event::Ended(ended) => end(ended, run, style),
        Event::Started(_)
        | Event::LaneStarted
        | Event::LaneEnded { .. }
        | Event::PlanEnded
        | Event::Checking { .. }
        | Event::Planned { .. }
        | Event::Behind { .. }
        | Event::Capacity(_)
        | Event::Remark { .. }
        | Event::Held { .. }
        | Event::Orphan { .. }
        | Event::Unexpected { .. }
        | Event::Asked { .. }
        | Event::Unknown => String::new(),
    }
}

/// Returns the last lines of what a program printed; all of them in a verbose style.
fn printed(text: &str, style: Style) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let hidden = if style.verbose { 0 } else { lines.len().saturating_sub(PRINTED) };
    let head =
        if hidden == 0 { String::new() } else { format!("  | … {hidden} more before; --verbose shows them\n") };
    let shown = lines[hidden..].iter().map(|line| format!("  | {line}").trim_end().to_owned() + "\n");
    style.paint(Hue::Faint, &(head + &shown.collect::<String>()))
}

fn words(id: &Id, changes: &[Change]) -> String {
    let own = changes.iter().filter(|change| change.name == id.name);
    own.map(change::words).collect::<Vec<_>>().join(", ")
}

/// Returns what a run's last line says: what was found in sync for the first time, what waits, and the sums.
fn end(ended: &Ended, run: &Run, style: Style) -> String {
    let passed = ended.passed.values().flatten();
    let news: Vec<&Id> = ended.held.keys().chain(passed.map(|(id, _)| id)).collect();
    let waiting: Vec<&Id> = ended.waiting.iter().collect();
    let mut text = String::new();
    for (head, ids) in [("in sync, and not known to be before:", news), ("waiting for a person:", waiting)] {
        if !ids.is_empty() {
            let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let lines = wrap(names.iter().map(String::as_str), style.width.saturating_sub(2));
            text.extend([head, "\n", &indented(lines, 2)]);
        }
    }
    let command = run.started().map_or("", |started| &started.command);
    let sums = summary::summary(command, "", ended, Labels::default());
    text + &format!("{sums}, exit {}\n", ended.exit)
}

/// Returns `2026-11-20 12:00:00`, of RFC 3339.
fn date(time: &str) -> String {
    time.get(..19).unwrap_or(NOTHING).replace('T', " ")
}
