//! Stand-ins for what must be there and is missing or wrong, so that the rest of a table can be looked at.
use super::value::{Data, Span, Value};

/// Where the places of stand-ins begin: beyond any file.
const BEYOND: usize = usize::MAX / 2;

/// The next candidate of each stand-in, by the number of its place.
#[derive(Debug, Default)]
pub(super) struct StandIns(Vec<usize>);

impl StandIns {
    /// Returns a new stand-in, at a place that no file has.
    pub(super) fn make(&mut self) -> Value {
        let at = BEYOND + 2 * self.0.len();
        self.0.push(0);
        Value::text("x").moved(Span { start: at, end: at + 1 })
    }

    /// Returns whether a place is that of a stand-in.
    pub(super) fn has(span: Span) -> bool {
        span.start >= BEYOND
    }

    /// Returns the next candidate for a stand-in that was not what was wanted.
    pub(super) fn next(&mut self, span: Span) -> Option<Value> {
        let next = self.0.get_mut(span.start.checked_sub(BEYOND)? / 2)?;
        *next += 1;
        candidate(*next).map(|value| value.moved(span))
    }
}

/// Values of many shapes; one of them is likely to be what a field takes.
fn candidate(index: usize) -> Option<Value> {
    let text = |text: &str| Data::String(text.to_owned());
    Some(Value::of(match index {
        1 => text("/x"),
        2 => text("x.service"),
        3 => Data::Integer(100),
        4 => text("10.0.0.1/24"),
        5 => Data::List(vec![Value::text("x")]),
        6 => Data::List(vec![Value::text("/x")]),
        7 => Data::List(Vec::new()),
        8 => text("0644"),
        9 => Data::Boolean(true),
        10 => text(&"0".repeat(64)),
        11 => text(&"0".repeat(128)),
        12 => Data::Table(Vec::new()),
        _ => return None,
    }))
}
