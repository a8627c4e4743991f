//! What files and accounts do that a case can't say: refusals halfway, what waits, what a person named, and mistakes.
use crate::support::fake::FakeMachine;
use crate::support::item::item;
use crate::support::recorder::Recorder;
use provision::engine::{Course, Mode, Scope, converge};
use provision::id::{Id, Machine};
use provision::item::Item;
use provision::resource::{Claim, Known, Thing, kind};
use provision::system::{Command, System};
use serde_json::{Value, json};
use std::path::Path;

fn run(item: Item, scope: (Mode, bool), known: &Known, machine: &FakeMachine, course: &mut Course) -> Vec<String> {
    let sink = Recorder::default();
    let scope = Scope { mode: scope.0, destroy: scope.1, known, sys: machine, sink: &sink, turn: None, only: &[] };
    machine.facts().forget();
    converge(&[item], scope, course).unwrap();
    sink.changes().into_iter().chain(sink.ends()).collect()
}

fn apply(item: Item, machine: &FakeMachine) -> Vec<String> {
    run(item, (Mode::Apply, false), &Known::default(), machine, &mut Course::default())
}

fn plan(item: Item, known: &Known, machine: &FakeMachine) -> Vec<String> {
    run(item, (Mode::Plan, false), known, machine, &mut Course::default())
}

/// What the ledger knows of an id that we made and that held.
fn made(id: &str) -> Known {
    let claim = Claim { made: true, held: Some("held".to_owned()), ..Claim::default() };
    Known { claims: [(id.parse().unwrap(), claim)].into(), ..Known::default() }
}

#[test]
fn an_account_that_was_renamed_waits_until_its_predecessor_is_pruned() {
    for (kind, fields, key) in [
        ("user", json!({ "name": "new", "uid": 1210 }), "uid"),
        ("group", json!({ "name": "new", "gid": 1210 }), "gid"),
    ] {
        let (old, machine) = (fields.to_string().replace("new", "old"), FakeMachine::debian());
        let old = || item(kind, serde_json::from_str(&old).unwrap());
        let new = || item(kind, fields.clone());
        assert!(apply(old(), &machine).iter().all(|said| !said.contains(" failed: ")));
        let known = made(&format!("host/{kind}:old"));
        let waits = format!(
            "{kind}:new waiting: {key} 1210 is still that of host/{kind}:old, which this recipe made and no longer has (run \
             again with `--prune`, which takes that away, and then once more)"
        );
        for mode in [Mode::Plan, Mode::Apply] {
            assert_eq!(run(new(), (mode, false), &known, &machine, &mut Course::default()), [waits.as_str()]);
        }
        let others = plan(new(), &Known::default(), &machine);
        assert!(others[0].contains(&format!("failed: giving {key} 1210 to the {kind} `new`")), "not ours: {others:?}");
        let beside = {
            let sink = Recorder::default();
            let scope = Scope {
                mode: Mode::Plan,
                destroy: false,
                known: &known,
                sys: &machine,
                sink: &sink,
                turn: None,
                only: &[],
            };
            converge(&[new(), old()], scope, &mut Course::default()).unwrap();
            sink.ends()
        };
        assert!(beside[0].contains(" failed: "), "the recipe has both: {beside:?}");
        run(old(), (Mode::Apply, true), &known, &machine, &mut Course::default());
        assert_eq!(plan(new(), &Known::default(), &machine).len(), 1);
        assert!(apply(new(), &machine)[0].starts_with(&format!("{kind}:new: nothing -> {kind}")));
    }
}

#[test]
fn a_validator_that_refuses_leaves_the_old_file_and_no_copy_in_its_place() {
    let machine = FakeMachine::debian();
    machine.file("/etc/checked", "old\n");
    let file = item("file", json!({ "path": "/etc/checked", "content": "new\n", "validate": ["false", "-c"] }));
    let said = apply(file, &machine);
    assert!(
        said[0].starts_with("file:/etc/checked failed: writing `/etc/checked`: running `false -c /etc/.checked."),
        "{said:?}"
    );
    assert_eq!(machine.text("/etc/checked"), "old\n");
    assert_eq!(machine.list(Path::new("/etc")).unwrap().iter().filter(|name| *name != "checked").count(), {
        FakeMachine::debian().list(Path::new("/etc")).unwrap().len()
    });
}

#[test]
fn a_validator_that_nobody_brings_is_an_error_at_plan_time() {
    let file = item("file", json!({ "path": "/etc/x", "content": "x", "validate": ["no-validator", "-cf"] }));
    let said = plan(file, &Known::default(), &FakeMachine::debian());
    assert_eq!(said, ["file:/etc/x failed: looking for the program `no-validator`: it is not there "]);
}

#[test]
fn a_download_with_another_digest_is_refused_and_nothing_is_written() {
    let machine = FakeMachine::debian();
    machine.web.lock().unwrap().insert("https://example.org/a".to_owned(), (200, b"evil".to_vec()));
    machine.web.lock().unwrap().insert("https://example.org/b".to_owned(), (404, b"no".to_vec()));
    let sha256 = "0".repeat(64);
    let file = |url: &str| item("file", json!({ "path": "/opt/tool", "url": url, "sha256": sha256 }));
    let said = apply(file("https://example.org/a"), &machine);
    assert!(said[0].contains(&format!(": the recipe says {sha256}")), "{said:?}");
    let said = apply(file("https://example.org/b"), &machine);
    assert!(said[0].contains("the server answered 404"), "{said:?}");
    assert_eq!(machine.lstat(Path::new("/opt/tool")).unwrap(), None);
}

#[test]
fn what_needs_a_user_that_waits_waits_as_well() {
    let mut course = Course::default();
    let waits = Id::new(Machine::Host, "user", "lilly");
    course.pending.hold([Thing::User("lilly".to_owned())], &waits);
    let machine = FakeMachine::debian();
    let file = || item("file", json!({ "path": "/opt/x", "content": "x", "owner": "lilly" }));
    let said = run(file(), (Mode::Apply, false), &Known::default(), &machine, &mut course);
    assert_eq!(said, ["file:/opt/x waiting: waits for host/user:lilly"]);
    let below = item("file", json!({ "path": "/opt/x", "mode": "0600" }));
    let said = run(below, (Mode::Apply, false), &Known::default(), &machine, &mut course);
    assert_eq!(said, ["file:/opt/x waiting: waits for host/file:/opt/x"]);
}

#[test]
fn a_secret_that_is_not_at_hand_is_not_compared_once_it_held() {
    let machine = FakeMachine::debian();
    let secret = || {
        let mut file = item("file", json!({ "path": "/etc/token", "content": "" }));
        file.job.secret.insert("content".to_owned());
        file.job.unknown.insert("content".to_owned());
        file
    };
    let shown = ["file:/etc/token: nothing -> file, (secret, not known yet)"];
    assert_eq!(plan(secret(), &Known::default(), &machine), shown);
    machine.file("/etc/token", "t0\n");
    machine.chmod(Path::new("/etc/token"), 0o600).unwrap();
    let shown = ["file:/etc/token remark: its content holds a secret that is not at hand: not compared"];
    assert_eq!(plan(secret(), &made("file:/etc/token"), &machine), shown);
}

#[test]
fn a_home_goes_only_where_a_person_named_it() {
    let machine = FakeMachine::debian();
    let user = || item("user", json!({ "name": "lilly", "uid": 1201 }));
    apply(user(), &machine);
    let mut known = made("user:lilly");
    let destroy = |known: &Known| run(user(), (Mode::Plan, true), known, &machine, &mut Course::default());
    let stays = "user:lilly remark: its home `/home/lilly` stays; `--data host/user:lilly` takes it away as well";
    assert_eq!(destroy(&known), ["user:lilly: user, uid 1201 -> nothing", stays]);
    known.allowed.data.insert("user:lilly".to_owned());
    let goes = ["user:lilly: user, uid 1201 -> nothing", "user:lilly home: /home/lilly -> nothing"];
    assert_eq!(destroy(&known), goes);
    run(user(), (Mode::Apply, true), &known, &machine, &mut Course::default());
    assert_eq!(machine.lstat(Path::new("/home/lilly")).unwrap(), None);
    assert!(!machine.text("/etc/passwd").contains("lilly"));
}

#[test]
fn a_home_that_is_not_the_users_own_never_goes() {
    let machine = FakeMachine::debian();
    let add = Command::new(["useradd", "--uid", "1201", "--home-dir", "/srv", "--shell", "/bin/sh", "lilly"]);
    machine.run(&add).unwrap().success(&add).unwrap();
    let mut known = made("user:lilly");
    known.allowed.data.insert("user:lilly".to_owned());
    let user = item("user", json!({ "name": "lilly" }));
    run(user, (Mode::Apply, true), &known, &machine, &mut Course::default());
    assert!(machine.lstat(Path::new("/srv")).unwrap().is_some());
}

#[test]
fn a_user_whose_processes_run_is_not_taken_away() {
    let machine = FakeMachine::debian();
    let user = || item("user", json!({ "name": "lilly", "uid": 1201 }));
    apply(user(), &machine);
    machine.dir("/proc/7");
    machine.file("/proc/7/status", "Name:\ttmux\nUid:\t1201\t1201\t1201\t1201\n");
    let said = run(user(), (Mode::Apply, true), &made("user:lilly"), &machine, &mut Course::default());
    let because = "it is not taken away while its processes run: 7 tmux";
    assert_eq!(said, [format!("user:lilly waiting: {because} (stop them, then run again)")]);
}

#[test]
fn a_password_is_on_stdin_alone_and_what_is_no_hash_is_refused_unseen() {
    let machine = FakeMachine::debian();
    let user = |password: &str| {
        let mut user = item("user", json!({ "name": "lilly", "password": password }));
        user.job.secret.insert("password".to_owned());
        user
    };
    let said = apply(user("hunter2"), &machine);
    assert!(said[0].starts_with("user:lilly failed: ") && !said[0].contains("hunter2"), "{said:?}");
    let said = apply(user("$6$salt$hash"), &machine);
    assert!(!said[0].contains("salt"), "{said:?}");
    let runs = machine.take_runs();
    assert!(runs.iter().any(|run| run == "chpasswd --encrypted") && !runs.concat().contains("salt"), "{runs:?}");
    assert!(machine.text("/etc/shadow").contains("lilly:$6$salt$hash:"));
}

#[test]
fn keys_are_never_read_or_written_through_a_users_link() {
    let machine = FakeMachine::debian();
    apply(item("user", json!({ "name": "lilly" })), &machine);
    let home = Path::new("/home/lilly");
    machine.symlink(Path::new("/root"), &home.join(".ssh"), 1000, 1000).unwrap();
    let keyed = item("user", json!({ "name": "lilly", "ssh-keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me"] }));
    let said = apply(keyed, &machine);
    assert!(said[0].contains("failed: reading `/home/lilly/.ssh`: it is a link"), "{said:?}");
    assert_eq!(machine.list(Path::new("/root")).unwrap(), [""; 0]);
}

#[test]
fn fields_that_contradict_each_other_are_mistakes() {
    let mistakes = |name: &str, fields: Value| {
        let resource = kind(name).unwrap().from_json(&fields).unwrap();
        resource.mistakes().into_iter().map(|mistake| mistake.key.unwrap_or("")).collect::<Vec<_>>()
    };
    let sha256 = "0".repeat(64);
    for (fields, keys) in [
        (json!({ "path": "/x", "content": "x" }), vec![]),
        (json!({ "path": "/x" }), vec![]),
        (json!({ "path": "/x", "content": "x", "source": "y" }), vec!["source"]),
        (json!({ "path": "/x", "link": "x", "content": "y" }), vec!["link"]),
        (json!({ "path": "/x", "url": "https://x/" }), vec!["url"]),
        (json!({ "path": "/x", "url": "file:///x", "sha256": sha256 }), vec!["url"]),
        (json!({ "path": "/x", "sha256": sha256 }), vec!["sha256"]),
        (json!({ "path": "/x", "content": "x", "template": true }), vec!["template"]),
        (json!({ "path": "/x", "once": true }), vec!["once"]),
        (json!({ "path": "/x", "mode": "0600", "validate": ["true"] }), vec!["validate"]),
        (json!({ "path": "/x", "link": "y", "mode": "0600" }), vec!["mode"]),
    ] {
        assert_eq!(mistakes("file", fields.clone()), keys, "{fields}");
    }
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me";
    for (fields, keys) in [
        (json!({ "name": "lilly", "ssh-keys": [key], "comment": "Lilly" }), vec![]),
        (json!({ "name": "lilly", "comment": "a:b" }), vec!["comment"]),
        (json!({ "name": "lilly", "home": "/a:b" }), vec!["home"]),
        (json!({ "name": "lilly", "shell": "/a:b" }), vec!["shell"]),
        (json!({ "name": "lilly", "password": "hunter2" }), vec!["password"]),
        (json!({ "name": "lilly", "ssh-keys": [key, format!("no-pty {key}")] }), vec!["ssh-keys"]),
        (json!({ "name": "lilly", "ssh-keys": [key], "system": true }), vec!["ssh-keys"]),
    ] {
        assert_eq!(mistakes("user", fields.clone()), keys, "{fields}");
    }
}

#[test]
fn a_file_that_changes_hands_is_at_no_moment_open_to_who_should_not_have_it() {
    for stop in 0..12 {
        let machine = FakeMachine::debian();
        machine.file("/srv/key", "secret");
        let path = std::path::Path::new("/srv/key");
        machine.chmod(path, 0o640).unwrap();
        machine.kill_at(Some(stop));
        let fields = json!({ "path": "/srv/key", "owner": 65534, "group": 54321, "mode": "0604" });
        let going = || apply(item("file", fields), &machine);
        let _killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(going));
        machine.kill_at(None);
        let is = machine.lstat(path).unwrap().unwrap();
        let seen = (is.uid, is.gid, is.mode);
        let before = [(0, 0, 0o640), (0, 0, 0o600)];
        let after = [(65534, 54321, 0o600), (65534, 54321, 0o604)];
        assert!(before.contains(&seen) || after.contains(&seen), "killed at {stop}: {seen:?}");
    }
}
