//! A question to a machine that changes nothing: a program that should answer 0, or a URL that should answer well.
use super::Mistake;
use crate::error::{Error, Result};
use crate::field::Text;
use crate::system::{Command, Fetch, Output, System, without_login};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::time::Duration;

/// How much of an answer is read.
const READ: u64 = 1 << 20;

/// An URL, and what it should answer.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Http {
    /// http or https.
    pub(crate) url: Text,
    /// The status; any of 200 to 299 without. Redirects are followed, unless it is one of 300 to 399.
    pub(crate) status: Option<u16>,
    /// What the body contains, in its first mebibyte.
    pub(crate) contains: Option<Text>,
}

/// A program's argv, or a URL.
#[derive(Debug)]
pub(crate) enum Probe {
    /// Should answer 0.
    Argv(Vec<Text>),
    /// Should answer well.
    Http(Http),
}

impl Http {
    /// Asks; an error says what was wrong with the answer.
    pub(crate) fn ask(&self, sys: &dyn System, timeout: Duration) -> Result<()> {
        let wrong = |why: String| Err(Error::new(format!("asking `{}`", without_login(&self.url))).reason(why));
        // Who asks for a redirect means it, not where it leads.
        let follow = !self.status.is_some_and(|status| (300..400).contains(&status));
        let answer = sys.fetch(&Fetch { url: &self.url, timeout, limit: READ, whole: false, follow })?;
        let expected = self.status.map_or_else(|| "200 to 299".to_owned(), |status| status.to_string());
        if self.status.map_or(!(200..300).contains(&answer.status), |status| status != answer.status) {
            return wrong(format!("it answered {}, not {expected}", answer.status));
        }
        match &self.contains {
            Some(text) if !String::from_utf8_lossy(&answer.body).contains(&text.0) => {
                wrong(format!("its answer of {} B does not contain `{}`", answer.body.len(), text.0))
            }
            _ => Ok(()),
        }
    }

    /// Returns what is wrong with its fields; `key` is where it stands.
    pub(crate) fn mistakes(&self, key: &'static str) -> Option<Mistake> {
        let after = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        let host = after.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !host || self.url.contains(char::is_whitespace) {
            return Some(Mistake::at(key, format!("`{}` is not a URL of http or https", without_login(&self.url))));
        }
        match self.status {
            Some(status) if !(100..600).contains(&status) => {
                Some(Mistake::at(key, format!("{status} is not a status of HTTP: expected 100 to 599")))
            }
            _ => None,
        }
    }
}

impl Probe {
    /// Asks; an error says what was wrong with the answer.
    pub(crate) fn ask(&self, sys: &dyn System, user: Option<&str>, timeout: Duration) -> Result<()> {
        match self {
            Self::Argv(argv) => answer(argv, sys, user, timeout).map(drop),
            Self::Http(http) => http.ask(sys, timeout),
        }
    }

    /// Returns what is wrong with it; `key` is where it stands.
    pub(crate) fn mistakes(&self, key: &'static str) -> Option<Mistake> {
        match self {
            Self::Argv(argv) => wrong_argv(key, argv),
            Self::Http(http) => http.mistakes(key),
        }
    }
}

/// Runs a program that should answer 0 and returns what it printed.
pub(crate) fn answer(argv: &[Text], sys: &dyn System, user: Option<&str>, timeout: Duration) -> Result<Output> {
    let command = Command::new(argv.iter().map(|part| part.0.clone())).user(user).timeout(timeout);
    sys.run(&command)?.success(&command)
}

/// Returns what is wrong with an argv.
pub(crate) fn wrong_argv(key: &'static str, argv: &[Text]) -> Option<Mistake> {
    match argv.first() {
        None => Some(Mistake::at(key, format!("`{key}` is empty: it needs a program"))),
        Some(program) if program.is_empty() => Some(Mistake::at(key, format!("`{key}` names no program"))),
        Some(_) if argv.iter().any(|part| part.contains('\0')) => {
            Some(Mistake::at(key, format!("`{key}` has a NUL character in it")))
        }
        Some(_) => None,
    }
}

impl<'de> Deserialize<'de> for Probe {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ArgvOrHttp;
        impl<'de> Visitor<'de> for ArgvOrHttp {
            type Value = Probe;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of a program and its arguments, or a table with `url`")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Probe, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Probe::Argv)
            }
            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Probe, A::Error> {
                Http::deserialize(MapAccessDeserializer::new(table)).map(Probe::Http)
            }
        }
        from.deserialize_any(ArgvOrHttp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_a_list_or_a_table() {
        assert!(matches!(serde_json::from_str("[\"test\", \"-s\", \"/x\"]"), Ok(Probe::Argv(argv)) if argv.len() == 3));
        assert!(matches!(serde_json::from_str("{ \"url\": \"http://x/\" }"), Ok(Probe::Http(_))));
        for bad in ["\"test -s /x\"", "{ \"uri\": \"http://x/\" }", "{}", "true"] {
            assert!(serde_json::from_str::<Probe>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_and_a_status_are_checked_at_load() {
        let wrong = |text: &str| serde_json::from_str::<Probe>(text).unwrap().mistakes("http").is_some();
        assert!(!wrong("{ \"url\": \"https://x.de:8443/a?b\", \"status\": 401 }"));
        for bad in ["ftp://x/", "http://", "http:///x", "http://a b/"] {
            assert!(wrong(&format!("{{ \"url\": \"{bad}\" }}")), "{bad}");
        }
        assert!(wrong("{ \"url\": \"http://x/\", \"status\": 42 }"));
        assert!(wrong("[]") && wrong("[\"\"]") && wrong("[\"a\\u0000\"]"));
    }
}
