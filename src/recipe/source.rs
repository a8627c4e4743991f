//! Reads the files of a recipe, each once, and reports those that cannot be read.
use super::collect::Pass;
use super::document::Document;
use super::error::{Mistake, Place, Source};
use super::files::Unread;
use super::load::Loader;
use super::suggest::nearest;
use super::value::Span;
use std::rc::Rc;
use std::sync::Arc;

/// Why a file could not be loaded.
#[derive(Clone)]
pub(super) enum Unloaded {
    /// A mistake that is reported wherever it is named.
    Unread(Unread),
    /// It was read, and its mistake was reported.
    Reported,
}

impl Loader<'_> {
    /// Returns a file of the recipe; it is read once.
    pub(super) fn document(&mut self, path: &str) -> Result<Rc<Document>, Unloaded> {
        if let Some(known) = self.documents.get(path) {
            return known.clone();
        }
        let document = self.read(path);
        self.documents.insert(path.to_owned(), document.clone());
        document
    }

    fn read(&mut self, path: &str) -> Result<Rc<Document>, Unloaded> {
        let bytes = self.files.read(path).map_err(Unloaded::Unread)?;
        let source = self.text(path, bytes).ok_or(Unloaded::Reported)?;
        Ok(Rc::new(Document::read(&source, path, self.kinds, &mut self.mistakes)))
    }

    /// Reads the bytes of a file.
    pub(super) fn bytes(&self, path: &str) -> Result<Vec<u8>, Unread> {
        self.files.read(path)
    }

    /// Returns a file's bytes as text; what is not UTF-8 is reported.
    pub(super) fn text(&mut self, path: &str, bytes: Vec<u8>) -> Option<Arc<Source>> {
        let order = self.sources;
        self.sources += 1;
        let name = format!("{}{path}", self.prefix);
        match String::from_utf8(bytes) {
            Ok(text) => Some(Arc::new(Source::new(name, text, order))),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let byte = error.as_bytes().get(at).copied().unwrap_or_default();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let place =
                    Place { source: Arc::new(Source::new(name, text, order)), span: Span { start: at, end: at + 3 } };
                let mistake = Mistake::new(place, "text that is not UTF-8", format!("the byte 0x{byte:02x}"));
                self.mistakes.add(Pass::Written, mistake);
                None
            }
        }
    }

    /// Reports a file that could not be read at the value that names it.
    pub(super) fn unread(&mut self, place: Place, path: &str, unread: &Unread) {
        let (title, label) = match unread {
            Unread::Missing => {
                let (directory, name) = path.split_at(path.rfind('/').map_or(0, |slash| slash + 1));
                let names = self.files.names(directory);
                let near = nearest(name, names.iter().map(String::as_str));
                let label = near.map(|near| format!("did you mean `{directory}{near}`?"));
                let label = label.unwrap_or_else(|| format!("looked for `{}{path}`", self.prefix));
                (format!("there is no file `{path}`"), label)
            }
            Unread::Outside => {
                (format!("`{path}` is outside the recipe's directory"), "a link leads out of it".to_owned())
            }
            Unread::NotAFile => (format!("`{path}` is not a file"), "expected a regular file".to_owned()),
            Unread::Failed(why) => (format!("reading `{path}`"), why.clone()),
        };
        self.mistakes.add(Pass::Rendered, Mistake::new(place, title, label));
    }

    /// Returns the path of a file that another one names, beneath the recipe's directory; what leads out of it is reported.
    pub(super) fn beneath(&mut self, place: Place, document: &Document, path: &str) -> Option<String> {
        joined(document, path)
            .map_err(|label| {
                let title = format!("`{path}` is not a path beneath the recipe's directory");
                self.mistakes.add(Pass::Rendered, Mistake::new(place, title, label));
            })
            .ok()
    }
}

/// Returns the path of a file that another one names, or why it leads nowhere.
pub(super) fn joined(document: &Document, path: &str) -> Result<String, &'static str> {
    if path.starts_with('/') {
        return Err("write it as a path from the file that names it");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("`..` may lead out of the recipe's directory");
    }
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return Err("expected the path of a file");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    Ok(format!("{}{}", document.directory(), parts.join("/")))
}

/// Says why a file was not read.
pub(super) fn unread_text(unread: &Unread) -> String {
    match unread {
        Unread::Missing => "there is no such file".to_owned(),
        Unread::Outside => "it is a link that leads out of its directory".to_owned(),
        Unread::NotAFile => "it is not a regular file".to_owned(),
        Unread::Failed(why) => why.clone(),
    }
}
