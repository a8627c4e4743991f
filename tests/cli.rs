//! The command line: exact output, exit codes, signals, the lock, each on the real machine below a temporary directory.
use crate::support::place::{Place, Ran, wait_for};
use std::fs;
use std::process::{Command, Stdio};

const FILE: &str = "name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"hello\\n\"\n";

#[test]
fn a_plan_an_apply_and_a_second_apply() {
    let place = Place::new(FILE);
    let plan = place.run(&["plan", "web.toml"]);
    assert_eq!(
        (plan.code, plan.stdout.as_str(), plan.stderr.as_str()),
        (
            0,
            "web from web.toml\nhost\n  + host/file:ROOT/motd  made: file, 6 B  (new)\n      @@ -0,0 +1 @@\n      +hello\n\
             planned: 1 to change (1 new), 0 in sync, 0 waiting, 0 failed\n",
            ""
        )
    );
    assert!(!place.root().join("state").exists(), "a plan writes nothing");
    let apply = place.run(&["apply", "web.toml"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    assert!(apply.stdout.contains("host  changed  host/file:ROOT/motd  made\n"), "{apply:?}");
    let again = place.run(&["apply", "web.toml"]);
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, "web from web.toml\napplied: 0 changed, 1 in sync, 0 waiting, 0 failed\n")
    );
}

#[test]
fn a_check_exits_4_where_something_differs_and_0_where_nothing_does() {
    let place = Place::new(FILE);
    assert_eq!(place.run(&["plan", "web.toml", "--check"]).code, 4);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(place.run(&["plan", "web.toml", "--check"]).code, 0);
}

#[test]
fn new_edited_and_drifted_are_told_apart() {
    let place = Place::new(FILE);
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("(new)"));
    place.run(&["apply", "web.toml"]);
    fs::write(place.root().join("motd"), "other\n").unwrap();
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("(drift)"));
    place.run(&["apply", "web.toml"]);
    place.recipe(&FILE.replace("hello", "hullo"));
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("(edit)"));
}

#[test]
fn a_wrong_recipe_exits_2_and_touches_nothing() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\nmoed = \"0644\"\n");
    let wrong = place.run(&["apply", "web.toml"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("did you mean `mode`?"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("web.toml:4:1"), "{}", wrong.stderr);
    assert!(!place.root().join("state").exists() && !place.root().join("motd").exists());
}

#[test]
fn a_recipe_that_is_not_there_exits_2_and_says_where_it_was_looked_for() {
    let place = Place::new(FILE);
    let missing = place.run(&["plan", "wev.toml"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("/etc/provision/recipes"), "{}", missing.stderr);
}

#[test]
fn a_failure_exits_1_and_shows_the_last_lines_of_the_child() {
    let place = Place::new(
        "name = \"web\"\n[[command]]\nname = \"break\"\nargv = [\"sh\", \"-c\", \"seq 30; exit 7\"]\nonce = true\n\
         [[file]]\npath = \"ROOT/after\"\ncontent = \"x\"\n",
    );
    let failed = place.run(&["apply", "web.toml"]);
    assert_eq!(failed.code, 1);
    assert!(
        failed.stdout.contains("exit 7") && failed.stdout.contains("11\n") && !failed.stdout.contains(" 10\n"),
        "{}",
        failed.stdout
    );
    assert!(failed.stdout.contains("1 later resource"), "{}", failed.stdout);
    assert!(!place.root().join("after").exists());
}

#[test]
fn a_gate_waits_with_exit_3_until_a_person_says_that_it_is_passed() {
    let place = Place::new("name = \"web\"\n[[gate]]\nname = \"account\"\ninstructions = \"make the account\"\n");
    let waiting = place.run(&["apply", "web.toml"]);
    assert_eq!(waiting.code, 3);
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("provision ack host/gate:account"));
    assert_eq!(place.run(&["ack", "gate:account"]).code, 0);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(place.run(&["ack", "file:/etc/passwd"]).code, 2);
}

#[test]
fn a_gate_that_no_recipe_has_is_not_passed_and_the_one_that_was_meant_is_named() {
    let gate = |name: &str| format!("[[gate]]\nname = \"{name}\"\ninstructions = \"make the account\"\n");
    let place = Place::new(&format!("name = \"web\"\n{}{}", gate("account-a"), gate("account-b")));
    let refused = |gate: &str| {
        let ran = place.run(&["ack", "gate:account-a", gate]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
        ran.stderr
    };
    let unknown = |gate: &str, then: &str| {
        format!(
            "error: acknowledging host/{gate}\n  no recipe that was planned or applied here has that gate\n{then}\n"
        )
    };
    let first = "Run `provision plan RECIPE` first: it says which gates wait.";
    assert_eq!(refused("gate:account-b"), unknown("gate:account-a", first));
    assert!(!place.root().join("state").exists(), "nothing is written");
    assert_eq!(place.run(&["plan", "web.toml"]).code, 3);
    assert_eq!(refused("gate:acount-b"), unknown("gate:acount-b", "Did you mean `host/gate:account-b`?"));
    let there = "There are host/gate:account-a, host/gate:account-b; `provision plan RECIPE` makes those of another recipe known.";
    assert_eq!(refused("gate:other"), unknown("gate:other", there));
    assert_eq!(place.run(&["apply", "web.toml"]).code, 3);
    // As after a boot: the ledger knows what waited.
    std::fs::remove_dir_all(place.root().join("run")).unwrap();
    assert_eq!(refused("gate:account-c").lines().last(), Some("Did you mean `host/gate:account-a`?"));
    let both = place.run(&["ack", "gate:account-a", "gate:account-b"]);
    assert_eq!(both.code, 0, "{both:?}");
    assert_eq!(both.stdout.lines().filter(|line| line.contains(" is passed, says ")).count(), 2, "{both:?}");
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
}

#[test]
fn a_gate_that_asks_for_itself_takes_nobodys_word() {
    let place = Place::new(
        "name = \"web\"\n[[gate]]\nname = \"key\"\ninstructions = \"put it there\"\n\
         done-when = [\"test\", \"-e\", \"ROOT/key\"]\n",
    );
    assert_eq!(place.run(&["plan", "web.toml"]).code, 3);
    let ran = place.run(&["ack", "gate:key"]);
    let says = "error: acknowledging host/gate:key\n  it asks for itself whether that was done, by its `done-when`\n\
                Do what it says; `provision plan RECIPE` shows whether it is passed.\n";
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (2, "", says));
    assert!(!place.root().join("state").exists(), "nothing is written");
}

#[test]
fn a_second_run_says_who_holds_the_lock_and_exits_5() {
    let place = Place::new(
        "name = \"web\"\n[[command]]\nname = \"slow\"\nargv = [\"sh\", \"-c\", \"touch ROOT/begun; sleep 2\"]\nonce = true\n",
    );
    let mut first = place.command(&["apply", "web.toml"]).stdout(Stdio::null()).spawn().unwrap();
    wait_for(&place.root().join("begun"));
    let second = place.run(&["apply", "web.toml"]);
    assert_eq!(second.code, 5);
    assert!(second.stderr.contains(&first.id().to_string()), "{}", second.stderr);
    assert!(first.wait().unwrap().success());
}

#[test]
fn a_signal_ends_the_run_after_the_step_that_is_running_and_says_where() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new(
            "name = \"web\"\n[[command]]\nname = \"slow\"\nargv = [\"sh\", \"-c\", \"touch ROOT/begun; sleep 1; touch ROOT/ended\"]\n\
             once = true\n[[file]]\npath = \"ROOT/after\"\ncontent = \"x\"\n",
        );
        let run = place.command(&["apply", "web.toml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        wait_for(&place.root().join("begun"));
        let kill = Command::new("kill").args(["-s", signal, &run.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let ran = Ran::of(&run.wait_with_output().unwrap(), place.root());
        assert_eq!(ran.code, code, "{ran:?}");
        assert!(place.root().join("ended").exists(), "the step that ran came to its end");
        assert!(!place.root().join("after").exists(), "nothing came after it");
        assert!(
            ran.stdout.contains("interrupted; host/file:ROOT/after and what comes after it were not tried"),
            "{ran:?}"
        );
        assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
        assert!(place.root().join("after").exists());
    }
}

#[test]
fn destroy_takes_away_what_it_made_and_gives_back_what_was_there() {
    let place = Place::new(&format!(
        "{FILE}[[directory]]\npath = \"ROOT/srv\"\n[[file]]\npath = \"ROOT/theirs\"\ncontent = \"ours\\n\"\n"
    ));
    fs::write(place.root().join("theirs"), "theirs\n").unwrap();
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    assert_eq!(fs::read_to_string(place.root().join("theirs")).unwrap(), "ours\n");
    let unasked = place.run(&["destroy", "web.toml"]);
    let why = "error: destroying without a terminal\n  nobody can be asked\nLook at the recipe, then give `--yes`.\n";
    assert_eq!((unasked.code, unasked.stdout.as_str(), unasked.stderr.as_str()), (2, "", why));
    assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
    assert!(!place.root().join("motd").exists() && !place.root().join("srv").exists());
    assert_eq!(fs::read_to_string(place.root().join("theirs")).unwrap(), "theirs\n");
}

#[test]
fn only_what_a_pattern_names_is_looked_at() {
    let place = Place::new(&format!("{FILE}[[directory]]\npath = \"ROOT/srv\"\n"));
    assert_eq!(place.run(&["apply", "web.toml", "--only", "directory:*"]).code, 0);
    assert!(place.root().join("srv").is_dir() && !place.root().join("motd").exists());
}

#[test]
fn a_pattern_or_an_id_that_names_nothing_is_refused_before_anything_is_touched() {
    let place = Place::new(FILE);
    for arguments in [&["--only", "directory:*"][..], &["--adopt", "file:/etc/motd"], &["--restart", "201"]] {
        let ran = place.run(&[&["apply", "web.toml"], arguments].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.starts_with(&format!("error: reading `{}`", arguments.join(" "))), "{}", ran.stderr);
    }
    assert!(!place.root().join("motd").exists() && !place.root().join("state").exists());
}

#[test]
fn a_variable_is_set_on_the_command_line_and_an_unknown_one_is_refused() {
    let place = Place::new(
        "name = \"web\"\n[vars]\nword = \"hello\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"{{ word }}\\n\"\n",
    );
    assert_eq!(place.run(&["apply", "web.toml", "--var", "word=hullo"]).code, 0);
    assert_eq!(fs::read_to_string(place.root().join("motd")).unwrap(), "hullo\n");
    let unknown = place.run(&["apply", "web.toml", "--var", "wort=x"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("`word`"), "{}", unknown.stderr);
}

#[test]
fn a_secret_is_nowhere_but_in_its_file() {
    let place = Place::new(
        "name = \"web\"\n[secrets]\ntoken = { env = \"WEB_TOKEN\" }\n[[file]]\npath = \"ROOT/env\"\ncontent = \"TOKEN={{ token }}\\n\"\n",
    );
    let mut printed = String::new();
    for arguments in
        [&["plan", "web.toml"][..], &["apply", "web.toml", "--json"], &["apply", "web.toml"], &["status", "web.toml"]]
    {
        let ran = Ran::of(&place.command(arguments).env("WEB_TOKEN", "s3cr3t-value").output().unwrap(), place.root());
        assert_eq!(ran.code, 0, "{ran:?}");
        printed.push_str(&(ran.stdout + &ran.stderr));
    }
    printed.push_str(&fs::read_to_string(place.root().join("state/ledger.jsonl")).unwrap());
    assert!(!printed.contains("s3cr3t-value"), "{printed}");
    assert_eq!(fs::read_to_string(place.root().join("env")).unwrap(), "TOKEN=s3cr3t-value\n");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(place.root().join("env")).unwrap().permissions());
    assert_eq!(mode & 0o7777, 0o600);
    let without = place.command(&["apply", "web.toml"]).env_remove("WEB_TOKEN").output().unwrap();
    assert_eq!(without.status.code(), Some(2));
}

#[test]
fn json_is_one_event_a_line_from_started_to_ended() {
    let place = Place::new(FILE);
    let ran = place.run(&["apply", "web.toml", "--json"]);
    let events: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.first().unwrap()["event"], "started");
    assert_eq!(events.last().unwrap()["event"], "ended");
    assert!(events.iter().all(|event| event["v"] == 1));
}

#[test]
fn a_ledger_that_was_changed_or_is_not_there_does_not_verify() {
    assert_eq!(Place::new(FILE).run(&["ledger", "verify"]).code, 1);
    let place = Place::new(FILE);
    place.run(&["apply", "web.toml"]);
    assert_eq!(place.run(&["ledger", "verify"]).code, 0);
    let path = place.root().join("state/ledger.jsonl");
    let changed = fs::read_to_string(&path).unwrap().replacen("motd", "mood", 1);
    fs::write(&path, changed).unwrap();
    let broken = place.run(&["ledger", "verify"]);
    assert_eq!(broken.code, 1);
    assert!(broken.stderr.contains("was changed after it was written"), "{}", broken.stderr);
}

#[test]
fn a_closed_stdout_ends_nothing() {
    let place = Place::new(FILE);
    let mut run = place.command(&["apply", "web.toml", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(run.stdout.take());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert!(place.root().join("motd").exists());
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        &["apply"][..],
        &["plan"],
        &["status"],
        &["test"],
        &["validate"],
        &["ack"],
        &["enter"],
        &["destroy"],
        &["ledger", "verify"],
        &["history"],
        &["history", "show"],
        &["schedule"],
        &["init"],
        &["recipes"],
        &["recipes", "show"],
        &[],
    ] {
        let help = Command::new(env!("CARGO_BIN_EXE_provision")).args(command).arg("--help").output().unwrap();
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(text.contains("Examples:\n  provision "), "{command:?}:\n{text}");
    }
}
