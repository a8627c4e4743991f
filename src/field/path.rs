//! Absolute paths.
use super::text::{Field, deserialize_field};
use std::fmt;
use std::path::{Component, Path};

/// An absolute path without `.`, `..`, doubled or trailing slashes, and without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsPath(pub String);

impl AbsPath {
    /// Returns it as a path.
    pub fn path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Field for AbsPath {
    const EXPECTED: &'static str = "an absolute path";
    fn from_text(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("`{text}` is not an absolute path"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{text:?} has a control character"));
        }
        if Path::new(text).components().any(|part| matches!(part, Component::ParentDir)) {
            return Err(format!("`{text}` has `..` in it"));
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        Ok(Self(format!("/{}", parts.join("/"))))
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

deserialize_field!(AbsPath);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_has_one_spelling() {
        for text in ["/etc//hosts", "/etc/./hosts", "/etc/hosts/"] {
            assert_eq!(AbsPath::from_text(text).unwrap().0, "/etc/hosts");
        }
    }

    #[test]
    fn relative_paths_and_parents_are_refused() {
        for bad in ["etc/hosts", "", "/etc/../shadow", "/etc/a\nb"] {
            assert!(AbsPath::from_text(bad).is_err(), "{bad:?}");
        }
    }
}
