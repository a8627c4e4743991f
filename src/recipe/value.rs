//! Values of a recipe: with the place where they stand, and with what must be known of secrets in them.
use crate::field::{self, Given};
use toml::de::{DeTable, DeValue};

/// Where something stands in its file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        Self { start: range.start, end: range.end }
    }
}

/// What secrets went into a value. It travels with every value that is made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taint {
    /// A secret is in it.
    pub(super) secret: bool,
    /// A secret is in it that is not at hand, so that the value is a stand-in.
    pub(super) unknown: bool,
}

impl std::ops::BitOr for Taint {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self { secret: self.secret || other.secret, unknown: self.unknown || other.unknown }
    }
}

/// A value, where it stands, and its taint.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) span: Span,
    pub(super) taint: Taint,
    pub(super) data: Data,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    List(Vec<Value>),
    Table(Vec<Entry>),
    /// Not known at load; the text says why. Using it is an error.
    Absent(String),
    /// A mistake was reported for it; using it says no more.
    Wrong,
}

/// A key of a table and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Value,
}

impl Entry {
    /// Returns one with this value under the same key.
    pub(super) fn with(&self, value: Value) -> Self {
        Self { key: self.key.clone(), key_span: self.key_span, value }
    }
}

impl Value {
    pub(super) fn new(data: Data, span: Span) -> Self {
        Self { span, taint: Taint::default(), data }
    }

    /// Returns a value that no file holds: a fact, a result.
    pub(super) fn of(data: Data) -> Self {
        Self::new(data, Span::default())
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::of(Data::String(text.into()))
    }

    /// Returns a table that no file holds.
    pub(super) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let entry = |(key, value): (&str, Self)| Entry { key: key.to_owned(), key_span: Span::default(), value };
        Self::of(Data::Table(entries.into_iter().map(entry).collect()))
    }

    /// Returns what it is, for messages: "a string".
    pub(super) fn kind(&self) -> &'static str {
        match self.data {
            Data::Boolean(_) => "a boolean",
            Data::Integer(_) => "an integer",
            Data::Float(_) => "a float",
            Data::String(_) => "a string",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
            Data::Absent(_) | Data::Wrong => "nothing",
        }
    }

    /// Returns the entry of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.data {
            Data::Table(entries) => get(entries, key),
            _ => None,
        }
    }

    /// Returns the text of a string.
    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// Moves it, and all within it, to where it is used.
    pub(super) fn moved(mut self, span: Span) -> Self {
        self.span = span;
        self.data = match self.data {
            Data::List(list) => Data::List(list.into_iter().map(|value| value.moved(span)).collect()),
            Data::Table(entries) => {
                let moved = |entry: Entry| Entry { key_span: span, value: entry.value.moved(span), ..entry };
                Data::Table(entries.into_iter().map(moved).collect())
            }
            data => data,
        };
        self
    }

    /// Returns its taint joined with that of all within it.
    pub(super) fn whole_taint(&self) -> Taint {
        match &self.data {
            Data::List(list) => list.iter().fold(self.taint, |taint, value| taint | value.whole_taint()),
            Data::Table(entries) => entries.iter().fold(self.taint, |taint, entry| taint | entry.value.whole_taint()),
            _ => self.taint,
        }
    }

    /// Returns whether a mistake was reported for it or for something within it.
    pub(super) fn is_wrong(&self) -> bool {
        match &self.data {
            Data::Wrong => true,
            Data::List(list) => list.iter().any(Self::is_wrong),
            Data::Table(entries) => entries.iter().any(|entry| entry.value.is_wrong()),
            _ => false,
        }
    }

    /// Returns it as JSON; what a float cannot be there becomes null.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match &self.data {
            Data::Boolean(boolean) => (*boolean).into(),
            Data::Integer(integer) => (*integer).into(),
            Data::Float(float) => (*float).into(),
            Data::String(text) => text.as_str().into(),
            Data::List(list) => list.iter().map(Self::to_json).collect(),
            Data::Table(entries) => table_to_json(entries),
            Data::Absent(_) | Data::Wrong => serde_json::Value::Null,
        }
    }

    /// Returns it as serde reads it.
    fn given(&self) -> Given<'_> {
        let data = match &self.data {
            Data::Boolean(boolean) => field::Data::Boolean(*boolean),
            Data::Integer(integer) => field::Data::Integer(*integer),
            Data::Float(float) => field::Data::Float(*float),
            Data::String(text) => field::Data::Text(text),
            Data::List(items) => field::Data::List(items.iter().map(Self::given).collect()),
            Data::Table(entries) => given_table(entries),
            Data::Absent(_) | Data::Wrong => field::Data::Boolean(false),
        };
        Given { data, place: self.span.start..self.span.end }
    }

    /// Reads what the TOML parser made; the entries of a table come back in the order written.
    pub(super) fn from_toml(value: &DeValue<'_>, span: Span) -> Self {
        let data = match value {
            DeValue::String(text) => Data::String(text.to_string()),
            DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(integer) => Data::Integer(integer),
                Err(_) => Data::Absent("this number is too large".to_owned()),
            },
            DeValue::Float(float) => Data::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Data::Boolean(*boolean),
            DeValue::Datetime(datetime) => Data::String(datetime.to_string()),
            DeValue::Array(array) => {
                Data::List(array.iter().map(|value| Self::from_toml(value.get_ref(), value.span().into())).collect())
            }
            DeValue::Table(table) => Data::Table(entries_from_toml(table)),
        };
        Self::new(data, span)
    }
}

/// Reads a table that the TOML parser made, in the order written.
pub(super) fn entries_from_toml(table: &DeTable<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span().into(),
            value: Value::from_toml(value.get_ref(), value.span().into()),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_span);
    entries
}

/// Returns a table as serde reads it.
pub(super) fn given_table(entries: &[Entry]) -> field::Data<'_> {
    let place = |span: Span| span.start..span.end;
    field::Data::Table(entries.iter().map(|entry| (&*entry.key, place(entry.key_span), entry.value.given())).collect())
}

/// Returns the value of a key.
pub(super) fn get<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Value> {
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

/// Returns a table as JSON, its keys sorted, so that equal tables have equal text.
pub(super) fn table_to_json(entries: &[Entry]) -> serde_json::Value {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|left, right| left.key.cmp(&right.key));
    let object: serde_json::Map<_, _> =
        sorted.into_iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect();
    object.into()
}
