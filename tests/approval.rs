//! Approval at the prompt, and by digest: what was planned is applied, and nothing else.
use crate::support::place::{Place, Ran};
use crate::support::pty::{On, Pty};
use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

const FILES: &str = "name = \"web\"\n\
    [[file]]\npath = \"ROOT/a\"\ncontent = \"a\\n\"\n\
    [[file]]\npath = \"ROOT/b\"\ncontent = \"b\\n\"\n\
    [[file]]\npath = \"ROOT/c\"\ncontent = \"c\\n\"\n";

/// Returns the digest that a plan prints.
fn digest(place: &Place) -> String {
    let plan = place.command(&["plan", "web.toml"]).output().unwrap();
    let said = String::from_utf8(plan.stdout).unwrap();
    let (_, tail) = said.split_once(" · digest ").unwrap_or_else(|| panic!("no digest: {said}"));
    tail[..16].to_owned()
}

fn expect(place: &Place, digest: &str) -> Ran {
    place.run(&["apply", "web.toml", "--expect", digest])
}

fn there(place: &Place) -> String {
    ["a", "b", "c"].into_iter().filter(|name| place.root().join(name).exists()).collect()
}

fn ended(place: &Place, arguments: &[&str]) -> serde_json::Value {
    let ran = place.run(&[arguments, &["--json"]].concat());
    serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap()
}

/// Starts a command that asks, and waits for the question.
fn asked(place: &Place, arguments: &[&str], question: &str) -> Pty {
    let mut pty = Pty::start(&place.command(arguments), 200, 24, On::Both);
    pty.until(|screen| screen.contents().contains(question));
    pty
}

#[test]
fn who_does_not_agree_gets_the_exit_code_of_differences_and_what_is_in_sync_that_of_nothing_to_do() {
    let place = Place::new(FILES);
    for no in ["n\n", "\n", "\u{4}"] {
        let mut pty = asked(&place, &["apply", "web.toml"], "apply these changes? [y/N]");
        pty.types(no);
        assert_eq!((pty.end().0, there(&place).as_str()), (4, ""), "{no:?}: {}", pty.screen().contents());
        assert!(pty.screen().contents().contains("nothing was changed"));
    }
    let mut pty = asked(&place, &["apply", "web.toml"], "apply these changes? [y/N]");
    pty.types("y\n");
    assert_eq!((pty.end().0, there(&place).as_str()), (0, "abc"));
    let mut pty = asked(&place, &["destroy", "web.toml"], "take all of this away? [y/N]");
    pty.types("n\n");
    assert_eq!((pty.end().0, there(&place).as_str()), (4, "abc"));
    let mut again = Pty::start(&place.command(&["apply", "web.toml"]), 200, 24, On::Both);
    assert_eq!(again.end().0, 0, "nobody is asked");
}

/// Runs a line of a shell in the place.
fn sh(place: &Place, line: &str) {
    let status = Command::new("sh").current_dir(place.root()).args(["-ec", line]).status().unwrap();
    assert!(status.success(), "{line}");
}

#[test]
fn what_comes_to_stand_there_while_somebody_is_asked_is_not_taken_away_with_what_only_it_has() {
    let place = Place::new(
        "name = \"web\"\n[[git]]\npath = \"ROOT/app\"\nurl = \"ROOT/work/.git\"\n\
         [[file]]\npath = \"ROOT/f\"\ncontent = \"f\\n\"\n",
    );
    sh(&place, "git init -q work; cd work; git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one");
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    let named = format!("git:{}/app", place.root().display());
    sh(&place, "mv app elsewhere");
    let mut pty = asked(&place, &["destroy", "web.toml", "--data", &named], "take all of this away? [y/N]");
    assert!(!pty.screen().contents().contains("git:"), "{}", pty.screen().contents());
    sh(&place, "mv elsewhere app; echo mine > app/mine");
    pty.types("y\n");
    pty.end();
    let shown = pty.screen().contents();
    assert!(place.root().join("app/mine").exists() && !place.root().join("f").exists(), "{shown}");
    // It is named again, and shown: it goes.
    let gone = place.run(&["destroy", "web.toml", "--yes", "--data", &named]);
    assert!(gone.stdout.contains("  - host/git:ROOT/app  removed: ") && !place.root().join("app").exists(), "{gone:?}");
}

#[test]
fn an_apply_makes_the_plan_that_was_approved_even_the_first_on_a_host() {
    let place = Place::new(FILES);
    let first = digest(&place);
    assert_eq!(digest(&place), first, "one plan has one digest, before there is a state directory too");
    assert!(!place.root().join("state").exists());
    let whole = ended(&place, &["plan", "web.toml"])["plan"].as_str().unwrap().to_owned();
    assert!(whole.len() == 64 && whole.starts_with(&first));
    let applied = expect(&place, &first);
    assert_eq!((applied.code, there(&place).as_str()), (0, "abc"), "{applied:?}");
    let again = expect(&place, &first);
    assert_eq!(again.code, 0, "a pipeline may run it again: {again:?}");
    assert!(again.stdout.contains("not needed any more: nothing is to be changed"), "{again:?}");
    assert_eq!(ended(&place, &["plan", "web.toml"]).get("plan"), None);
    fs::write(place.root().join("a"), "A\n").unwrap();
    let drift = digest(&place);
    let state = fs::read(place.root().join("state/ledger.jsonl")).unwrap();
    assert_eq!(expect(&place, &drift).code, 0);
    assert!(state.len() < fs::read(place.root().join("state/ledger.jsonl")).unwrap().len());
}

#[test]
fn what_was_not_expected_is_said_and_nothing_is_changed() {
    let place = Place::new(FILES);
    let old = digest(&place);
    fs::write(place.root().join("a"), "a\n").unwrap();
    place.recipe(&FILES.replace("b\\n", "B\\n").replace("ROOT/c", "ROOT/d"));
    let refused = expect(&place, &old);
    assert_eq!(refused.code, 4, "{refused:?}");
    for said in [
        "; nothing was changed\n  - host/file:ROOT/a  planned no more: made: file, 2 B ",
        "  ~ host/file:ROOT/b  expected: made: file, 2 B ",
        "  - host/file:ROOT/c  planned no more: made: file, 2 B ",
        "  + host/file:ROOT/d  not expected: made: file, 2 B ",
    ] {
        assert!(refused.stdout.contains(said), "{said}: {}", refused.stdout);
    }
    assert!(refused.stdout.contains("applied: 0 changed"), "{refused:?}");
    assert_eq!(there(&place), "a");
    assert_eq!(expect(&place, &digest(&place)).code, 0, "the new one is approved");
}

#[test]
fn the_json_of_a_refusal_has_both_digests_and_the_differences() {
    let place = Place::new(FILES);
    let old = digest(&place);
    fs::write(place.root().join("c"), "c\n").unwrap();
    let new = digest(&place);
    let ran = place.run(&["apply", "web.toml", "--expect", &old, "--json"]);
    let events: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = events.iter().find(|event| event["event"] == "unexpected").unwrap();
    assert_eq!(told["expected"], old);
    assert!(told["planned"].as_str().unwrap().starts_with(&new));
    let differences = told["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "{told}");
    assert_eq!(differences[0]["id"].as_str().unwrap().rsplit('/').next(), Some("c"));
    assert_eq!(differences[0].get("planned"), None);
    assert_eq!(events.last().unwrap()["exit"], 4);
}

#[test]
fn a_plan_that_fails_is_not_the_expected_one_even_where_nothing_is_left_to_change() {
    let place = Place::new(FILES);
    let old = digest(&place);
    fs::create_dir(place.root().join("a")).unwrap();
    let refused = expect(&place, &old);
    assert_eq!((refused.code, there(&place).as_str()), (1, "a"), "{refused:?}");
    assert!(refused.stdout.contains("not as expected: this plan changes nothing, and "), "{refused:?}");
    assert!(refused.stdout.contains("- host/file:ROOT/c  planned no more: made: file"), "{refused:?}");
    assert!(refused.stdout.contains("error: host/file:ROOT/a failed"), "{refused:?}");
}

#[test]
fn an_approval_of_another_machine_is_refused_and_says_so() {
    let place = Place::new(FILES);
    let refused = expect(&place, "0123456789abcdef");
    assert_eq!((refused.code, there(&place).as_str()), (4, ""), "{refused:?}");
    assert!(refused.stdout.contains("what was expected is not known"), "{refused:?}");
    assert!(refused.stdout.contains("+ host/file:ROOT/a  made"), "the plan is shown: {refused:?}");
    for slip in ["0123", "not-a-digest-at-all", ""] {
        let wrong = expect(&place, slip);
        assert_eq!(wrong.code, 2, "{wrong:?}");
    }
}

#[test]
fn what_is_taken_away_is_approved_too() {
    let place = Place::new(FILES);
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    place.recipe(&FILES.replace("ROOT/c", "ROOT/d"));
    let without = digest(&place);
    let refused = place.run(&["apply", "web.toml", "--prune", "--expect", &without]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.stdout.contains("  + host/file:ROOT/c  not expected: removed: file, 2 B\n"), "{refused:?}");
    assert_eq!(there(&place), "abc");
}

#[test]
fn so_many_plans_are_kept_and_no_more() {
    let place = Place::new(FILES);
    let old = digest(&place);
    for number in 0..33 {
        place.recipe(&FILES.replace("ROOT/a", &format!("ROOT/{number}")));
        digest(&place);
    }
    assert_eq!(fs::read_dir(place.root().join("run/plans")).unwrap().count(), 32);
    assert!(expect(&place, &old).stdout.contains("what was expected is not known"), "the oldest went");

    // As if the clock had been set back since.
    let kept = || fs::read_dir(place.root().join("run/plans")).unwrap().map(|plan| plan.unwrap().path());
    let ahead = SystemTime::now() + Duration::from_hours(24);
    kept().for_each(|plan| File::options().append(true).open(plan).unwrap().set_modified(ahead).unwrap());
    place.recipe(&FILES.replace("ROOT/a", "ROOT/last"));
    let last = digest(&place);
    assert!(kept().any(|plan| plan.file_name().unwrap().to_str().unwrap().starts_with(&last)), "it is the newest");
}
