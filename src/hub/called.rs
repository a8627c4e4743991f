//! Values that are called a secret: `password=…`, `"token": "…"`, `Cookie: …`, `?sig=…`, `curl -u …`, and those of a netrc.
use std::ops::Range;

/// What is in the name of a value that is a secret; in lower case, without `-` and `_`.
const NAMES: &[&str] =
    &["password", "passwd", "passphrase", "secret", "token", "apikey", "accesskey", "privatekey", "credential"];
/// Headers of HTTP whose value is a secret, from its beginning to the end of the line; written so as well.
const HEADERS: &[&str] = &["authorization", "proxyauthorization", "cookie", "setcookie"];
/// What signs a URL, among what follows its `?`; written so as well.
const SIGNATURES: &[&str] = &["sig", "signature", "xamzsignature", "xgoogsignature"];
/// The options by which curl is given a user and a password.
const LOGINS: &[&str] = &["--user", "--proxy-user", "-u", "-U"];
/// A shorter value may be in other words by chance.
const TELLING: usize = 8;

/// Returns whether a value of that name is a secret.
pub(crate) fn is_named(name: &str) -> bool {
    let plain = plain(name);
    HEADERS.contains(&&*plain) || NAMES.iter().any(|part| plain.contains(part))
}

/// Returns whether a value that is called a secret is one for sure, and would not be found in other words.
pub(super) fn is_telling(value: &str) -> bool {
    let has = |is: fn(&char) -> bool| value.chars().any(|c| is(&c));
    value.len() >= TELLING
        && has(char::is_ascii_digit)
        && has(char::is_ascii_alphabetic)
        && !value.starts_with(['/', '$', '{', '('])
}

/// Returns where the values of a line are that are called a secret.
pub(super) fn values(line: &str) -> Vec<Range<usize>> {
    let named = words(line).filter_map(|word| header(line, &word).or_else(|| named(line, &word)));
    named.chain(words(line).filter_map(|word| of_netrc(line, &word))).chain(logins_of_curl(line)).collect()
}

/// Returns where the words of a line are.
pub(super) fn words(line: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + line[from..].find(is_word)?;
        from = start + line[start..].find(|c| !is_word(c)).unwrap_or(line.len() - start);
        Some(start..from)
    })
}

pub(super) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '_'], "")
}

/// What follows the name of a header: to the end of the line, or of the quotes around both.
fn header(line: &str, word: &Range<usize>) -> Option<Range<usize>> {
    let rest = line[word.end..].strip_prefix(':').filter(|_| HEADERS.contains(&&*plain(&line[word.clone()])))?;
    let value = rest.trim_start();
    let quote = line[..word.start].chars().next_back().filter(|c| matches!(c, '"' | '\'')).unwrap_or('\n');
    let value = value[..value.find(quote).unwrap_or(value.len())].trim_end();
    Some(within(line, value)).filter(|range| !range.is_empty())
}

fn named(line: &str, word: &Range<usize>) -> Option<Range<usize>> {
    let (before, name, rest) = (&line[..word.start], &line[word.clone()], &line[word.end..]);
    let signs = before.ends_with(['?', '&', ';']) && rest.starts_with('=') && SIGNATURES.contains(&&*plain(name));
    if !signs && !is_named(name) {
        return None;
    }
    let rest = rest.trim_start_matches(['"', '\'', '\\']).trim_start().strip_prefix(['=', ':'])?;
    let value = rest.trim_start_matches([' ', '\t', '\\']);
    // Of a variable of the environment nothing but a blank or a quote is the end.
    let ends: &[char] = if name.contains(|c: char| c.is_ascii_lowercase()) { &[',', ';', '&', '}'] } else { &[] };
    let value = quoted(value, rest[..rest.len() - value.len()].ends_with('\\')).unwrap_or_else(|| {
        &value[..value
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'') || ends.contains(&c))
            .unwrap_or(value.len())]
    });
    Some(within(line, value)).filter(|range| !range.is_empty())
}

/// Returns what stands between the quotes with which a text begins, or to the end of the line. Within, a quote after a
/// backslash is none, unless the first one is written so too.
fn quoted(text: &str, escaped: bool) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = &text[1..];
    let is_end = |at: &usize| escaped || quote == '\'' || !inner[..*at].ends_with('\\');
    let end = inner.match_indices([quote, '\n']).map(|(at, _)| at).find(is_end).unwrap_or(inner.len());
    Some(inner[..end].strip_suffix('\\').filter(|_| escaped).unwrap_or(&inner[..end]))
}

/// What follows `password` in a line of a netrc: after `login`, or as all of the line.
fn of_netrc(line: &str, word: &Range<usize>) -> Option<Range<usize>> {
    let (before, name, rest) = (&line[..word.start], &line[word.clone()], &line[word.end..]);
    let value = rest.trim_start();
    let end = value.find(char::is_whitespace).unwrap_or(value.len());
    let is_alone = !before.contains(char::is_alphanumeric) && value[end..].trim().is_empty();
    let is_one = is_alone || words(before).any(|word| matches!(&before[word], "login" | "machine"));
    let is_value = value.len() < rest.len() && end > 0 && !value.starts_with(['=', ':']);
    (name == "password" && is_one && is_value).then(|| within(line, &value[..end]))
}

/// Users and passwords that curl is given.
fn logins_of_curl(line: &str) -> impl Iterator<Item = Range<usize>> {
    let from = words(line).find(|word| &line[word.clone()] == "curl").map_or(line.len(), |word| word.end);
    line[from..].match_indices([' ', '\t']).filter_map(move |(at, _)| {
        let option = &line[from + at + 1..];
        let value = LOGINS.iter().find_map(|name| option.strip_prefix(name))?.trim_start_matches([' ', '\t', '=']);
        let value = quoted(value, false).unwrap_or(&value[..value.find(char::is_whitespace).unwrap_or(value.len())]);
        value.contains(':').then(|| within(line, value))
    })
}

/// Returns where a part of a line is in it.
fn within(line: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - line.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(line: &str) -> String {
        let mut ranges = values(line);
        ranges.sort_by_key(|range| range.start);
        let mut shown = line.to_owned();
        ranges.iter().rev().for_each(|range| shown.replace_range(range.clone(), "…"));
        shown
    }

    #[test]
    fn what_is_called_a_secret_is_found_to_its_end() {
        for (line, expected) in [
            ("password=hunter2 user=mike", "password=… user=mike"),
            ("password=hunter2;user=mike", "password=…;user=mike"),
            ("export API_TOKEN=a,b;c&d e", "export API_TOKEN=… e"),
            ("POSTGRES_PASSWORD: 'hun ter;2'", "POSTGRES_PASSWORD: '…'"),
            (r#"{"api-key": "a,b", "port": 80}"#, r#"{"api-key": "…", "port": 80}"#),
            (r#"{"password": "a\"b", "port": 80}"#, r#"{"password": "…", "port": 80}"#),
            (r#""{\"password\": \"a b\", \"port\": 80}""#, r#""{\"password\": \"…\", \"port\": 80}""#),
            ("password='no end\n", "password='…\n"),
            ("Authorization: Basic aGVsbG86d29ybGQx\n", "Authorization: …\n"),
            ("Authorization: Digest username=\"mike\", response=\"0a1b\"", "Authorization: …"),
            ("< Set-Cookie: sid=abc; Path=/\r\n", "< Set-Cookie: …\r\n"),
            ("curl -H 'Cookie: a=b; c=d' https://x", "curl -H 'Cookie: …' https://x"),
            ("GET /x?X-Amz-Date=1&X-Amz-Signature=0a1b&y=1 HTTP", "GET /x?X-Amz-Date=1&X-Amz-Signature=…&y=1 HTTP"),
            ("https://a/b?sv=1&sig=a%2Bb%3D&se=2", "https://a/b?sv=1&sig=…&se=2"),
            ("curl -sS -u mike:s3cret https://x", "curl -sS -u … https://x"),
            ("/usr/bin/curl --user='mike:s3 cret' -f", "/usr/bin/curl --user='…' -f"),
            ("curl -umike:s3cret x", "curl -u… x"),
            ("machine x.org login mike password s3cret", "machine x.org login mike password …"),
            ("  |   password s3cret\n", "  |   password …\n"),
        ] {
            assert_eq!(hidden(line), expected);
        }
    }

    #[test]
    fn what_is_not_called_so_stays() {
        for line in [
            "token=",
            "the token is gone, the password was not changed",
            "signature: ok, sig=3",
            "cookies: 3, a cookie is no cake",
            "sort -u a:b",
            "docker run --user 1000:1000 x",
            "curl -u mike https://x",
            "commit 0123456789abcdef0123456789abcdef01234567",
            "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "password",
            "é=ü",
        ] {
            assert_eq!(hidden(line), line);
        }
    }

    #[test]
    fn a_value_tells_where_it_is_no_word() {
        assert!(["s3cret-of-mike", "hunter22", "0a1b2c3d4e"].into_iter().all(is_telling));
        assert!(!["hunter2", "required", "99999999", "/run/secrets/1", "${TOKEN_1}"].into_iter().any(is_telling));
    }
}
