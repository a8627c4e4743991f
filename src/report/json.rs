//! One event a line, as JSON: docs/events.md.
use super::Reporter;
use crate::event::Envelope;
use std::io::Write;

/// Writes every event as a line.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

impl<W: Write + Send> Json<W> {
    /// Returns a reporter that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Reporter for Json<W> {
    fn event(&mut self, envelope: &Envelope) {
        let Ok(mut line) = serde_json::to_string(envelope) else { return };
        line.push('\n');
        // Who closed the pipe does not want to know; the run goes on.
        let _ = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
    }
}
