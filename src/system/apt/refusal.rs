//! What apt-get and dpkg say when they refuse, as apt-get(8) and dpkg(1) print it in the C locale.
use std::collections::BTreeSet;

/// Why apt-get or dpkg did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// No repository has a package of that name.
    Unknown(String),
    /// Several packages provide that name, or others replace it: a person picks one.
    Ambiguous(String, Vec<String>),
    /// The package is known, but not in this version.
    NoVersion(String, String),
    /// The package would become older.
    Downgrade(String),
    /// A person said that it stays as it is.
    Held(String),
    /// What a package depends on can't be had: `wants-tool : Depends: tool (>= 2) but 1.0 is to be installed`.
    Unmet(String),
    /// Something else would have to go.
    InTheWay,
    /// dpkg was killed while it unpacked this, and no repository has it.
    NoArchive(String),
    /// One of its scripts failed, or what it depends on is not configured.
    Failed(String),
}

/// Returns the reasons in what was printed, each once.
pub(super) fn refusals(printed: &str) -> Vec<Refusal> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let lines: Vec<&str> = printed.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        if *line == "The following packages have unmet dependencies:" {
            let unmet = lines[at + 1..].iter().take_while(|line| line.starts_with(' '));
            found.extend(unmet.map(|line| Refusal::Unmet(line.trim().to_owned())));
        }
        let listed = || indented(&lines[at + 1..]);
        for refusal in refusal(line, &listed, printed) {
            if seen.insert(refusal.clone()) {
                found.push(refusal);
            }
        }
    }
    found
}

fn refusal<'a>(line: &'a str, listed: &dyn Fn() -> Vec<&'a str>, printed: &str) -> Vec<Refusal> {
    let each = |of: fn(String) -> Refusal| listed().into_iter().map(|name| of(name.to_owned())).collect();
    match line {
        "The following packages will be DOWNGRADED:" => return each(Refusal::Downgrade),
        "The following held packages will be changed:" => return each(Refusal::Held),
        _ => {}
    }
    if let Some(name) = line.strip_prefix("dpkg: error processing package ") {
        return vec![Refusal::Failed(name.split(' ').next().unwrap_or(name).to_owned())];
    }
    let Some(error) = error_in(line) else { return Vec::new() };
    let name = quoted(error).next().unwrap_or_default().to_owned();
    let refusal = if let Some(name) = error.strip_prefix("Unable to locate package ") {
        Refusal::Unknown(name.trim().to_owned())
    } else if error.ends_with("has no installation candidate") {
        match instead(printed, &name) {
            Some(others) => Refusal::Ambiguous(name, others),
            None => Refusal::Unknown(name),
        }
    } else if error.starts_with("Version '") && error.ends_with("was not found") {
        Refusal::NoVersion(quoted(error).nth(1).unwrap_or_default().to_owned(), name)
    } else if error.contains("but remove is disabled") {
        Refusal::InTheWay
    } else if let Some((name, _)) = between(error, "The package ", " needs to be reinstalled, but I can't find") {
        Refusal::NoArchive(name.to_owned())
    } else {
        return Vec::new();
    };
    vec![refusal]
}

/// Returns the packages that provide or replace one without a candidate, by name.
fn instead(printed: &str, name: &str) -> Option<Vec<String>> {
    let from = printed.find(&format!("Package {name} is "))?;
    let lines: Vec<&str> = printed[from..].lines().collect();
    let is_head = |line: &&str| line.ends_with("is a virtual package provided by:") || line.ends_with("replace it:");
    let head = lines.iter().position(is_head)?;
    let mut names: Vec<String> = indented(&lines[head + 1..]).into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// Returns the first word of each indented line of a list; versions and notes stand behind it. A wrapped list of names has
/// several in a line.
fn indented<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let inside = lines.iter().take_while(|line| line.starts_with(' ') && !line.trim().is_empty());
    let is_name = |word: &&str| !word.starts_with(|c: char| c.is_ascii_digit() || "(=[".contains(c));
    inside
        .flat_map(|line| {
            let versioned = line.split_whitespace().nth(1).is_some_and(|word| !is_name(&word));
            line.split_whitespace().take(if versioned { 1 } else { usize::MAX })
        })
        .collect()
}

fn error_in(line: &str) -> Option<&str> {
    line.strip_prefix("E: ").or_else(|| line.strip_prefix("Error: ")).map(str::trim)
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('\'').skip(1).step_by(2)
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(before)?.split_once(after)
}

/// Returns what `apt-get update` complained of, a line each, without what only sums up the others.
pub(super) fn complaints(printed: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in printed.lines() {
        let warning = line.strip_prefix("W: ").or_else(|| line.strip_prefix("Warning: "));
        let Some(text) = error_in(line).or(warning) else { continue };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.starts_with("Some index files failed to download") && !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// Returns what to do about a repository that gave no lists.
pub(super) fn remedy(complaint: &str) -> Option<&'static str> {
    let has = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    let by_gpgv = ["NO_PUBKEY", "EXPKEYSIG", "KEYEXPIRED", "REVKEYSIG", "signatures were invalid"];
    // From Debian 13 on.
    let by_sqv = ["OpenPGP signature verification failed", "/usr/bin/sqv returned an error"];
    if has(&by_gpgv) || has(&by_sqv) || has(&["is not signed"]) {
        return Some(
            "put the key that signs that repository today where its source says (`signed-by`), then run again",
        );
    }
    if has(&["is expired", "is not valid yet"]) {
        return Some("see whether this machine's clock is right; if it is, that repository is no longer kept up");
    }
    if has(&[
        "Could not connect",
        "Could not resolve",
        "Connection failed",
        "connection timed out",
        "Unable to connect",
    ]) {
        return Some("see whether that server can be reached from here, or take its source away");
    }
    None
}

/// Returns whether newer lists may help: a package or version is unknown, or its file is gone from the server.
pub(super) fn may_be_outdated(printed: &str) -> bool {
    let signs = ["Unable to locate package", "no installation candidate", "was not found", "404 ", "Unable to fetch"];
    signs.iter().any(|sign| printed.contains(sign))
}

/// Returns whether a lock was held by somebody else.
pub(super) fn is_locked(printed: &str) -> bool {
    let is_sign = |line: &str| {
        line.contains("locked by another process")
            || error_in(line).is_some_and(|e| e.starts_with("Could not get lock "))
    };
    printed.lines().any(is_sign)
}

/// Returns whether dpkg did not configure something because of what that depends on.
pub(super) fn lacks_dependencies(printed: &str) -> bool {
    printed.lines().any(|line| line.starts_with("dpkg: dependency problems prevent configuration"))
}

/// Returns whether apt-get wants completed first what dpkg was interrupted at.
pub(super) fn was_interrupted(printed: &str) -> bool {
    printed.lines().filter_map(error_in).any(|error| error.starts_with("dpkg was interrupted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_apt_get_refuses_is_told_by_its_words() {
        use Refusal::*;
        let two = |a: &str, b: &str| NoVersion(a.into(), b.into());
        let cases = [
            ("Reading package lists...\nE: Unable to locate package gitt\n", vec![Unknown("gitt".into())]),
            (
                "Error: Unable to locate package a\nError: Unable to locate package b\n",
                vec![Unknown("a".into()), Unknown("b".into())],
            ),
            ("E: Package 'telnet-ssl' has no installation candidate\n", vec![Unknown("telnet-ssl".into())]),
            (
                "Package virt is a virtual package provided by:\n  prov-b 1\n  prov-a 1 (= 2), 3\n  prov-b 2\n\n\
                 E: Package 'virt' has no installation candidate\n",
                vec![Ambiguous("virt".into(), names(&["prov-a", "prov-b"]))],
            ),
            (
                "Package mkisofs is not available, but is referred to by another package.\nThis may mean that the package\n\
                 However the following packages replace it:\n  genisoimage\n\nE: Package 'mkisofs' has no installation candidate\n",
                vec![Ambiguous("mkisofs".into(), names(&["genisoimage"]))],
            ),
            ("E: Version '99*' for 'git' was not found\n", vec![two("git", "99*")]),
            (
                "The following packages will be DOWNGRADED:\n  tool other\n0 upgraded\n\
                 E: Packages were downgraded and -y was used without --allow-downgrades.\n",
                vec![Downgrade("tool".into()), Downgrade("other".into())],
            ),
            ("The following held packages will be changed:\n  tool\nThe following\n", vec![Held("tool".into())]),
            (
                "The following packages have unmet dependencies:\n a : Depends: b (>= 2) but 1 is to be installed\n\
                 E: Unable to correct problems, you have held broken packages.\n",
                vec![Unmet("a : Depends: b (>= 2) but 1 is to be installed".into())],
            ),
            ("E: Packages need to be removed but remove is disabled.\n", vec![InTheWay]),
            (
                "E: The package local needs to be reinstalled, but I can't find an archive for it.\n",
                vec![NoArchive("local".into())],
            ),
            (
                "dpkg: error processing package bad (--configure):\n installed bad package post-installation script\n\
                 dpkg: error processing package bad (--configure):\n",
                vec![Failed("bad".into())],
            ),
            ("E: Sub-process /usr/bin/dpkg returned an error code (1)\n", vec![]),
        ];
        for (printed, expected) in cases {
            assert_eq!(refusals(printed), expected, "{printed}");
        }
    }

    #[test]
    fn newer_lists_help_where_something_was_not_found() {
        assert!(may_be_outdated("E: Version '99*' for 'git' was not found"));
        assert!(may_be_outdated("E: Failed to fetch http://x/git.deb  404  Not Found"));
        assert!(!may_be_outdated("E: Sub-process /usr/bin/dpkg returned an error code (1)"));
    }

    #[test]
    fn a_lock_is_told_from_a_failure() {
        assert!(is_locked("dpkg: error: dpkg frontend lock was locked by another process with pid 4711\n"));
        assert!(is_locked("E: Could not get lock /var/lib/dpkg/lock. It is held by process 680 (dpkg)\n"));
        assert!(!is_locked("dpkg: error processing package nginx (--configure):\n"));
    }

    #[test]
    fn complaints_name_the_repository_and_what_to_do() {
        let printed = "Err:1 http://h stable InRelease\nReading package lists...\n\
            W: GPG error: http://h stable InRelease: The following signatures couldn't be verified: NO_PUBKEY 6BF0\n\
            E: The repository 'http://h stable InRelease' is not signed.\n\
            W: Failed to fetch http://d/InRelease  Could not connect to d:80\n\
            W: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        let found = complaints(printed);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[2], "Failed to fetch http://d/InRelease Could not connect to d:80");
        let by_sqv = "W: An error occurred during the signature verification. The repository is not updated and the previous \
            index files will be used. OpenPGP signature verification failed: http://h ./ InRelease: Sub-process \
            /usr/bin/sqv returned an error code (1), error message is: Missing key 097B, which is needed to verify signature.\n\
            W: Failed to fetch http://h/./InRelease  Sub-process /usr/bin/sqv returned an error code (1), error message is: \
            Missing key 097B, which is needed to verify signature.\n";
        assert!(complaints(by_sqv).iter().all(|complaint| remedy(complaint).unwrap().contains("key")));
        assert!(remedy(&found[0]).unwrap().contains("key") && remedy(&found[2]).unwrap().contains("reached"));
        assert!(remedy("Release file for http://h is expired (invalid since 2d).").unwrap().contains("clock"));
        assert_eq!(remedy("The list of sources could not be read."), None);
    }
}
