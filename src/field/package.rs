//! Names and versions of packages: Debian's and npm's.
use super::text::{Field, deserialize_field};
use std::fmt;

/// A Debian package, with an architecture where one is given: `git`, `libc6:i386`, `python3:any`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName(pub String);

impl PackageName {
    /// Returns the name without the architecture, and the architecture.
    pub fn split(&self) -> (&str, Option<&str>) {
        self.0.split_once(':').map_or((&self.0, None), |(name, architecture)| (name, Some(architecture)))
    }
}

impl Field for PackageName {
    const EXPECTED: &'static str = "a package name";
    fn from_text(text: &str) -> Result<Self, String> {
        let (name, architecture) = text.split_once(':').unwrap_or((text, "any"));
        let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let named = name.len() >= 2 && name.starts_with(lower) && name.chars().all(|c| lower(c) || "+-.".contains(c));
        // A trailing `-` would tell apt-get to remove the package.
        let plain = !name.ends_with('-') && !name.ends_with('+') || name.ends_with("++");
        let fits = !architecture.is_empty() && architecture.chars().all(|c| lower(c) || c == '-');
        if named && plain && fits {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a package name: at least two lower-case letters, digits, `+`, `-` and `.`"))
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An npm package: `typescript`, `@anthropic-ai/claude-code`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NpmName(pub String);

impl NpmName {
    /// Returns the scope with its `@`, where there is one, and the name below it.
    pub fn split(&self) -> (Option<&str>, &str) {
        self.0.split_once('/').map_or((None, &self.0), |(scope, name)| (Some(scope), name))
    }
}

impl Field for NpmName {
    const EXPECTED: &'static str = "the name of an npm package";
    fn from_text(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
            !part.is_empty() && !part.starts_with(['.', '-']) && part.chars().all(fits)
        };
        let valid = match text.strip_prefix('@') {
            Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| part(scope) && part(name)),
            None => part(text),
        };
        if valid && text.len() <= 214 {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not the name of an npm package, such as `typescript` or `@scope/name`"))
    }
}

impl fmt::Display for NpmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A version with `*` and `?` in it, as apt-get takes one after `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionGlob(pub String);

impl VersionGlob {
    /// Returns whether it fits a version as a whole.
    pub fn fits(&self, version: &str) -> bool {
        crate::wildcard::fits(&self.0, version)
    }
}

impl Field for VersionGlob {
    const EXPECTED: &'static str = "a version, such as \"22.*\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".+-:~*?".contains(c);
        if !text.is_empty() && !text.starts_with('-') && text.chars().all(fits) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a version: letters, digits and `.+-:~`, with `*` and `?` for any"))
    }
}

impl fmt::Display for VersionGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

deserialize_field!(PackageName, NpmName, VersionGlob);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_are_those_that_apt_get_takes_for_themselves() {
        for good in ["git", "g++", "libstdc++6", "python3.11-venv", "libc6:i386", "0ad", "g++-12"] {
            assert!(PackageName::from_text(good).is_ok(), "{good}");
        }
        for bad in ["g", "", "Git", "git-", "git+", "-y", "git=1", "git/sid", "git:", "a b", "../x", "git*"] {
            assert!(PackageName::from_text(bad).is_err(), "{bad}");
        }
        assert_eq!(PackageName("libc6:i386".into()).split(), ("libc6", Some("i386")));
    }

    #[test]
    fn npm_names_may_have_a_scope_and_are_never_paths_or_options() {
        for good in ["typescript", "@anthropic-ai/claude-code", "JSONStream", "lodash.merge"] {
            assert!(NpmName::from_text(good).is_ok(), "{good}");
        }
        for bad in ["", "../x", "a/b", "@a", "@a/", "@/b", "-g", "a@1", "https://x", ".bin", "@a/b/c", "a b"] {
            assert!(NpmName::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_glob_fits_the_whole_version() {
        let glob = VersionGlob::from_text("22.*").unwrap();
        assert!(glob.fits("22.1.0-1nodesource1") && !glob.fits("122.1") && !glob.fits("22"));
        assert!(VersionGlob("1:2.39.?-1".into()).fits("1:2.39.5-1"));
        assert!(VersionGlob::from_text("1 || true").is_err());
    }
}
