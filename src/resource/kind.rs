//! The registry of kinds: a table's header, how its fields are read, and which of them may hold a secret.
use super::Resource;
use super::bridge::Bridge;
use super::command::Command;
use super::container::Container;
use super::directory::Directory;
use super::file::File;
use super::gate::Gate;
use super::git::Git;
use super::group::Group;
use super::nfs_export::NfsExport;
use super::npm::Npm;
use super::package::Package;
use super::test::Test;
use super::unit::Unit;
use super::user::User;
use crate::field::{Given, Wrong};
use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

/// A kind of resource, as a table header in a recipe names it.
#[derive(Debug)]
pub struct Kind {
    /// The table header: `nfs-export`.
    pub header: &'static str,
    /// The field that names the resource: `path`, `name` or `id`.
    pub name: &'static str,
    /// Fields that must be there, the name among them.
    pub required: &'static [&'static str],
    /// Fields that may hold a secret.
    pub secrets: &'static [&'static str],
    fields: fn() -> &'static [&'static str],
    read: fn(Given<'_>) -> Result<Box<dyn Resource>, Wrong>,
}

/// Something wrong with a resource that parses: which key to point at, and what to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The key at which to point; the table's header without.
    pub key: Option<&'static str>,
    /// Lower case, names the keys in backticks.
    pub message: String,
}

impl Mistake {
    /// Returns a mistake at a key.
    pub fn at(key: &'static str, message: impl Into<String>) -> Self {
        Self { key: Some(key), message: message.into() }
    }

    /// Returns a mistake of the table as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { key: None, message: message.into() }
    }
}

impl Kind {
    /// Returns the kind whose fields are those of `R`.
    pub const fn of<R: Resource + DeserializeOwned + 'static>(header: &'static str, name: &'static str) -> Self {
        Self {
            header,
            name,
            required: &[],
            secrets: &[],
            fields: field_names::<R>,
            read: |given| R::deserialize(given).map(|resource| Box::new(resource) as Box<dyn Resource>),
        }
    }

    /// Names the fields that must be there.
    #[must_use]
    pub const fn required(mut self, fields: &'static [&'static str]) -> Self {
        self.required = fields;
        self
    }

    /// Names the fields that may hold a secret.
    #[must_use]
    pub const fn secrets(mut self, fields: &'static [&'static str]) -> Self {
        self.secrets = fields;
        self
    }

    /// Returns the names of its fields, without the common ones.
    pub fn fields(&self) -> &'static [&'static str] {
        (self.fields)()
    }

    /// Reads the rendered fields of a resource; the error has the place of what is wrong.
    pub fn read(&self, fields: Given<'_>) -> Result<Box<dyn Resource>, Wrong> {
        (self.read)(fields)
    }

    /// Reads rendered fields that came over the pipe.
    pub fn from_json(&self, fields: &serde_json::Value) -> Result<Box<dyn Resource>, Wrong> {
        self.read(Given::from_json(fields))
    }
}

/// Every kind, in the order of the documents.
pub const KINDS: &[Kind] = &[
    Kind::of::<Container>("container", "id").required(&["id", "hostname"]),
    Kind::of::<Package>("package", "name").required(&["name"]),
    Kind::of::<File>("file", "path").required(&["path"]).secrets(&["content", "source"]),
    Kind::of::<Directory>("directory", "path").required(&["path"]),
    Kind::of::<User>("user", "name").required(&["name"]).secrets(&["password"]),
    Kind::of::<Group>("group", "name").required(&["name"]),
    Kind::of::<Unit>("unit", "name").required(&["name"]),
    Kind::of::<Git>("git", "path").required(&["path", "url"]).secrets(&["credential"]),
    Kind::of::<NfsExport>("nfs-export", "path").required(&["path", "clients"]),
    Kind::of::<Bridge>("bridge", "name").required(&["name"]),
    Kind::of::<Command>("command", "name").required(&["name"]).secrets(&["env", "stdin"]),
    Kind::of::<Gate>("gate", "name").required(&["name", "instructions"]),
    Kind::of::<Test>("test", "name").required(&["name"]),
    Kind::of::<Npm>("npm", "name").required(&["name"]).secrets(&["env"]),
];

/// Returns the kind of that header.
pub fn kind(header: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.header == header)
}

/// Returns the names that a struct's derived `Deserialize` announces.
fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);
    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = de::value::Error;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("only the names are wanted"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }
        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
    let mut names: &'static [&'static str] = &[];
    // The error is the way out: by then the names are known.
    drop(T::deserialize(Names(&mut names)));
    names
}
