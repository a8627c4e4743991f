//! `[[include]]`: another file, with what it needs, perhaps in a lane, perhaps in a container.
use super::collect::Pass;
use super::document::{Block, Document};
use super::error::{Mistake, Place};
use super::evaluate::Scope;
use super::load::{File, Loader, Slot};
use super::render::rendered;
use super::source::{Unloaded, joined};
use super::suggest::nearest;
use super::value::{Data, Entry, Value, get};
use super::vars::Given;
use crate::field::{ContainerId, Text};
use crate::id::Machine;
use std::collections::BTreeMap;
use std::rc::Rc;

impl Loader<'_> {
    /// Goes through the file that an include names, once for each time that it stands.
    pub(super) fn include(&mut self, file: &File, block: &Block) {
        if get(&block.fields, "lane").is_some() {
            self.stages += 1;
        }
        let scopes = self.iterations(file, block);
        if scopes.is_empty() {
            self.look_at(file, block);
        }
        for scope in scopes {
            self.mistakes.next_instance();
            self.include_once(file, block, &scope);
        }
    }

    fn include_once(&mut self, file: &File, block: &Block, scope: &Scope) {
        let lane = get(&block.fields, "lane").map_or(file.slot.clone(), |lane| self.lane(file, lane, scope));
        let (machine, target) = self.target(file, block, scope);
        let phase = get(&block.fields, "phase").and_then(|phase| self.phase(file, phase, scope));
        let vars = self.include_vars(file, block, scope);
        let Some(recipe) = get(&block.fields, "recipe") else { return };
        let place = file.document.place(recipe.span);
        let Some(name) = self.scalar::<Text>(file, "include", "recipe", recipe, scope) else { return };
        let Some(path) = self.beneath(place.clone(), &file.document, &name) else { return };
        if file.stack.contains(&path) {
            let mut round: Vec<&str> =
                file.stack.iter().skip_while(|other| **other != path).map(String::as_str).collect();
            round.push(&path);
            let mistake = Mistake::new(place, "an include goes round in a circle", round.join(" → "));
            self.mistakes.add(Pass::Rendered, mistake);
            return;
        }
        let document = match self.document(&path) {
            Ok(document) => document,
            Err(Unloaded::Reported) => return,
            Err(Unloaded::Unread(unread)) => {
                self.unread(place, &path, &unread);
                return;
            }
        };
        let vars_place = file.document.place(get(&block.fields, "vars").map_or(block.span, |vars| vars.span));
        let given = self.matched(file, &vars_place, vars, &document);
        let scope = self.scope(&document, given, target, false);
        let mut stack = file.stack.clone();
        stack.push(path);
        self.expand(File { document, root: false, scope, machine, slot: lane, phase, stack });
    }

    /// Reads the file of an include that does not stand, for what is wrong with it whatever it is given.
    fn look_at(&mut self, file: &File, block: &Block) {
        let Some(name) = get(&block.fields, "recipe").and_then(Value::as_str) else { return };
        if let Ok(path) = joined(&file.document, name) {
            // Where it is missing nobody asks for it.
            drop(self.document(&path));
        }
    }

    fn lane(&mut self, file: &File, lane: &Value, scope: &Scope) -> Slot {
        let place = file.document.place(lane.span);
        if let Slot::Lane { place: outer, .. } = &file.slot {
            let mistake = Mistake::new(place, "a lane within a lane", "lanes are never nested");
            self.mistakes.add(Pass::Rendered, mistake.with(outer.clone(), "this include is in a lane already"));
            return file.slot.clone();
        }
        let name = match self.scalar::<Text>(file, "include", "lane", lane, scope) {
            Some(name) if name.is_empty() || *name == *"host" || name.chars().any(char::is_control) => {
                let title = format!("`{}` is not a name for a lane", name.escape_debug());
                let label = "`host` is the column of what is in no lane; a name has at least one letter";
                self.mistakes.add(Pass::Rendered, Mistake::new(place.clone(), title, label));
                name.0
            }
            Some(name) => name.0,
            None => String::new(),
        };
        Slot::Lane { stage: self.stages, name, place }
    }

    /// Returns the machine on which the included file runs, and what it sees as `target`.
    fn target(&mut self, file: &File, block: &Block, scope: &Scope) -> (Machine, Option<Value>) {
        let inherited = match file.machine {
            Machine::Host => None,
            Machine::Container(id) => Some(self.facts(id)),
        };
        let Some(inside) = get(&block.fields, "in") else { return (file.machine, inherited) };
        let Some(ContainerId(id)) = self.scalar(file, "include", "in", inside, scope) else {
            return (Machine::Container(0), Some(Value::of(Data::Wrong)));
        };
        if let Machine::Container(outer) = file.machine {
            let title = format!("a container within container {outer}");
            let mistake =
                Mistake::new(file.document.place(inside.span), title, "this file runs in a container already");
            self.mistakes.add(Pass::Rendered, mistake);
        }
        (Machine::Container(id), Some(self.facts(id)))
    }

    fn facts(&self, id: u32) -> Value {
        self.containers.get(&id).cloned().unwrap_or_else(|| {
            let why = format!("no [[container]] before this one in the recipe has the id {id}");
            Value::table([
                ("id", Value::of(Data::Integer(id.into()))),
                ("hostname", Value::of(Data::Absent(why.clone()))),
                ("address", Value::of(Data::Absent(why))),
            ])
        })
    }

    fn include_vars(&mut self, file: &File, block: &Block, scope: &Scope) -> Vec<Entry> {
        let Some(vars) = get(&block.fields, "vars") else { return Vec::new() };
        if let Data::Table(entries) = &vars.data {
            let render = |entry: &Entry| Entry {
                value: rendered(&entry.value, scope, &file.document.source, &mut self.mistakes),
                ..entry.clone()
            };
            return entries.iter().map(render).collect();
        }
        let label = format!("expected a table, found {}", vars.kind());
        let mistake = Mistake::new(file.document.place(vars.span), "wrong type for `vars` in [[include]]", label);
        self.mistakes.add(Pass::Rendered, mistake);
        Vec::new()
    }

    /// Compares what is given with what the file takes.
    fn matched(
        &mut self,
        file: &File,
        vars: &Place,
        entries: Vec<Entry>,
        document: &Rc<Document>,
    ) -> BTreeMap<String, Given> {
        let takes: Vec<&str> = document
            .needs
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(document.vars.iter().map(|entry| entry.key.as_str()))
            .collect();
        let mut given = BTreeMap::new();
        for Entry { key, key_span, value } in entries {
            if takes.contains(&key.as_str()) {
                given.insert(key, Given::Value(value));
            } else if !document.broken {
                let label = match nearest(&key, takes.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if takes.is_empty() => "it takes none".to_owned(),
                    None => format!("it takes {}", super::document::listed(&takes)),
                };
                let title = format!("`{}` does not take `{key}`", document.source.name);
                self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(key_span), title, label));
            }
        }
        for (name, span) in document.needs.iter().filter(|(name, _)| !given.contains_key(name)) {
            let title = format!("`{}` needs `{name}`", document.source.name);
            let mistake = Mistake::new(vars.clone(), title, format!("`{name}` is not given here"));
            self.mistakes.add(Pass::Rendered, mistake.with(document.place(*span), "needed here"));
        }
        given
    }
}
