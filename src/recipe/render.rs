//! Renders the expressions of a tree, so that every value keeps the place at which it is written.
use super::collect::{Collector, Pass};
use super::error::Source;
use super::evaluate::{Failure, Scope, render};
use super::value::{Data, Span, Value};
use std::sync::Arc;

/// Returns the value with its expressions evaluated; what fails is reported and `Wrong` in its place.
pub(super) fn rendered(value: &Value, scope: &Scope, source: &Arc<Source>, mistakes: &mut Collector) -> Value {
    let data = match &value.data {
        Data::String(text) if text.contains("{{") => match render(text, scope) {
            Ok(result) => return result.moved(value.span),
            Err(failures) => {
                let literal = Literal { text: &source.text, span: value.span };
                for failure in failures {
                    report(failure, literal, text, source, mistakes);
                }
                Data::Wrong
            }
        },
        Data::List(items) => Data::List(items.iter().map(|item| rendered(item, scope, source, mistakes)).collect()),
        Data::Table(entries) => Data::Table(
            entries.iter().map(|entry| entry.with(rendered(&entry.value, scope, source, mistakes))).collect(),
        ),
        Data::Absent(_) => Data::Wrong,
        data => data.clone(),
    };
    Value { span: value.span, taint: value.taint, data }
}

fn report(failure: Failure, literal: Literal<'_>, text: &str, source: &Arc<Source>, mistakes: &mut Collector) {
    match failure {
        Failure::Reported => {}
        Failure::Wrong(mut wrong) | Failure::Undefined(mut wrong) => {
            wrong.span = spot(literal, text, wrong.span);
            mistakes.wrong(Pass::Rendered, source, wrong);
        }
    }
}

/// A string as it is written in a file: with its quotes and escapes.
#[derive(Clone, Copy)]
pub(super) struct Literal<'a> {
    /// Of the whole file.
    pub(super) text: &'a str,
    pub(super) span: Span,
}

/// Returns where in the file a part of a string stands; the whole string where escapes make that uncertain.
pub(super) fn spot(literal: Literal<'_>, decoded: &str, part: Span) -> Span {
    let Some(raw) = literal.text.get(literal.span.start..literal.span.end) else { return literal.span };
    let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| raw.starts_with(quotes)).unwrap_or("");
    let mut from = quotes.len();
    if quotes.len() == 3 {
        from += ["\r\n", "\n"].into_iter().find(|newline| raw[from..].starts_with(newline)).map_or(0, str::len);
    }
    let inner = &raw[from..raw.len().saturating_sub(quotes.len()).max(from)];
    let base = literal.span.start + from;
    if inner == decoded {
        return Span { start: base + part.start, end: base + part.end };
    }
    // Count the braces up to the part, and go to as many in what is written.
    let before = decoded.get(..(part.start + 2).min(decoded.len())).unwrap_or(decoded);
    let Some((index, (open, _))) = before.match_indices("{{").enumerate().last() else { return literal.span };
    let written = inner.match_indices("{{").nth(index).map(|(at, _)| at);
    match (written, decoded.get(open..part.end)) {
        (Some(at), Some(text)) if inner[at..].starts_with(text) => {
            Span { start: base + at + (part.start - open), end: base + at + (part.end - open) }
        }
        _ => literal.span,
    }
}
