//! Ids: which machine, which kind, which name.
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where a resource lives: the host that runs `provision`, or one of its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Machine {
    /// The machine on which `provision` was started.
    #[default]
    Host,
    /// A container of that host, by its id (100 and up).
    Container(u32),
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Container(id) => write!(f, "{id}"),
        }
    }
}

/// `machine/kind:name`, such as `host/file:/etc/exports` or `201/unit:max-agent@claude.service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// The machine on which it is.
    pub machine: Machine,
    /// The table header in the recipe.
    pub kind: String,
    /// The value of the kind's name field.
    pub name: String,
}

impl Id {
    /// Returns the id of `name`.
    pub fn new(machine: Machine, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { machine, kind: kind.into(), name: name.into() }
    }

    /// Returns `kind:name`, for where the machine is plain.
    pub fn local(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.machine, self.kind, self.name)
    }
}

impl FromStr for Id {
    type Err = String;

    /// Reads an id; a leading `host/` may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not an id: expected machine/kind:name, such as host/file:/etc/exports");
        let colon = text.find(':').ok_or_else(bad)?;
        let (head, name) = (&text[..colon], &text[colon + 1..]);
        let (machine, kind) = match head.split_once('/') {
            None => (Machine::Host, head),
            Some(("host", kind)) => (Machine::Host, kind),
            Some((id, kind)) => (Machine::Container(id.parse().map_err(|_| bad())?), kind),
        };
        if kind.is_empty() || name.is_empty() {
            return Err(bad());
        }
        Ok(Self::new(machine, kind, name))
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Machine {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Machine {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match String::deserialize(from)?.as_str() {
            "host" => Ok(Self::Host),
            id => id.parse().map(Self::Container).map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_without_a_machine_is_the_hosts() {
        let id: Id = "file:/etc/exports".parse().unwrap();
        assert_eq!(id.to_string(), "host/file:/etc/exports");
    }

    #[test]
    fn a_name_may_hold_colons_and_slashes() {
        let id: Id = "201/command:a:b/c".parse().unwrap();
        assert_eq!((id.machine, id.name.as_str()), (Machine::Container(201), "a:b/c"));
    }

    #[test]
    fn what_is_no_id_says_what_one_looks_like() {
        let error = "exports".parse::<Id>().unwrap_err();
        assert!(error.contains("expected machine/kind:name"), "{error}");
    }
}
