//! Reporters: what a run says, for people and for programs. Nothing else prints.
mod alike;
mod bars;
mod capacity;
mod catalog;
mod cell;
mod change;
mod checklist;
mod entry;
mod failure;
mod group;
pub mod history;
mod json;
mod lines;
mod metrics;
mod plan;
mod stage;
mod style;
mod summary;
mod table;
mod unexpected;

pub use bars::{Above, Bars, Terminal};
pub use catalog::catalog;
pub use checklist::Checklist;
pub use failure::error_text;
pub use json::Json;
pub use lines::Lines;
pub use metrics::{Measured, metrics};
pub use style::Style;

use crate::event::Envelope;

/// Where the hub shows what the ledger holds already.
pub trait Reporter: Send {
    /// Shows an event, or passes it over. What can't be shown (a closed pipe) ends nothing.
    fn event(&mut self, envelope: &Envelope);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _: &Envelope) {}
}
