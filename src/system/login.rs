//! Logins in URLs: who may read a text that is shown or recorded has no business with them.

/// Returns a text in which no URL has a user and password in it.
pub(crate) fn without_login(text: &str) -> String {
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (before, authority) = rest.split_at(at + "://".len());
        shown.push_str(before);
        let end = authority.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\''));
        let login = authority[..end.unwrap_or(authority.len())].rfind('@');
        rest = &authority[login.map_or(0, |login| login + 1)..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::without_login;

    #[test]
    fn a_login_is_taken_out_of_every_url_of_a_text_and_nothing_else() {
        for (text, expected) in [
            ("https://mike:s3cret@example.org/x?y=1", "https://example.org/x?y=1"),
            ("https://ghp_abc@example.org", "https://example.org"),
            ("https://a:p@s#s?@example.org/a@b", "https://example.org/a@b"),
            ("A=amqp://a:b@h\nB=\"redis://:c@h:1\" #", "A=amqp://h\nB=\"redis://h:1\" #"),
            ("https://example.org/@scope/x", "https://example.org/@scope/x"),
            ("git@example.org:x and mike@example.org", "git@example.org:x and mike@example.org"),
            ("://@", "://"),
            ("", ""),
        ] {
            assert_eq!(without_login(text), expected);
        }
    }
}
