//! Who may mount an NFS export, and with which options.
use super::text::{Field, deserialize_field};
use crate::system::exports::wrong_option;
use std::fmt;

/// A host, an address, a network, `@netgroup` or a pattern, as exports(5) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientHost(pub String);

impl Field for ClientHost {
    const EXPECTED: &'static str = "a host, a network, a netgroup or a pattern";
    fn from_text(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".:/*?[]@-_^!".contains(c);
        if text.is_empty() || text.starts_with('-') || !text.chars().all(plain) {
            return Err(format!("`{text}` is not a client: expected a host, a network, `@netgroup` or a pattern"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ClientHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Options of an export, separated by commas: `rw,sync`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions(pub Vec<String>);

impl Field for ExportOptions {
    const EXPECTED: &'static str = "options of an export, such as \"rw,sync\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let options: Vec<String> = text.split(',').map(|option| option.trim().to_owned()).collect();
        match options.iter().find_map(|option| wrong_option(option)) {
            Some(wrong) => Err(wrong),
            None => Ok(Self(options)),
        }
    }
}

deserialize_field!(ClientHost, ExportOptions);
