//! The `template` of a container: the name of a file, its path, or where it can be downloaded.
use crate::container::Driver;
use crate::container::template::{download, find};
use crate::error::{Error, Result};
use crate::field::{Digest, Text};
use crate::system::System;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A template: the name of a file, or with where it can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Template {
    Named(String),
    Downloaded(Download),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Download {
    /// The file name under which it is kept.
    name: Text,
    /// http or https.
    url: Text,
    /// What it must be.
    sha512: Digest<512>,
}

impl Template {
    /// Returns the path of the template, fetched where it is not there.
    pub(super) fn bring(&self, sys: &dyn System, driver: &dyn Driver, timeout: Duration) -> Result<PathBuf> {
        if let Some(path) = find(sys, driver, self.name())? {
            return Ok(path);
        }
        if let Some((url, sha512)) = self.url() {
            return download(sys, driver, self.name(), url, sha512, timeout);
        }
        let missing = || Error::new(format!("looking for the template `{}`", self.name()));
        let offer = driver.offer(sys)?;
        if !offer.is_some_and(|offer| offer.names.iter().any(|name| name == self.name())) {
            return Err(missing().reason("it is not there"));
        }
        driver.fetch_template(sys, self.name(), timeout)?;
        find(sys, driver, self.name())?.ok_or_else(|| missing().reason("it was fetched, and is not there"))
    }

    /// Returns the file's name, or its path.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Downloaded(download) => &download.name,
        }
    }

    /// Returns the file's name alone: by it a container remembers its template.
    pub(super) fn file_name(&self) -> &str {
        self.name().rsplit('/').next().unwrap_or_default()
    }

    /// Returns where it can be downloaded, and its digest.
    pub(super) fn url(&self) -> Option<(&str, &str)> {
        match self {
            Self::Named(_) => None,
            Self::Downloaded(download) => Some((&download.url, &download.sha512.0)),
        }
    }
}

/// The end of a template's name says how it is packed.
fn packed(name: &str) -> Result<(), String> {
    let ends = [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"];
    let known = ends.iter().any(|end| name.ends_with(end));
    if known { Ok(()) } else { Err(format!("`{name}` is not a template: it ends in none of {}", ends.join(", "))) }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Template;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a template, or { name, url, sha512 }")
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Template, E> {
                let file = name.rsplit('/').next().unwrap_or_default();
                let plain = |name: &str| !name.is_empty() && name != "." && name != "..";
                if !plain(file) || (name.contains('/') && !name.starts_with('/')) {
                    return Err(E::custom(format!("`{name}` is not a template: a file name or an absolute path")));
                }
                packed(name).map_err(E::custom)?;
                Ok(Template::Named(name.to_owned()))
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Template, M::Error> {
                let download = Download::deserialize(MapAccessDeserializer::new(map))?;
                if download.name.is_empty() || download.name.contains('/') || download.name.starts_with('.') {
                    return Err(M::Error::custom("the `name` of a template is a plain file name"));
                }
                packed(&download.name).map_err(M::Error::custom)?;
                if !(download.url.starts_with("https://") || download.url.starts_with("http://")) {
                    return Err(M::Error::custom("the `url` of a template is http or https"));
                }
                Ok(Template::Downloaded(download))
            }
        }
        from.deserialize_any(NameOrTable)
    }
}
