//! The catalog: the recipes of a machine and those in the binary, and what each needs, as their files say it.
use super::collect::Collector;
use super::document::Document;
use super::error::Source;
use super::files::{Directory, Embedded, Files, Unread};
use super::find::{Found, Origin, RECIPES};
use super::load::is_identity;
use super::shipped::SHIPPED;
use super::source::{joined, unread_text};
use super::value::{Data, Entry, Value, get};
use crate::resource::KINDS;
use serde::Serialize;
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A recipe, or a part of one, as its file says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What to call it by on the command line: its file, without `.toml`.
    pub recipe: String,
    /// Where it was found: a path, or nothing: it ships with provision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Its identity; a part that others include has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What an include must give it.
    pub needs: Vec<String>,
    /// Its variables, each with its default, in few words.
    pub vars: Vec<(String, String)>,
    /// The secrets of it and of what it includes, each with where it comes from.
    pub secrets: Vec<(String, String)>,
    /// The files that it includes, and those that they include.
    pub includes: Vec<String>,
    /// How many mistakes its file has at first sight; `validate` names them all.
    #[serde(skip_serializing_if = "is_none")]
    pub mistakes: usize,
    /// Why nothing else is known of it: it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// One of the same name is found before it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Returns what is in `/etc/provision/recipes`, then what ships, each sorted by name.
pub fn catalog() -> Vec<Listed> {
    catalog_of(Path::new(RECIPES), SHIPPED)
}

impl Found {
    /// Returns what it takes from its includer or `--var`, each with its default, in few words.
    pub fn variables(&self) -> Vec<(String, String)> {
        let Some(document) = self.document() else { return Vec::new() };
        let needs = document.needs.iter().map(|(name, _)| (name.clone(), "needed".to_owned()));
        needs.chain(document.vars.iter().map(|entry| (entry.key.clone(), default(&document, &entry.value)))).collect()
    }

    /// Returns its identity, also where it has mistakes.
    pub fn name(&self) -> Option<String> {
        self.document()?.name.map(|(name, _)| name).filter(|name| is_identity(name))
    }

    fn document(&self) -> Option<Document> {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        read(self.files.as_ref(), &name).ok().map(|(document, _)| document)
    }
}

fn catalog_of(machine: &Path, shipped: &'static [(&'static str, &'static [u8])]) -> Vec<Listed> {
    let directory = Directory(machine.to_owned());
    let mut listed = listed(&directory, &Origin::Machine, machine);
    listed.extend(directory.unnameable().iter().filter(|name| is_recipe(Path::new(name))).map(|name| {
        let shown = name.as_bytes().escape_ascii().to_string();
        unread(&shown, Some(machine), "its name is not UTF-8, so that no command can name it: rename it".to_owned())
    }));
    listed.sort_by(|a, b| a.recipe.cmp(&b.recipe));
    let known: BTreeSet<String> = listed.iter().map(|found| found.recipe.clone()).collect();
    for found in self::listed(&Embedded(shipped), &Origin::Binary, machine) {
        listed.push(Listed { hidden: known.contains(&found.recipe), ..found });
    }
    listed
}

fn listed(files: &dyn Files, origin: &Origin, machine: &Path) -> Vec<Listed> {
    let mut names = files.names("");
    names.retain(|name| is_recipe(Path::new(name)));
    names.sort();
    let machine = Some(machine).filter(|_| *origin == Origin::Machine);
    let each = names.iter().filter_map(|name| {
        let (document, mistakes) = match read(files, name) {
            Ok(read) => read,
            Err(Unread::NotAFile) => return None,
            Err(why) => return Some(unread(name, machine, unread_text(&why))),
        };
        let mut tree = Tree { files, seen: BTreeSet::from([name.clone()]), secrets: Vec::new(), includes: Vec::new() };
        tree.walk(&document, true);
        Some(Listed {
            recipe: name.trim_end_matches(".toml").to_owned(),
            path: machine.map(|machine| machine.join(name)),
            name: document.name.as_ref().map(|(name, _)| name.clone()),
            title: document.title.clone(),
            needs: document.needs.iter().map(|(name, _)| name.clone()).collect(),
            vars: document.vars.iter().map(|entry| (entry.key.clone(), default(&document, &entry.value))).collect(),
            secrets: tree.secrets,
            includes: tree.includes,
            mistakes,
            ..Listed::default()
        })
    });
    each.collect()
}

fn is_recipe(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "toml")
}

fn unread(name: &str, machine: Option<&Path>, why: String) -> Listed {
    let recipe = name.trim_end_matches(".toml").to_owned();
    Listed { recipe, path: machine.map(|machine| machine.join(name)), unread: Some(why), ..Listed::default() }
}

/// Returns a file as it is written, and how many mistakes that shows.
fn read(files: &dyn Files, path: &str) -> Result<(Document, usize), Unread> {
    let text = String::from_utf8(files.read(path)?).map_err(|_| Unread::Failed("it is not UTF-8".to_owned()))?;
    let mut mistakes = Collector::default();
    let source = Arc::new(Source::new(path.to_owned(), text, 0));
    let document = Document::read(&source, path, KINDS, &mut mistakes);
    Ok((document, mistakes.count()))
}

/// A recipe with all that it includes.
struct Tree<'a> {
    files: &'a dyn Files,
    seen: BTreeSet<String>,
    secrets: Vec<(String, String)>,
    includes: Vec<String>,
}

impl Tree<'_> {
    fn walk(&mut self, document: &Document, is_root: bool) {
        for entry in &document.secrets {
            let file = if is_root { String::new() } else { format!(", in {}", document.path) };
            self.secrets.push((entry.key.clone(), origin(entry) + &file));
        }
        for block in document.blocks.iter().filter(|block| block.kind.is_none()) {
            // One whose name is an expression is known once its variables are.
            let Some(Ok(path)) =
                get(&block.fields, "recipe").and_then(Value::as_str).map(|name| joined(document, name))
            else {
                continue;
            };
            if !self.seen.insert(path.clone()) {
                continue;
            }
            if let Ok((included, _)) = read(self.files, &path) {
                self.includes.push(path);
                self.walk(&included, false);
            }
        }
    }
}

/// Returns where a secret comes from.
fn origin(entry: &Entry) -> String {
    let way = |key: &str| entry.value.get(key).and_then(Value::as_str);
    match (way("env"), way("file"), entry.value.get("generate")) {
        (Some(name), ..) => format!("the environment variable {name}"),
        (_, Some(path), _) => format!("the file {path}"),
        (.., Some(_)) => "generated once".to_owned(),
        _ => "nowhere that is known".to_owned(),
    }
}

/// Returns a default as it is written, or, where that is long, what it is.
fn default(document: &Document, value: &Value) -> String {
    const LONG: usize = 40;
    let text = document.source.text.get(value.span.start..value.span.end).unwrap_or_default();
    match &value.data {
        _ if !text.contains('\n') && text.chars().count() <= LONG => text.to_owned(),
        Data::String(_) if !text.contains('\n') => text.chars().take(LONG - 1).chain(['…']).collect(),
        Data::List(items) => format!("a list of {}", items.len()),
        Data::Table(entries) => {
            let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
            format!("a table of {}", keys.join(", "))
        }
        _ => value.kind().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    const SHIPS: &[(&str, &[u8])] = &[
        (
            "web.toml",
            b"name = \"web\"\ntitle = \"A web server\"\n[vars]\nport = 8080\nsites = [\n\"a\",\n\"b\" ]\n\
              [secrets]\nkey = { generate = 32 }\n[[include]]\nrecipe = \"parts/site.toml\"\nvars = { at = 1 }\n",
        ),
        ("part.toml", b"needs = [\"port\"]\n"),
        ("parts/site.toml", b"needs = [\"at\"]\n[secrets]\ntoken = { env = \"TOKEN\" }\n"),
        ("files/x.sh", b"#!/bin/sh\n"),
    ];

    #[test]
    fn a_recipe_says_what_it_needs_and_what_that_which_it_includes_needs() {
        let listed = catalog_of(Path::new("/nowhere"), SHIPS);
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(listed.len(), 2, "what lies in a directory is part of others");
        let (part, web) = (&listed[0], &listed[1]);
        assert_eq!((part.name.as_deref(), part.needs.as_slice()), (None, &["port".to_owned()][..]));
        assert_eq!((web.recipe.as_str(), web.title.as_deref()), ("web", Some("A web server")));
        assert_eq!(web.vars, [pair("port", "8080"), pair("sites", "a list of 2")]);
        let token = pair("token", "the environment variable TOKEN, in parts/site.toml");
        assert_eq!(web.secrets, [pair("key", "generated once"), token]);
        assert_eq!((web.includes.as_slice(), web.mistakes), (&["parts/site.toml".to_owned()][..], 0));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the directory")]
    fn a_recipe_of_the_machine_hides_one_that_ships() {
        let machine = tempfile::tempdir().unwrap();
        std::fs::write(machine.path().join("web.toml"), "name = \"mine\"\nphases = 7\n").unwrap();
        std::fs::write(machine.path().join("notes.txt"), "").unwrap();
        let listed = catalog_of(machine.path(), SHIPS);
        let seen: Vec<_> = listed.iter().map(|found| (found.recipe.as_str(), found.hidden, found.mistakes)).collect();
        assert_eq!(seen, [("web", false, 1), ("part", false, 0), ("web", true, 0)]);
        assert_eq!(listed[0].path, Some(machine.path().join("web.toml")));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the directory")]
    fn a_recipe_that_cannot_be_read_is_listed_with_why() {
        let machine = tempfile::tempdir().unwrap();
        std::fs::write(machine.path().join(OsStr::from_bytes(b"caf\xe9.toml")), "name = \"cafe\"\n").unwrap();
        std::fs::write(machine.path().join("latin.toml"), b"name = \"caf\xe9\"\n").unwrap();
        std::fs::create_dir(machine.path().join("directory.toml")).unwrap();
        let listed = catalog_of(machine.path(), &[]);
        let seen: Vec<_> = listed.iter().map(|found| (found.recipe.as_str(), found.unread.as_deref())).collect();
        let why = "its name is not UTF-8, so that no command can name it: rename it";
        assert_eq!(seen, [("caf\\xe9", Some(why)), ("latin", Some("it is not UTF-8"))]);
        assert_eq!(listed[0].path, Some(machine.path().join("caf\\xe9.toml")));
        let json = serde_json::to_value(&listed[0]).unwrap();
        assert_eq!(json["unread"], why);
    }

    #[test]
    fn what_ships_has_no_mistakes() {
        for found in catalog_of(Path::new("/nowhere"), SHIPPED) {
            assert_eq!(found.mistakes, 0, "{}", found.recipe);
        }
    }
}
