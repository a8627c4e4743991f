//! How a scalar or a list of a recipe becomes a field.
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use std::fmt;

/// A field that is read from a string, or from a number where an expression gave one.
pub trait Field: Sized {
    /// What is expected, for errors: "a mode such as `0644`".
    const EXPECTED: &'static str;
    /// Reads the field from text; the error says what is wrong with it.
    fn from_text(text: &str) -> Result<Self, String>;
    /// Reads the field from a number; its text unless the field says otherwise.
    fn from_number(number: i64) -> Result<Self, String> {
        Self::from_text(&number.to_string())
    }
}

/// Implements `Deserialize` for fields through their `Field`.
macro_rules! deserialize_field {
    ($($field:ty),+) => { $(
        impl<'de> serde::Deserialize<'de> for $field {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::field::text::read(from)
            }
        }
    )+ };
}
pub(crate) use deserialize_field;

/// Reads any `Field`.
pub(crate) fn read<'de, T: Field, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let mut read = Err(String::new());
    let mut take = |given: Given<'_>| {
        read = given.field();
        read.as_ref().map(drop).map_err(String::clone)
    };
    from.deserialize_any(Scalar { expected: T::EXPECTED, take: &mut take })?;
    read.map_err(D::Error::custom)
}

/// What a scalar of a recipe is.
enum Given<'a> {
    Text(&'a str),
    Number(i64),
}

impl Given<'_> {
    fn field<T: Field>(self) -> Result<T, String> {
        match self {
            Self::Text(text) => T::from_text(text),
            Self::Number(number) => T::from_number(number),
        }
    }
}

/// Hands a scalar on. It knows no type of field, so that it is compiled once and not for each.
struct Scalar<'t> {
    expected: &'static str,
    take: &'t mut dyn FnMut(Given<'_>) -> Result<(), String>,
}

impl Visitor<'_> for Scalar<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        (self.take)(Given::Text(text)).map_err(E::custom)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        (self.take)(Given::Number(number)).map_err(E::custom)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.visit_i64(i64::try_from(number).map_err(|_| E::custom("too large"))?)
    }
}

/// Any text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text(pub String);

impl Field for Text {
    const EXPECTED: &'static str = "a string";
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

deserialize_field!(Text);

/// One name or a list of them; at least one, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names<T>(pub Vec<T>);

impl<'de, T: Field + PartialEq> Deserialize<'de> for Names<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut names = Vec::new();
        let mut take = |given: Given<'_>| {
            let name = given.field()?;
            if names.contains(&name) {
                return Err("the same name twice".to_owned());
            }
            names.push(name);
            Ok(())
        };
        from.deserialize_any(OneOrMany(Scalar { expected: T::EXPECTED, take: &mut take }))?;
        Ok(Self(names))
    }
}

/// Hands each of one or many scalars on.
struct OneOrMany<'t>(Scalar<'t>);

impl<'de> Visitor<'de> for OneOrMany<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.visit_str(text)
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.0.visit_i64(number)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.0.visit_u64(number)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Scalar { expected, take } = self.0;
        let mut empty = true;
        while list.next_element_seed(Scalar { expected, take: &mut *take })?.is_some() {
            empty = false;
        }
        if empty { Err(A::Error::custom("an empty list: at least one name is needed")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_one_string_or_a_list() {
        assert_eq!(serde_json::from_str::<Names<Text>>("\"git\"").unwrap().0.len(), 1);
        assert_eq!(serde_json::from_str::<Names<Text>>("[\"git\", \"jq\"]").unwrap().0.len(), 2);
    }

    #[test]
    fn an_empty_list_and_a_name_given_twice_are_refused() {
        for bad in ["[]", "[\"git\", \"git\"]", "[[]]", "true"] {
            assert!(serde_json::from_str::<Names<Text>>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_string_field_takes_a_number() {
        assert_eq!(serde_json::from_str::<Text>("201").unwrap().0, "201");
    }
}
