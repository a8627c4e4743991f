//! How a scalar or a list of a recipe becomes a field.
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

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
    struct Scalar<T>(PhantomData<T>);
    impl<T: Field> Visitor<'_> for Scalar<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(T::EXPECTED)
        }
        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            T::from_text(text).map_err(E::custom)
        }
        fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
            T::from_number(number).map_err(E::custom)
        }
        fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
            i64::try_from(number).map_err(|_| "too large".to_owned()).and_then(T::from_number).map_err(E::custom)
        }
    }
    from.deserialize_any(Scalar(PhantomData))
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

impl<'de, T: Deserialize<'de> + PartialEq> Deserialize<'de> for Names<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + PartialEq> Visitor<'de> for OneOrMany<T> {
            type Value = Names<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of strings")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Names<T>, E> {
                Ok(Names(vec![T::deserialize(text.into_deserializer())?]))
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Names<T>, E> {
                Ok(Names(vec![T::deserialize(number.into_deserializer())?]))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Names<T>, E> {
                Ok(Names(vec![T::deserialize(number.into_deserializer())?]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names<T>, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element::<T>()? {
                    if names.contains(&name) {
                        return Err(A::Error::custom("the same name twice"));
                    }
                    names.push(name);
                }
                if names.is_empty() {
                    return Err(A::Error::custom("an empty list: at least one name is needed"));
                }
                Ok(Names(names))
            }
        }
        from.deserialize_any(OneOrMany(PhantomData))
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
