//! What a package has besides the binary: the pages of the manual render, and name all that `--help` does.
#[path = "../packaging/manual.rs"]
mod writer;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Returns every command that people see, with what its page is called.
fn commands() -> Vec<(String, clap::Command)> {
    fn walk(command: &clap::Command, to: &mut Vec<(String, clap::Command)>) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            walk(below, to);
        }
        to.push((name, command.clone()));
    }
    let mut command = provision::cli::command().disable_help_subcommand(true);
    command.build();
    let mut all = Vec::new();
    walk(&command, &mut all);
    all
}

fn written() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    writer::write(directory.path()).unwrap();
    directory
}

/// Returns a page as a terminal shows it, its words with one blank between them.
fn rendered(page: &Path) -> String {
    let groff =
        Command::new("groff").args(["-man", "-ww", "-Tascii", "-P-cbou", "-rLL=200n"]).arg(page).output().unwrap();
    let said = String::from_utf8_lossy(&groff.stderr).into_owned();
    assert!(groff.status.success() && said.is_empty(), "{}: {said}", page.display());
    String::from_utf8(groff.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_command_has_a_page_that_renders_without_a_warning() {
    let directory = written();
    let pages = std::fs::read_dir(directory.path().join("man")).unwrap();
    let pages: BTreeSet<String> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    let expected: BTreeSet<String> = commands().into_iter().map(|(name, _)| format!("{name}.1")).collect();
    assert_eq!(pages, expected);
    assert!(pages.contains("provision.1") && pages.contains("provision-history-show.1"), "{pages:?}");
    for page in pages {
        rendered(&directory.path().join("man").join(page));
    }
}

#[test]
fn a_page_names_each_option_each_operand_each_command_and_each_example() {
    let directory = written();
    for (name, command) in commands() {
        let text = rendered(&directory.path().join(format!("man/{name}.1")));
        let seen = |what: &str| text.contains(&what.split_whitespace().collect::<Vec<_>>().join(" "));
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let named = match arg.get_long() {
                Some(long) => format!("--{long}"),
                None => arg.get_value_names().unwrap()[0].to_string(),
            };
            assert!(seen(&named), "{name}.1 does not name {named}:\n{text}");
            // Of itself `--help` says what is longer, or shorter.
            let help = arg.get_help().filter(|_| arg.get_id() != "help").map(ToString::to_string).unwrap_or_default();
            assert!(seen(&help), "{name}.1 does not say of {named}: {help}\n{text}");
        }
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            assert!(seen(&format!("{name}-{}(1)", below.get_name())), "{name}.1: {}", below.get_name());
        }
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in after.lines().filter(|line| line.starts_with("  ")) {
            assert!(seen(line), "{name}.1 does not have the example {line}:\n{text}");
        }
    }
}

#[test]
fn the_completions_and_the_schema_of_recipes_are_written_beside() {
    let directory = written();
    for (written, source) in [
        ("completions/provision.bash", "packaging/completions/provision.bash"),
        ("completions/_provision", "packaging/completions/_provision"),
        ("completions/provision.fish", "packaging/completions/provision.fish"),
        ("recipe.schema.json", "recipes/recipe.schema.json"),
    ] {
        let text =
            |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
        assert_eq!(text(&directory.path().join(written)), text(&source), "{written}");
    }
}
