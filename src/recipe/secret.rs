//! `[secrets]`: from the environment, from a file, or generated once.
use super::collect::Pass;
use super::error::Mistake;
use super::load::{File, Loader};
use super::suggest::nearest;
use super::value::{Data, Entry, Taint, Value, get};
use super::{SecretsMode, vault};
use crate::system::shell_word;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What stands for a secret that is not at hand.
const UNKNOWN: &str = "(unknown)";
const WAYS: [&str; 3] = ["env", "file", "generate"];

/// How a recipe comes by a secret.
enum Way<'a> {
    Env(&'a str),
    File(&'a str),
    Generate(usize),
}

/// A secret to be generated once all is known to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) length: usize,
}

impl Loader<'_> {
    /// Returns the value of an entry of `[secrets]`.
    pub(super) fn secret(&mut self, file: &File, entry: &Entry) -> Value {
        let wrong = Value::new(Data::Wrong, entry.value.span);
        let Some(way) = self.way(file, entry) else { return wrong };
        let found = match way {
            Way::Env(name) => match (self.options.env)(name).map(OsString::into_string) {
                None => Ok(Err(format!("the environment variable `{name}` is not set"))),
                Some(Ok(text)) => Ok(Ok(text)),
                Some(Err(_)) => Err(format!("the environment variable `{name}` is not text in UTF-8")),
            },
            Way::File(path) => {
                self.secret_file(path).map(|found| found.ok_or_else(|| format!("there is no file `{path}`")))
            }
            Way::Generate(length) => {
                self.generated(file, &entry.key, length).map(|found| found.ok_or_else(String::new))
            }
        };
        let found = match found {
            Ok(found) => found,
            // Who may not read it may still plan.
            Err(why) if self.options.secrets == SecretsMode::AtHand => Err(why),
            Err(why) => {
                self.wrong_secret(file, entry, &why);
                return wrong;
            }
        };
        match found {
            Ok(text) => {
                if !text.is_empty() && !self.secrets.contains(&text) {
                    self.secrets.push(text.clone());
                }
                Value { taint: Taint { secret: true, unknown: false }, ..Value::text(text) }
            }
            Err(why) => {
                let taint = Taint { secret: true, unknown: true };
                // It is a mistake where a resource uses it, and there alone. One that is to be generated soon will be there.
                let needed = self.options.secrets == SecretsMode::Required && !why.is_empty();
                let data = if needed { Data::Absent(why) } else { Data::String(UNKNOWN.to_owned()) };
                Value { taint, ..Value::of(data) }
            }
        }
    }

    fn wrong_secret(&mut self, file: &File, entry: &Entry, why: &str) {
        let title = format!("the secret `{}` cannot be read", entry.key);
        self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(entry.value.span), title, why));
    }

    fn way<'e>(&mut self, file: &File, entry: &'e Entry) -> Option<Way<'e>> {
        let title = format!("where does the secret `{}` come from?", entry.key);
        let expected = "expected one of `{ env = \"NAME\" }`, `{ file = \"/path\" }`, `{ generate = 32 }`";
        let place = |value: &Value| file.document.place(value.span);
        let Data::Table(ways) = &entry.value.data else {
            self.mistakes.add(Pass::Rendered, Mistake::new(place(&entry.value), title, expected));
            return None;
        };
        let mut unknown = false;
        for other in ways.iter().filter(|way| !WAYS.contains(&way.key.as_str())) {
            let label = nearest(&other.key, WAYS).map(|near| format!("did you mean `{near}`?"));
            let label = label.unwrap_or_else(|| expected.to_owned());
            let title = format!("unknown key `{}` in `[secrets]`", other.key);
            self.mistakes.add(Pass::Rendered, Mistake::new(file.document.place(other.key_span), title, label));
            unknown = true;
        }
        if unknown {
            return None;
        }
        let only = (ways.len() == 1).then(|| WAYS.iter().find_map(|way| get(ways, way).map(|value| (*way, value))));
        let Some((way, value)) = only.flatten() else {
            self.mistakes.add(Pass::Rendered, Mistake::new(place(&entry.value), title, expected));
            return None;
        };
        let label = match (way, &value.data) {
            ("env", Data::String(name)) if !name.is_empty() => return Some(Way::Env(name)),
            ("file", Data::String(path)) if path.starts_with('/') => return Some(Way::File(path)),
            ("generate", Data::Integer(length)) if (8..=1024).contains(length) => {
                return Some(Way::Generate(usize::try_from(*length).unwrap_or(8)));
            }
            ("env", _) => "expected the name of an environment variable",
            ("file", _) => "expected an absolute path: a secret does not belong beside a recipe",
            _ => "expected a number of characters, 8 to 1024",
        };
        let title = format!("wrong value for `{way}` of the secret `{}`", entry.key);
        self.mistakes.add(Pass::Rendered, Mistake::new(place(value), title, label));
        None
    }

    fn secret_file(&mut self, path: &str) -> Result<Option<String>, String> {
        let kept = vault::read(Path::new(path)).map_err(|error| format!("reading `{path}`: {error}"))?;
        if kept.as_ref().is_some_and(|kept| kept.open) {
            let text = format!("the secret in `{path}` can be read by every user of this machine");
            self.warn(format!("{text}: `chmod 0600 {}`", shell_word(path)));
        }
        Ok(kept.map(|kept| kept.text))
    }

    /// Returns a generated secret; where there is none yet, it is noted as wanted.
    fn generated(&mut self, file: &File, name: &str, length: usize) -> Result<Option<String>, String> {
        let path = vault::path(&self.options.state_dir, &self.name, &kept_as(&file.document.path, file.root, name));
        let kept = vault::read(&path).map_err(|error| format!("reading `{}`: {error}", path.display()))?;
        if kept.is_none() {
            let wanted = Wanted { path, length };
            if !self.wanted.contains(&wanted) {
                self.wanted.push(wanted);
            }
        }
        Ok(kept.map(|kept| kept.text))
    }
}

/// Returns the name under which a secret is kept: the root file may move, the others are told apart by their paths.
fn kept_as(path: &str, root: bool, name: &str) -> String {
    if root { name.to_owned() } else { format!("{}:{name}", path.trim_end_matches(".toml").replace('/', ":")) }
}
