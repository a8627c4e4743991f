//! A sink that keeps what it is told.
use provision::error::Result;
use provision::event::{Event, Outcome, Sink};
use std::sync::Mutex;

#[derive(Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
}

impl Sink for Recorder {
    fn emit(&self, event: Event) -> Result<()> {
        self.events.lock().unwrap().push(event);
        Ok(())
    }
}

impl Recorder {
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Returns what was planned or changed, a line a change: `file:/etc/motd mode 0600 -> 0644`.
    pub fn changes(&self) -> Vec<String> {
        let events = self.events();
        let lines = events.iter().filter_map(|event| match event {
            Event::Planned { id, changes, .. } | Event::Finished { id, outcome: Outcome::Changed { changes }, .. } => {
                Some((id, changes))
            }
            _ => None,
        });
        lines.flat_map(|(id, changes)| changes.iter().map(move |change| line(&id.local(), change))).collect()
    }

    /// Returns every end but in sync, a line each.
    pub fn ends(&self) -> Vec<String> {
        let line = |event: &Event| match event {
            Event::Finished { id, outcome: Outcome::Failed { error }, .. } => Some(format!(
                "{} failed: {error}: {} {}",
                id.local(),
                error.causes.join(": "),
                error.output.join(" | ")
            )),
            Event::Finished { id, outcome: Outcome::Waiting { because, remedy }, .. } => {
                let remedy = remedy.as_ref().map_or(String::new(), |remedy| format!(" ({remedy})"));
                Some(format!("{} waiting: {because}{remedy}", id.local()))
            }
            Event::Finished { id, outcome: Outcome::Skipped { because }, .. } => {
                Some(format!("{} skipped: {because}", id.local()))
            }
            Event::Remark { id, remark } => Some(format!("{} remark: {}", id.local(), remark.text)),
            _ => None,
        };
        self.events().iter().filter_map(line).collect()
    }
}

fn line(id: &str, change: &provision::resource::Change) -> String {
    let show = |value: &Option<String>| value.as_deref().map_or("nothing", without_digest).to_owned();
    let field = if change.field.is_empty() { String::new() } else { format!(" {}", change.field) };
    let after = change.after.as_ref().map_or(String::new(), |id| format!(" after {}", id.local()));
    format!("{id}{field}: {} -> {}{after}", show(&change.from), show(&change.to))
}

/// `6 B 0123456789abcdef` is `6 B`: the digest depends on a key that cases don't have.
fn without_digest(text: &str) -> &str {
    match text.rsplit_once(" B ") {
        Some((size, digest)) if digest.len() == 16 && digest.bytes().all(|c| c.is_ascii_hexdigit()) => {
            &text[..size.len() + " B".len()]
        }
        _ => text,
    }
}
