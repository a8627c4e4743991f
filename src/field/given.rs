//! What a recipe gives, as serde reads a resource from it: values with the places where they stand.
//!
//! One deserializer for TOML and for the pipe, in which nothing is generic but the visitor: of it there is a copy for each
//! type that is read.
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use std::fmt;
use std::ops::Range;

/// A value and the bytes of the file in which it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Given<'a> {
    /// What it is.
    pub data: Data<'a>,
    /// Where it stands.
    pub place: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Data<'a> {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(&'a str),
    /// A list.
    List(Vec<Given<'a>>),
    /// A table: each key, where it stands, and its value.
    Table(Vec<(&'a str, Range<usize>, Given<'a>)>),
}

/// What is wrong with a value, and where that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    message: String,
    place: Option<Range<usize>>,
}

impl Wrong {
    /// Returns what is wrong, in serde's words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns where that is.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.clone()
    }

    fn at(mut self, place: Range<usize>) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), place: None }
    }
}

impl<'a> Given<'a> {
    /// Returns what came over the pipe, where nothing has a place. A key whose value is null is not given.
    pub fn from_json(value: &'a serde_json::Value) -> Self {
        let data = match value {
            serde_json::Value::Bool(boolean) => Data::Boolean(*boolean),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Data::Integer(integer),
                None => Data::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Data::Text(text),
            serde_json::Value::Array(items) => Data::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(entries) => {
                let given = entries.iter().filter(|(_, value)| !value.is_null());
                Data::Table(given.map(|(key, value)| (key.as_str(), 0..0, Self::from_json(value))).collect())
            }
            serde_json::Value::Null => Data::Table(Vec::new()),
        };
        Self { data, place: 0..0 }
    }

    fn refused(self, expected: &dyn Expected) -> Wrong {
        let found = match self.data {
            Data::Boolean(boolean) => Unexpected::Bool(boolean),
            Data::Integer(integer) => Unexpected::Signed(integer),
            Data::Float(float) => Unexpected::Float(float),
            Data::Text(text) => Unexpected::Str(text),
            Data::List(_) => Unexpected::Seq,
            Data::Table(_) => Unexpected::Map,
        };
        <Wrong as de::Error>::invalid_type(found, expected).at(self.place)
    }
}

/// Reads one shape alone, so that a visitor is not compiled for the others.
macro_rules! only {
    ($($method:ident $shape:pat => $visit:expr;)+) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let place = self.place.clone();
            match self.data {
                $shape => $visit(visitor).map_err(|wrong: Wrong| wrong.at(place)),
                _ => Err(self.refused(&visitor)),
            }
        }
    )+ };
}

impl<'de> Deserializer<'de> for Given<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let read = match self.data {
            Data::Boolean(boolean) => visitor.visit_bool(boolean),
            Data::Integer(integer) => visitor.visit_i64(integer),
            Data::Float(float) => visitor.visit_f64(float),
            Data::Text(text) => visitor.visit_borrowed_str(text),
            Data::List(items) => visitor.visit_seq(Items(items.into_iter())),
            Data::Table(entries) => visitor.visit_map(Entries { left: entries.into_iter(), value: None }),
        };
        read.map_err(|wrong| wrong.at(self.place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    only! {
        deserialize_bool Data::Boolean(boolean) => |visitor: V| visitor.visit_bool(boolean);
        deserialize_i32 Data::Integer(integer) => |visitor: V| visitor.visit_i64(integer);
        deserialize_i64 Data::Integer(integer) => |visitor: V| visitor.visit_i64(integer);
        deserialize_u16 Data::Integer(integer) => |visitor: V| visitor.visit_i64(integer);
        deserialize_u32 Data::Integer(integer) => |visitor: V| visitor.visit_i64(integer);
        deserialize_u64 Data::Integer(integer) => |visitor: V| visitor.visit_i64(integer);
        deserialize_str Data::Text(text) => |visitor: V| visitor.visit_borrowed_str(text);
        deserialize_string Data::Text(text) => |visitor: V| visitor.visit_borrowed_str(text);
        deserialize_seq Data::List(items) => |visitor: V| visitor.visit_seq(Items(items.into_iter()));
        deserialize_map Data::Table(entries) => |visitor: V| {
            visitor.visit_map(Entries { left: entries.into_iter(), value: None })
        };
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

struct Items<'a>(std::vec::IntoIter<Given<'a>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.0.next().map(|item| seed.deserialize(item)).transpose()
    }
}

struct Entries<'a> {
    left: std::vec::IntoIter<(&'a str, Range<usize>, Given<'a>)>,
    value: Option<Given<'a>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, place, value)) = self.left.next() else { return Ok(None) };
        self.value = Some(value);
        let key: StrDeserializer<'_, Wrong> = key.into_deserializer();
        seed.deserialize(key).map(Some).map_err(|wrong| wrong.at(place))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Wrong> {
        let value = self.value.take().ok_or_else(|| de::Error::custom("a key comes before its value"))?;
        seed.deserialize(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Mode, Names, Text};
    use serde::Deserialize;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Asked {
        name: Names<Text>,
        mode: Option<Mode>,
        #[serde(default)]
        read_only: bool,
        depth: Option<u32>,
        #[serde(default)]
        env: BTreeMap<String, Text>,
    }

    fn asked(json: &serde_json::Value) -> Result<Asked, String> {
        Asked::deserialize(Given::from_json(json)).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn fields_are_read_from_json() {
        let json = json!({ "name": ["a", 2], "mode": "0640", "read-only": true, "depth": null, "env": { "A": "b" } });
        let asked = asked(&json).unwrap();
        assert_eq!(asked.name.0, [Text("a".to_owned()), Text("2".to_owned())]);
        assert_eq!((asked.mode, asked.read_only, asked.depth), (Some(Mode(0o640)), true, None));
        assert_eq!(asked.env["A"].0, "b");
    }

    #[test]
    fn what_is_no_such_thing_is_refused() {
        for (json, message) in [
            (json!({}), "missing field `name`"),
            (json!({ "nam": 1 }), "unknown field `nam`, expected one of `name`, `mode`, `read-only`, `depth`, `env`"),
            (json!({ "name": "a", "read-only": 1 }), "invalid type: integer `1`, expected a boolean"),
            (json!({ "name": "a", "depth": -1 }), "invalid value: integer `-1`, expected u32"),
            (json!({ "name": "a", "env": ["A"] }), "invalid type: sequence, expected a map"),
            (json!({ "name": [] }), "an empty list: at least one name is needed"),
            (json!(["a"]), "invalid type: sequence, expected struct Asked"),
        ] {
            assert_eq!(asked(&json).unwrap_err(), message);
        }
    }

    #[test]
    fn a_mistake_has_the_place_of_the_innermost_value() {
        let text = |text, place| Given { data: Data::Text(text), place };
        let list = |items| Given { data: Data::List(items), place: 10..30 };
        let table = |key, value| Given { data: Data::Table(vec![(key, 3..7, value)]), place: 1..40 };
        let span = |given: Given<'_>| Asked::deserialize(given).unwrap_err().span();
        assert_eq!(span(table("name", list(vec![text("a", 12..15), text("a", 20..23)]))), Some(20..23));
        assert_eq!(span(table("mode", text("rw", 10..14))), Some(10..14));
        assert_eq!(span(table("moed", text("rw", 10..14))), Some(3..7));
        assert_eq!(span(table("mode", text("0644", 10..16))), Some(1..40), "`name` is missing");
        let wrong = Names::<Mode>::deserialize(list(vec![text("0644", 12..18), text("rw", 20..23)])).unwrap_err();
        assert_eq!(wrong.span(), Some(20..23));
    }
}
