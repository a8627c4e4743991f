//! `when` and `for-each`: how often a block stands, and what it sees each time.
use super::collect::Pass;
use super::document::{Block, is_variable};
use super::error::Mistake;
use super::evaluate::Scope;
use super::expression::is_reserved;
use super::load::{File, Loader};
use super::render::rendered;
use super::value::{Data, Entry, Value, get};

impl Loader<'_> {
    /// Returns what a block sees, once for each time that it stands.
    pub(super) fn iterations(&mut self, file: &File, block: &Block) -> Vec<Scope> {
        let when = get(&block.fields, "when").filter(|_| !self.dreams);
        let Some(each) = get(&block.fields, "for-each") else {
            if when.is_none_or(|when| self.stands(file, when, &file.scope)) {
                return vec![file.scope.clone()];
            }
            self.fall_asleep(file, block);
            return Vec::new();
        };
        // A condition that holds without the variable is looked at first: where it is false, nothing else is evaluated.
        if when.is_some_and(|when| is_false(&quietly(file, when))) {
            self.fall_asleep(file, block);
            return Vec::new();
        }
        let scopes = self.each(file, each);
        let Some(when) = when else { return scopes };
        let (mut standing, all) = (Vec::new(), scopes.len());
        for scope in scopes {
            self.mistakes.next_instance();
            if self.stands(file, when, &scope) {
                standing.push(scope);
            }
        }
        if standing.len() < all {
            self.fall_asleep(file, block);
        }
        standing
    }

    /// Returns whether a condition holds; a wrong one is reported, and holds so that the rest is looked at.
    fn stands(&mut self, file: &File, when: &Value, scope: &Scope) -> bool {
        let value = rendered(when, scope, &file.document.source, &mut self.mistakes);
        let label = match value.data {
            _ if value.taint.secret => "nothing that is shown may depend on a secret".to_owned(),
            Data::Boolean(boolean) => return boolean,
            Data::Wrong => return true,
            _ => format!("expected a boolean, found {}", value.kind()),
        };
        let title = if value.taint.secret { "a secret in `when`" } else { "wrong type for `when`" };
        self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(when.span), title, label));
        true
    }

    /// Returns what a block sees for each value of its variable; once, with a wrong one, where they are not known.
    fn each(&mut self, file: &File, each: &Value) -> Vec<Scope> {
        let entries = if let Data::Table(entries) = &each.data { Some(entries.as_slice()) } else { None };
        if let Some([entry]) = entries {
            return self.members(file, entry);
        }
        let (title, label) = if let Some(entries) = entries {
            let label = format!("it has {}; what has more dimensions is a list of tables", entries.len());
            ("`for-each` takes one variable", label)
        } else {
            let label = "expected one variable and its list: `{ member = \"{{ members }}\" }`";
            ("wrong type for `for-each`", label.to_owned())
        };
        self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(each.span), title, label));
        let mut scope = file.scope.clone();
        scope.incomplete = true;
        vec![scope]
    }

    fn members(&mut self, file: &File, Entry { key, key_span, value }: &Entry) -> Vec<Scope> {
        if !is_variable(key) || is_reserved(key) || file.scope.has(key) {
            let (title, label) = if file.scope.has(key) {
                (format!("`{key}` is taken"), "this file has a variable of that name")
            } else {
                (format!("`{key}` is not a name for a variable"), "lower-case letters, digits and `_`, a letter first")
            };
            self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(*key_span), title, label));
        }
        let list = rendered(value, &file.scope, &file.document.source, &mut self.mistakes);
        match list.data {
            Data::List(items) => return items.into_iter().map(|item| file.scope.with(key, item)).collect(),
            Data::Wrong => {}
            _ => {
                let label = format!("expected a list, found {}", list.kind());
                let mistake = Mistake::new(file.document.place(value.span), format!("wrong type for `{key}`"), label);
                self.mistakes.add(Pass::Rendered, mistake);
            }
        }
        vec![file.scope.with(key, Value::of(Data::Wrong))]
    }
}

/// Evaluates without reporting what goes wrong.
fn quietly(file: &File, value: &Value) -> Value {
    let mut nowhere = super::collect::Collector::default();
    rendered(value, &file.scope, &file.document.source, &mut nowhere)
}

fn is_false(value: &Value) -> bool {
    matches!(value.data, Data::Boolean(false))
}
