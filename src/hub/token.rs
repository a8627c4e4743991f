//! What looks like a secret in a text of which nobody knows the secrets: tokens by their shape, private keys, values by the
//! name that they are given. Too much is hidden rather than too little.
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
    ("$y$", 8),
    ("$2a$", 20),
    ("$2b$", 20),
    ("$2y$", 20),
];
/// What is in the name of a value that is a secret; in lower case, without `-` and `_`.
const NAMES: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "credential"];
/// After these words follows what proves who somebody is.
const SCHEMES: &[&str] = &["bearer", "basic"];

/// Returns whether a value of that name is a secret.
pub(crate) fn is_named(name: &str) -> bool {
    let plain = name.to_ascii_lowercase().replace(['-', '_'], "");
    plain == "authorization" || NAMES.iter().any(|part| plain.contains(part))
}

/// Returns a text without what looks like a secret.
pub(super) fn hidden(text: &str) -> String {
    let (mut shown, mut in_key) = (String::with_capacity(text.len()), false);
    for line in text.split_inclusive('\n') {
        let begins = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY");
        let ends = line.contains("-----END ") && line.contains("PRIVATE KEY");
        match (in_key || begins, begins && !in_key) {
            (true, true) => shown.extend([HIDDEN, if line.ends_with('\n') { "\n" } else { "" }]),
            (true, false) => {}
            (false, _) => shown.push_str(&hidden_in_line(line)),
        }
        in_key = (in_key || begins) && !ends;
    }
    shown
}

fn hidden_in_line(line: &str) -> String {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    ranges.extend(named(line));
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

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Returns where the words of a line are.
fn words(line: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + line[from..].find(is_word)?;
        from = start + line[start..].find(|c| !is_word(c)).unwrap_or(line.len() - start);
        Some(start..from)
    })
}

/// Values that are called a secret: `password=…`, `"token": "…"`, `Authorization: …`.
fn named(line: &str) -> impl Iterator<Item = Range<usize>> {
    words(line).filter(|word| is_named(&line[word.clone()])).filter_map(|word| {
        let rest = line[word.end..].trim_start_matches(['"', '\'', '\\']).trim_start();
        let rest = rest.strip_prefix(['=', ':'])?.trim_start_matches([' ', '\t', '\\']);
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = quote.map_or(rest, |_| &rest[1..]);
        let end = value.find(|c: char| match quote {
            Some(quote) => c == quote || c == '\n',
            None => c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"' | '\'' | '}'),
        });
        let start = line.len() - value.len();
        let end = start + end.unwrap_or(value.len());
        (end > start).then_some(start..end)
    })
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

    #[test]
    fn what_looks_like_a_secret_is_hidden_and_the_rest_stays() {
        let digits = "0123456789abcdefghij0123456789abcdefghij";
        for (text, expected) in [
            ("password=hunter2 user=mike", "password=(secret) user=mike"),
            ("POSTGRES_PASSWORD: 'hun ter;2'", "POSTGRES_PASSWORD: '(secret)'"),
            (r#"{"api-key": "a,b", "port": 80}"#, r#"{"api-key": "(secret)", "port": 80}"#),
            ("lxc.environment = GITHUB_TOKEN=abc", "lxc.environment = GITHUB_TOKEN=(secret)"),
            ("Authorization: Basic aGVsbG86d29ybGQx\n", "Authorization: (secret) (secret)\n"),
            ("curl -H 'X: Bearer 0123456789'", "curl -H 'X: Bearer (secret)'"),
            ("https://mike:s3cret@example.org/x?y=1", "https://(secret)@example.org/x?y=1"),
            ("token=", "token="),
            ("the token is gone", "the token is gone"),
            ("Basic Config, Basic authentication", "Basic Config, Basic authentication"),
            ("http://example.org:8006/ and mike@example.org", "http://example.org:8006/ and mike@example.org"),
            ("task-0123456789012345678901234", "task-0123456789012345678901234"),
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
        assert_eq!(hidden("x -----BEGIN PRIVATE KEY-----abc-----END PRIVATE KEY-----\ny"), "(secret)\ny");
        assert_eq!(hidden("-----BEGIN CERTIFICATE-----\nabc\n"), "-----BEGIN CERTIFICATE-----\nabc\n");
    }

    #[test]
    fn no_text_makes_it_fail() {
        for text in ["", "\n", "password", "password:", "é=ü", "token=é", "://", "://@", "secret='", "$6$", "Bearer"]
        {
            assert_eq!(hidden(&hidden(text)), hidden(text), "{text}");
        }
    }
}
