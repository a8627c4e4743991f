//! Parses TOML that may be broken: one mistake for each statement that is, and all the others as they are written.
use super::value::{Entry, Span, entries_from_toml};
use toml::de::DeTable;

/// What is wrong with a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) label: String,
}

/// How many broken statements are worth a report.
const MOST: usize = 50;

/// Returns what can be read of a text, and what is wrong with the rest.
pub(super) fn parse(text: &str) -> (Vec<Entry>, Vec<Broken>) {
    let mut broken = Vec::new();
    // Broken statements are blanked and the rest is parsed again, so that all keeps its place and nothing echoes.
    let mut readable = text.to_owned();
    loop {
        let (table, errors) = DeTable::parse_recoverable(&readable);
        let first = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start));
        let Some(error) = first.filter(|_| broken.len() < MOST) else {
            return (entries_from_toml(table.get_ref()), broken);
        };
        let span: Span = error.span().unwrap_or_default().into();
        let statement = statement(&readable, span.start);
        broken.push(worded(&readable, span, &statement, error.message()));
        if !blank(&mut readable, statement.lines) {
            return (Vec::new(), broken);
        }
    }
}

/// The statement that is to blame for an error.
struct Statement {
    /// From the first byte of its first line to the last of its last.
    lines: Span,
    /// The parser noticed it only in the statement that follows.
    unclosed: bool,
}

fn statement(text: &str, at: usize) -> Statement {
    let at = at.min(text.len());
    let begins = |start: usize| {
        let line = text[start..].lines().next().unwrap_or_default();
        is_header(line) || is_key(line)
    };
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(newline, _)| newline + 1))
        .filter(|at| begins(*at))
        .collect();
    let index = starts.partition_point(|start| *start <= at);
    let own = index.checked_sub(1).map_or(0, |index| starts[index]);
    let before = index.checked_sub(2).map_or(0, |index| starts[index]);
    // At the very beginning of a statement it may be the one before that does not end.
    let unclosed = at == own && is_open(&text[before..own]);
    let opened = || text[..at].rfind("\"\"\"").max(text[..at].rfind("'''")).map(|quotes| line_start(text, quotes));
    if at >= text.trim_end().len()
        && let Some(start) = opened().filter(|start| is_odd(&text[*start..]))
    {
        return Statement { lines: Span { start, end: text.len() }, unclosed: true };
    }
    let start = if unclosed { before } else { own };
    let from = if unclosed { own } else { start + 1 };
    let header = is_header(text[start..].lines().next().unwrap_or_default()) && !unclosed;
    let ends =
        |next: &&usize| **next >= from && (!header || is_header(text[**next..].lines().next().unwrap_or_default()));
    let end = starts.iter().find(ends).copied().unwrap_or(text.len());
    Statement { lines: Span { start, end }, unclosed }
}

fn worded(text: &str, span: Span, statement: &Statement, message: &str) -> Broken {
    let broken = |span, title: String, label: &str| Broken { span, title, label: label.to_owned() };
    if statement.unclosed {
        let line = text[statement.lines.start..].lines().next().unwrap_or_default();
        let span = Span { start: statement.lines.start, end: statement.lines.start + line.trim_end().len() };
        return broken(span, "not TOML: this is never closed".to_owned(), "a bracket or a quote is missing");
    }
    match message.strip_prefix("string values must be quoted") {
        Some(_) if span.start == span.end => {
            broken(span, "not TOML: a value is missing".to_owned(), "expected a value")
        }
        Some(_) => broken(span, "not TOML: this is no value".to_owned(), "a string stands in quotes"),
        None => match message.split_once(", expected ") {
            Some((title, "nothing")) => broken(span, format!("not TOML: {title}"), "this one"),
            Some((title, expected)) => broken(span, format!("not TOML: {title}"), &format!("expected {expected}")),
            None => broken(span, format!("not TOML: {message}"), "this one"),
        },
    }
}

/// Replaces lines with blanks; false where there is nothing left to blank.
fn blank(text: &mut String, lines: Span) -> bool {
    let was = &text[lines.start..lines.end];
    if was.trim().is_empty() {
        return false;
    }
    let blanks: String =
        was.chars().map(|c| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) }).collect();
    text.replace_range(lines.start..lines.end, &blanks);
    true
}

fn is_header(line: &str) -> bool {
    line.starts_with('[') && !line.starts_with("[[[")
}

/// Returns whether a line begins with a key and an equals sign.
fn is_key(line: &str) -> bool {
    let Some((key, _)) = line.split_once('=') else { return false };
    let key = key.trim_end();
    let part = |c: char| c.is_ascii_alphanumeric() || "_-.\"'".contains(c);
    !key.is_empty() && key.chars().all(part)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Returns whether more brackets are opened than closed.
fn is_open(statement: &str) -> bool {
    let count = |brackets: [char; 2]| statement.matches(brackets).count();
    count(['[', '{']) > count([']', '}'])
}

fn is_odd(text: &str) -> bool {
    text.matches("\"\"\"").count() % 2 == 1 || text.matches("'''").count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the keys that are read, and for each mistake the line at which it is.
    fn read(text: &str) -> (Vec<String>, Vec<usize>) {
        let (entries, broken) = parse(text);
        let line = |broken: &Broken| text[..broken.span.start].matches('\n').count() + 1;
        (entries.into_iter().map(|entry| entry.key).collect(), broken.iter().map(line).collect())
    }

    #[test]
    fn one_broken_statement_is_one_mistake_and_the_others_are_read() {
        for (text, keys, lines) in [
            ("a = 1\nb = \nc = 3\n", vec!["a", "c"], vec![2]),
            ("a = [1, 2\nb = 3\n[c]\nd = 4\n", vec!["b", "c"], vec![1]),
            ("a = \"x\nb = 2\n", vec!["b"], vec![1]),
            ("a = yes\nb = 0644\nc = 1 d = 2\ne = 5\n", vec!["e"], vec![1, 2, 3]),
            ("a = \"\"\"\nx\nb = 2\n", vec![], vec![1]),
            ("[[a]\nx = 1\n[[b]]\ny = 1\n", vec!["b"], vec![1]),
            ("a = 1\na = 2\n", vec!["a"], vec![2]),
            ("= 1\nb = 2\n", vec!["b"], vec![1]),
            ("a = 1\n\u{0}\nb = 2\n", vec!["b"], vec![2]),
            ("a = {\n", vec![], vec![1]),
            ("}", vec![], vec![1]),
        ] {
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            assert_eq!(read(text), (keys, lines), "{text:?}");
        }
    }
}
