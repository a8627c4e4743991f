//! A case of a kind, as data in tests/cases/KIND/NAME.toml: resources and world before, changes and world after.
use super::deed::Deed;
use super::sight::Sight;
use provision::field::{Field, Period};
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::resource::{Allowed, Known, Want};
use serde::Deserialize;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a case file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// `file/content`.
    #[serde(skip)]
    pub name: String,
    /// A sentence: what the case shows.
    pub about: String,
    /// Shown on the fake machine alone, with the reason: what a real one does not do on demand.
    #[serde(default)]
    pub only_fake: Option<String>,
    /// Shown on a real machine alone, with the reason: what the fake one does not have.
    #[serde(default)]
    pub only_real: Option<String>,
    /// In order.
    pub resource: Vec<Asked>,
    /// What is allowed on the command line.
    #[serde(default)]
    pub allowed: Allowed,
    /// Makes the world before.
    #[serde(default)]
    pub before: Vec<Deed>,
    /// Every change that the plan names, a line each; checked exactly.
    pub changes: Vec<String>,
    /// Those that the apply makes, where some of the names fail.
    #[serde(default)]
    pub applied: Option<Vec<String>>,
    /// Every end but in sync or changed, and every remark, a line each.
    #[serde(default)]
    pub ends: Vec<String>,
    /// What is to be seen after the first apply.
    #[serde(default)]
    pub after: Vec<Sight>,
    /// Damage done by hand after that; each entry is repaired on its own and all of them together.
    #[serde(default)]
    pub drift: Vec<Drift>,
    /// The recipe's next versions, one after the other; each plan sees what the ones before it left.
    #[serde(default)]
    pub edit: Vec<Edit>,
    /// What is to be seen once all of it was destroyed.
    #[serde(default)]
    pub destroyed: Vec<Sight>,
    /// URLs that a server answers, with their bodies. `http` on a real machine as well: there it is on its loopback.
    #[serde(default)]
    pub web: std::collections::BTreeMap<String, String>,
}

/// A resource as a case gives it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub kind: String,
    pub fields: serde_json::Value,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub secret: Vec<String>,
    #[serde(default)]
    pub absent: bool,
    #[serde(default)]
    pub gate: Option<String>,
    #[serde(default)]
    pub timeout: Option<String>,
    #[serde(default)]
    pub retries: u32,
}

/// Damage, and the changes that a plan then names, exactly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    pub by: Vec<Deed>,
    pub changes: Vec<String>,
}

/// The recipe's next version: one resource of it is edited, given as absent or removed, or all are given anew.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Edit {
    /// Which resource, as `file:/etc/motd`; the first without.
    #[serde(default)]
    pub of: Option<String>,
    /// Fields that are new or other than before.
    #[serde(default)]
    pub set: serde_json::Map<String, serde_json::Value>,
    /// Fields that are given no more.
    #[serde(default)]
    pub unset: Vec<String>,
    /// The bytes of `source`.
    #[serde(default)]
    pub source: Option<String>,
    /// `state = "absent"`, or present again.
    #[serde(default)]
    pub absent: Option<bool>,
    /// The recipe no longer has it: what it made stays.
    #[serde(default)]
    pub removed: bool,
    /// The whole recipe, in place of what it was.
    #[serde(default)]
    pub resource: Option<Vec<Asked>>,
    /// What is allowed on the command line from here on.
    #[serde(default)]
    pub allowed: Option<Allowed>,
    /// Done by hand before it.
    #[serde(default)]
    pub by: Vec<Deed>,
    /// Every change that the plan names, exactly.
    pub changes: Vec<String>,
    /// Those that the apply makes, where some of the names fail.
    #[serde(default)]
    pub applied: Option<Vec<String>>,
    /// Every end but in sync or changed, and every remark.
    #[serde(default)]
    pub ends: Vec<String>,
    /// What is to be seen after its apply.
    #[serde(default)]
    pub after: Vec<Sight>,
}

/// Returns every case, by name.
pub fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<PathBuf> = Vec::new();
    for kind in std::fs::read_dir(&root).expect("tests/cases is there") {
        let Ok(entries) = std::fs::read_dir(kind.expect("readable").path()) else { continue };
        files.extend(entries.map(|entry| entry.expect("readable").path()));
    }
    files.sort();
    let cases: Vec<Case> = files.iter().map(|file| read(&root, file)).collect();
    // `CASE=file/` looks at some of them only.
    let only = std::env::var("CASE").unwrap_or_default();
    cases.into_iter().filter(|case| case.name.starts_with(&only)).collect()
}

/// Returns the case of that name.
pub fn named(name: &str) -> Case {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    read(&root, &root.join(format!("{name}.toml")))
}

fn read(root: &Path, file: &Path) -> Case {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    case.name = file.strip_prefix(root).expect("below it").with_extension("").display().to_string();
    case
}

impl Case {
    /// Returns what is known before the first run: what is allowed.
    pub fn known(&self) -> Known {
        Known { key: "test".to_owned(), allowed: self.allowed.clone(), ..Known::default() }
    }

    /// Returns the recipe as it is after that many edits, as it crosses the pipe.
    pub fn items(&self, edits: usize) -> Vec<Item> {
        let mut resources = self.resource.clone();
        self.edit.iter().take(edits).for_each(|edit| edit.on(&mut resources));
        resources.iter().map(|asked| self.item(asked)).collect()
    }

    fn item(&self, asked: &Asked) -> Item {
        let timeout = asked.timeout.as_deref().map(|timeout| Period::from_text(timeout).expect("a time").0);
        let job = JobItem {
            machine: Machine::Host,
            kind: asked.kind.clone(),
            fields: asked.fields.clone(),
            phase: None,
            gate: asked.gate.clone(),
            want: if asked.absent { Want::Absent } else { Want::Present },
            timeout: timeout.unwrap_or(Duration::from_mins(10)),
            retries: asked.retries,
            source: asked.source.clone().map(String::into_bytes),
            secret: asked.secret.iter().cloned().collect(),
            unknown: std::collections::BTreeSet::new(),
            digest: digest(asked),
            place: String::new(),
        };
        let item = Item::receive(job).unwrap_or_else(|error| panic!("{}: {error}: {:?}", self.name, error.causes));
        let mistakes = item.resource.mistakes();
        assert!(mistakes.is_empty(), "{}: {mistakes:?}", self.name);
        item
    }
}

/// Like that of a recipe it tells an edit, and no secret.
fn digest(asked: &Asked) -> String {
    let mut hasher = std::hash::DefaultHasher::new();
    (asked.fields.to_string(), &asked.source).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

impl Edit {
    fn on(&self, resources: &mut Vec<Asked>) {
        if let Some(whole) = &self.resource {
            resources.clone_from(whole);
        }
        let is_meant = |asked: &Asked| self.of.as_ref().is_none_or(|of| asked.is(of));
        let Some(at) = resources.iter().position(is_meant) else {
            assert!(self.of.is_none(), "there is no {:?}", self.of);
            return;
        };
        if self.removed {
            resources.remove(at);
            return;
        }
        let asked = &mut resources[at];
        let fields = asked.fields.as_object_mut().expect("fields are a table");
        fields.extend(self.set.clone());
        fields.retain(|name, _| !self.unset.contains(name));
        asked.absent = self.absent.unwrap_or(asked.absent);
        asked.source = self.source.clone().or(asked.source.take());
    }
}

impl Asked {
    /// Returns whether it has that id; of several names one is enough.
    fn is(&self, id: &str) -> bool {
        let Some((kind, name)) = id.split_once(':') else { return false };
        let names = ["path", "name", "id"].iter().find_map(|key| self.fields.get(key));
        let is_name =
            |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned) == name;
        self.kind == kind
            && names.is_some_and(|names| names.as_array().map_or(is_name(names), |names| names.iter().any(is_name)))
    }
}
