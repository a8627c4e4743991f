//! Lines of `~/.ssh/authorized_keys`, as sshd(8) has them.

/// A key that may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizedKey<'a> {
    /// What is allowed with it, such as `from="10.0.0.0/8",no-pty`; empty where all is.
    pub options: &'a str,
    /// The key itself, in base64.
    pub key: &'a str,
}

/// Kinds of keys, and how each begins in base64: with the length of its own name, and that name.
const KINDS: [(&str, &str); 8] = [
    ("ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5"),
    ("ssh-rsa", "AAAAB3NzaC1yc2E"),
    ("ssh-dss", "AAAAB3NzaC1kc3M"),
    ("ecdsa-sha2-nistp256", "AAAAE2VjZHNhLXNoYTItbmlzdHAyNT"),
    ("ecdsa-sha2-nistp384", "AAAAE2VjZHNhLXNoYTItbmlzdHAzOD"),
    ("ecdsa-sha2-nistp521", "AAAAE2VjZHNhLXNoYTItbmlzdHA1Mj"),
    ("sk-ssh-ed25519@openssh.com", "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t"),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb2"),
];

/// Returns the key of a line; `None` for comments and for what is no key.
pub fn parse_authorized_key(line: &str) -> Option<AuthorizedKey<'_>> {
    let line = line.trim();
    let (first, rest) = word(line);
    let (options, kind, rest) = if let Some(kind) = kind(first) {
        ("", kind, rest)
    } else {
        let (name, rest) = word(rest);
        (first, kind(name)?, rest)
    };
    let (key, _comment) = word(rest);
    let (body, padding) = key.split_at(key.find('=').unwrap_or(key.len()));
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    let whole = body.starts_with(kind) && body.len() > kind.len() && body.chars().all(base64);
    (whole && matches!(padding, "" | "=" | "==") && !options.starts_with('#')).then_some(AuthorizedKey { options, key })
}

/// Returns how a key of that kind begins.
fn kind(name: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == name).map(|(_, begins)| *begins)
}

/// Splits at the first white space that is not between quotes.
fn word(text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return (&text[..at], text[at..].trim_start()),
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIE";

    #[test]
    fn a_key_is_found_behind_its_options_and_before_its_comment() {
        for (line, options) in [
            (format!("ssh-ed25519 {KEY}"), ""),
            (format!("  ssh-ed25519\t{KEY} lilly@laptop at home"), ""),
            (format!("no-pty ssh-ed25519 {KEY}"), "no-pty"),
            (
                format!("from=\"10.0.0.0/8\",command=\"echo \\\"a b\\\" ssh-rsa AAAA\" ssh-ed25519 {KEY} x"),
                "from=\"10.0.0.0/8\",command=\"echo \\\"a b\\\" ssh-rsa AAAA\"",
            ),
        ] {
            assert_eq!(parse_authorized_key(&line), Some(AuthorizedKey { options, key: KEY }), "{line}");
        }
        assert_eq!(parse_authorized_key("ssh-rsa AAAAB3NzaC1yc2EAAAAD== x").unwrap().key, "AAAAB3NzaC1yc2EAAAAD==");
    }

    #[test]
    fn what_is_no_key_is_none() {
        for line in [
            "",
            "# ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE",
            "#ssh-ed25519 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE",
            "ssh-ed25519",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIE",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AA,,IE",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "from=\"10.0.0.0/8 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE",
        ] {
            assert_eq!(parse_authorized_key(line), None, "{line}");
        }
    }
}
