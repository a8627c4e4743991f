//! Templates: text in which expressions stand between `{{` and `}}`.
use super::expression::{self, Expression, NO_EXPRESSION, Wrong};
use super::value::Span;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// Stays as it is.
    Text(&'a str),
    /// Is evaluated.
    Expression(Expression),
}

/// Splits a text; what is wrong between braces is left out and comes second.
pub(super) fn parse(text: &str) -> (Vec<Piece<'_>>, Vec<Wrong>) {
    let (mut pieces, mut wrongs) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found) {
        if open > at {
            pieces.push(Piece::Text(&text[at..open]));
        }
        let close = text[open..].find("}}").map(|found| open + found + 2);
        at = match expression::parse(text, open + 2) {
            Ok((expression, end)) => {
                pieces.push(Piece::Expression(expression));
                end
            }
            Err(wrong) => {
                wrongs.push(named(text, open, close, wrong));
                close.unwrap_or(text.len())
            }
        };
    }
    if at < text.len() {
        pieces.push(Piece::Text(&text[at..]));
    }
    (pieces, wrongs)
}

/// Puts what stands between the braces into the title, and keeps the place within them.
fn named(text: &str, open: usize, close: Option<usize>, mut wrong: Wrong) -> Wrong {
    let Some(close) = close else {
        return Wrong {
            span: Span { start: open, end: open + 2 },
            title: "`{{` without `}}`".to_owned(),
            label: "this is never closed".to_owned(),
        };
    };
    if wrong.title == NO_EXPRESSION {
        wrong.title = format!("`{}` is not an expression", &text[open..close]);
        wrong.span.start = wrong.span.start.min(close - 2);
        wrong.span.end = wrong.span.end.clamp(wrong.span.start, close).max(wrong.span.start + 1);
    }
    wrong
}
