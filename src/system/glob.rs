//! Paths with wildcards, as glob(3) has them: `*`, `?` and `[a-z]` within a name; a name that begins with a dot is not met
//! by them.
use super::System;
use super::fingerprint::listed;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the paths that a pattern stands for, sorted; of a pattern without wildcards itself, there or not.
pub fn expand(sys: &dyn System, pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let has_wildcard = |part: &str| part.contains(['*', '?', '[']);
    if !pattern.to_str().is_some_and(has_wildcard) {
        return Ok(vec![pattern.to_owned()]);
    }
    let mut found = vec![PathBuf::new()];
    for part in pattern {
        let part = part.to_string_lossy();
        if !has_wildcard(&part) {
            for path in &mut found {
                path.push(&*part);
            }
            continue;
        }
        let mut next = Vec::new();
        for directory in found {
            let names = listed(sys, &directory)?;
            next.extend(names.iter().filter(|name| fits(&part, name)).map(|name| directory.join(name)));
        }
        found = next;
    }
    let mut there = Vec::new();
    for path in found {
        if sys.lstat(&path)?.is_some() {
            there.push(path);
        }
    }
    there.sort();
    Ok(there)
}

fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    (!name.starts_with(&['.']) || pattern.starts_with(&['.'])) && matches(&pattern, &name)
}

fn matches(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        (['*', rest @ ..], _) => matches(rest, name) || (!name.is_empty() && matches(pattern, &name[1..])),
        (['?', rest @ ..], [_, after @ ..]) => matches(rest, after),
        (['[', rest @ ..], [first, after @ ..]) => match class(rest, *first) {
            Some((meets, rest)) => meets && matches(rest, after),
            None => *first == '[' && matches(rest, after),
        },
        ([wanted, rest @ ..], [first, after @ ..]) => wanted == first && matches(rest, after),
        _ => false,
    }
}

/// Returns whether a character is one of a class `a-z]`, `!abc]`, and what follows it; `None` where it is never closed.
fn class(pattern: &[char], is: char) -> Option<(bool, &[char])> {
    let (negated, pattern) = match pattern {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, pattern),
    };
    // A bracket at the start stands for itself.
    let end = pattern.iter().skip(1).position(|c| *c == ']')? + 1;
    let (mut members, mut meets) = (&pattern[..end], false);
    while let [first, rest @ ..] = members {
        (meets, members) = match rest {
            ['-', last, rest @ ..] => (meets || (*first..=*last).contains(&is), rest),
            _ => (meets || *first == is, rest),
        };
    }
    Some((meets != negated, &pattern[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_meet_names_as_a_shell_has_it() {
        for (pattern, name) in
            [("*.env", "a.env"), ("a?", "ab"), ("*", "a"), ("[a-c]x", "bx"), ("[!a]", "b"), ("[]]", "]")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*", ".a"), ("*.env", "a.en"), ("a?", "a"), ("[a-c]", "d"), ("[!a]", "a"), ("", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        assert!(fits("[", "[") && fits(".*", ".a") && fits("a*b*c", "axxbyyc"));
    }
}
