//! `Discreet`: a text that leaves this machine, without secrets: those that are known by their value, and what looks like one.
use super::scrub::Scrub;
use super::token::{self, HIDDEN};
use serde_json::Value;

/// Takes secrets out of texts.
pub struct Discreet {
    scrub: Scrub,
}

impl Discreet {
    /// Returns what takes out these values, and what looks like a secret.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Self { scrub: Scrub::new(secrets) }
    }

    /// Returns a text without secrets, and without what steers a terminal.
    pub fn text(&self, text: &str) -> String {
        token::hidden(&self.scrub.without(text))
    }

    /// Returns a value without secrets, given its name.
    pub fn named(&self, name: &str, value: &str) -> String {
        if token::is_named(name) { HIDDEN.to_owned() } else { self.text(value) }
    }

    /// Returns lines of JSON without secrets; it stays JSON. A line that is none is a text.
    pub fn json(&self, lines: &str) -> String {
        let line = |line: &str| match serde_json::from_str::<Value>(line) {
            Ok(mut value) => {
                self.value(&mut value);
                format!("{value}\n")
            }
            Err(_) => self.text(line) + "\n",
        };
        lines.lines().map(line).collect()
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match value {
                        Value::String(text) if token::is_named(name) => HIDDEN.clone_into(text),
                        value => self.value(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_and_what_looks_like_a_secret_are_taken_out_of_text_and_of_json() {
        let discreet = Discreet::new(["s3cret".to_owned()]);
        assert_eq!(discreet.text("a s3\u{1b}[0mcret, password=x\n\u{1b}[31mred"), "a (secret), password=(secret)\nred");
        let json = "{\"v\":1,\"text\":\"it is s3cret\",\"token\":\"x\",\"at\":[\"api_key=y\"]}\nno json: password=z\n";
        let expected = "{\"v\":1,\"text\":\"it is (secret)\",\"token\":\"(secret)\",\"at\":[\"api_key=(secret)\"]}\n\
                        no json: password=(secret)\n";
        assert_eq!(discreet.json(json), expected);
    }
}
