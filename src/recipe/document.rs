//! A file of a recipe as it is written: its keys, its blocks in the order of the file, and what is wrong without knowing
//! any value.
use super::collect::{Collector, Pass};
use super::error::{Mistake, Place, Source};
use super::expression::is_reserved;
use super::render::{Literal, spot};
use super::suggest::nearest;
use super::syntax;
use super::template;
use super::value::{Data, Entry, Span, Value, get};
use crate::resource::Kind;
use std::sync::Arc;

/// The keys that a file may have besides its blocks.
pub const KEYS: [&str; 7] = ["name", "title", "phases", "phase", "needs", "vars", "secrets"];
/// The keys that every resource may have.
pub const COMMON: [&str; 7] = ["phase", "when", "for-each", "state", "timeout", "retries", "gate"];
/// The keys of an include.
pub const INCLUDE: [&str; 7] = ["recipe", "lane", "in", "vars", "for-each", "when", "phase"];

/// A file of a recipe.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) source: Arc<Source>,
    /// Its path beneath the recipe's directory.
    pub(super) path: String,
    /// It has syntax errors, so what seems to be missing may only be unreadable.
    pub(super) broken: bool,
    /// It has a name, be it right or wrong.
    pub(super) named: bool,
    pub(super) name: Option<(String, Span)>,
    pub(super) title: Option<String>,
    pub(super) phases: Vec<(String, Span)>,
    pub(super) phase: Option<Value>,
    pub(super) needs: Vec<(String, Span)>,
    pub(super) vars: Vec<Entry>,
    pub(super) secrets: Vec<Entry>,
    pub(super) blocks: Vec<Block>,
}

/// A `[[header]]` with its keys.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) span: Span,
    /// None: an include.
    pub(super) kind: Option<&'static Kind>,
    pub(super) fields: Vec<Entry>,
}

impl Document {
    /// Reads a file; all that is wrong with it goes to `mistakes`.
    pub(super) fn read(source: &Arc<Source>, path: &str, kinds: &'static [Kind], mistakes: &mut Collector) -> Self {
        let (entries, broken) = syntax::parse(&source.text);
        let document = Self {
            source: source.clone(),
            path: path.to_owned(),
            broken: !broken.is_empty(),
            named: false,
            name: None,
            title: None,
            phases: Vec::new(),
            phase: None,
            needs: Vec::new(),
            vars: Vec::new(),
            secrets: Vec::new(),
            blocks: Vec::new(),
        };
        let mut reader = Reader { document, kinds, mistakes };
        for broken in broken {
            reader.mistakes.incomplete = true;
            reader.add(broken.span, broken.title, broken.label);
        }
        for entry in entries {
            reader.entry(entry);
        }
        let mut document = reader.document;
        document.blocks.sort_by_key(|block| block.span);
        document
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place { source: self.source.clone(), span }
    }

    /// Returns the directory of the file beneath that of the recipe, with a slash at its end.
    pub(super) fn directory(&self) -> &str {
        &self.path[..self.path.rfind('/').map_or(0, |slash| slash + 1)]
    }
}

struct Reader<'a> {
    document: Document,
    kinds: &'static [Kind],
    mistakes: &'a mut Collector,
}

impl Reader<'_> {
    fn add(&mut self, span: Span, title: impl Into<String>, label: impl Into<String>) {
        self.mistakes.add(Pass::Written, Mistake::new(self.document.place(span), title, label));
    }

    fn entry(&mut self, entry: Entry) {
        let Entry { key, key_span, value } = entry;
        match key.as_str() {
            "name" => {
                self.document.named = true;
                self.document.name = self.literal(&key, &value).map(|text| (text, value.span));
            }
            "title" => self.document.title = self.literal(&key, &value),
            "phases" => self.document.phases = self.strings(&key, &value),
            "phase" => {
                self.expressions(&value);
                self.document.phase = Some(value);
            }
            "needs" => {
                self.document.needs = self.strings(&key, &value);
                for (name, span) in self.document.needs.clone() {
                    self.variable(&name, span);
                }
            }
            "vars" => self.document.vars = self.variables(&key, value),
            "secrets" => self.document.secrets = self.variables(&key, value),
            _ if key.is_empty() => {}
            _ => self.blocks(&key, key_span, value),
        }
    }

    fn literal(&mut self, key: &str, value: &Value) -> Option<String> {
        match &value.data {
            Data::String(text) if !text.contains("{{") => return Some(text.clone()),
            Data::String(_) => self.add(value.span, format!("`{key}` takes no expressions"), "write the text as it is"),
            Data::Wrong => {}
            _ => self.wrong_type(key, value, "a string"),
        }
        None
    }

    fn wrong_type(&mut self, key: &str, value: &Value, expected: &str) {
        let label = format!("expected {expected}, found {}", value.kind());
        self.add(value.span, format!("wrong type for `{key}`"), label);
    }

    fn strings(&mut self, key: &str, value: &Value) -> Vec<(String, Span)> {
        let Data::List(items) = &value.data else {
            self.wrong_type(key, value, "a list of strings");
            return Vec::new();
        };
        let mut strings: Vec<(String, Span)> = Vec::new();
        for item in items {
            let Some(text) = self.literal(key, item) else { continue };
            if strings.iter().any(|(earlier, _)| *earlier == text) {
                self.add(item.span, format!("`{text}` twice in `{key}`"), "once is enough");
            } else {
                strings.push((text, item.span));
            }
        }
        strings
    }

    fn variables(&mut self, key: &str, value: Value) -> Vec<Entry> {
        let Data::Table(entries) = value.data else {
            self.wrong_type(key, &value, "a table");
            return Vec::new();
        };
        for entry in &entries {
            self.variable(&entry.key, entry.key_span);
            self.expressions(&entry.value);
        }
        entries
    }

    /// Looks whether a name can be a variable's and is not taken.
    fn variable(&mut self, name: &str, span: Span) {
        if !is_variable(name) {
            self.add(
                span,
                format!("`{name}` is not a name for a variable"),
                "lower-case letters, digits and `_`, a letter first",
            );
        } else if is_reserved(name) {
            self.add(span, format!("`{name}` is taken"), "this name has a meaning of its own in expressions");
        }
        let document = &self.document;
        let entries = document.vars.iter().chain(&document.secrets).map(|entry| (&entry.key, entry.key_span));
        let needs = document.needs.iter().map(|(name, span)| (name, *span));
        let earlier = entries.chain(needs).find(|(other, at)| *other == name && *at != span).map(|(_, at)| at);
        if let Some(earlier) = earlier {
            let mistake = Mistake::new(document.place(span), format!("`{name}` is defined twice"), "and here");
            self.mistakes.add(Pass::Written, mistake.with(document.place(earlier), "here"));
        }
    }

    fn blocks(&mut self, header: &str, key_span: Span, value: Value) {
        let kind = self.kinds.iter().find(|kind| kind.header == header);
        let known = kind.is_some() || header == "include";
        let tables = match value.data {
            Data::List(items) => items,
            Data::Table(_) if known => {
                self.add(key_span, format!("[{header}] is a single table"), format!("write it as `[[{header}]]`"));
                return;
            }
            Data::Table(_) => vec![Value { span: value.span, ..value }],
            _ => {
                self.unknown_key(header, key_span, known);
                return;
            }
        };
        if tables.iter().any(|table| !matches!(table.data, Data::Table(_))) {
            self.unknown_key(header, key_span, known);
            return;
        }
        for table in tables {
            let Data::Table(fields) = table.data else { continue };
            if known {
                self.block(header, kind, table.span, fields);
            } else {
                self.unknown_kind(header, table.span);
            }
        }
    }

    fn unknown_key(&mut self, key: &str, span: Span, known: bool) {
        if known {
            self.add(span, format!("`{key}` is a kind, not a key"), format!("write it as `[[{key}]]`"));
            return;
        }
        let label = match nearest(key, KEYS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a recipe has {}", listed(&KEYS)),
        };
        self.add(span, format!("unknown key `{key}`"), label);
    }

    fn unknown_kind(&mut self, header: &str, span: Span) {
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.header).chain(["include"]).collect();
        let near = nearest(header, kinds.iter().copied().chain(KEYS));
        // A misspelt gate is one that others may name.
        self.mistakes.incomplete |= near == Some("gate");
        let label = match near {
            Some(near) if KEYS.contains(&near) => format!("did you mean `[{near}]`?"),
            Some(near) => format!("did you mean `[[{near}]]`?"),
            None => format!("the kinds are {}", listed(&kinds)),
        };
        self.add(span, format!("unknown kind `{header}`"), label);
    }

    fn block(&mut self, header: &str, kind: Option<&'static Kind>, span: Span, fields: Vec<Entry>) {
        let allowed: Vec<&str> = match kind {
            Some(kind) => kind.fields().iter().copied().chain(COMMON).collect(),
            None => INCLUDE.to_vec(),
        };
        let required = kind.map_or(&["recipe"][..], |kind| kind.required);
        let mut meant = Vec::new();
        for entry in &fields {
            if allowed.contains(&entry.key.as_str()) {
                self.expressions(&entry.value);
                continue;
            }
            let near = nearest(&entry.key, allowed.iter().copied());
            meant.extend(near);
            let label = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", listed(&allowed)),
            };
            self.add(entry.key_span, format!("unknown key `{}` in [[{header}]]", entry.key), label);
        }
        let complete = !self.document.broken;
        for key in required.iter().filter(|key| complete && !meant.contains(key) && get(&fields, key).is_none()) {
            self.add(span, format!("missing key `{key}` in [[{header}]]"), format!("`{key}` is required"));
        }
        let fields = fields.into_iter().filter(|entry| allowed.contains(&entry.key.as_str())).collect();
        self.document.blocks.push(Block { span, kind, fields });
    }

    /// Looks whether everything between braces is an expression, be it evaluated later or not.
    fn expressions(&mut self, value: &Value) {
        match &value.data {
            Data::String(text) => {
                let literal = Literal { text: &self.document.source.text, span: value.span };
                for mut wrong in template::parse(text).1 {
                    wrong.span = spot(literal, text, wrong.span);
                    self.mistakes.wrong(Pass::Written, &self.document.source, wrong);
                }
            }
            Data::List(items) => items.iter().for_each(|item| self.expressions(item)),
            Data::Table(entries) => entries.iter().for_each(|entry| self.expressions(&entry.value)),
            Data::Absent(why) => self.add(value.span, "not a value", why.clone()),
            _ => {}
        }
    }
}

/// Returns whether it is a name as variables have them.
pub(super) fn is_variable(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(letters)
}

/// Returns names in backticks with commas between them.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
