//! The configuration of a machine: where its metrics go, and what runs after a failure or drift. What is wrong with it is
//! shown as with a recipe.
use super::collect::{Collector, Pass};
use super::document::listed;
use super::error::{Mistake, Mistakes, Place, Source};
use super::suggest::nearest;
use super::syntax;
use super::value::{Data, Entry, Span, Value, get};
use crate::field::{AbsPath, Field, Period};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The keys of the file.
const KEYS: [&str; 2] = ["metrics", "hook"];
/// The keys of its `[hook]`.
const HOOK: [&str; 2] = ["argv", "timeout"];
/// How long a hook may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What a machine's `config.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The directory in which each recipe's metrics are written; none: one in the state directory.
    pub metrics: Option<PathBuf>,
    /// What runs after an apply that failed or found drift.
    pub hook: Option<Hook>,
}

/// A program that is told of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// It is ended after this.
    pub timeout: Duration,
}

impl Config {
    /// Reads the text of a file that is shown by this name.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(name: &str, text: String) -> Result<Self, Mistakes> {
        let source = Arc::new(Source::new(name.to_owned(), text, 0));
        let (entries, broken) = syntax::parse(&source.text);
        let mut reader = Reader { source, mistakes: Collector::default() };
        for wrong in broken {
            reader.add(wrong.span, wrong.title, wrong.label);
        }
        reader.known(&entries, &KEYS, "a configuration has");
        let config = Self {
            metrics: reader.field::<AbsPath>(&entries, "metrics").map(|path| path.0.into()),
            hook: reader.hook(&entries),
        };
        reader.mistakes.finish().map_or(Ok(config), Err)
    }
}

struct Reader {
    source: Arc<Source>,
    mistakes: Collector,
}

impl Reader {
    fn add(&mut self, span: Span, title: impl Into<String>, label: impl Into<String>) {
        let place = Place { source: self.source.clone(), span };
        self.mistakes.add(Pass::Written, Mistake::new(place, title, label));
    }

    /// Reports the keys that are none of these.
    fn known(&mut self, entries: &[Entry], keys: &[&str], has: &str) {
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let label = match nearest(&entry.key, keys.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{has} {}", listed(keys)),
            };
            self.add(entry.key_span, format!("unknown key `{}`", entry.key), label);
        }
    }

    fn field<T: Field>(&mut self, entries: &[Entry], key: &str) -> Option<T> {
        let value = get(entries, key)?;
        let read = match &value.data {
            Data::String(text) => T::from_text(text),
            Data::Integer(number) => T::from_number(*number),
            _ => Err(format!("expected {}, found {}", T::EXPECTED, value.kind())),
        };
        read.map_err(|why| self.add(value.span, format!("`{key}` is wrong"), why)).ok()
    }

    fn hook(&mut self, entries: &[Entry]) -> Option<Hook> {
        let value = get(entries, "hook")?;
        let Data::Table(fields) = &value.data else {
            let label = format!("expected a table with `argv`, found {}", value.kind());
            self.add(value.span, "`hook` is wrong", label);
            return None;
        };
        self.known(fields, &HOOK, "a hook has");
        let timeout = self.field::<Period>(fields, "timeout").map_or(TIMEOUT, |Period(timeout)| timeout);
        let Some(argv) = get(fields, "argv") else {
            self.add(value.span, "missing key `argv` in [hook]", "the program and its arguments, as a list");
            return None;
        };
        let argv = self.argv(argv)?;
        Some(Hook { argv, timeout })
    }

    fn argv(&mut self, value: &Value) -> Option<Vec<String>> {
        let words: Option<Vec<String>> = match &value.data {
            Data::List(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let is_program = |words: &Vec<String>| {
            words.first().is_some_and(|program| !program.is_empty()) && words.iter().all(|word| !word.contains('\0'))
        };
        let words = words.filter(is_program);
        if words.is_none() {
            self.add(value.span, "`argv` is wrong", "expected a list of strings: the program and its arguments");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_where_metrics_go_and_what_runs() {
        let text = "metrics = \"/srv/metrics/\"\n[hook]\nargv = [\"notify\", \"ops\"]\ntimeout = \"5s\"\n";
        let hook = Hook { argv: vec!["notify".into(), "ops".into()], timeout: Duration::from_secs(5) };
        let expected = Config { metrics: Some("/srv/metrics".into()), hook: Some(hook) };
        assert_eq!(Config::read("config.toml", text.into()), Ok(expected));
        assert_eq!(Config::read("config.toml", String::new()), Ok(Config::default()));
    }

    #[test]
    fn every_mistake_has_its_line_and_a_caret() {
        let text = "metrisc = \"/srv\"\n[hook]\nargv = \"notify\"\ntimeout = \"soon\"\nshell = true\n";
        let wrong = Config::read("/etc/provision/config.toml", text.into()).unwrap_err().render(false);
        for expected in [
            "error: unknown key `metrisc`\n  ┌─ /etc/provision/config.toml:1:1\n1 │ metrisc = \"/srv\"\n  │ ^^^^^^^ did you mean `metrics`?\n",
            "config.toml:3:8\n3 │ argv = \"notify\"\n  │        ^^^^^^^^ expected a list of strings: the program and its arguments\n",
            "config.toml:4:11\n",
            "`soon` is not a time",
            "error: unknown key `shell`\n",
        ] {
            assert!(wrong.contains(expected), "{expected}\n{wrong}");
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        for (text, expected) in [
            ("metrics = 3\n", "`3` is not an absolute path"),
            ("metrics = true\n", "expected an absolute path, found a boolean"),
            ("metrics = \"metrics\"\n", "is not an absolute path"),
            ("hook = \"notify\"\n", "expected a table with `argv`, found a string"),
            ("[hook]\ntimeout = \"1m\"\n", "missing key `argv` in [hook]"),
            ("[hook]\nargv = []\n", "expected a list of strings"),
            ("[hook]\nargv = [1]\n", "expected a list of strings"),
            ("[hook]\nargv = [\"\"]\n", "expected a list of strings"),
            ("[hook\nargv = [\"true\"]\n", "not TOML"),
        ] {
            let wrong = Config::read("config.toml", text.into()).map_err(|mistakes| mistakes.render(false));
            assert!(wrong.as_ref().is_err_and(|wrong| wrong.contains(expected)), "{text}: {wrong:?}");
        }
    }
}
