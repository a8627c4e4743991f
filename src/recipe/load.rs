//! Loads a recipe: reads its files, goes through their blocks from top to bottom, and puts what they make in stages.
use super::asleep::Asleep;
use super::bases;
use super::collect::{Collector, Pass};
use super::document::Document;
use super::error::{Mistake, Mistakes, Place, Source};
use super::evaluate::Scope;
use super::files::Files;
use super::gates::Gates;
use super::legible;
use super::secret::Wanted;
use super::source::{Unloaded, unread_text};
use super::stage::stages;
use super::unique::{self, Built};
use super::value::{Span, Value};
use super::{Options, Recipe, SecretsMode, in_the_way, numbers, one_path, too_late, vault};
use crate::id::Machine;
use crate::resource::Kind;
use std::collections::{BTreeMap, BTreeSet};
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
    pub(super) files: &'a dyn Files,
    pub(super) options: &'a Options<'a>,
    pub(super) kinds: &'static [Kind],
    /// What stands before the paths of files when they are shown.
    pub(super) prefix: String,
    pub(super) documents: BTreeMap<String, Result<Rc<Document>, Unloaded>>,
    pub(super) sources: usize,
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
    pub(super) gates: Gates,
    /// A table that was left out.
    pub(super) dropped: Option<Place>,
    pub(super) secrets: Vec<String>,
    pub(super) has_secrets: bool,
    pub(super) wanted: Vec<Wanted>,
    pub(super) secret_vars: BTreeSet<String>,
    pub(super) called_secret: Vec<String>,
    warnings: Vec<String>,
    /// What `when` leaves out.
    pub(super) asleep: Vec<Asleep>,
    /// It goes through what is left out: for the ids alone, whatever `when` says.
    pub(super) dreams: bool,
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
    pub(super) fn new(path: &Path, files: &'a dyn Files, options: &'a Options<'a>, kinds: &'static [Kind]) -> Self {
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
            gates: Gates::default(),
            stages: 0,
            containers: BTreeMap::new(),
            dropped: None,
            secrets: Vec::new(),
            has_secrets: false,
            wanted: Vec::new(),
            secret_vars: BTreeSet::new(),
            called_secret: Vec::new(),
            warnings: Vec::new(),
            asleep: Vec::new(),
            dreams: false,
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
        self.gates.look(&mut self.mistakes);
        unique::containers(&mut self);
        unique::ids(&mut self);
        legible::names(&mut self);
        one_path::look(&mut self);
        in_the_way::look(&mut self);
        too_late::look(&mut self);
        numbers::look(&mut self);
        if let Some(place) = self.dropped.take().filter(|_| self.mistakes.count() == 0) {
            self.mistakes.add(Pass::Whole, Mistake::new(place, "a table that cannot be read", "this one"));
        }
        if let Some(mistakes) = self.mistakes.finish() {
            return Err(mistakes);
        }
        bases::seal(&mut self.built);
        let (stages, phases) = stages(self.built, self.phases);
        let Self { name, secrets, has_secrets, secret_vars, called_secret, warnings, asleep, wanted, .. } = self;
        Ok((
            Recipe { name, title, phases, stages, secrets, has_secrets, secret_vars, called_secret, warnings, asleep },
            wanted,
        ))
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
            None if document.broken || document.named => {}
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

    pub(super) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// Returns whether it can be a recipe's identity: it is part of paths and of references.
pub(super) fn is_identity(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(inner) && !name.starts_with(['.', '_', '-'])
}
