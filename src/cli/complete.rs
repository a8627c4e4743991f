//! `complete`: what may stand at the end of a command line, for the completions of shells. Not for people.
mod line;
mod value;

use super::Exit;
use super::print::print;
use line::Line;
use std::ffi::OsString;

/// Says what may stand at the cursor: first what the shell adds of its own, then a candidate a line, a tab, what it is.
///
/// Reads only. What can't be told is left out.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The words after `provision`; the last is the one at the cursor as far as it is typed, perhaps empty.
    #[arg(last = true, value_name = "WORD")]
    words: Vec<OsString>,
}

/// What may stand there.
#[derive(Debug, Default)]
struct Next {
    /// What the shell adds of its own.
    paths: Paths,
    /// Each with what it is.
    candidates: Vec<(String, String)>,
}

/// Names of files, which every shell completes and quotes in its own way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Paths {
    #[default]
    None,
    Files,
    Directories,
    Recipes,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self) -> Result<i32, Exit> {
        let words: Vec<String> = self.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let (typed, before) = words.split_last().map_or(("", &[][..]), |(typed, before)| (typed.as_str(), before));
        let mut command = super::command();
        command.build();
        let Next { paths, mut candidates } = Line::read(&command, before).next(typed);
        // A line each: nothing that a recipe or a ledger holds may be more than one.
        candidates.retain(|(word, _)| word.starts_with(typed) && !word.contains(char::is_control));
        let paths = match paths {
            Paths::None => "none",
            Paths::Files => "files",
            Paths::Directories => "directories",
            Paths::Recipes => "recipes",
        };
        let lines = candidates.iter().map(|(word, what)| {
            let what = what.split(char::is_control).next().unwrap_or_default();
            format!("{word}\t{what}\n")
        });
        print(&format!("{paths}\n{}", lines.collect::<String>()))?;
        Ok(0)
    }
}
