//! `import`: the recipe of a container that somebody made by hand.
use super::Exit;
use super::facts;
use super::init::name;
use super::options::Global;
use super::print::{print, warn};
use super::session::items;
use crate::container::{What, driver};
use crate::error::{Attempt as _, Error};
use crate::item::Item;
use crate::recipe::{self, Directory, Files, Options, Recipe, SecretsMode, Unread};
use crate::resource::{Imported, imported};
use crate::system::{FileKind, NewFile, Real, Stat, System as _, shell_word};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Writes the recipe of containers that are there: what a plan then shows is empty, once they are adopted.
///
/// Nothing is changed but FILE. What a recipe cannot say of a container is in comments, and on stderr.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision import 201\n  provision import 201 202 --into web.toml\n  \
                        provision apply web.toml --adopt 201")]
pub(super) struct Args {
    /// The containers' ids.
    #[arg(value_name = "ID", required = true, value_parser = clap::value_parser!(u32).range(100..=999_999_999))]
    ids: Vec<u32>,
    /// A recipe to which they are added; it is made where it is not there. Without it the recipe is printed.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let twice = |(n, id): &(usize, &u32)| self.ids[..*n].contains(id);
        if let Some((_, id)) = self.ids.iter().enumerate().find(twice) {
            return Err(Exit::Usage(Error::new("reading the ids").reason(format!("`{id}` is named twice"))));
        }
        // All or none.
        let mut notes = Vec::new();
        let mut tables = Vec::new();
        for id in &self.ids {
            let imported = import(&sys, *id)?;
            notes.extend(imported.notes.iter().map(|note| format!("container {id}: a recipe does not say: {note}")));
            tables.push(imported.table);
        }
        let tables = tables.join("\n");
        match &self.into {
            None => print(&format!("name = \"{}\"\n\n{tables}", self.name()))?,
            Some(file) => {
                Target::open(&sys, file)?.add(global, &self.ids, &tables)?;
                let shown = file.display();
                let adopt: Vec<String> = self.ids.iter().map(|id| format!("--adopt {id}")).collect();
                let adopt = adopt.join(" ");
                let them = if self.ids.len() > 1 { "them" } else { "it" };
                let typed = file.to_string_lossy();
                let apply = format!("provision apply {} {adopt}", shell_word(&typed));
                print(&format!("wrote {shown}; `{apply}` takes {them} over\n"))?;
            }
        }
        for note in &notes {
            warn(note);
        }
        Ok(0)
    }

    /// The name of a recipe that is printed.
    fn name(&self) -> String {
        match self.ids.as_slice() {
            [.., last] if self.ids.len() > 1 => format!("ct{}-ct{last}", self.ids[0]),
            _ => format!("ct{}", self.ids[0]),
        }
    }
}

fn import(sys: &Real, id: u32) -> Result<Imported, Exit> {
    let driver = driver(sys)?;
    let attempt = || Error::new(format!("importing container {id}"));
    let Some(found) = driver.found(sys, id)? else {
        return Err(Exit::Usage(attempt().reason("there is no such container on this host")));
    };
    let beyond = if found.what == What::Container { driver.beyond(sys, id)? } else { Vec::new() };
    imported(id, &found, beyond).map_err(Exit::Usage)
}

/// A recipe to which containers are added, or that is made.
struct Target<'a> {
    sys: &'a Real,
    /// As it was given.
    file: &'a Path,
    path: PathBuf,
    /// What was in it.
    before: Option<(Stat, Vec<u8>)>,
}

impl<'a> Target<'a> {
    fn open(sys: &'a Real, file: &'a Path) -> Result<Self, Exit> {
        let attempt = || format!("reading `{}`", file.display());
        let path = std::path::absolute(file).attempt(attempt)?;
        let before = match sys.lstat(&path).attempt(attempt)? {
            None => None,
            Some(stat) if stat.kind == FileKind::File => Some((stat, sys.read(&path).attempt(attempt)?)),
            Some(stat) => {
                let is = if stat.kind == FileKind::Link { "a link" } else { "no file" };
                let wrong = Error::new(attempt()).reason(format!("it is {is}"));
                return Err(Exit::Usage(wrong.remedy("name the recipe itself, or a file that is not there yet")));
            }
        };
        Ok(Self { sys, file, path, before })
    }

    /// Adds the containers after what is there. The whole is right as a recipe before it is written.
    fn add(&self, global: &Global, ids: &[u32], tables: &str) -> Result<(), Exit> {
        let mut text = match &self.before {
            Some((_, bytes)) => {
                let before = self.load(global, bytes.clone())?;
                ids.iter().try_for_each(|id| self.is_new(&before, *id))?;
                String::from_utf8_lossy(bytes).into_owned()
            }
            None => format!("name = \"{}\"\n", name(self.file)),
        };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text = format!("{text}\n{tables}");
        self.load(global, text.clone().into_bytes())?;
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let (uid, gid, mode) =
            self.before.as_ref().map_or((uid, gid, 0o644), |(stat, _)| (stat.uid, stat.gid, stat.mode));
        let new = NewFile { content: text.as_bytes(), uid, gid, mode };
        Ok(self.sys.write(&self.path, &new, &|_| self.is_as_it_was())?)
    }

    /// Somebody may write it in the meantime.
    fn is_as_it_was(&self) -> Result<(), Error> {
        let now = match self.sys.read(&self.path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).attempt(|| format!("reading `{}`", self.file.display())),
        };
        if now.as_ref() == self.before.as_ref().map(|(_, bytes)| bytes) {
            return Ok(());
        }
        Err(Error::new(format!("writing `{}`", self.file.display()))
            .reason("somebody has written it meanwhile")
            .remedy("run this again"))
    }

    fn is_new(&self, recipe: &Recipe, id: u32) -> Result<(), Exit> {
        let name = id.to_string();
        let is_same = |item: &&Item| item.job.kind == "container" && item.resource.names().contains(&name);
        let Some(item) = items(&recipe.stages).find(is_same) else { return Ok(()) };
        Err(Exit::Usage(
            Error::new(format!("importing container {id} into `{}`", self.file.display()))
                .reason(format!("it has host/container:{id} already ({})", item.job.place))
                .remedy("import it into another file, or print it: `--into` changes nothing that is there"),
        ))
    }

    fn load(&self, global: &Global, bytes: Vec<u8>) -> Result<Recipe, Exit> {
        let (directory, name) = (self.path.parent().unwrap_or(Path::new("/")), self.path.file_name());
        let name = name.unwrap_or_default().to_string_lossy().into_owned();
        let files = With { directory: Directory(directory.to_owned()), name, bytes };
        #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
        let env = |name: &str| std::env::var_os(name);
        let options = Options {
            vars: Vec::new(),
            facts: facts::read(self.sys),
            env: &env,
            secrets: SecretsMode::AtHand,
            state_dir: global.state_dir.clone(),
            key: String::new(),
        };
        Ok(recipe::load(self.file, &files, &options)?)
    }
}

/// A recipe's directory with one file as it is going to be.
struct With {
    directory: Directory,
    name: String,
    bytes: Vec<u8>,
}

impl Files for With {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        if path == self.name { Ok(self.bytes.clone()) } else { self.directory.read(path) }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        self.directory.names(directory)
    }
}
