//! What another recipe has as well, by whatever id the machine knows it: a destroy leaves that as it is.
use super::Scope;
use super::visit::Visit;
use crate::error::Result;
use crate::event::{Event, Outcome};
use crate::id::Id;
use crate::item::Item;
use crate::resource::{Known, Remark, goes_with, kind, who_has};
use crate::system::System;

/// Some names of a resource, in one visit.
pub(super) struct Part<'k> {
    /// The resource with these names alone; `None`: they are all that it has.
    pub(super) item: Option<Item>,
    pub(super) ids: Vec<Id>,
    /// The other recipe that has the one there is, and by which id.
    pub(super) held: Result<Option<(&'k str, &'k Id)>>,
}

/// Returns the names of a resource by themselves that others have, then the rest.
pub(super) fn parts<'k>(item: &Item, ids: Vec<Id>, scope: Scope<'k>) -> Result<Vec<Part<'k>>> {
    let (mut parts, mut rest) = (Vec::new(), Vec::new());
    for id in ids {
        match holder(item, &id, scope.known, scope.sys) {
            Ok(None) => rest.push(id),
            held => parts.push(Part { item: None, ids: vec![id], held }),
        }
    }
    if !rest.is_empty() {
        let item = if parts.is_empty() { None } else { Some(of_names(item, &rest)?) };
        parts.push(Part { item, ids: rest, held: Ok(None) });
    }
    Ok(parts)
}

fn holder<'k>(item: &Item, id: &Id, known: &'k Known, sys: &dyn System) -> Result<Option<(&'k str, &'k Id)>> {
    for (recipe, has) in &known.others {
        let things = goes_with(id, &item.job.fields, known.claims.get(id));
        if let Some(other) = who_has(things, has, sys)? {
            return Ok(Some((recipe, other)));
        }
    }
    Ok(None)
}

fn of_names(item: &Item, ids: &[Id]) -> Result<Item> {
    let mut job = item.job.clone();
    if let Some(kind) = kind(&job.kind) {
        job.fields[kind.name] = ids.iter().map(|id| id.name.as_str()).collect();
    }
    Item::receive(job)
}

impl Visit<'_> {
    /// Leaves it as it is, unless the run has come to its end. What of it is ours stays so: once the other recipe has it no more,
    /// a destroy takes it away.
    pub(super) fn leave_to_recipe(&mut self, recipe: &str, other: &Id) -> Result<()> {
        if self.course.failed.is_some() || self.course.stopped.is_some() {
            return self.run();
        }
        self.scope.sink.emit(Event::Checking { ids: self.ids.clone() })?;
        for id in &self.ids {
            self.kept.insert(id.name.clone());
            let text = format!("kept: recipe `{recipe}` has it as {other}");
            self.scope.sink.emit(Event::Remark { id: id.clone(), remark: Remark { name: id.name.clone(), text } })?;
        }
        self.end_all(&Outcome::InSync)
    }
}
