//! `recipes`: what ships and what the machine has, what each needs, and their text.
use super::Exit;
use super::options::Global;
use super::print::print;
use super::show::style;
use crate::error::{Error, Result};
use crate::recipe::{self, Listed, catalog};
use crate::report;

/// Lists the recipes that ship and those in /etc/provision/recipes, with what each needs.
///
/// With `--json`, one object a line.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  provision recipes\n  provision recipes show eidolons\n  provision recipes show eidolons >mine.toml"
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Prints a recipe as it is written: the one that `plan` would take by that name.
    #[command(
        after_help = "Examples:\n  provision recipes show eidolons\n  provision recipes show member >member.toml"
    )]
    Show {
        /// The recipe: a file, or the name of one in /etc/provision/recipes or among those that ship.
        #[arg(value_name = "RECIPE")]
        recipe: String,
    },
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        match &self.command {
            None if global.json => print(&catalog().iter().map(line).collect::<String>())?,
            None => print(&report::catalog(&catalog(), style(global)))?,
            Some(Command::Show { recipe }) => {
                let found = recipe::find(recipe).map_err(Exit::Usage)?;
                let bytes = found.bytes().map_err(Exit::Usage)?;
                let text = String::from_utf8(bytes).map_err(|_| {
                    let error = Error::new(format!("printing `{}`", found.path.display())).reason("it is not UTF-8");
                    Exit::Usage(error.remedy("a recipe is text in UTF-8: `provision validate` says where it is not"))
                })?;
                print(&text)?;
            }
        }
        Ok(0)
    }
}

fn line(listed: &Listed) -> String {
    serde_json::to_string(listed).map(|line| line + "\n").unwrap_or_default()
}
