//! Takes mistakes as they are found, each once however often what is written is used.
use super::error::{Mistake, Mistakes, Place, Source};
use super::expression::Wrong;
use super::value::Span;
use std::collections::HashMap;
use std::sync::Arc;

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
    /// Something may be defined in a part that could not be read.
    pub(super) incomplete: bool,
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
