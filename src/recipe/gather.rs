//! What belongs to a recipe: every file that it reads, and every one that it may read on another host.
use super::collect::Collector;
use super::document::Document;
use super::error::Source;
use super::files::{Files, Unread};
use super::source::joined;
use super::template::{self, Piece};
use super::value::{Value, get};
use super::{Mistakes, Options, bundle::Bundle, find::Found};
use crate::resource::KINDS;
use crate::wildcard::fits;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A recipe with its files, and what is to be said about them.
#[derive(Debug)]
pub struct Gathered {
    /// All that was found.
    pub bundle: Bundle,
    /// What may be missing, in words.
    pub notes: Vec<String>,
}

/// Gathers the files of a recipe: those that a load with these options reads, and those that its files name beside them,
/// in what `when` leaves out here, or by an expression that means another file elsewhere.
///
/// # Errors
/// Every mistake in the recipe.
pub fn gather(found: &Found, options: &Options<'_>) -> Result<Gathered, Mistakes> {
    let read = Recorded { files: found.files.as_ref(), read: RefCell::default() };
    super::load(&found.path, &read, options)?;
    let recipe = found.path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let mut named = Named { files: &read, seen: BTreeSet::new(), notes: Vec::new() };
    named.document(&recipe);
    let notes = named.notes;
    Ok(Gathered { bundle: Bundle { recipe, files: read.read.into_inner() }, notes })
}

/// Files that remember which of them were read.
struct Recorded<'a> {
    files: &'a dyn Files,
    read: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Files for Recorded<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        let bytes = self.files.read(path)?;
        self.read.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    fn names(&self, directory: &str) -> Vec<String> {
        self.files.names(directory)
    }
}

/// The files that are named in others, whatever `when` and variables say.
struct Named<'a> {
    files: &'a dyn Files,
    seen: BTreeSet<String>,
    notes: Vec<String>,
}

impl Named<'_> {
    fn document(&mut self, path: &str) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let Some(text) = self.files.read(path).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { return };
        let source = Arc::new(Source::new(path.to_owned(), text, 0));
        let document = Document::read(&source, path, KINDS, &mut Collector::default());
        for block in &document.blocks {
            let key = match block.kind {
                None => "recipe",
                Some(kind) if kind.fields().contains(&"source") => "source",
                Some(_) => continue,
            };
            let Some(name) = get(&block.fields, key).and_then(Value::as_str) else { continue };
            for path in self.meant(&document, key, name) {
                if key == "recipe" {
                    self.document(&path);
                }
            }
        }
    }

    /// Reads and returns the files that a name may mean.
    fn meant(&mut self, document: &Document, key: &str, name: &str) -> Vec<String> {
        let pattern = pattern(name);
        let Ok(path) = joined(document, &pattern) else { return Vec::new() };
        if !pattern.contains(|c: char| !matches!(c, '*' | '/')) {
            self.notes.push(format!(
                "`{key} = \"{name}\"` in {} may name any file: of these the bundle has those that it names here",
                document.path
            ));
            return Vec::new();
        }
        let mut found = vec![String::new()];
        for part in path.split('/') {
            let below = found.iter().flat_map(|directory| self.fitting(directory, part));
            found = below.map(|path| path + "/").collect();
        }
        let files = found.iter().map(|path| path.trim_end_matches('/').to_owned());
        let files: Vec<String> = files.filter(|path| self.files.read(path).is_ok()).collect();
        if files.is_empty() {
            self.notes
                .push(format!("`{key} = \"{name}\"` in {}: there is no such file, so none is in it", document.path));
        }
        files
    }

    /// Returns what a part of a path with `*` fits in a directory; nothing that is hidden unless the part says so.
    fn fitting(&self, directory: &str, part: &str) -> Vec<String> {
        if !part.contains('*') {
            return vec![format!("{directory}{part}")];
        }
        let mut names = self.files.names(directory);
        names.retain(|name| fits(part, name) && (part.starts_with('.') || !name.starts_with('.')));
        names.sort();
        names.into_iter().map(|name| format!("{directory}{name}")).collect()
    }
}

/// Returns a name with a `*` for each expression.
fn pattern(name: &str) -> String {
    let (pieces, _) = template::parse(name);
    let part = |piece: &Piece<'_>| match piece {
        Piece::Text(text) => (*text).to_owned(),
        Piece::Expression(_) => "*".to_owned(),
    };
    pieces.iter().map(part).collect()
}
