//! What follows an apply: its metrics, and the hook that the configuration names; by the real program.
use crate::support::place::{Place, Ran, wait_for};
use crate::support::pty::{On, Pty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

const FILE: &str = "name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"hello\\n\"\n";
const FAILS: &str = "[[command]]\nname = \"break\"\nargv = [\"false\"]\nonce = true\n";
const METRICS: &str = "state/metrics/provision-web.prom";

/// Samples by their names and labels, read as the text format 0.0.4 has them: everything that is not of it panics.
fn samples(text: &str) -> BTreeMap<String, String> {
    let (mut samples, mut families) = (BTreeMap::new(), BTreeSet::new());
    let mut family = "";
    assert!(text.ends_with('\n'), "the last line ends");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(families.insert(name) && !words.is_empty(), "{line}: a family is told once");
            assert_eq!(lines.next(), Some(&*format!("# TYPE {name} gauge")), "TYPE follows HELP");
            family = name;
            continue;
        }
        let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("{line}: has labels"));
        assert_eq!(name, family, "samples stand together below their family");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
        let (labels, rest) = labels(rest);
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}: a space before the value"));
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}: a number");
        let before = samples.insert(format!("{name} {}", labels.join(" ")), value.to_owned());
        assert!(before.is_none(), "{line}: stands twice");
    }
    samples
}

/// Reads `name="value",…}` and returns what comes after it.
fn labels(mut text: &str) -> (Vec<String>, &str) {
    let mut labels = Vec::new();
    loop {
        let (name, rest) = text.split_once("=\"").unwrap();
        let (mut value, mut chars) = (String::new(), rest.char_indices());
        let end = loop {
            match chars.next().unwrap() {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next().unwrap().1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    other => panic!("\\{other} is no escape"),
                }),
                (_, c) => value.push(c),
            }
        };
        labels.push(format!("{name}={value}"));
        text = &rest[end + 1..];
        match text.strip_prefix(',') {
            Some(more) => text = more,
            None => return (labels, text.strip_prefix('}').unwrap()),
        }
    }
}

fn measured(place: &Place) -> BTreeMap<String, String> {
    samples(&fs::read_to_string(place.root().join(METRICS)).unwrap())
}

fn resources(place: &Place, lane: &str, outcome: &str) -> String {
    measured(place)[&format!("provision_resources recipe=web lane={lane} outcome={outcome}")].clone()
}

fn changed_and_converged(place: &Place) -> String {
    format!("{} {}", resources(place, "host", "changed"), resources(place, "host", "converged"))
}

/// Has the hook write down what it is told.
fn hook(place: &Place) -> String {
    let root = place.root().display();
    let script = place.root().join("hook.sh");
    fs::write(&script, format!("env | grep ^PROVISION_ | sort >{root}/told; cat >>{root}/told\n")).unwrap();
    let config = place.root().join("config.toml");
    fs::write(&config, format!("[hook]\nargv = [\"sh\", \"{root}/hook.sh\"]\n")).unwrap();
    config.display().to_string()
}

fn told(place: &Place) -> Option<String> {
    let path = place.root().join("told");
    let told = fs::read_to_string(&path).ok()?;
    fs::remove_file(path).unwrap();
    Some(told.replace(&place.root().display().to_string(), "ROOT"))
}

#[test]
fn an_apply_leaves_what_it_came_to_as_metrics() {
    let place = Place::new(FILE);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(changed_and_converged(&place), "1 0");
    assert_eq!(measured(&place)["provision_drift_resources recipe=web lane=host"], "0", "what is new has not drifted");
    let mode = fs::metadata(place.root().join(METRICS)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
    fs::write(place.root().join("motd"), "other\n").unwrap();
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(measured(&place)["provision_drift_resources recipe=web lane=host"], "1");
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(changed_and_converged(&place), "0 1");
    let all = measured(&place);
    assert_eq!(all["provision_drift_resources recipe=web lane=host"], "0");
    assert_eq!(all["provision_last_run_exit_code recipe=web"], "0");
    assert_eq!(all["provision_last_run_completed recipe=web"], "1");
    let number = |name: &str| all[name].parse::<f64>().unwrap();
    assert!(number("provision_last_run_timestamp_seconds recipe=web") > 1.7e9);
    assert!(number("provision_last_run_duration_seconds recipe=web") > 0.0);
    assert!(number("provision_lane_duration_seconds recipe=web lane=host") >= 0.0);
    let around: Vec<_> = fs::read_dir(place.root().join("state/metrics")).unwrap().collect();
    assert_eq!(around.len(), 1, "nothing is left beside it: {around:?}");
}

#[test]
fn a_run_that_cannot_begin_says_so_in_place_of_the_metrics_of_the_one_before() {
    let place = Place::new(FILE);
    let unfinished = |code: i32| {
        let all = measured(&place);
        let names: Vec<&str> = all.keys().filter_map(|key| key.strip_suffix(" recipe=web")).collect();
        let expected = ["completed", "exit_code", "timestamp_seconds"].map(|name| format!("provision_last_run_{name}"));
        assert_eq!(names, expected, "of lanes and resources nothing is known");
        assert_eq!(all["provision_last_run_completed recipe=web"], "0");
        assert_eq!(all["provision_last_run_exit_code recipe=web"], code.to_string());
        all["provision_last_run_timestamp_seconds recipe=web"].parse::<f64>().unwrap()
    };
    place.recipe("name = \"web\"\n[[file]]\n");
    assert_eq!(place.run(&["apply", "web.toml"]).code, 2);
    assert!(!place.root().join("state").exists(), "where nothing says that all is well nothing is made");
    place.recipe(FILE);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    let before = measured(&place)["provision_last_run_timestamp_seconds recipe=web"].parse::<f64>().unwrap();
    for wrong in ["name = \"web\"\n[[file]]\n", "name = \"web\"\n[[file]]\npath = \n"] {
        place.recipe(wrong);
        assert_eq!(place.run(&["apply", "web.toml"]).code, 2);
        assert!(unfinished(2) > before);
    }
    place.recipe(FILE);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(changed_and_converged(&place), "0 1");
    fs::rename(place.root().join("state/ledger.jsonl"), place.root().join("ledger")).unwrap();
    fs::create_dir(place.root().join("state/ledger.jsonl")).unwrap();
    let ran = place.run(&["apply", "web.toml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    unfinished(1);
}

#[test]
fn a_slip_of_who_sits_at_a_terminal_leaves_the_metrics_alone() {
    let place = Place::new(FILE);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    let before = measured(&place);
    let mut pty = Pty::start(&place.command(&["apply", "web.toml", "--var", "port=1"]), 200, 24, On::Both);
    assert_eq!(pty.end().0, 2);
    assert_eq!(measured(&place), before);
}

#[test]
fn every_lane_has_its_own_and_any_name_of_one_is_read_back() {
    let include = "[[include]]\nlane = '''a\"b\\c'''\nrecipe = \"part.toml\"\n";
    let place = Place::new(&format!("{FILE}{include}"));
    let part = "[[gate]]\nname = \"account\"\ninstructions = \"make it\"\n[[directory]]\npath = \"ROOT/srv\"\n[[command]]\n\
                name = \"break\"\nargv = [\"false\"]\nonce = true\n[[file]]\npath = \"ROOT/after\"\ncontent = \"x\"\n";
    fs::write(place.root().join("part.toml"), part.replace("ROOT", &place.root().display().to_string())).unwrap();
    assert_eq!(place.run(&["apply", "web.toml"]).code, 1);
    let of_lane = |outcome: &str| resources(&place, "a\"b\\c", outcome);
    let outcomes = ["converged", "changed", "waiting", "failed", "test_failed", "skipped"].map(of_lane);
    assert_eq!(outcomes, ["0", "1", "1", "1", "0", "1"]);
    assert_eq!(resources(&place, "host", "changed"), "1");
    assert_eq!(measured(&place)["provision_last_run_exit_code recipe=web"], "1");
}

#[test]
fn the_configuration_says_where_metrics_go() {
    let place = Place::new(FILE);
    let (config, textfiles) = (place.root().join("config.toml"), place.root().join("textfiles"));
    fs::write(&config, format!("metrics = \"{}\"\n", textfiles.display())).unwrap();
    let arguments = ["apply", "web.toml", "--config", "config.toml"];
    let without = place.run(&arguments);
    assert_eq!(without.code, 0, "{without:?}");
    let said = "warning: writing `ROOT/textfiles/provision-web.prom`\n  opening `ROOT/textfiles`\n  No such directory\n\
                Make that directory, or let the configuration name another one.\n";
    assert_eq!(without.stderr, said);
    fs::create_dir(&textfiles).unwrap();
    assert_eq!(place.run(&arguments).stderr, "");
    assert_eq!(samples(&fs::read_to_string(textfiles.join("provision-web.prom")).unwrap()).len(), 12);
    assert!(!place.root().join(METRICS).exists());
}

#[test]
fn what_is_destroyed_whole_leaves_no_metrics() {
    let place = Place::new(&format!("{FILE}[[directory]]\npath = \"ROOT/srv\"\n"));
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(place.run(&["destroy", "web.toml", "--yes", "--only", "directory:*"]).code, 0);
    assert!(place.root().join(METRICS).exists());
    assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
    assert!(!place.root().join(METRICS).exists());
}

#[test]
fn no_secret_is_in_the_metrics() {
    let secret =
        "[secrets]\ntoken = { env = \"WEB_TOKEN\" }\n[[file]]\npath = \"ROOT/env\"\ncontent = \"{{ token }}\"\n";
    let place = Place::new(&format!("name = \"web\"\n{secret}"));
    let ran = place.command(&["apply", "web.toml"]).env("WEB_TOKEN", "s3cr3t-value").output().unwrap();
    assert!(ran.status.success());
    assert!(!fs::read_to_string(place.root().join(METRICS)).unwrap().contains("s3cr3t"));
}

#[test]
fn drift_is_told_to_the_hook_and_what_is_new_is_not() {
    let place = Place::new(FILE);
    let config = hook(&place);
    let apply = || place.run(&["apply", "web.toml", "--config", &config]);
    assert_eq!((apply().code, told(&place)), (0, None), "new");
    assert_eq!((apply().code, told(&place)), (0, None), "in sync");
    fs::write(place.root().join("motd"), "other\n").unwrap();
    assert_eq!(apply().code, 0);
    let said = told(&place).unwrap();
    let run = said.lines().find_map(|line| line.strip_prefix("PROVISION_RUN=")).unwrap();
    assert!(run.starts_with("PROVISION-APPLY"), "{run}");
    let expected = "PROVISION_CHANGED=1\nPROVISION_DRIFT=1\nPROVISION_EXIT=0\nPROVISION_FAILED=0\nPROVISION_FILE=web.toml\n\
                    PROVISION_OUTCOME=drift\nPROVISION_RECIPE=web\nPROVISION_RUN=RUN\nPROVISION_WAITING=0\n\
                    drift host/file:ROOT/motd\n";
    assert_eq!(said.replace(run, "RUN"), expected);
}

#[test]
fn a_failure_is_told_to_the_hook_and_so_is_a_run_that_cannot_begin() {
    let place = Place::new(&format!("{FILE}{FAILS}"));
    let config = hook(&place);
    let apply = |recipe: &str| place.run(&["apply", recipe, "--config", &config]);
    assert_eq!(apply("web.toml").code, 1);
    let said = told(&place).unwrap();
    assert!(said.contains("PROVISION_OUTCOME=failed\n") && said.contains("PROVISION_FAILED=1\n"), "{said}");
    assert!(said.ends_with("failed host/command:break\n"), "{said}");
    place.recipe("name = \"web\"\n[[file]]\n");
    assert_eq!(apply("web.toml").code, 2);
    let said = told(&place).unwrap();
    assert!(said.contains("PROVISION_EXIT=2\n") && said.contains("PROVISION_RECIPE=web.toml\n"), "{said}");
    assert!(said.contains("PROVISION_OUTCOME=failed\n") && said.contains("PROVISION_RUN=\n"), "{said}");
    place.recipe("name = \"web\"\n[[gate]]\nname = \"account\"\ninstructions = \"make it\"\n");
    assert_eq!((apply("web.toml").code, told(&place)), (3, None), "what waits for a person has not failed");
}

#[test]
fn a_hook_that_fails_hangs_or_is_not_there_is_said_and_changes_no_exit_code() {
    for (hook, expected) in [
        ("argv = [\"sh\", \"-c\", \"echo no; exit 7\"]\n", "warning: running `sh -c 'echo no; exit 7'`\n  exit 7\n"),
        ("argv = [\"no-such-hook\"]\n", "warning: running `no-such-hook`\n  the program is not there (exit 127)\n"),
        (
            "argv = [\"sleep\", \"60\"]\ntimeout = \"100ms\"\n",
            "it took longer than 100ms and was ended with all its children",
        ),
    ] {
        let place = Place::new(&format!("{FILE}{FAILS}"));
        fs::write(place.root().join("config.toml"), format!("[hook]\n{hook}")).unwrap();
        let ran = place.run(&["apply", "web.toml", "--config", "config.toml"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

#[test]
fn the_hook_can_look_at_the_run_and_hold_the_lock() {
    let place = Place::new(FILE);
    let root = place.root().display().to_string();
    let state = format!("--state-dir {root}/state --run-dir {root}/run");
    let binary = env!("CARGO_BIN_EXE_provision");
    let script = format!("cd {root} && {binary} history {state} >told && {binary} apply web.toml {state} >>told");
    fs::write(place.root().join("config.toml"), format!("[hook]\nargv = [\"sh\", \"-c\", \"{script}\"]\n")).unwrap();
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    fs::write(place.root().join("motd"), "other\n").unwrap();
    let ran = place.run(&["apply", "web.toml", "--config", "config.toml"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let said = told(&place).unwrap();
    assert!(said.contains("1 changed") && said.contains("applied: 0 changed, 1 in sync"), "{said}");
}

#[test]
fn a_wrong_configuration_is_shown_with_its_line_and_nothing_is_touched() {
    let place = Place::new(FILE);
    fs::write(place.root().join("config.toml"), "[hook]\nargs = [\"true\"]\n").unwrap();
    for (config, expected) in [
        (
            "config.toml",
            "error: unknown key `args`\n  ┌─ config.toml:2:1\n2 │ args = [\"true\"]\n  │ ^^^^ did you mean `argv`?\n",
        ),
        ("nowhere.toml", "error: reading `nowhere.toml`\n  No such file or directory"),
    ] {
        let ran = place.run(&["apply", "web.toml", "--config", config]);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
    assert!(!place.root().join("motd").exists() && !place.root().join("state").exists());
}

const SLOW: &str = "[[command]]\nname = \"slow\"\nargv = [\"sh\", \"-c\", \"touch ROOT/begun; while [ ! -e ROOT/go ]; do sleep 0.05; done\"]\nonce = true\n";

#[test]
fn a_run_that_may_wait_waits_for_the_other_and_says_so() {
    let place = Place::new(&format!("{FILE}{SLOW}"));
    let mut first = place.command(&["apply", "web.toml"]).stdout(Stdio::null()).spawn().unwrap();
    wait_for(&place.root().join("begun"));
    let short = place.run(&["apply", "web.toml", "--wait", "200ms"]);
    assert_eq!(short.code, 5, "{short:?}");
    assert!(short.stderr.contains("warning: waits for another run: held by pid "), "{}", short.stderr);
    let mut tired = place.command(&["apply", "web.toml", "--wait", "1h"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(tired.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.next().unwrap().contains("waits for another run"));
    kill(Pid::from_raw(tired.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(said.collect::<Vec<_>>(), ["error: waiting for another run", "  interrupted; nothing was done"]);
    assert_eq!(tired.wait().unwrap().code(), Some(143));
    let second = place
        .command(&["apply", "web.toml", "--wait", "1h"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    fs::write(place.root().join("go"), "").unwrap();
    let second = Ran::of(&second.wait_with_output().unwrap(), place.root());
    assert!(first.wait().unwrap().success());
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stdout.contains("applied: 0 changed, 2 in sync"), "{second:?}");
}

#[test]
fn a_run_that_waited_applies_the_recipe_as_it_is_by_then() {
    let place = Place::new(&format!("{FILE}{SLOW}"));
    let mut first = place.command(&["apply", "web.toml"]).stdout(Stdio::null()).spawn().unwrap();
    wait_for(&place.root().join("begun"));
    let mut second = place.command(&["apply", "web.toml", "--wait", "1h"]);
    let mut second = second.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.next().unwrap().contains("waits for another run"));
    let later = format!("[[file]]\npath = \"{}/later\"\ncontent = \"x\"\n", place.root().display());
    let recipe = fs::read_to_string(place.root().join("web.toml")).unwrap();
    fs::write(place.root().join("web.toml"), recipe + &later).unwrap();
    fs::write(place.root().join("go"), "").unwrap();
    assert!(first.wait().unwrap().success());
    assert!(second.wait().unwrap().success());
    assert_eq!(fs::read_to_string(place.root().join("later")).unwrap(), "x");
}
