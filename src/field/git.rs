//! Fields of a checkout: where it comes from, what of it is checked out.
use super::text::{Field, deserialize_field};
use crate::system::without_login;
use std::fmt;

/// Where a repository is: a URL, `host:path`, or an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitUrl(pub String);

impl GitUrl {
    /// Returns scheme and host, where it is http or https: `https://git.example.org:8443`.
    pub fn web_host(&self) -> Option<String> {
        let (scheme, rest) = self.0.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
        let authority = rest.split('/').next()?;
        let host = authority.rsplit('@').next()?;
        Some(format!("{scheme}://{host}"))
    }

    /// Returns whether there is a password in it: `https://bob:s3cret@…`.
    pub fn has_password(&self) -> bool {
        let authority = self.0.split_once("://").and_then(|(_, rest)| rest.split('/').next());
        let login = authority.and_then(|authority| authority.rsplit_once('@')).map(|(login, _)| login);
        login.is_some_and(|login| login.contains(':'))
    }
}

impl Field for GitUrl {
    const EXPECTED: &'static str = "the URL of a repository";
    fn from_text(text: &str) -> Result<Self, String> {
        let scheme = text.split_once("://").map(|(scheme, rest)| (scheme, rest.trim_start_matches('/')));
        let known = match scheme {
            Some((scheme, rest)) => {
                matches!(scheme, "http" | "https" | "ssh" | "git" | "file" | "git+ssh" | "ssh+git") && !rest.is_empty()
            }
            // `ext::…` would run a program.
            None => {
                text.starts_with('/')
                    || text
                        .split_once(':')
                        .is_some_and(|(host, path)| is_host(host) && !path.is_empty() && !path.starts_with(':'))
            }
        };
        if known && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` is not the URL of a repository: expected http, https, ssh, git or file, `host:path` or an absolute path",
            without_login(text)
        ))
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._@[]".contains(c))
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_login(&self.0))
    }
}

/// A branch, a tag, or a whole commit id, as git-check-ref-format(1) allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRef(pub String);

impl GitRef {
    /// Returns whether it is the id of a commit.
    pub fn is_commit(&self) -> bool {
        is_object_id(&self.0)
    }
}

/// Returns whether a text is the whole id of an object: 40 or 64 hex digits.
pub fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit))
}

/// Returns whether git takes a name for a branch or tag, or a whole `refs/…`.
pub fn is_ref_name(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && !" ~^:?*[\\".contains(c);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none();
    text.chars().all(allowed)
        && text.split('/').all(part)
        && !text.starts_with('-')
        && !text.ends_with('.')
        && !text.contains("..")
        && !text.contains("@{")
        && text != "@"
}

impl Field for GitRef {
    const EXPECTED: &'static str = "a branch, a tag or a commit";
    fn from_text(text: &str) -> Result<Self, String> {
        if is_ref_name(text) && text != "HEAD" {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a branch, a tag or a commit"))
    }
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A directory of a repository that is checked out with all in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SparseDirectory(pub String);

impl Field for SparseDirectory {
    const EXPECTED: &'static str = "a directory of the repository";
    fn from_text(text: &str) -> Result<Self, String> {
        let path = text.trim_matches('/');
        let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part != ".git";
        let plain = |c: char| !c.is_control() && !"*?[]!#\\\"".contains(c);
        if path.split('/').all(part) && path.chars().all(plain) && !path.starts_with('-') && path.trim() == path {
            return Ok(Self(path.to_owned()));
        }
        Err(format!("`{text}` is not a directory of a repository: expected one such as \"src/lib\", without patterns"))
    }
}

deserialize_field!(GitUrl, GitRef, SparseDirectory);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_repository_and_no_program() {
        for good in ["https://github.com/a/b.git", "git@github.com:a/b", "/srv/git/x.git", "file:///srv/x", "ssh://h/x"]
        {
            assert!(GitUrl::from_text(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ext::sh -c id",
            "ext::x",
            "--upload-pack=x",
            "-h:x",
            "relative/path",
            "ftp://x/y",
            "https://",
            "https://a b/",
        ] {
            assert!(GitUrl::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let url = GitUrl::from_text("https://bob:s3cret@git.example.org:8443/x.git").unwrap();
        assert_eq!(url.to_string(), "https://git.example.org:8443/x.git");
        assert_eq!(url.web_host().as_deref(), Some("https://git.example.org:8443"));
        assert!(url.has_password() && !GitUrl("ssh://git@h:22/x@y:z".into()).has_password());
        assert_eq!(GitUrl("git@github.com:a/b".into()).web_host(), None);
    }

    #[test]
    fn refs_follow_git() {
        for good in ["main", "release/1.2", "v1.0", &"a".repeat(40)] {
            assert!(GitRef::from_text(good).is_ok(), "{good}");
        }
        for bad in ["", "-f", "a..b", "a b", "a^", "HEAD", "a.lock", "/a", "a/", "a//b", "@", "x@{1}", ".a"] {
            assert!(GitRef::from_text(bad).is_err(), "{bad}");
        }
        assert!(GitRef("a".repeat(40)).is_commit() && !GitRef("a".repeat(39)).is_commit());
    }

    #[test]
    fn sparse_directories_are_no_patterns() {
        assert_eq!(SparseDirectory::from_text("/src/maestro/").unwrap().0, "src/maestro");
        for bad in ["", "/", "../x", "a/*", "!a", "-a", ".git", "a//b"] {
            assert!(SparseDirectory::from_text(bad).is_err(), "{bad}");
        }
    }
}
