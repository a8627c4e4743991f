//! `init`: a commented recipe to start from.
#![expect(clippy::disallowed_methods, reason = "a file for its author to edit: it is no resource of any machine")]
use super::Exit;
use super::print::print;
use crate::error::Error;
use crate::system::shell_word;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// What is written; `NAME` is the recipe's name.
const RECIPE: &str = include_str!("init.toml");

/// Writes a commented recipe to start from. It is right as it is, and overwrites nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision init\n  provision init web.toml\n  provision init - | less")]
pub(super) struct Args {
    /// Where to write it; `-` prints it.
    #[arg(value_name = "FILE", default_value = "recipe.toml")]
    file: PathBuf,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self) -> Result<i32, Exit> {
        if self.file == Path::new("-") {
            print(&RECIPE.replace("NAME", "hello"))?;
            return Ok(0);
        }
        let text = RECIPE.replace("NAME", &name(&self.file));
        let shown = self.file.display();
        let opened = OpenOptions::new().write(true).create_new(true).open(&self.file);
        let mut file = opened.map_err(|error| {
            let wrong = Error::new(format!("writing `{shown}`"));
            Exit::Usage(match error.kind() {
                ErrorKind::AlreadyExists => {
                    let remedy = "name another file; `provision init -` prints the recipe";
                    wrong.reason("it is there already, and nothing is overwritten").remedy(remedy)
                }
                ErrorKind::NotFound => wrong.because(&error).remedy("make its directory first"),
                _ => wrong.because(&error),
            })
        })?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
            // Half a recipe is none.
            let _ = std::fs::remove_file(&self.file);
            Error::new(format!("writing `{shown}`")).because(&error)
        })?;
        let typed = self.file.to_string_lossy();
        print(&format!("wrote {shown}; `provision plan {}` shows what it would do\n", shell_word(&typed)))?;
        Ok(0)
    }
}

/// Returns the name of the recipe in a file: that of the file, as far as it can be one.
pub(super) fn name(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let name: String = stem.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let name: String = name.trim_start_matches(['.', '_', '-']).chars().take(64).collect();
    if name.is_empty() || name == "recipe" { "hello".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_is_named_for_its_file_where_that_can_be_a_name() {
        for (file, expected) in [
            ("web.toml", "web"),
            ("/srv/Web Server.toml", "web-server"),
            ("recipe.toml", "hello"),
            (".toml", "toml"),
            ("--", "hello"),
            ("über.toml", "ber"),
        ] {
            assert_eq!(name(Path::new(file)), expected, "{file}");
        }
    }
}
