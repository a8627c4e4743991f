//! Gates: every one that is named stands before what names it, on its machine or on the host.
use super::collect::{Collector, Pass};
use super::error::{Mistake, Place};
use super::suggest::nearest;
use super::value::{Data, Value};
use crate::id::Machine;

/// What a recipe says of its gates, in its order; also in tables that have mistakes of their own.
#[derive(Debug, Default)]
pub(super) struct Gates {
    tables: usize,
    defined: Vec<Gate>,
    named: Vec<Gate>,
}

#[derive(Debug)]
struct Gate {
    /// Counts the tables of the recipe.
    table: usize,
    machine: Machine,
    name: String,
    place: Place,
}

impl Gates {
    /// Begins the next table.
    pub(super) fn next_table(&mut self) {
        self.tables += 1;
    }

    /// Records that this table names a gate, and where.
    pub(super) fn named(&mut self, machine: Machine, name: String, place: Place) {
        self.named.push(Gate { table: self.tables, machine, name, place });
    }

    /// Records that this table defines gates; returns whether their names could be read.
    pub(super) fn defined(&mut self, machine: Machine, names: Option<&Value>, place: &Place) -> bool {
        let texts = match names.map(|names| &names.data) {
            Some(Data::List(names)) => names.iter().map(Value::as_str).collect(),
            Some(_) => names.and_then(Value::as_str).map(|name| vec![name]),
            None => None,
        };
        let gate = |name: &str| Gate { table: self.tables, machine, name: name.to_owned(), place: place.clone() };
        let found: Option<Vec<Gate>> = texts.map(|texts: Vec<&str>| texts.into_iter().map(gate).collect());
        let readable = found.is_some();
        self.defined.extend(found.into_iter().flatten());
        readable
    }

    /// Reports what names a gate that is not there before it.
    pub(super) fn look(&self, mistakes: &mut Collector) {
        if mistakes.incomplete {
            return;
        }
        for gate in &self.named {
            mistakes.next_instance();
            if let Some(mistake) = self.mistake(gate) {
                mistakes.add(Pass::Whole, mistake);
            }
        }
    }

    fn mistake(&self, gate: &Gate) -> Option<Mistake> {
        let (name, place) = (&gate.name, gate.place.clone());
        let visible = || self.defined.iter().filter(|one| one.machine == gate.machine || one.machine == Machine::Host);
        match visible().find(|one| one.name == *name) {
            Some(one) if one.table < gate.table => None,
            Some(one) => {
                let title = format!("gate `{name}` comes after what waits for it");
                let mistake = Mistake::new(place, title, "resources converge in the order written");
                Some(mistake.with(one.place.clone(), "it is here"))
            }
            None => {
                let label = match nearest(name, visible().map(|one| one.name.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "no [[gate]] of that name is on this machine or on the host".to_owned(),
                };
                Some(Mistake::new(place, format!("nobody defines the gate `{name}`"), label))
            }
        }
    }
}
