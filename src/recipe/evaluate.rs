//! The values of expressions. Types are strict, and the taint of secrets goes wherever their values go.
use super::document::listed;
use super::expression::{Expression, Node, Wrong};
use super::operate::{binary, negative, truth};
use super::suggest::nearest;
use super::template::{self, Piece};
use super::value::{Data, Span, Taint, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What the expressions of a file see.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    names: BTreeMap<String, Rc<Value>>,
    /// The file has syntax errors: a name that is missing may be in what could not be read.
    pub(super) incomplete: bool,
}

impl Scope {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.names.insert(name.to_owned(), Rc::new(value));
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Returns this scope with one more name.
    pub(super) fn with(&self, name: &str, value: Value) -> Self {
        let mut scope = self.clone();
        scope.set(name, value);
        scope
    }
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The mistake that is behind it was reported where it was made.
    Reported,
    /// This.
    Wrong(Wrong),
    /// A field or element that is not there; `default` takes its place.
    Undefined(Wrong),
}

/// The value of an expression, or why there is none.
pub(super) type Evaluated<'s> = Result<Cow<'s, Value>, Failure>;

/// Returns the value of a template: that of its only expression, with its type, else a text. What is not an expression was
/// reported when the file was read.
pub(super) fn render(text: &str, scope: &Scope) -> Result<Value, Vec<Failure>> {
    let (pieces, wrongs) = template::parse(text);
    if !wrongs.is_empty() {
        let mut failures = render_text(&pieces, scope).err().unwrap_or_default();
        failures.push(Failure::Reported);
        return Err(failures);
    }
    if let [Piece::Expression(only)] = pieces.as_slice() {
        // A secret that is not at hand may be handed on; whoever uses it says that it is missing.
        if let Node::Name(name) = &only.node
            && let Some(value) = scope.names.get(name)
            && value.taint.secret
        {
            return Ok(value.as_ref().clone());
        }
        return evaluate(only, scope).map(Cow::into_owned).map_err(|failure| vec![failure]);
    }
    render_text(&pieces, scope)
}

/// Returns the text of a template, even where it is a single expression.
pub(super) fn render_text(pieces: &[Piece<'_>], scope: &Scope) -> Result<Value, Vec<Failure>> {
    let mut result = Value::text("");
    let mut failures = Vec::new();
    let mut whole = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => whole.push_str(text),
            Piece::Expression(expression) => match inserted(expression, scope) {
                Ok((text, taint)) => {
                    whole.push_str(&text);
                    result.taint = result.taint | taint;
                }
                Err(failure) => failures.push(failure),
            },
        }
    }
    result.data = Data::String(whole);
    if failures.is_empty() { Ok(result) } else { Err(failures) }
}

fn inserted(expression: &Expression, scope: &Scope) -> Result<(String, Taint), Failure> {
    let value = evaluate(expression, scope)?;
    let text = scalar_text(&value).ok_or_else(|| {
        let title = format!("{} cannot stand inside text", value.kind());
        wrong(expression.span, title, "the filters `join` and `tojson` make text of it")
    })?;
    Ok((text, value.taint))
}

/// Returns the text of a string, number or boolean.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match &value.data {
        Data::Boolean(boolean) => Some(boolean.to_string()),
        Data::Integer(integer) => Some(integer.to_string()),
        Data::Float(float) => Some(format!("{float:?}")),
        Data::String(text) => Some(text.clone()),
        Data::List(_) | Data::Table(_) | Data::Absent(_) | Data::Wrong => None,
    }
}

/// Returns the value of an expression.
pub(super) fn evaluate<'s>(expression: &Expression, scope: &'s Scope) -> Evaluated<'s> {
    let span = expression.span;
    match &expression.node {
        Node::Literal(data) => Ok(Cow::Owned(Value::of(data.clone()))),
        Node::List(items) => {
            let items: Result<Vec<Value>, Failure> =
                items.iter().map(|item| evaluate(item, scope).map(Cow::into_owned)).collect();
            Ok(Cow::Owned(Value::of(Data::List(items?))))
        }
        Node::Name(name) => variable(name, span, scope),
        Node::Field(of, name) => field(evaluate(of, scope)?, name, span),
        Node::Index(of, index) => element(evaluate(of, scope)?, evaluate(index, scope)?.as_ref(), span),
        Node::Not(inner) => {
            let value = evaluate(inner, scope)?;
            let boolean = truth(&value, inner.span, "not")?;
            Ok(owned(Data::Boolean(!boolean), value.taint))
        }
        Node::Negative(inner) => negative(inner, span, scope),
        Node::Binary(left, operator, right) => binary(left, *operator, right, span, scope),
        Node::Default(inner, other) => match evaluate(inner, scope) {
            Err(Failure::Undefined(_)) => evaluate(other, scope),
            result => result,
        },
        Node::Join(inner, between) => {
            join(evaluate(inner, scope)?.as_ref(), evaluate(between, scope)?.as_ref(), inner, between)
        }
        Node::ToJson(inner) => {
            let value = evaluate(inner, scope)?;
            if value.is_wrong() {
                return Err(Failure::Reported);
            }
            Ok(owned(Data::String(value.to_json().to_string()), value.whole_taint()))
        }
    }
}

fn variable<'s>(name: &str, span: Span, scope: &'s Scope) -> Evaluated<'s> {
    let Some(value) = scope.names.get(name) else {
        if scope.incomplete {
            return Err(Failure::Reported);
        }
        let known = scope.names.keys().map(String::as_str);
        let label = match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "neither in `[vars]`, `[secrets]` nor `needs` of this file".to_owned(),
        };
        return Err(wrong(span, format!("unknown variable `{name}`"), label));
    };
    usable(Cow::Borrowed(value.as_ref()), name, span)
}

/// Refuses what is not known at load, and what a mistake has spoilt.
fn usable<'s>(value: Cow<'s, Value>, name: &str, span: Span) -> Evaluated<'s> {
    match &value.data {
        Data::Wrong => Err(Failure::Reported),
        Data::Absent(why) => {
            Err(Failure::Undefined(Wrong { span, title: format!("`{name}` is not known here"), label: why.clone() }))
        }
        _ => Ok(value),
    }
}

fn field<'s>(of: Cow<'s, Value>, name: &str, span: Span) -> Evaluated<'s> {
    let Data::Table(entries) = &of.data else {
        return Err(wrong(span, format!("{} has no field `{name}`", of.kind()), "only a table has fields"));
    };
    if !entries.iter().any(|entry| entry.key == name) {
        let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let label = match nearest(name, keys.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if keys.is_empty() => "it has none".to_owned(),
            None => format!("it has {}", listed(&keys)),
        };
        return Err(Failure::Undefined(Wrong { span, title: format!("unknown field `{name}`"), label }));
    }
    let inner = match of {
        Cow::Borrowed(of) => of.get(name).map(Cow::Borrowed),
        Cow::Owned(of) => of.get(name).cloned().map(Cow::Owned),
    };
    inner.map_or(Err(Failure::Reported), |inner| usable(inner, name, span))
}

fn element<'s>(of: Cow<'s, Value>, index: &Value, span: Span) -> Evaluated<'s> {
    let (list, position) = match (&of.data, &index.data) {
        (Data::Table(_), Data::String(name)) => return field(of, &name.clone(), span),
        (Data::List(list), Data::Integer(position)) => (list, *position),
        _ => {
            let title = format!("{} has no element at {}", of.kind(), index.kind());
            return Err(wrong(span, title, "a list takes a number, a table a string"));
        }
    };
    let position = usize::try_from(position).ok().filter(|position| *position < list.len()).ok_or_else(|| {
        let label = format!("the list has {}, counted from 0", list.len());
        Failure::Undefined(Wrong { span, title: format!("no element {position}"), label })
    })?;
    let mut inner = list[position].clone();
    inner.taint = inner.taint | index.taint;
    usable(Cow::Owned(inner), "element", span)
}

fn join<'s>(list: &Value, separator: &Value, inner: &Expression, argument: &Expression) -> Evaluated<'s> {
    let Data::List(items) = &list.data else {
        return Err(wrong(inner.span, "`join` takes a list", format!("this is {}", list.kind())));
    };
    let Some(between) = separator.as_str() else {
        return Err(wrong(argument.span, "`join` puts a string in between", format!("this is {}", separator.kind())));
    };
    if list.is_wrong() {
        return Err(Failure::Reported);
    }
    let texts: Option<Vec<String>> = items.iter().map(scalar_text).collect();
    let texts =
        texts.ok_or_else(|| wrong(inner.span, "`join` takes a list of strings or numbers", "this has others"))?;
    Ok(owned(Data::String(texts.join(between)), list.whole_taint() | separator.taint))
}

pub(super) fn owned<'s>(data: Data, taint: Taint) -> Cow<'s, Value> {
    Cow::Owned(Value { span: Span::default(), taint, data })
}

pub(super) fn wrong(span: Span, title: impl Into<String>, label: impl Into<String>) -> Failure {
    Failure::Wrong(Wrong { span, title: title.into(), label: label.into() })
}
