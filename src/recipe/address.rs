//! Where a bundle is that the command line names: at a URL or in a file, perhaps with the digest that it must have.
use crate::error::{Error, Result};
use crate::signature::{SUFFIX, beside};
use crate::system::without_login;
use std::fmt;
use std::path::PathBuf;

/// What a bundle's name ends in.
pub const EXTENSION: &str = ".tar";
const DIGEST: &str = "#sha256=";

/// A bundle that the command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where it is.
    pub at: At,
    /// Its SHA-256, 64 lower-case digits.
    pub sha256: Option<String>,
}

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// http or https.
    Url(String),
    /// On this machine.
    File(PathBuf),
}

impl Address {
    /// Reads what a recipe is called by; `None` where that is no bundle.
    ///
    /// # Errors
    /// It is the address of something that is not taken.
    pub fn parse(name: &str) -> Result<Option<Self>> {
        let error = |why: String| Error::new(format!("looking for the recipe `{}`", without_login(name))).reason(why);
        let scheme = name.split_once("://").map(|(scheme, _)| scheme);
        let (place, sha256) = match name.split_once('#') {
            Some((place, _)) if name[place.len()..].starts_with(DIGEST) => {
                let digits = &name[place.len() + DIGEST.len()..];
                if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    let error = error(format!("`{digits}` is no SHA-256"));
                    return Err(error.remedy("give all 64 digits that `provision bundle` printed"));
                }
                (place, Some(digits.to_ascii_lowercase()))
            }
            Some((place, rest)) if scheme.is_some() => {
                let error = error(format!("`#{rest}` says nothing of a bundle"));
                return Err(error.remedy(format!("write `{}#sha256=DIGEST`, or leave it out", without_login(place))));
            }
            _ => (name, None),
        };
        let at = match scheme {
            Some("http" | "https") => At::Url(place.to_owned()),
            Some(scheme) => {
                let error = error(format!("recipes are not fetched by `{scheme}`"));
                return Err(error.remedy("give a URL with https or http, or fetch it and name the file"));
            }
            None if sha256.is_some() || place.ends_with(EXTENSION) => At::File(place.into()),
            None => return Ok(None),
        };
        Ok(Some(Self { at, sha256 }))
    }
}

impl At {
    /// Returns where its signature is.
    #[must_use]
    pub fn signature(&self) -> Self {
        match self {
            Self::File(path) => Self::File(beside(path)),
            Self::Url(url) => {
                let end = url.find('?').unwrap_or(url.len());
                Self::Url(format!("{}{SUFFIX}{}", &url[..end], &url[end..]))
            }
        }
    }

    /// Returns the name of its file alone.
    pub fn file_name(&self) -> String {
        let text = match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => url.split('?').next().unwrap_or_default().to_owned(),
        };
        text.rsplit('/').next().unwrap_or_default().to_owned()
    }
}

/// Without a user and password.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&without_login(url)),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF";

    #[test]
    fn a_bundle_is_a_url_or_a_tar_or_has_a_digest() {
        let parse = |name: &str| {
            let address = Address::parse(name).unwrap()?;
            Some((address.at.to_string(), address.at.signature().to_string(), address.sha256.is_some()))
        };
        let bundle = |at: &str, signature: &str, has_digest| Some((at.to_owned(), signature.to_owned(), has_digest));
        for recipe in ["web", "web.toml", "./web.toml", "a#b.toml", "web#x", "tar", "/srv/a.tar/web.toml"] {
            assert_eq!(parse(recipe), None, "{recipe}");
        }
        assert_eq!(parse("web.tar"), bundle("web.tar", "web.tar.minisig", false));
        assert_eq!(parse(&format!("/srv/web#sha256={DIGITS}")), bundle("/srv/web", "/srv/web.minisig", true));
        assert_eq!(parse("https://x/web.tar"), bundle("https://x/web.tar", "https://x/web.tar.minisig", false));
        assert_eq!(
            parse(&format!("http://me:pw@x/get?f=web.tar#sha256={DIGITS}")),
            bundle("http://x/get?f=web.tar", "http://x/get.minisig?f=web.tar", true)
        );
        assert_eq!(Address::parse("http://x/a/web.tar?b=c/d").unwrap().unwrap().at.file_name(), "web.tar");
    }

    #[test]
    fn what_is_no_digest_and_other_ways_to_fetch_are_refused() {
        for (name, why) in [
            ("https://x/web.tar#sha256=", "`` is no SHA-256"),
            ("web.tar#sha256=12", "`12` is no SHA-256"),
            ("https://x/web.tar#md5=12", "`#md5=12` says nothing of a bundle"),
            ("ftp://x/web.tar", "recipes are not fetched by `ftp`"),
            ("file:///web.tar", "recipes are not fetched by `file`"),
        ] {
            assert_eq!(Address::parse(name).unwrap_err().causes, [why]);
        }
        let error = Address::parse("ftp://me:pw@x/web.tar").unwrap_err();
        assert_eq!(error.attempt, "looking for the recipe `ftp://x/web.tar`");
    }
}
