//! Loads a recipe: reads its files, goes through their blocks from top to bottom, and puts what they make in stages.
use super::document::Document;
use super::error::{Collector, Mistake, Mistakes, Pass, Place, Source};
use super::evaluate::Scope;
use super::files::{Files, Unread};
use super::secret::Wanted;
use super::suggest::nearest;
use super::unique::{self, Built};
use super::value::{Span, Value};
use super::{Lane, Options, Recipe, SecretsMode, Stage, vault};
use crate::id::Machine;
use crate::resource::Kind;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// Loads a recipe whose kinds are these.
pub(super) fn load(
    path: &Path,
    files: &dyn Files,
    options: &Options<'_>,
    kinds: &'static [Kind],
) -> Result<Recipe, Mistakes> {
    let (recipe, wanted) = Loader::new(path, files, options, kinds).run(path)?;
    if wanted.is_empty() || options.secrets == SecretsMode::AtHand {
        return Ok(recipe);
    }
    // Only once all else is known to be right.
    for secret in wanted {
        vault::generate(&secret.path, secret.length).map_err(|error| {
            let title = format!("generating a secret in `{}`", secret.path.display());
            Mistakes(vec![Mistake::outside(title, error.to_string())])
        })?;
    }
    Loader::new(path, files, options, kinds).run(path).map(|(recipe, _)| recipe)
}

/// What becomes of a recipe while it is loaded.
pub(super) struct Loader<'a> {
    files: &'a dyn Files,
    pub(super) options: &'a Options<'a>,
    pub(super) kinds: &'static [Kind],
    /// What stands before the paths of files when they are shown.
    prefix: String,
    documents: BTreeMap<String, Result<Rc<Document>, Unloaded>>,
    sources: usize,
    /// Files that are templates, by their paths; none: not UTF-8.
    pub(super) templates: BTreeMap<String, Option<Arc<Source>>>,
    pub(super) mistakes: Collector,
    pub(super) name: String,
    pub(super) phases: Vec<String>,
    pub(super) built: Vec<Built>,
    /// How many includes with lanes there were.
    pub(super) stages: usize,
    /// What expressions see as `target`, by the id of the container.
    pub(super) containers: BTreeMap<u32, Value>,
    /// Gates whose tables have mistakes: they are defined all the same.
    pub(super) doubtful_gates: bool,
    /// A table that was left out.
    pub(super) dropped: Option<Place>,
    pub(super) secrets: Vec<String>,
    pub(super) wanted: Vec<Wanted>,
    warnings: Vec<String>,
}

/// Why a file could not be loaded.
#[derive(Clone)]
pub(super) enum Unloaded {
    /// A mistake that is reported wherever it is named.
    Unread(Unread),
    /// It was read, and its mistake was reported.
    Reported,
}

/// A file as one include runs it.
pub(super) struct File {
    pub(super) document: Rc<Document>,
    pub(super) root: bool,
    pub(super) scope: Scope,
    pub(super) machine: Machine,
    pub(super) slot: Slot,
    /// Of its resources that name none.
    pub(super) phase: Option<String>,
    /// The paths of the files that include it, and its own.
    pub(super) stack: Vec<String>,
}

/// Where in the order something is.
#[derive(Debug, Clone)]
pub(super) enum Slot {
    Plain,
    Lane {
        /// Which include with lanes.
        stage: usize,
        name: String,
        /// Of the key that named it.
        place: Place,
    },
}

impl<'a> Loader<'a> {
    fn new(path: &Path, files: &'a dyn Files, options: &'a Options<'a>, kinds: &'static [Kind]) -> Self {
        let prefix = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let prefix = prefix.map_or(String::new(), |parent| format!("{}/", parent.display()).replace("//", "/"));
        Self {
            files,
            options,
            kinds,
            prefix,
            documents: BTreeMap::new(),
            sources: 0,
            templates: BTreeMap::new(),
            mistakes: Collector::default(),
            name: String::new(),
            phases: Vec::new(),
            built: Vec::new(),
            stages: 0,
            containers: BTreeMap::new(),
            doubtful_gates: false,
            dropped: None,
            secrets: Vec::new(),
            wanted: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn run(mut self, path: &Path) -> Result<(Recipe, Vec<Wanted>), Mistakes> {
        let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        let title = match self.document(&name) {
            Ok(document) => {
                self.root(&document);
                document.title.clone()
            }
            Err(Unloaded::Unread(unread)) => {
                let title = format!("reading `{}`", path.display());
                self.mistakes.add(Pass::Written, Mistake::outside(title, unread_text(&unread)));
                None
            }
            Err(Unloaded::Reported) => None,
        };
        unique::gates(&mut self);
        unique::ids(&mut self);
        if let Some(place) = self.dropped.take().filter(|_| self.mistakes.count() == 0) {
            self.mistakes.add(Pass::Whole, Mistake::new(place, "a table that cannot be read", "this one"));
        }
        if let Some(mistakes) = self.mistakes.finish() {
            return Err(mistakes);
        }
        let (stages, phases) = stages(self.built, self.phases);
        let (name, secrets, warnings) = (self.name, self.secrets, self.warnings);
        Ok((Recipe { name, title, phases, stages, secrets, warnings }, self.wanted))
    }

    fn root(&mut self, document: &Rc<Document>) {
        match &document.name {
            Some((name, span)) => {
                if !is_identity(name) {
                    let title = format!("`{name}` is not a name for a recipe");
                    let label = "lower-case letters, digits, `.`, `_` and `-`, at most 64, a letter or digit first";
                    self.mistakes.add(Pass::Written, Mistake::new(document.place(*span), title, label));
                }
                self.name.clone_from(name);
            }
            None if document.broken => {}
            None => {
                let place = document.place(Span::default());
                let mistake = Mistake::new(place, "no `name`", "a recipe needs one: the ledger knows it by that");
                self.mistakes.add(Pass::Written, mistake);
            }
        }
        self.phases = document.phases.iter().map(|(phase, _)| phase.clone()).collect();
        let given = self.given(document);
        let scope = self.scope(document, given, None, true);
        self.expand(File {
            document: document.clone(),
            root: true,
            scope,
            machine: Machine::Host,
            slot: Slot::Plain,
            phase: None,
            stack: vec![document.path.clone()],
        });
    }

    /// Goes through the blocks of a file.
    pub(super) fn expand(&mut self, mut file: File) {
        self.mistakes.next_instance();
        if let Some(phase) = &file.document.phase {
            let phase = self.phase(&file, phase, &file.scope);
            file.phase = phase.or(file.phase.take());
        }
        let document = file.document.clone();
        for block in &document.blocks {
            match block.kind {
                Some(kind) => self.resource(&file, block, kind),
                None => self.include(&file, block),
            }
        }
    }

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
        let document = Document::read(&source, path, self.kinds, &mut self.mistakes);
        if document.broken {
            self.doubtful_gates = true;
        }
        Ok(Rc::new(document))
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
            Ok(text) => Some(Arc::new(Source { name, text, order })),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let byte = error.as_bytes().get(at).copied().unwrap_or_default();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let place =
                    Place { source: Arc::new(Source { name, text, order }), span: Span { start: at, end: at + 3 } };
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
            Unread::Failed(why) => (format!("reading `{path}`"), why.clone()),
        };
        self.mistakes.add(Pass::Rendered, Mistake::new(place, title, label));
    }

    /// Returns the path of a file that another one names, beneath the recipe's directory; what leads out of it is reported.
    pub(super) fn beneath(&mut self, place: Place, document: &Document, path: &str) -> Option<String> {
        let label = if path.starts_with('/') {
            "write it as a path from the file that names it"
        } else if path.split('/').any(|part| part == "..") {
            "`..` may lead out of the recipe's directory"
        } else if path.is_empty() || path.ends_with('/') || path.contains('\0') {
            "expected the path of a file"
        } else {
            let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
            return Some(format!("{}{}", document.directory(), parts.join("/")));
        };
        let title = format!("`{path}` is not a path beneath the recipe's directory");
        self.mistakes.add(Pass::Rendered, Mistake::new(place, title, label));
        None
    }

    pub(super) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

fn unread_text(unread: &Unread) -> String {
    match unread {
        Unread::Missing => "there is no such file".to_owned(),
        Unread::Outside => "it is a link that leads out of its directory".to_owned(),
        Unread::Failed(why) => why.clone(),
    }
}

/// Returns whether it can be a recipe's identity: it is part of paths and of references.
fn is_identity(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(inner) && !name.starts_with(['.', '_', '-'])
}

/// Puts what was built in stages, and names the phases.
fn stages(built: Vec<Built>, mut phases: Vec<String>) -> (Vec<Stage>, Vec<String>) {
    let named = !phases.is_empty();
    let mut stages: Vec<Stage> = Vec::new();
    let mut last = None;
    for Built { item, slot, .. } in built {
        if let Some(phase) = &item.job.phase
            && !named
            && !phases.contains(phase)
        {
            phases.push(phase.clone());
        }
        let at = if let Slot::Lane { stage, .. } = &slot { Some(*stage) } else { None };
        if stages.is_empty() || at != last {
            stages.push(if at.is_some() { Stage::Lanes(Vec::new()) } else { Stage::Plain(Vec::new()) });
            last = at;
        }
        match (stages.last_mut(), slot) {
            (Some(Stage::Plain(items)), _) => items.push(item),
            (Some(Stage::Lanes(lanes)), Slot::Lane { name, .. }) => {
                match lanes.iter_mut().find(|lane| lane.name == name) {
                    Some(lane) => lane.items.push(item),
                    None => lanes.push(Lane { name, items: vec![item] }),
                }
            }
            _ => {}
        }
    }
    (stages, phases)
}
