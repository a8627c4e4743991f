//! The mistakes of a recipe: every one of them, each with its place, in the order of the files and of the places in them.
use super::expression::Wrong;
use super::value::Span;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::collections::{BTreeSet, HashMap};
use std::fmt;
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
}

impl Source {
    /// Returns `file:line` of a byte.
    pub(super) fn line(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or(&self.text);
        format!("{}:{}", self.name, before.matches('\n').count() + 1)
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
        Self { place: Some(place), title: title.into(), label: label.into(), second: None, note: None }
    }

    /// Returns a mistake that no file holds.
    pub(super) fn outside(title: impl Into<String>, label: impl Into<String>) -> Self {
        Self { place: None, title: title.into(), label: label.into(), second: None, note: None }
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
    let primary = AnnotationKind::Primary.span(shown(place)).label(mistake.label.as_str());
    let mut snippet = Snippet::source(place.source.text.as_str()).path(place.source.name.as_str()).annotation(primary);
    let mut other = None;
    if let Some((second, label)) = &mistake.second {
        let annotation = AnnotationKind::Context.span(shown(second)).label(label.as_str());
        if second.source == place.source {
            snippet = snippet.annotation(annotation);
        } else {
            let source = second.source.text.as_str();
            other = Some(Snippet::source(source).path(second.source.name.as_str()).annotation(annotation));
        }
    }
    let mut group = title.element(snippet);
    if let Some(other) = other {
        group = group.element(other);
    }
    if let Some(note) = &mistake.note {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    framed(&renderer.render(&[group]))
}

/// Keeps a span within its first line, so that one line is shown.
fn shown(place: &Place) -> std::ops::Range<usize> {
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
    start..line
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

/// When a mistake is found. A place that has one is not pointed at again by the same pass over another instance of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    /// In a file as it is written.
    Written,
    /// In a table as it is rendered, once for each member of a `for-each` and each include.
    Rendered,
    /// In the recipe as a whole.
    Whole,
}

/// Takes mistakes as they are found.
#[derive(Debug, Default)]
pub(super) struct Collector {
    mistakes: Vec<Mistake>,
    /// By file, place and pass: the instance that was the first to find something there.
    first: HashMap<(usize, Span, Pass), usize>,
    instance: usize,
    /// Places of names that may stand for something that is defined in a part with mistakes.
    pub(super) broken: BTreeSet<usize>,
}

impl Collector {
    /// Begins another instance of what is written once.
    pub(super) fn next_instance(&mut self) {
        self.instance += 1;
    }

    pub(super) fn add(&mut self, pass: Pass, mistake: Mistake) {
        if let Some(place) = &mistake.place {
            let key = (place.source.order, place.span, pass);
            if *self.first.entry(key).or_insert(self.instance) != self.instance {
                return;
            }
        }
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// Takes what is wrong in a text that stands at `place`.
    pub(super) fn wrong(&mut self, pass: Pass, source: &Arc<Source>, wrong: Wrong) {
        let note = wrong.title.ends_with("is not an expression").then_some(BRACES);
        let place = Place { source: source.clone(), span: wrong.span };
        let mistake = Mistake::new(place, wrong.title, wrong.label);
        self.add(pass, Mistake { note: note.map(str::to_owned), ..mistake });
    }

    pub(super) fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// Returns them in the order of the files and of the places in them.
    pub(super) fn finish(mut self) -> Option<Mistakes> {
        if self.mistakes.is_empty() {
            return None;
        }
        self.mistakes.sort_by_key(|mistake| {
            mistake.place.as_ref().map(|place| (place.source.order, place.span.start, place.span.end))
        });
        Some(Mistakes(self.mistakes))
    }
}

const BRACES: &str = "text with such braces of its own belongs in a file that `source` names";
