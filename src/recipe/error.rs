//! The mistakes of a recipe: every one of them, each with its place, in the order of the files and of the places in them.
use super::value::Span;
use crate::hub::steers;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file of a recipe.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As it is shown.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The how many-th it is of those that were read.
    pub(super) order: usize,
    /// Where its lines end.
    ends: Vec<usize>,
}

impl Source {
    pub(super) fn new(name: String, text: String, order: usize) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end).collect();
        Self { name, text, order, ends }
    }

    /// Returns `file:line` of a byte.
    pub(super) fn line(&self, at: usize) -> String {
        format!("{}:{}", self.name, self.line_number(at))
    }

    fn line_number(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at) + 1
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// Where in it.
    pub span: Span,
}

/// Something wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where; none where the command line is at fault.
    pub place: Option<Place>,
    /// What is wrong, in lower case.
    pub title: String,
    /// What stands at the caret: what was expected, or "did you mean".
    pub label: String,
    /// Another place that has to do with it, and what it is.
    pub second: Option<(Place, String)>,
    /// What to do about it.
    pub note: Option<String>,
}

impl Mistake {
    /// Returns a mistake at a place.
    pub(super) fn new(place: Place, title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::outside(title, label) }
    }

    /// Returns a mistake that no file holds.
    pub(super) fn outside(title: impl Into<String>, label: impl Into<String>) -> Self {
        let (title, label) = (printable(&title.into()), printable(&label.into()));
        Self { place: None, title, label, second: None, note: None }
    }

    /// Shows another place as well.
    pub(super) fn with(mut self, place: Place, label: impl Into<String>) -> Self {
        self.second = Some((place, label.into()));
        self
    }

    /// Says what to do.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// All that is wrong with a recipe; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// Returns them as text for a person.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let reports: Vec<String> = self.0.iter().map(|mistake| report(mistake, &renderer)).collect();
        reports.join("\n")
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}

fn report(mistake: &Mistake, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(mistake.title.as_str());
    let Some(place) = &mistake.place else {
        let head = renderer.render(&[Group::with_title(title)]);
        return format!("{head}\n  {}\n", mistake.label);
    };
    let beside = mistake.second.as_ref().filter(|(second, _)| second.source == place.source);
    let mut shown = vec![(AnnotationKind::Primary, span(place), mistake.label.as_str())];
    shown.extend(beside.map(|(second, label)| (AnnotationKind::Context, span(second), label.as_str())));
    let mut group = title.element(excerpt(&place.source, shown));
    if let Some((second, label)) = mistake.second.as_ref().filter(|_| beside.is_none()) {
        group = group.element(excerpt(&second.source, vec![(AnnotationKind::Context, span(second), label)]));
    }
    if let Some(note) = &mistake.note {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    framed(&renderer.render(&[group]))
}

/// Returns the lines of a file from the first to the last that is annotated.
fn excerpt<'a>(
    source: &'a Source,
    annotations: Vec<(AnnotationKind, Range<usize>, &'a str)>,
) -> Snippet<'a, Annotation<'a>> {
    let first = annotations.iter().map(|(_, span, _)| span.start).min().unwrap_or_default();
    let last = annotations.iter().map(|(_, span, _)| span.end).max().unwrap_or_default();
    let from = source.text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    let to = source.text[last..].find('\n').map_or(source.text.len(), |newline| last + newline);
    let annotated =
        annotations.into_iter().map(|(kind, span, label)| kind.span(span.start - from..span.end - from).label(label));
    let snippet = Snippet::source(&source.text[from..to]).path(source.name.as_str());
    snippet.line_start(source.line_number(first)).annotations(annotated)
}

/// Returns a span within its first line, so that one line is shown.
fn span(place: &Place) -> Range<usize> {
    let text = &place.source.text;
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(place.span.start.min(text.len()));
    let end = boundary(place.span.end.clamp(start, text.len()));
    let line = text[start..end].find('\n').map_or(end, |newline| start + newline);
    // A caret needs something to stand under.
    let next = text[start..].chars().next().filter(|next| *next != '\n').map_or(0, char::len_utf8);
    start..line.max(start + next)
}

/// Draws the frame in its own lines: `┌─` before a place, `│` beside the text, and no empty lines.
fn framed(report: &str) -> String {
    let mut text = String::new();
    for line in report.lines() {
        let plain = without_styles(line);
        let bare = plain.trim_start();
        if bare == "|" {
            continue;
        }
        let drawn = if bare.starts_with("--> ") {
            line.replacen("--> ", " ┌─ ", 1)
        } else if bare.starts_with("::: ") {
            line.replacen("::: ", " ├─ ", 1)
        } else if bare.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|') {
            line.replacen('|', "│", 1)
        } else {
            line.to_owned()
        };
        text.push_str(drawn.trim_end());
        text.push('\n');
    }
    text
}

/// Writes control characters as escapes: values and names are shown, and a terminal must not obey them.
fn printable(text: &str) -> String {
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Drops the escape sequences of colours.
fn without_styles(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}
