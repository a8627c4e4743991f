//! What asks origin: clone and fetch, a "did you mean" for what it does not have, and what to do where it refuses.
use super::program::Program;
use crate::error::{Error, Result};
use crate::field::{GitRef, GitUrl};
use crate::recipe::nearest;
use crate::system::{Command, System};
use std::collections::BTreeSet;

/// Refs of our own, one for each commit that was asked for and that origin had: no branch may have it, now or later, and yet
/// it is nobody's own work. git writes such a ref as it fetches, before anything is checked out.
pub(super) const FETCHED: &str = "refs/provision";

/// What a ref was found to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// A commit.
    Commit,
    /// A branch of origin's.
    Branch,
    /// A tag.
    Tag,
}

impl Program {
    /// Clones into the checkout's directory, which must be there and empty, and leaves the files for later.
    pub(super) fn clone_into(
        &self,
        sys: &dyn System,
        url: &GitUrl,
        options: &[&str],
        asked: Option<&GitRef>,
    ) -> Result<()> {
        let path = self.path.display().to_string();
        let mut argv = vec!["git", "clone", "--no-checkout"];
        argv.extend(options);
        if let Some(asked) = asked {
            argv.extend(["--branch", &asked.0]);
        }
        argv.extend(["--", &url.0, &path]);
        let command = Command::new(argv.iter().copied());
        let output = self.start(sys, &argv, &[])?;
        if let Some(asked) = asked
            && String::from_utf8_lossy(&output.stderr).contains("not found in upstream")
        {
            return Err(self.unknown(sys, &url.0, asked));
        }
        output.success(&command).map(drop).map_err(|error| self.explain(error))
    }

    /// Fetches what a ref names in a repository (`origin`, or its URL) and returns what to check out.
    pub(super) fn fetch(&self, sys: &dyn System, from: &str, asked: &GitRef, depth: Option<u32>) -> Result<Fetched> {
        let fetch = |what: &str, depth: Option<u32>| {
            let depth = depth.map(|depth| format!("--depth={depth}"));
            let mut arguments = vec!["fetch", "--no-tags"];
            arguments.extend(depth.as_deref());
            arguments.extend([from, what]);
            self.run(sys, &arguments).map(drop)
        };
        if asked.is_commit() {
            let fetched = format!("{FETCHED}/{asked}");
            if !self.is_here(sys, asked)? {
                fetch(&format!("{asked}:{fetched}"), depth)?;
            } else if !self.run(sys, &["for-each-ref", "--count=1", "--contains", &asked.0, "refs/remotes"])?.is_empty()
            {
                self.run(sys, &["update-ref", &fetched, &asked.0])?;
            }
            return Ok(Fetched::Commit);
        }
        let (branch, tag) = (format!("refs/heads/{asked}"), format!("refs/tags/{asked}"));
        let listed = self.run(sys, &["ls-remote", from, &branch, &tag])?;
        let has = |name: &str| refs(&listed).any(|listed| listed == name);
        if has(&branch) {
            // A shallow branch that is here already is fetched up to where it ends: else nothing would tell how both are
            // to each other.
            let depth = if self.has(sys, &branch)? { None } else { depth };
            fetch(&format!("+{branch}:refs/remotes/origin/{asked}"), depth).map(|()| Fetched::Branch)
        } else if has(&tag) {
            fetch(&format!("+{tag}:{tag}"), depth).map(|()| Fetched::Tag)
        } else {
            Err(self.unknown(sys, from, asked))
        }
    }

    /// Returns whether a commit is here. Of a clone with few files git would fetch what is missing where anything names it,
    /// and nothing would tell that it came from origin.
    fn is_here(&self, sys: &dyn System, commit: &GitRef) -> Result<bool> {
        let output = self.ask(sys, &["rev-list", "--missing=allow-any", "--max-count=1", &commit.0, "--"])?;
        Ok(output.code == 0 && !output.text().trim().is_empty())
    }

    /// Returns the ids of all refs that origin has now.
    pub(super) fn ids_at_origin(&self, sys: &dyn System) -> Result<BTreeSet<String>> {
        let listed = self.run(sys, &["ls-remote", "origin"])?;
        Ok(listed.lines().filter_map(|line| line.split_once('\t')).map(|(id, _)| id.to_owned()).collect())
    }

    /// Returns the error of a branch or tag that a repository does not have, with the nearest that it has.
    fn unknown(&self, sys: &dyn System, from: &str, asked: &GitRef) -> Error {
        let listed = self.run(sys, &["ls-remote", "--heads", "--tags", "--refs", "--", from]).unwrap_or_default();
        let names: BTreeSet<&str> = refs(&listed)
            .filter_map(|name| name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")))
            .collect();
        let error =
            Error::new(format!("looking for `{asked}` at origin")).reason("it has no branch and no tag of that name");
        let whole = ["refs/heads/", "refs/tags/", "refs/remotes/origin/", "origin/"];
        let bare = whole.iter().find_map(|prefix| asked.0.strip_prefix(prefix)).unwrap_or(&asked.0);
        if let Some(near) = names.get(bare).copied().or_else(|| nearest(bare, names.iter().copied())) {
            return error.remedy(format!("did you mean `{near}`?"));
        }
        if asked.0.len() >= 7 && asked.0.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return error.remedy("if it is a commit, give the whole id: 40 digits");
        }
        error
    }
}

/// Returns the names of the refs that `git ls-remote` lists.
fn refs(listed: &str) -> impl Iterator<Item = &str> {
    listed.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name)
}

/// Returns what a person does where a server or git itself refuses, by what git printed.
pub(super) fn remedy(printed: &str, has_credential: bool) -> Option<&'static str> {
    let said = |words: &[&str]| words.iter().any(|word| printed.contains(word));
    if said(&["could not read Username", "could not read Password", "Authentication failed"]) {
        return Some(if has_credential {
            "the server does not take `credential`: see that it is still valid"
        } else {
            "where the repository is not public, give `credential`"
        });
    }
    if said(&["Permission denied (publickey"]) {
        return Some("give the server the public key of the user as whom git runs");
    }
    if said(&["Host key verification failed"]) {
        return Some("put the server's key into the `known_hosts` of the user as whom git runs");
    }
    if said(&["dubious ownership"]) {
        return Some("the repository at `url` belongs to somebody else: name its owner as `user`, or take another URL");
    }
    if said(&["Could not resolve host", "Could not resolve proxy", "Failed to connect", "Couldn't connect"]) {
        return Some("see that the server can be reached; a proxy is set by `http.proxy` in /etc/gitconfig");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_refuses_has_a_remedy() {
        let cases = [
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", false, "give `credential`"),
            ("fatal: Authentication failed for 'https://h/'", true, "still valid"),
            ("git@h: Permission denied (publickey).", false, "public key"),
            ("Host key verification failed.", false, "known_hosts"),
            ("fatal: detected dubious ownership in repository at '/srv/x.git'", false, "name its owner"),
            ("fatal: unable to access 'https://h/': Could not resolve host: h", false, "http.proxy"),
        ];
        for (printed, has_credential, expected) in cases {
            assert!(remedy(printed, has_credential).is_some_and(|remedy| remedy.contains(expected)), "{printed}");
        }
        assert_eq!(remedy("error: pathspec 'x' did not match", false), None);
    }
}
