//! `Discreet`: a text that leaves this machine, without secrets: those that are known by their value, and what looks like one.
use super::called::{self, is_named, is_telling};
use super::private_key;
use super::scrub::Scrub;
use super::token::{self, HIDDEN};
use serde_json::{Map, Value};

/// Takes secrets out of texts.
pub struct Discreet {
    scrub: Scrub,
}

impl Discreet {
    /// Returns what takes out these values, and what looks like a secret.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Self { scrub: Scrub::new(secrets) }
    }

    /// Returns the values that a text calls a secret and that are to be known elsewhere as well.
    pub fn told_by(text: &str) -> impl Iterator<Item = String> {
        let of_line = |line| called::values(line).into_iter().map(move |range| &line[range]);
        text.lines().flat_map(of_line).filter(|value| is_telling(value)).map(str::to_owned)
    }

    /// Returns a text without secrets, and without what steers a terminal.
    pub fn text(&self, text: &str) -> String {
        token::hidden(&self.scrub.without(text))
    }

    /// Returns a value without secrets, given its name.
    pub fn named(&self, name: &str, value: &str) -> String {
        if is_named(name) { HIDDEN.to_owned() } else { self.text(value) }
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
            Value::Array(values) => {
                // The lines of a key, one by one.
                let lines: Vec<&str> = values.iter().map(|value| value.as_str().unwrap_or_default()).collect();
                for (value, is_key) in private_key::lines_of_one(&lines).into_iter().enumerate() {
                    if is_key { values[value] = HIDDEN.into() } else { self.value(&mut values[value]) }
                }
            }
            Value::Object(fields) => self.fields(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A field is called a secret by its name, or, of a change, by the `field` beside it.
    fn fields(&self, fields: &mut Map<String, Value>) {
        let changes = fields.get("field").and_then(Value::as_str).is_some_and(is_named);
        for (name, value) in fields.iter_mut() {
            // An id is no name of a value.
            let is_secret = is_named(name) && !name.contains(['/', ':']);
            if is_secret || changes && matches!(name.as_str(), "from" | "to" | "diff") {
                hide(value);
            } else {
                self.value(value);
            }
        }
    }
}

/// Hides a value whole.
fn hide(value: &mut Value) {
    if !matches!(value, Value::Null | Value::Bool(_)) {
        *value = HIDDEN.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn known_values_and_what_looks_like_a_secret_are_taken_out_of_text_and_of_json() {
        let discreet = Discreet::new(["s3cret".to_owned()]);
        assert_eq!(discreet.text("a s3\u{1b}[0mcret, password=x\n\u{1b}[31mred"), "a (secret), password=(secret)\nred");
        let json = "{\"v\":1,\"text\":\"it is s3cret\",\"token\":\"x\",\"at\":[\"api_key=y\"]}\nno json: password=z\n";
        let expected = "{\"v\":1,\"text\":\"it is (secret)\",\"token\":\"(secret)\",\"at\":[\"api_key=(secret)\"]}\n\
                        no json: password=(secret)\n";
        assert_eq!(discreet.json(json), expected);
    }

    #[test]
    fn what_json_calls_a_secret_is_taken_out_whatever_it_is() {
        for (value, expected) in [
            (
                json!({ "tokens": ["a", 1], "pin-password": 1234 }),
                json!({ "tokens": "(secret)", "pin-password": "(secret)" }),
            ),
            (json!({ "has_password": true, "token": null }), json!({ "has_password": true, "token": null })),
            (
                json!({ "name": "lilly", "field": "password", "from": "a b", "to": "c d" }),
                json!({ "name": "lilly", "field": "password", "from": "(secret)", "to": "(secret)" }),
            ),
            (json!({ "field": "mode", "from": "0600" }), json!({ "field": "mode", "from": "0600" })),
            (
                json!({ "host/file:/etc/token": { "mode": "0600" } }),
                json!({ "host/file:/etc/token": { "mode": "0600" } }),
            ),
            (
                json!(["a", "-----BEGIN PRIVATE KEY-----", "MII", "-----END PRIVATE KEY-----", 7]),
                json!(["a", "(secret)", "(secret)", "(secret)", 7]),
            ),
        ] {
            let cleaned: Value = serde_json::from_str(&Discreet::new([]).json(&value.to_string())).unwrap();
            assert_eq!(cleaned, expected);
        }
    }

    #[test]
    fn a_text_tells_what_it_calls_a_secret() {
        let text = "export API_TOKEN=tok-0123456\npassword=required\n  \"secret\": \"0a1b2c3d\"\n";
        assert_eq!(Discreet::told_by(text).collect::<Vec<_>>(), ["tok-0123456", "0a1b2c3d"]);
    }
}
