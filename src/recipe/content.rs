//! `source`: the bytes of a file beside the recipe, rendered where it is a template.
use super::collect::Pass;
use super::error::{Mistake, Source};
use super::evaluate::{Failure, Scope, render_text};
use super::item::Marks;
use super::load::{File, Loader};
use super::template;
use super::value::{Data, Entry, Value, get};
use crate::resource::Kind;
use std::sync::Arc;

/// A mistake that was reported.
#[derive(Debug)]
pub(super) struct Reported;

impl Loader<'_> {
    /// Returns the bytes of a resource's `source`, if it has one.
    pub(super) fn content(
        &mut self,
        file: &File,
        kind: &Kind,
        fields: &[Entry],
        scope: &Scope,
        marks: &mut Marks,
    ) -> Result<Option<Vec<u8>>, Reported> {
        let source = get(fields, "source").filter(|_| kind.fields().contains(&"source"));
        let Some(source) = source else { return Ok(None) };
        // Of another type: that is reported where the fields are read.
        let path = source.as_str().ok_or(Reported)?;
        let place = file.document.place(source.span);
        let path = self.beneath(place.clone(), &file.document, path).ok_or(Reported)?;
        let bytes = match self.bytes(&path) {
            Ok(bytes) => bytes,
            Err(unread) => {
                self.unread(place, &path, &unread);
                return Err(Reported);
            }
        };
        if !matches!(get(fields, "template").map(|value| &value.data), Some(Data::Boolean(true))) {
            return Ok(Some(bytes));
        }
        if !self.templates.contains_key(&path) {
            let text = self.text(&path, bytes);
            self.templates.insert(path.clone(), text);
        }
        let text = self.templates.get(&path).cloned().flatten().ok_or(Reported)?;
        let rendered = self.template(&text, scope).ok_or(Reported)?;
        if rendered.taint.secret {
            if !kind.secrets.contains(&"source") && !kind.secrets.contains(&"content") {
                let title = format!("a secret in the `source` of [[{}]]", kind.header);
                let label = format!("no file of [[{}]] may hold one, and this template puts one there", kind.header);
                self.mistakes.add(Pass::Rendered, Mistake::new(place, title, label));
                return Err(Reported);
            }
            marks.secret.insert("source".to_owned());
            if rendered.taint.unknown {
                marks.unknown.insert("source".to_owned());
            }
        }
        Ok(rendered.as_str().map(|text| text.as_bytes().to_vec()))
    }

    /// Renders the text of a file; what is wrong in it is reported there.
    fn template(&mut self, source: &Arc<Source>, scope: &Scope) -> Option<Value> {
        let (pieces, wrongs) = template::parse(&source.text);
        let complete = wrongs.is_empty();
        for wrong in wrongs {
            self.mistakes.wrong(Pass::Written, source, wrong);
        }
        match render_text(&pieces, scope) {
            Ok(value) => complete.then_some(value),
            Err(failures) => {
                for failure in failures {
                    if let Failure::Wrong(wrong) | Failure::Undefined(wrong) = failure {
                        self.mistakes.wrong(Pass::Rendered, source, wrong);
                    }
                }
                None
            }
        }
    }
}
