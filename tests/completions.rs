//! Completions, asked of the shells themselves: bash and zsh on a terminal where somebody presses Tab, fish by what it would show.
use crate::support::place::Place;
use crate::support::pty::{On, Pty};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const RECIPE: &str = "name = \"web\"\ntitle = \"The web server\"\n[vars]\nport = 80\n\
                      [[file]]\npath = \"ROOT/motd\"\ncontent = \"{{ port }}\\n\"\n\
                      [[gate]]\nname = \"account\"\ninstructions = \"make it\"\n\
                      [[include]]\nlane = \"CT7\"\nrecipe = \"part.toml\"\nvars = { root = \"ROOT\" }\n";
const PART: &str = "needs = [\"root\"]\n[[file]]\npath = \"{{ root }}/issue\"\ncontent = \"hi\\n\"\n";

/// Returns a machine on which the recipe was applied once, and the reference of that run.
fn applied() -> (Place, String) {
    let place = Place::new(RECIPE);
    fs::write(place.root().join("part.toml"), PART).unwrap();
    let apply = place.run(&["apply", "web.toml"]);
    assert_eq!(apply.code, 3, "{apply:?}");
    let history = place.run(&["history", "--json"]);
    let run: serde_json::Value = serde_json::from_str(history.stdout.trim()).unwrap();
    (place, run["run"].as_str().unwrap().to_owned())
}

/// What is typed, and what stands on the line once Tab was pressed; a blank at its end is part of it.
fn cases(reference: &str, root: &Path) -> Vec<(String, String)> {
    let of = |typed: &str, whole: &str| (format!("provision {typed}"), format!("provision {whole}"));
    let state =
        |typed: &str, whole: &str| of(&format!("--state-dir state {typed}"), &format!("--state-dir state {whole}"));
    let motd = format!("host/file:{}/motd", root.display());
    vec![
        of("pl", "plan "),
        of("ledger v", "ledger verify "),
        of("apply --pru", "apply --prune "),
        of("plan --color al", "plan --color always "),
        of("plan we", "plan web.toml "),
        of("plan eidolo", "plan eidolons "),
        of("recipes show mem", "recipes show member "),
        of("plan web.toml --var po", "plan web.toml --var port="),
        of("plan web.toml --only host/gate:", "plan web.toml --only host/gate:account "),
        of("plan web.toml --only 'host/gate:", "plan web.toml --only 'host/gate:account' "),
        of("plan web.toml --only=host/gate:", "plan web.toml --only=host/gate:account "),
        of("apply web.toml --adopt host/fi", &format!("apply web.toml --adopt host/file:{}/", root.display())),
        of(&format!("apply web.toml --only {}", &motd[..motd.len() - 2]), &format!("apply web.toml --only {motd} ")),
        of("apply web.toml --only gat", "apply web.toml --only gate:account "),
        state("ack gate:", "ack gate:account "),
        state("ack ho", "ack host/gate:account "),
        state("history show PRO", &format!("history show {reference} ")),
        state("history --lane C", "history --lane CT7 "),
        state("history show last --lane=C", "history show last --lane=CT7 "),
        of("init --state-dir sta", "init --state-dir state/"),
        of("import 201 --into par", "import 201 --into part.toml "),
    ]
}

fn scripts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/completions")
}

/// A shell that finds this provision and no configuration of anybody.
fn shell(program: &str, place: &Place) -> Command {
    let mut shell = Command::new(program);
    let binaries = Path::new(env!("CARGO_BIN_EXE_provision")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let root = place.root();
    shell.env("PATH", path).env("HOME", root.join("home")).env("TERM", "xterm").env("INPUTRC", "/dev/null");
    shell.env("LC_ALL", "C.UTF-8").env("PS1", "> ").env_remove("ZDOTDIR").env_remove("HISTFILE").current_dir(root);
    shell
}

/// Types each case, presses Tab and looks at what then stands there.
fn completes_on_a_terminal(shell: &Command, setup: &str, place: &Place, reference: &str) {
    let mut terminal = Pty::start(shell, 250, 50, On::Both);
    terminal.types(&format!("{setup}; PS1='ready: '\n"));
    terminal.until(|screen| screen.contents().trim_end().ends_with("\nready:"));
    for (typed, whole) in cases(reference, place.root()) {
        terminal.types("\x15\x0c");
        terminal.until(|screen| screen.contents().trim_end() == "ready:");
        terminal.types(&typed);
        terminal.until(|screen| screen.contents().contains(&typed));
        terminal.types("\t");
        let line = format!("ready: {whole}");
        // The cursor tells whether there is a blank.
        let column = u16::try_from(line.len()).unwrap();
        terminal.until(|screen| {
            let shown = screen.contents();
            shown.lines().next().is_some_and(|shown| shown.trim_end() == line.trim_end())
                && screen.cursor_position() == (0, column)
        });
    }
    terminal.types("\x15exit\n");
    terminal.end();
}

#[test]
fn bash_completes_commands_options_recipes_variables_ids_lanes_and_references() {
    let (place, reference) = applied();
    let mut bash = shell("bash", &place);
    bash.args(["--norc", "--noprofile", "-i"]);
    let source = format!("source {}", scripts().join("provision.bash").display());
    completes_on_a_terminal(&bash, &source, &place, &reference);
}

#[test]
fn zsh_completes_commands_options_recipes_variables_ids_lanes_and_references() {
    let (place, reference) = applied();
    let mut zsh = shell("zsh", &place);
    zsh.args(["-f", "-i"]);
    let setup = format!("fpath=({} $fpath); autoload -Uz compinit; compinit -u -D", scripts().display());
    completes_on_a_terminal(&zsh, &setup, &place, &reference);
}

#[test]
fn fish_completes_commands_options_recipes_variables_ids_lanes_and_references() {
    let (place, reference) = applied();
    let source = scripts().join("provision.fish");
    for (typed, whole) in cases(&reference, place.root()) {
        let mut fish = shell("fish", &place);
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(&source).arg(&typed);
        let output = fish.output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        let words: BTreeSet<&str> = shown.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let wanted = whole.trim_end().rsplit(' ').next().unwrap().trim_matches('\'');
        assert!(!words.is_empty(), "{typed}: {}", String::from_utf8_lossy(&output.stderr));
        // Where several go on from there, fish shows them all.
        assert!(words.iter().all(|word| word.starts_with(wanted)), "{typed}: {words:?}");
        assert!(!whole.ends_with(' ') || words == BTreeSet::from([wanted]), "{typed}: {words:?}");
    }
}

/// Returns what the binary says may stand after these words: the first line, and each candidate with what it is.
fn said(place: &Place, words: &[&str]) -> (String, Vec<(String, String)>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provision"));
    let output = command.args(["complete", "--"]).args(words).current_dir(place.root()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let first = lines.next().unwrap().to_owned();
    let candidates = lines.map(|line| line.split_once('\t').unwrap());
    (first, candidates.map(|(word, what)| (word.to_owned(), what.to_owned())).collect())
}

#[test]
fn each_command_and_each_option_is_offered_with_what_it_does() {
    fn look(place: &Place, command: &clap::Command, words: &[&str]) {
        let offered = |typed: &str| -> BTreeSet<String> {
            let (_, candidates) = said(place, &[words, &[typed]].concat());
            let (names, what): (Vec<_>, Vec<_>) = candidates.into_iter().unzip();
            assert!(typed.is_empty() || what.iter().all(|what| !what.is_empty()), "{words:?}: {names:?} {what:?}");
            names.into_iter().collect()
        };
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let options: BTreeSet<String> =
            shown.filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")).collect();
        assert_eq!(offered("--"), options, "{words:?}");
        let first = offered("");
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            assert!(first.contains(below.get_name()), "{words:?}: {}", below.get_name());
            look(place, below, &[words, &[below.get_name()]].concat());
        }
        assert!(!first.contains("agent") && !first.contains("complete"), "{first:?}");
    }
    let mut command = provision::cli::command();
    command.build();
    look(&Place::new(RECIPE), &command, &[]);
}

#[test]
fn what_cannot_be_told_is_left_out_and_said_to_nobody() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = 7\nmoed = 1\n");
    let none = || ("none".to_owned(), Vec::new());
    for words in [
        &["plan", "web.toml", "--only", ""][..],
        &["plan", "nowhere.toml", "--adopt", ""],
        &["plan", "web.toml", "more", ""],
        &["no-such-command", "x", ""],
        &["plan", "--no-such=", ""],
        &["plan", "--no-such="],
        &["history", "--state-dir", "/proc/self/mem", "show", "x", "y"],
        &["ack", "--state-dir", "/nowhere", ""],
        &["enter", "201", "--", ""],
    ] {
        let (paths, candidates) = said(&place, words);
        let recipes = paths == "recipes";
        assert!(recipes || (paths, candidates) == none(), "{words:?}");
    }
    assert_eq!(said(&place, &["plan", ""]).0, "recipes");
    let all: Vec<String> =
        fs::read_dir(place.root()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(all, ["web.toml"], "nothing is written");
}

#[test]
fn a_name_with_a_line_feed_is_no_candidate() {
    let place = Place::new("name = \"web\"\n[vars]\n\"a\\nb\" = 1\nc = 2\n");
    let (_, candidates) = said(&place, &["plan", "web.toml", "--var", ""]);
    let words: Vec<&str> = candidates.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["c="]);
}
