//! `cargo run --example manual -- DIR`: writes what a package has besides the binary, from the same source as `--help`.
//!
//! Into DIR: `man/*.1`, a page for `provision` and one for each of its commands; `completions/` for bash, zsh and fish;
//! `units/`, for systemd; `recipe.schema.json`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "no part of provision: it writes its files itself, and says why it can't"
)]
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};
use std::io::{Error, Result, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is as it is checked in.
const OTHERS: [(&str, &str); 4] = [
    ("completions/provision.bash", include_str!("completions/provision.bash")),
    ("completions/_provision", include_str!("completions/_provision")),
    ("completions/provision.fish", include_str!("completions/provision.fish")),
    ("recipe.schema.json", include_str!("../recipes/recipe.schema.json")),
];

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [directory] = arguments.as_slice() else {
        eprintln!("usage: cargo run --example manual -- DIR");
        return ExitCode::from(2);
    };
    match write(directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes all of it.
pub(crate) fn write(directory: &Path) -> Result<()> {
    let mut command = provision::cli::command().disable_help_subcommand(true);
    command.build();
    pages(&command, &directory.join("man"))?;
    let units = provision::schedule::templates();
    units.iter().try_for_each(|(name, text)| file(&directory.join("units").join(name), text.as_bytes()))?;
    OTHERS.iter().try_for_each(|(name, text)| file(&directory.join(name), text.as_bytes()))
}

/// Writes the page of a command and those of the commands below it.
fn pages(command: &clap::Command, directory: &Path) -> Result<()> {
    file(&directory.join(format!("{}.1", name(command))), &page(command)?)?;
    command.get_subcommands().filter(|below| !below.is_hide_set()).try_for_each(|below| pages(below, directory))
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let version = format!("provision {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(version).manual("provision");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        after_help(&text.to_string()).to_writer(&mut page)?;
    }
    see_also(command).to_writer(&mut page)?;
    Ok(page)
}

/// Makes a section of each paragraph; one with lines of its own keeps them.
fn after_help(text: &str) -> Roff {
    let mut roff = Roff::default();
    for paragraph in text.split("\n\n") {
        let (heading, rest) = paragraph.split_once(':').unwrap_or(("Notes", paragraph));
        roff.control("SH", [heading.to_uppercase().as_str()]);
        let lines = rest.strip_prefix('\n');
        if lines.is_some() {
            roff.control("EX", []);
        }
        for line in lines.unwrap_or(rest).lines() {
            roff.text([roman(line.trim())]);
        }
        if lines.is_some() {
            roff.control("EE", []);
        }
    }
    roff
}

fn see_also(command: &clap::Command) -> Roff {
    let name = name(command);
    let above = name.rsplit_once('-').map(|(above, _)| above.to_owned());
    let below = command.get_subcommands().filter(|below| !below.is_hide_set()).map(self::name);
    let pages: Vec<String> = above.into_iter().chain(below).collect();
    let mut roff = Roff::default();
    if pages.is_empty() {
        return roff;
    }
    roff.control("SH", ["SEE ALSO"]);
    let last = pages.len() - 1;
    let named = pages.into_iter().enumerate().flat_map(|(number, page)| -> [Inline; 2] {
        [bold(page), roman(if number == last { "(1)" } else { "(1), " })]
    });
    roff.text(named.collect::<Vec<_>>());
    roff
}

fn name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn file(path: &Path, content: &[u8]) -> Result<()> {
    let named = |error: Error| Error::new(error.kind(), format!("writing `{}`: {error}", path.display()));
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(named)?;
    std::fs::File::create(path).and_then(|mut file| file.write_all(content)).map_err(named)
}
