//! Finds a recipe by its name: here, then where the machine keeps them, then in the binary.
use super::files::{Directory, Embedded, Files, Unread};
use super::shipped::SHIPPED;
use super::source::unread_text;
use super::suggest::nearest;
use crate::error::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a machine keeps its recipes.
pub(super) const RECIPES: &str = "/etc/provision/recipes";

/// A recipe that was found, to be loaded.
pub struct Found {
    /// As it is shown; its last part is its name in `files`.
    pub path: PathBuf,
    /// The files of its directory.
    pub files: Box<dyn Files>,
    /// Where it was found.
    pub origin: Origin,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found").field("path", &self.path).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Found {
    /// Returns its text, as it is written.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let error = || Error::new(format!("reading `{}`", self.path.display()));
        self.files.read(&name).map_err(|unread| error().reason(unread_text(&unread)))
    }
}

/// Where a recipe was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// At the path that was given.
    Here,
    /// Below `/etc/provision/recipes`.
    Machine,
    /// In the binary.
    Binary,
    /// In a bundle.
    Bundle {
        /// Where that is.
        at: String,
        /// Its SHA-256.
        sha256: String,
        /// The name of the key that signed it; none: it was asked for by its digest.
        by: Option<String>,
    },
}

const SHIPS: &str = ", which ships with provision";
const SIGNED: &str = ", signed by the key ";

/// Returns by what a recipe can be named of which this is shown.
pub fn called(shown: &str) -> &str {
    [SHIPS, SIGNED].iter().filter_map(|said| shown.find(said)).min().map_or(shown, |end| &shown[..end])
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Here | Origin::Machine => write!(f, "{}", self.path.display()),
            Origin::Binary => write!(f, "{}{SHIPS}", self.path.display()),
            Origin::Bundle { at, sha256, by: None } => write!(f, "{at}#sha256={sha256}"),
            Origin::Bundle { at, sha256, by: Some(key) } => write!(f, "{at}#sha256={sha256}{SIGNED}`{key}`"),
        }
    }
}

/// Returns the recipe of a name or path, `.toml` being understood. A path with a slash is looked for here alone.
///
/// # Errors
/// It is nowhere; the error says where it was looked for.
pub fn find(name: &str) -> Result<Found> {
    find_in(name, Path::new(""), Path::new(RECIPES), SHIPPED)
}

fn find_in(
    name: &str,
    here: &Path,
    machine: &Path,
    shipped: &'static [(&'static str, &'static [u8])],
) -> Result<Found> {
    let complete = Path::new(name).extension().is_some_and(|extension| extension == "toml");
    let names = if complete { vec![name.to_owned()] } else { vec![name.to_owned(), format!("{name}.toml")] };
    let bare = !name.contains('/');
    let places: &[(&Path, Origin)] =
        if bare { &[(here, Origin::Here), (machine, Origin::Machine)] } else { &[(here, Origin::Here)] };
    let mut is_directory = false;
    for (directory, origin) in places {
        for name in &names {
            let path = directory.join(name);
            let (Some(parent), Some(file)) = (path.parent(), path.file_name().and_then(|file| file.to_str())) else {
                is_directory |= path.is_dir();
                continue;
            };
            let files = Directory(parent.to_path_buf());
            match files.read(file) {
                Err(Unread::Missing) => {}
                Err(Unread::NotAFile) if path.is_dir() => is_directory = true,
                Ok(_) | Err(_) => return Ok(Found { path, files: Box::new(files), origin: origin.clone() }),
            }
        }
    }
    let in_binary = names.iter().find(|name| bare && shipped.iter().any(|(path, _)| path == name));
    if let Some(name) = in_binary {
        return Ok(Found { path: name.into(), files: Box::new(Embedded(shipped)), origin: Origin::Binary });
    }
    let error = Error::new(format!("looking for the recipe `{name}`"));
    if is_directory {
        let remedy = "name a recipe, such as a `.toml` file in it";
        return Err(error.reason("it is a directory").remedy(remedy));
    }
    if !bare {
        return Err(error.reason("there is no such file"));
    }
    let known: Vec<&str> =
        shipped.iter().filter_map(|(path, _)| path.strip_suffix(".toml")).filter(|path| !path.contains('/')).collect();
    let error = error.reason(format!(
        "neither in this directory, nor in `{}`, nor among those that ship with provision",
        machine.display()
    ));
    Err(match nearest(name.trim_end_matches(".toml"), known) {
        Some(near) => error.remedy(format!("did you mean `{near}`?")),
        None => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_BINARY: &[(&str, &[u8])] = &[("eidolons.toml", b""), ("web.toml", b""), ("files/run", b"")];

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes the directories")]
    fn a_name_is_looked_for_here_then_on_the_machine_then_in_the_binary() {
        let root = tempfile::tempdir().unwrap();
        let (here, machine) = (root.path().join("here"), root.path().join("etc"));
        std::fs::create_dir(&here).unwrap();
        std::fs::create_dir(&machine).unwrap();
        let origin = |name: &str| find_in(name, &here, &machine, IN_BINARY).map(|found| found.origin);
        assert_eq!(origin("web"), Ok(Origin::Binary));
        std::fs::write(machine.join("web.toml"), "").unwrap();
        assert_eq!(origin("web.toml"), Ok(Origin::Machine));
        std::fs::write(here.join("web.toml"), "").unwrap();
        assert_eq!(origin("web"), Ok(Origin::Here));
        assert_eq!(origin("./web"), Ok(Origin::Here));
        assert!(origin("./eidolons").is_err(), "a path is a path");
    }

    #[test]
    fn a_directory_is_no_recipe_and_is_called_what_it_is() {
        for name in ["/etc", "/etc/", "/", ".", "src"] {
            let error = find_in(name, Path::new(""), Path::new("/nowhere"), IN_BINARY).unwrap_err();
            assert_eq!(error.causes, ["it is a directory"], "{name}");
        }
    }

    #[test]
    fn a_name_that_is_nowhere_says_where_it_was_looked_for() {
        let error = find_in("eidolon", Path::new("/nowhere"), Path::new("/nowhere"), IN_BINARY).unwrap_err();
        assert_eq!(error.remedy.as_deref(), Some("did you mean `eidolons`?"));
    }
}
