//! `recipes`: what ships and what the machine has, what each needs, their text, and copies to edit.
#![expect(clippy::disallowed_methods, reason = "copies for their author to edit: they are no resource of any machine")]
use super::Exit;
use super::find::find;
use super::options::Global;
use super::print::print;
use super::show::style;
use crate::error::{Error, Result};
use crate::recipe::{Listed, SHIPPED, catalog};
use crate::report;
use crate::system::Real;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Lists the recipes that ship and those in /etc/provision/recipes, with what each needs.
///
/// With `--json`, one object a line.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  provision recipes\n  provision recipes show eidolons\n  provision recipes show eidolons >mine.toml\n  provision recipes copy mine"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints a recipe as it is written: the one that `plan` would take by that name.
    #[command(
        after_help = "Examples:\n  provision recipes show eidolons\n  provision recipes show member >member.toml\n  provision recipes show recipe.schema.json >recipe.schema.json"
    )]
    Show {
        /// The recipe: a file, the name of one in /etc/provision/recipes or among those that ship, or a bundle.
        #[arg(value_name = "RECIPE")]
        recipe: String,
    },
    /// Writes the recipes that ship, with all files that they use and the schema by which editors check them, into a
    /// directory, to be edited; overwrites nothing.
    #[command(after_help = "Examples:\n  provision recipes copy mine\n  provision recipes copy /etc/provision/recipes")]
    Copy {
        /// The directory; it is made if it isn't there.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        match &self.command {
            None if global.json => print(&catalog().iter().map(line).collect::<String>())?,
            None => print(&report::catalog(&catalog(), style(global)))?,
            Some(Command::Show { recipe }) => {
                let found = find(recipe, global, &Real::new(global.state_dir.clone()))?;
                let bytes = found.bytes().map_err(Exit::Usage)?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    let error = Error::new(format!("printing `{}`", found.path.display())).reason("it is not UTF-8");
                    Exit::Usage(error.remedy("a recipe is text in UTF-8: `provision validate` says where it is not"))
                })?;
                print(&text)?;
            }
            Some(Command::Copy { directory }) => {
                copy(directory)?;
                print(&format!("wrote {} files to {}\n", SHIPPED.len(), directory.display()))?;
            }
        }
        Ok(0)
    }
}

/// Writes every file that ships below a directory; looks first whether another is in the way of any.
fn copy(directory: &Path) -> Result<(), Exit> {
    let differing = SHIPPED.iter().filter_map(|(name, bytes)| differs(&directory.join(name), bytes));
    let missing: Vec<_> = differing.collect::<Result<_>>().map_err(Exit::Usage)?;
    for (path, bytes) in missing {
        let failed = |error| Error::new(format!("writing `{}`", path.display())).because(&error);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).create(parent).map_err(failed)?;
        }
        // A file that is there under its name is whole; what a killed one left goes with the next.
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let new = path.with_file_name(format!(".{name}.new"));
        let opened = OpenOptions::new().write(true).create(true).truncate(true).open(&new);
        let written = opened.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.and_then(|()| std::fs::rename(&new, &path)).map_err(|error| {
            let _ = std::fs::remove_file(&new);
            failed(error)
        })?;
    }
    Ok(())
}

/// Returns what is to be written where no file is, nothing where the same is, and an error where another is.
fn differs<'a>(path: &Path, bytes: &'a [u8]) -> Option<Result<(PathBuf, &'a [u8])>> {
    match std::fs::read(path) {
        Ok(there) if there == bytes => None,
        Err(error) if error.kind() == ErrorKind::NotFound => Some(Ok((path.to_path_buf(), bytes))),
        read => {
            let wrong = Error::new(format!("writing `{}`", path.display()));
            Some(Err(match read {
                Ok(_) => wrong
                    .reason("another file is there, and nothing is overwritten")
                    .remedy("name another directory; nothing was written"),
                Err(error) => wrong.because(&error),
            }))
        }
    }
}

fn line(listed: &Listed) -> String {
    serde_json::to_string(listed).map(|line| line + "\n").unwrap_or_default()
}
