//! Reporters: what a run says, for people and for programs. Nothing else prints.
mod json;

pub use json::Json;

use crate::event::Envelope;

/// Where the hub shows what the ledger holds already.
pub trait Reporter: Send {
    /// Shows an event, or passes it over. What can't be shown (a closed pipe) ends nothing.
    fn event(&mut self, envelope: &Envelope);
}
