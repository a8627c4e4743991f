//! The names that a file's expressions see: `host`, `target`, what it was given, its secrets, its variables.
use super::collect::Pass;
use super::document::Document;
use super::error::Mistake;
use super::evaluate::Scope;
use super::load::{File, Loader, Slot};
use super::render::rendered;
use super::suggest::nearest;
use super::value::{Data, Value};
use crate::hub::is_secret_name;
use crate::id::Machine;
use std::collections::BTreeMap;
use std::rc::Rc;
use toml::de::DeValue;

/// What a file is given, by name; the text is that of `--var`, to be typed by the default.
pub(super) enum Given {
    Value(Value),
    Text(String),
}

impl Loader<'_> {
    /// Returns what `--var` gives the root file; what it gives to nobody is reported.
    pub(super) fn given(&mut self, document: &Document) -> BTreeMap<String, Given> {
        let mut given = BTreeMap::new();
        let vars = document.vars.iter().map(|entry| entry.key.as_str());
        let known: Vec<&str> = vars.chain(document.needs.iter().map(|(name, _)| name.as_str())).collect();
        for (name, text) in &self.options.vars {
            if known.contains(&name.as_str()) {
                given.insert(name.clone(), Given::Text(text.clone()));
            } else if !document.broken {
                let title = format!("`--var {name}={text}`: no variable `{name}` in `{}`", document.source.name);
                let label = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => "it has no `[vars]`".to_owned(),
                    None => format!("it has {}", super::document::listed(&known)),
                };
                self.mistakes.add(Pass::Written, Mistake::outside(title, label));
            }
        }
        for (name, span) in &document.needs {
            if !given.contains_key(name) {
                let title = format!("`{name}` is needed and not given");
                let label = format!("give it with `--var {name}=…`, or include this file from another one");
                self.mistakes.add(Pass::Written, Mistake::new(document.place(*span), title, label));
                given.insert(name.clone(), Given::Value(Value::of(Data::Wrong)));
            }
        }
        given
    }

    /// Returns what a file sees. `[vars]` are evaluated in the order written.
    pub(super) fn scope(
        &mut self,
        document: &Rc<Document>,
        mut given: BTreeMap<String, Given>,
        target: Option<Value>,
        root: bool,
    ) -> Scope {
        let mut scope = Scope::default();
        scope.incomplete = document.broken;
        scope.set("host", self.host());
        scope.set(
            "target",
            target.unwrap_or_else(|| {
                Value::of(Data::Absent("there is one only in a file that an include runs `in` a container".to_owned()))
            }),
        );
        for (name, _) in &document.needs {
            let value = match given.remove(name) {
                Some(Given::Value(value)) => value,
                Some(Given::Text(text)) => untyped(&text),
                None => Value::of(Data::Wrong),
            };
            self.note_secret(name, &value);
            scope.set(name, value);
        }
        if !document.secrets.is_empty() {
            self.has_secrets = true;
            let file = File {
                document: document.clone(),
                root,
                scope: Scope::default(),
                machine: Machine::Host,
                slot: Slot::Plain,
                phase: None,
                stack: Vec::new(),
            };
            for entry in &document.secrets {
                let value = self.secret(&file, entry);
                scope.set(&entry.key, value);
            }
        }
        for entry in &document.vars {
            let below = "it is defined further down, and `[vars]` are evaluated in the order written";
            scope.set(&entry.key, Value::of(Data::Absent(below.to_owned())));
        }
        for entry in &document.vars {
            let value = match given.remove(&entry.key) {
                Some(Given::Value(value)) => value,
                Some(Given::Text(text)) => {
                    let default = rendered(&entry.value, &scope, &document.source, &mut self.mistakes);
                    if default.whole_taint().secret {
                        self.secret_vars.insert(entry.key.clone());
                    }
                    self.typed(&entry.key, &text, &default)
                }
                None => rendered(&entry.value, &scope, &document.source, &mut self.mistakes),
            };
            self.note_secret(&entry.key, &value);
            scope.set(&entry.key, value);
        }
        scope
    }

    /// Notes a value that is a secret by its name.
    fn note_secret(&mut self, name: &str, value: &Value) {
        if let Data::String(text) = &value.data
            && is_secret_name(name)
        {
            self.called_secret.push(text.clone());
        }
    }

    fn host(&self) -> Value {
        let facts = &self.options.facts;
        Value::table([
            ("hostname", Value::text(&facts.hostname)),
            ("arch", Value::text(&facts.arch)),
            ("cores", Value::of(Data::Integer(facts.cores.into()))),
            ("memory", Value::of(Data::Integer(i64::try_from(facts.memory).unwrap_or(i64::MAX)))),
            ("os", Value::text(&facts.os)),
            ("driver", Value::text(&facts.driver)),
        ])
    }

    /// Reads the text of a `--var` as the type of the variable's default.
    fn typed(&mut self, name: &str, text: &str, default: &Value) -> Value {
        let data = match &default.data {
            Data::String(_) => Some(Data::String(text.to_owned())),
            Data::Boolean(_) => text.parse().ok().map(Data::Boolean),
            Data::Integer(_) => text.parse().ok().map(Data::Integer),
            Data::Float(_) => text.parse().ok().map(Data::Float),
            Data::List(_) | Data::Table(_) => DeValue::parse(text).ok().and_then(|value| {
                let value = Value::from_toml(value.get_ref(), super::value::Span::default());
                (value.kind() == default.kind()).then_some(value.data)
            }),
            Data::Absent(_) | Data::Wrong => return Value::of(Data::Wrong),
        };
        let Some(data) = data else {
            let title = format!("`--var {name}={text}`: wrong type");
            let label = match default.data {
                Data::List(_) => "expected a list in TOML, such as `[\"a\", \"b\"]`".to_owned(),
                Data::Table(_) => "expected a table in TOML, such as `{ a = 1 }`".to_owned(),
                _ => format!("expected {}, as its default is", default.kind()),
            };
            self.mistakes.add(Pass::Written, Mistake::outside(title, label));
            return Value::of(Data::Wrong);
        };
        Value { taint: default.taint, ..Value::of(data) }
    }
}

/// Reads the text of a `--var` that has no default: a number or boolean where it is one.
fn untyped(text: &str) -> Value {
    let boolean = text.parse().ok().map(Data::Boolean);
    Value::of(text.parse().ok().map(Data::Integer).or(boolean).unwrap_or_else(|| Data::String(text.to_owned())))
}
