//! The tokens of expressions.
use super::expression::Wrong;
use super::value::Span;

const SYMBOLS: [&str; 20] =
    ["==", "!=", "<=", ">=", "}}", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ".", ",", "|", "="];

/// A token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Integer(i64),
    Float(f64),
    Text(String),
    Symbol(&'static str),
    End,
}

/// Returns the next token and where it stands.
pub(super) fn next(text: &str, at: usize) -> Result<(Token, Span), Wrong> {
    let start = at + (text[at..].len() - text[at..].trim_start().len());
    let rest = &text[start..];
    let span = |length: usize| Span { start, end: start + length };
    let (token, length) = match rest.chars().next() {
        None => (Token::End, 0),
        Some(quote @ ('"' | '\'')) => quoted(rest, quote).ok_or_else(|| {
            Wrong::no_expression(Span { start, end: text.len() }, format!("this {quote} is never closed"))
        })?,
        Some('0'..='9') => {
            let length = number_length(rest);
            let number = number(&rest[..length]);
            number.ok_or_else(|| Wrong::no_expression(span(length), "expected a number that fits"))?
        }
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest[..length].to_owned()), length)
        }
        Some(first) => {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let symbol = symbol
                .ok_or_else(|| Wrong::no_expression(span(first.len_utf8()), "no expression has this character"))?;
            (Token::Symbol(symbol), symbol.len())
        }
    };
    Ok((token, span(length)))
}

/// Reads a quoted text and returns it with its length; a backslash keeps the next character as it is, `\n` is a newline.
fn quoted(text: &str, quote: char) -> Option<(Token, usize)> {
    let mut inner = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => match characters.next()?.1 {
                'n' => inner.push('\n'),
                't' => inner.push('\t'),
                other => inner.push(other),
            },
            _ if character == quote => return Some((Token::Text(inner), at + 1)),
            _ => inner.push(character),
        }
    }
    None
}

fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    match text[whole..].strip_prefix('.') {
        Some(fraction) if digits(fraction) > 0 => whole + 1 + digits(fraction),
        _ => whole,
    }
}

fn number(text: &str) -> Option<(Token, usize)> {
    let token = if text.contains('.') { Token::Float(text.parse().ok()?) } else { Token::Integer(text.parse().ok()?) };
    Some((token, text.len()))
}
