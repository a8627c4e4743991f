//! What `when` leaves out: it is still the recipe's. Its ids are found without a word about what is wrong in it; where one
//! can't be told, anything that it may be counts.
use super::collect::Pass;
use super::document::Block;
use super::error::Mistake;
use super::evaluate::Scope;
use super::load::{File, Loader};
use super::render::rendered;
use super::value::{Data, Value, get};
use super::{Options, SecretsMode};
use crate::field::{AbsPath, Field as _};
use crate::id::{Id, Machine};
use crate::resource::Kind;
use std::path::Path;

/// Something that `when` leaves out; what is `None` can't be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asleep {
    machine: Option<Machine>,
    kind: Option<&'static str>,
    name: Option<String>,
}

impl Asleep {
    /// Returns whether it is, or may be, this.
    pub(super) fn may_be(&self, id: &Id) -> bool {
        self.machine.is_none_or(|machine| machine == id.machine)
            && self.kind.is_none_or(|kind| kind == id.kind)
            && self.name.as_ref().is_none_or(|name| *name == id.name)
    }
}

impl Loader<'_> {
    /// Notes what a block would have been.
    pub(super) fn fall_asleep(&mut self, file: &File, block: &Block) {
        let options = Options {
            vars: self.options.vars.clone(),
            facts: self.options.facts.clone(),
            env: self.options.env,
            secrets: SecretsMode::AtHand,
            state_dir: self.options.state_dir.clone(),
            key: self.options.key.clone(),
        };
        let mut sleeper = Loader::new(Path::new(""), self.files, &options, self.kinds);
        sleeper.dreams = true;
        sleeper.name.clone_from(&self.name);
        sleeper.containers.clone_from(&self.containers);
        match block.kind {
            Some(kind) => sleeper.resource(file, block, kind),
            None => sleeper.include(file, block),
        }
        let mut asleep = sleeper.asleep;
        if sleeper.mistakes.count() > 0 {
            let machine = block.kind.map(|_| file.machine);
            asleep.push(Asleep { machine, kind: block.kind.map(|kind| kind.header), name: None });
        }
        self.asleep.extend(asleep.into_iter().filter(|one| !self.asleep.contains(one)).collect::<Vec<_>>());
    }

    /// Notes the ids of a block in what is left out.
    pub(super) fn dream(&mut self, file: &File, block: &Block, kind: &'static Kind, scope: &Scope) {
        let name = get(&block.fields, kind.name);
        let name = name.map(|name| rendered(name, scope, &file.document.source, &mut self.mistakes));
        let Some(names) = name.and_then(|name| names(&name)) else {
            let place = file.document.place(block.span);
            self.mistakes.add(Pass::Rendered, Mistake::new(place, "a name that can't be told", "of this one"));
            return;
        };
        let (machine, kind) = (Some(file.machine), Some(kind.header));
        self.asleep.extend(names.into_iter().map(|name| Asleep { machine, kind, name: Some(name) }));
    }
}

/// Returns the names that a name field stands for, as ids have them.
fn names(value: &Value) -> Option<Vec<String>> {
    match &value.data {
        Data::String(text) => Some(vec![AbsPath::from_text(text).map_or_else(|_| text.clone(), |path| path.0)]),
        Data::Integer(number) => Some(vec![number.to_string()]),
        Data::List(list) => Some(list.iter().map(names).collect::<Option<Vec<_>>>()?.concat()),
        _ => None,
    }
}
