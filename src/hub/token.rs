//! What looks like a secret in a text of which nobody knows the secrets: tokens by their shape, private keys, values by what
//! they are called. Too much is hidden rather than too little.
use super::called::{self, is_word, words};
use super::private_key;
use std::ops::Range;

/// What stands in a secret's place.
pub(crate) const HIDDEN: &str = "(secret)";
/// How tokens of well-known services and hashes of passwords begin, and how many characters at least follow.
const TOKENS: &[(&str, usize)] = &[
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("sk-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxe-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 20),
    ("npm_", 30),
    ("pypi-", 20),
    ("hf_", 20),
    ("eyJ", 30),
    ("AGE-SECRET-KEY-", 20),
    ("tskey-", 16),
    ("$1$", 8),
    ("$5$", 8),
    ("$6$", 8),
    ("$7$", 8),
    ("$y$", 8),
    ("$gy$", 8),
    ("$argon2i", 20),
    ("$2a$", 20),
    ("$2b$", 20),
    ("$2y$", 20),
];
/// After these words follows what proves who somebody is.
const SCHEMES: &[&str] = &["bearer", "basic"];

/// Returns a text without what looks like a secret.
pub(super) fn hidden(text: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut shown, mut was_key) = (String::with_capacity(text.len()), false);
    for (line, is_key) in lines.iter().zip(private_key::lines_of_one(&lines)) {
        match (is_key, was_key) {
            (true, false) => shown.extend([HIDDEN, if line.ends_with('\n') { "\n" } else { "" }]),
            (true, true) => {}
            (false, _) => shown.push_str(&hidden_in_line(line)),
        }
        was_key = is_key;
    }
    shown
}

fn hidden_in_line(line: &str) -> String {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    ranges.extend(called::values(line));
    ranges.extend(proofs(line));
    ranges.extend(TOKENS.iter().flat_map(|(start, more)| tokens(line, start, *more)));
    ranges.extend(logins(line));
    ranges.sort_by_key(|range| (range.start, range.end));
    let (mut shown, mut from) = (String::with_capacity(line.len()), 0);
    for range in ranges {
        if range.start >= from {
            shown.extend([&line[from..range.start], HIDDEN]);
        }
        from = from.max(range.end);
    }
    shown + &line[from..]
}

/// What follows `Bearer` and `Basic`.
fn proofs(line: &str) -> impl Iterator<Item = Range<usize>> {
    words(line).filter(|word| SCHEMES.iter().any(|scheme| line[word.clone()].eq_ignore_ascii_case(scheme))).filter_map(
        |word| {
            let value = line[word.end..].trim_start_matches([' ', ':', '=']);
            let start = line.len() - value.len();
            let end = start + value.find(|c: char| !is_of_a_token(c)).unwrap_or(value.len());
            let proof = &line[start..end];
            // Words of a language have no digits.
            (proof.len() >= 8 && proof.contains(|c: char| c.is_ascii_digit())).then_some(start..end)
        },
    )
}

fn is_of_a_token(c: char) -> bool {
    is_word(c) || matches!(c, '.' | '/' | '+' | '=' | '$' | '~')
}

/// Tokens that begin with `start`, with at least so many characters after it, a digit among them.
fn tokens(line: &str, start: &str, more: usize) -> impl Iterator<Item = Range<usize>> {
    line.match_indices(start).filter_map(move |(at, _)| {
        let begins = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let rest = &line[at + start.len()..];
        let length = rest.find(|c: char| !is_of_a_token(c)).unwrap_or(rest.len());
        let is_one = begins && length >= more && rest[..length].contains(|c: char| c.is_ascii_digit());
        is_one.then_some(at..at + start.len() + length)
    })
}

/// Users and passwords in URLs.
fn logins(line: &str) -> impl Iterator<Item = Range<usize>> {
    line.match_indices("://").filter_map(|(at, slashes)| {
        let start = at + slashes.len();
        let rest = &line[start..];
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '?' | '#'));
        let host = rest[..end.unwrap_or(rest.len())].rfind('@')?;
        (host > 0).then_some(start..start + host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "commit 0123456789abcdef0123456789abcdef01234567 of 3d1219c7-c4c5-404a-aa1f-6d2a48adfda4";

    #[test]
    fn what_looks_like_a_secret_is_hidden_and_the_rest_stays() {
        let digits = "0123456789abcdefghij0123456789abcdefghij";
        for (text, expected) in [
            ("password=hunter2 user=mike", "password=(secret) user=mike"),
            ("lxc.environment = GITHUB_TOKEN=abc", "lxc.environment = GITHUB_TOKEN=(secret)"),
            ("Authorization: Basic aGVsbG86d29ybGQx\n", "Authorization: (secret)\n"),
            ("curl -H 'X: Bearer 0123456789'", "curl -H 'X: Bearer (secret)'"),
            ("https://mike:s3cret@example.org/x?y=1", "https://(secret)@example.org/x?y=1"),
            ("Basic Config, Basic authentication", "Basic Config, Basic authentication"),
            ("http://example.org:8006/ and mike@example.org", "http://example.org:8006/ and mike@example.org"),
            ("task-0123456789012345678901234", "task-0123456789012345678901234"),
            ("lilly:$6$rounds=5000$0aB/.$0123456789./abc:19000:0:99999:7:::", "lilly:(secret):19000:0:99999:7:::"),
            ("mike:!$y$j9T$0aB/.$0123456789./abc:19000::", "mike:!(secret):19000::"),
            (COMMIT, COMMIT),
        ] {
            assert_eq!(hidden(text), expected);
        }
        for (start, _) in TOKENS {
            let text = format!("a {start}{digits}, and more");
            assert_eq!(hidden(&text), "a (secret), and more", "{text}");
            let text = format!("({start}x)");
            assert_eq!(hidden(&text), text, "too short");
        }
    }

    #[test]
    fn a_private_key_is_hidden_as_a_whole_also_where_it_has_no_end() {
        let key = "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\nb\n";
        assert_eq!(hidden(key), "a\n(secret)\nb\n");
        assert_eq!(hidden("-----BEGIN PRIVATE KEY-----\nabc\ndef"), "(secret)\n");
        assert_eq!(hidden("c2hvcnQ=\n-----END PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\nabc"), "(secret)\n");
        assert_eq!(hidden("x -----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----\ny"), "(secret)\ny");
        assert_eq!(hidden("-----BEGIN CERTIFICATE-----\nabc\n"), "-----BEGIN CERTIFICATE-----\nabc\n");
    }

    #[test]
    fn no_text_makes_it_fail() {
        for text in [
            "",
            "\n",
            "password",
            "password:",
            "é=ü",
            "token=é",
            "://",
            "://@",
            "secret='",
            "secret=\\\"\\",
            "$6$",
            "Bearer",
            "Cookie:",
            "curl -u ",
            "password é",
        ] {
            assert_eq!(hidden(&hidden(text)), hidden(text), "{text}");
        }
    }
}
