//! A block of a kind: its common keys, its fields, its secrets, and the item that they make.
use super::collect::Pass;
use super::document::{Block, COMMON, listed};
use super::error::Mistake;
use super::evaluate::Scope;
use super::fields::Table;
use super::load::{File, Loader};
use super::render::rendered;
use super::suggest::nearest;
use super::unique::Built;
use super::value::{Data, Entry, Span, Value, get, table_to_json};
use crate::field::{Cidr, ContainerId, Field, Period, Text};
use crate::id::Machine;
use crate::item::{Item, JobItem, TIMEOUT};
use crate::resource::{Kind, Want, keyed_digest};
use serde::Serializer;
use std::collections::BTreeSet;

/// The fields that hold a secret, and those whose secret is not at hand; dotted below the top.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) secret: BTreeSet<String>,
    pub(super) unknown: BTreeSet<String>,
}

impl Loader<'_> {
    /// Makes the items of a block.
    pub(super) fn resource(&mut self, file: &File, block: &Block, kind: &'static Kind) {
        for scope in self.iterations(file, block) {
            self.mistakes.next_instance();
            if self.dreams {
                self.dream(file, block, kind, &scope);
            } else if let Some(built) = self.item(file, block, kind, &scope) {
                self.built.push(built);
            } else {
                self.dropped.get_or_insert_with(|| file.document.place(block.span));
            }
        }
    }

    fn item(&mut self, file: &File, block: &Block, kind: &'static Kind, scope: &Scope) -> Option<Built> {
        let source = &file.document.source;
        let common = |key: &str| get(&block.fields, key);
        let phase = match common("phase") {
            Some(phase) => self.phase(file, phase, scope),
            None => file.phase.clone(),
        };
        let mut scalar = Scalars { loader: self, file, header: kind.header, scope };
        let gate: Option<Text> = scalar.read("gate", common("gate"));
        let named = common("gate").zip(gate.as_ref()).map(|(value, gate)| (gate.0.clone(), value.span));
        let want = scalar.read("state", common("state")).map_or(Want::Present, |State(want)| want);
        let timeout = scalar.read("timeout", common("timeout")).map_or(TIMEOUT, |Period(timeout)| timeout);
        let retries = scalar.read("retries", common("retries")).map_or(0, |Count(count)| count);
        let fields = block.fields.iter().filter(|entry| !COMMON.contains(&entry.key.as_str()));
        let mut fields: Vec<Entry> =
            fields.map(|entry| entry.with(rendered(&entry.value, scope, source, &mut self.mistakes))).collect();
        let mut marks = Marks::default();
        for entry in &mut fields {
            self.mark(file, kind, &entry.key, &mut entry.value, &mut marks);
        }
        if kind.header == "container" {
            self.container(file, block, &fields);
        }
        self.gate(file, block, kind, named, &fields);
        let table = Table { kind, source, span: block.span, broken: file.document.broken };
        let resource = table.read(&fields, &mut self.mistakes);
        let content = self.content(file, kind, &fields, scope, &mut marks).ok()?;
        let resource = resource?;
        let fields = table_to_json(&fields);
        let digest = self.digest(kind, &fields, want, content.as_deref());
        let place = file.document.place(block.span);
        let job = JobItem {
            machine: file.machine,
            kind: kind.header.to_owned(),
            fields,
            phase,
            gate: gate.map(|gate| gate.0),
            want,
            timeout,
            retries,
            source: content,
            secret: marks.secret,
            unknown: marks.unknown,
            digest,
            place: source.line(block.span.start),
        };
        Some(Built { item: Item { job, resource }, slot: file.slot.clone(), place })
    }

    /// Notes the gate that a table names, and those that it defines.
    fn gate(&mut self, file: &File, block: &Block, kind: &Kind, named: Option<(String, Span)>, fields: &[Entry]) {
        self.gates.next_table();
        if let Some((name, span)) = named {
            self.gates.named(file.machine, name, file.document.place(span));
        }
        if kind.header == "gate" {
            let place = file.document.place(block.span);
            self.mistakes.incomplete |= !self.gates.defined(file.machine, get(fields, kind.name), &place);
        }
    }

    /// Notes where secrets are; one where none may be is reported and taken away.
    fn mark(&mut self, file: &File, kind: &Kind, path: &str, value: &mut Value, marks: &mut Marks) {
        if value.taint.secret {
            if !may_hold_secret(kind, path) {
                let title = format!("a secret in `{path}` of [[{}]]", kind.header);
                let label = match kind.secrets {
                    [] => "no field of it may hold one".to_owned(),
                    fields => format!("only {} may hold one", listed(fields)),
                };
                self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(value.span), title, label));
                value.data = Data::Wrong;
                return;
            }
            if let Data::Absent(why) = &value.data {
                let mistake =
                    Mistake::new(file.document.place(value.span), "a secret that is not at hand", why.clone());
                self.mistakes.add(Pass::Rendered, mistake);
                value.data = Data::Wrong;
                return;
            }
            marks.secret.insert(path.to_owned());
            if value.taint.unknown {
                marks.unknown.insert(path.to_owned());
            }
        }
        match &mut value.data {
            Data::List(items) => items.iter_mut().for_each(|item| self.mark(file, kind, path, item, marks)),
            Data::Table(entries) => {
                for entry in entries {
                    self.mark(file, kind, &format!("{path}.{}", entry.key), &mut entry.value, marks);
                }
            }
            _ => {}
        }
    }

    /// Notes what expressions see as `target` inside a container.
    fn container(&mut self, file: &File, block: &Block, fields: &[Entry]) {
        if file.machine != Machine::Host {
            let mistake = Mistake::new(file.document.place(block.span), "a container within a container", "this one");
            self.mistakes.add(Pass::Rendered, mistake);
        }
        let Some(id) = get(fields, "id").and_then(container_id) else { return };
        let address = match get(fields, "network").map(|network| &network.data) {
            Some(Data::List(cards)) => cards.first().and_then(|card| card.get("address")),
            _ => None,
        };
        let address = match address {
            Some(address) if address.is_wrong() => Value::of(Data::Wrong),
            Some(address) => match address.as_str().map(Cidr::from_text) {
                Some(Ok(cidr)) => Value::text(cidr.address.to_string()),
                _ => Value::of(Data::Absent(format!("container {id} gets its address by DHCP"))),
            },
            None => Value::of(Data::Absent(format!("container {id} has no fixed address"))),
        };
        let hostname = get(fields, "hostname").cloned().unwrap_or(Value::of(Data::Wrong));
        let facts =
            Value::table([("id", Value::of(Data::Integer(id.into()))), ("hostname", hostname), ("address", address)]);
        self.containers.entry(id).or_insert(facts);
    }

    fn digest(&self, kind: &Kind, fields: &serde_json::Value, want: Want, content: Option<&[u8]>) -> String {
        let rest = fields.as_object().into_iter().flatten().filter(|(key, _)| *key != kind.name);
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = serde_json::Serializer::new(&mut bytes).collect_map(rest);
        if want == Want::Absent {
            bytes.extend_from_slice(b" absent");
        }
        if let Some(content) = content {
            bytes.push(0);
            bytes.extend_from_slice(content);
        }
        keyed_digest(&self.options.key, &bytes)
    }

    /// Returns a phase; one that the recipe does not list is reported.
    pub(super) fn phase(&mut self, file: &File, phase: &Value, scope: &Scope) -> Option<String> {
        let Text(name) = self.scalar(file, "phase", "phase", phase, scope)?;
        if !self.phases.is_empty() && !self.phases.contains(&name) {
            let label = match nearest(&name, self.phases.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "it is not in the `phases` of the recipe".to_owned(),
            };
            let mistake = Mistake::new(file.document.place(phase.span), format!("unknown phase `{name}`"), label);
            self.mistakes.add(Pass::Rendered, mistake);
        }
        Some(name)
    }

    /// Reads a key that is no field of a kind.
    pub(super) fn scalar<T: Field>(
        &mut self,
        file: &File,
        header: &str,
        key: &str,
        value: &Value,
        scope: &Scope,
    ) -> Option<T> {
        let value = rendered(value, scope, &file.document.source, &mut self.mistakes);
        let (of, within) = if header == key {
            (String::new(), String::new())
        } else {
            (format!(" of [[{header}]]"), format!(" in [[{header}]]"))
        };
        let (title, label) = match &value.data {
            _ if value.whole_taint().secret => {
                (format!("a secret in `{key}`{of}"), "nothing that is shown may hold one".to_owned())
            }
            Data::Wrong => return None,
            Data::String(text) => match T::from_text(text) {
                Ok(field) => return Some(field),
                Err(why) => (format!("wrong value for `{key}`{within}"), why),
            },
            Data::Integer(integer) => match T::from_number(*integer) {
                Ok(field) => return Some(field),
                Err(why) => (format!("wrong value for `{key}`{within}"), why),
            },
            _ => {
                (format!("wrong type for `{key}`{within}"), format!("expected {}, found {}", T::EXPECTED, value.kind()))
            }
        };
        self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(value.span), title, label));
        None
    }
}

/// Reads common keys of one block.
struct Scalars<'l, 'a, 'f> {
    loader: &'l mut Loader<'a>,
    file: &'f File,
    header: &'f str,
    scope: &'f Scope,
}

impl Scalars<'_, '_, '_> {
    fn read<T: Field>(&mut self, key: &str, value: Option<&Value>) -> Option<T> {
        self.loader.scalar(self.file, self.header, key, value?, self.scope)
    }
}

struct State(Want);

impl Field for State {
    const EXPECTED: &'static str = "\"present\" or \"absent\"";
    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "present" => Ok(Self(Want::Present)),
            "absent" => Ok(Self(Want::Absent)),
            _ => Err(nearest(text, ["present", "absent"])
                .map_or("expected \"present\" or \"absent\"".to_owned(), |near| format!("did you mean \"{near}\"?"))),
        }
    }
}

struct Count(u32);

impl Field for Count {
    const EXPECTED: &'static str = "a whole number, 0 to 100";
    fn from_text(text: &str) -> Result<Self, String> {
        let count = text.parse().ok().filter(|count| *count <= 100);
        count.map(Self).ok_or_else(|| format!("`{text}` is not a whole number, 0 to 100"))
    }
}

fn container_id(value: &Value) -> Option<u32> {
    let id = match &value.data {
        Data::Integer(id) => ContainerId::from_number(*id),
        Data::String(id) => ContainerId::from_text(id),
        _ => return None,
    };
    id.ok().map(|ContainerId(id)| id)
}

fn may_hold_secret(kind: &Kind, path: &str) -> bool {
    let within = |field: &str| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    kind.secrets.iter().any(|field| within(field))
}
