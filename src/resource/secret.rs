//! Takes secrets out of what a program printed.
use crate::error::Error;

/// Words shorter than this are no secret by themselves: hiding them would hide everything.
const SHORTEST_WORD: usize = 6;

/// The secrets that a program was given.
#[derive(Debug, Default, Clone)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Returns the secrets in these values: each as a whole, its lines, and its longer words.
    pub(crate) fn of<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut parts: Vec<String> = Vec::new();
        for value in values {
            parts.push(value.trim().to_owned());
            parts.extend(value.lines().map(|line| line.trim().to_owned()));
            let words = value.split(|c: char| c.is_whitespace() || "=:@\"'".contains(c));
            parts.extend(words.filter(|word| word.len() >= SHORTEST_WORD).map(str::to_owned));
        }
        parts.retain(|part| !part.is_empty());
        parts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        parts.dedup();
        Self(parts)
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the text without them.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(secret)"))
    }

    /// Returns the error without them.
    pub(crate) fn hide_in(&self, error: Error) -> Error {
        let hide = |lines: Vec<String>| lines.iter().map(|line| self.hide(line)).collect();
        Error {
            attempt: self.hide(&error.attempt),
            causes: hide(error.causes),
            output: hide(error.output),
            remedy: error.remedy.map(|remedy| self.hide(&remedy)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_whole_by_line_and_by_word() {
        let secrets = Secrets::of(["Bearer abc123def\nuser=lilly:hunter22"]);
        assert_eq!(secrets.hide("got abc123def from hunter22"), "got (secret) from (secret)");
        assert_eq!(secrets.hide("lilly is fine"), "lilly is fine", "a short word is no secret by itself");
        assert_eq!(Secrets::of(["abc"]).hide("abc"), "(secret)", "a whole value is, however short");
    }

    #[test]
    fn an_error_loses_them_everywhere() {
        let error = Error::new("running x").reason("token s3cret-1").output("s3cret-1\nok").remedy("try s3cret-1");
        let hidden = Secrets::of(["s3cret-1"]).hide_in(error);
        assert!(!format!("{hidden:?}").contains("s3cret-1"), "{hidden:?}");
        assert_eq!(hidden.output, ["(secret)", "ok"]);
    }
}
