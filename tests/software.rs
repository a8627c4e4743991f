//! What packages, units and npm packages do that a case can't say: starts that fail, names that nobody knows, a check that
//! starts nothing, restarts owed after a crash, and mistakes.
use crate::support::contract::{apply, run};
use crate::support::fake::FakeMachine;
use crate::support::item::item;
use crate::support::recorder::Recorder;
use provision::engine::Mode;
use provision::event::Event;
use provision::item::Item;
use provision::resource::{Known, kind};
use serde_json::{Value, json};
use std::time::Duration;

fn mistakes(kind_name: &str, fields: &Value) -> Vec<(Option<&'static str>, String)> {
    let resource = kind(kind_name).unwrap().from_json(fields).unwrap();
    resource.mistakes().into_iter().map(|mistake| (mistake.key, mistake.message)).collect()
}

fn ends(item: Item, machine: &FakeMachine) -> Vec<String> {
    apply(&[item], &mut Known::default(), machine).unwrap().ends()
}

fn service(lines: &str) -> Value {
    json!({ "name": "app.service", "content": format!("[Service]\n{lines}\n"), "active": true })
}

#[test]
fn a_service_that_ends_after_its_start_has_failed_with_its_journal() {
    let ends = ends(item("unit", service("ExecStart=/bin/false")), &FakeMachine::debian());
    assert_eq!(
        ends,
        ["unit:app.service failed: starting `app.service`: it is failed (exit-code, status 1) \
          app.service: Main process exited, code=exited, status=1/FAILURE"]
    );
}

#[test]
fn a_service_that_systemd_keeps_starting_has_failed_though_it_is_active() {
    let machine = FakeMachine::debian();
    let ends = ends(item("unit", service("ExecStart=/bin/false\nRestart=always")), &machine);
    assert!(ends[0].contains("it ended and was started again by systemd"), "{ends:?}");
}

#[test]
fn a_start_that_systemd_refuses_says_why() {
    let ends = ends(item("unit", service("EnvironmentFile=/etc/none\nExecStart=/bin/sleep 1")), &FakeMachine::debian());
    assert!(ends[0].contains("running `systemctl start -- app.service`: exit 1: `app.service` is failed"), "{ends:?}");
}

#[test]
fn where_systemd_does_not_run_a_plan_is_made_and_an_apply_says_so() {
    let machine = FakeMachine::debian();
    machine.disk().remove_tree(std::path::Path::new("/run/systemd"));
    let items = [item("unit", service("ExecStart=/bin/sleep 1"))];
    let planned = run(&items, Mode::Plan, &Known::default(), &machine).unwrap();
    assert_eq!(planned.changes().len(), 2, "{:?}", planned.changes());
    let ends = apply(&items, &mut Known::default(), &machine).unwrap().ends();
    assert!(ends[0].contains("systemd does not run on this machine"), "{ends:?}");
}

#[test]
fn a_restart_that_is_owed_survives_a_crash_after_the_file_was_written() {
    let machine = FakeMachine::debian();
    let unit = json!({ "name": "app.service", "content": "[Service]\nEnvironmentFile=/etc/app.env\nExecStart=/bin/sleep 1\n", "active": true });
    let items =
        |text: &str| [item("file", json!({ "path": "/etc/app.env", "content": text })), item("unit", unit.clone())];
    let mut known = Known::default();
    apply(&items("A=1\n"), &mut known, &machine).unwrap();
    // The file is in place, and then power goes.
    apply(&items("A=2\n")[..1], &mut known, &machine).unwrap();
    let changes = apply(&items("A=2\n"), &mut known, &machine).unwrap().changes();
    assert_eq!(changes, ["unit:app.service restarted: older than /etc/app.env -> restarted"]);
    assert!(apply(&items("A=2\n"), &mut known, &machine).unwrap().changes().is_empty());
}

#[test]
fn all_units_of_a_job_are_looked_at_in_one_go_and_packages_without_any_program() {
    let machine = FakeMachine::debian();
    machine
        .file("/var/lib/dpkg/status", "Package: git\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n");
    machine.dir("/usr/local/lib/node_modules/cli");
    machine.file("/usr/local/lib/node_modules/cli/package.json", r#"{"name":"cli","version":"1.0.0"}"#);
    machine.file("/etc/systemd/system/a.service", "[Service]\nExecStart=/bin/sleep 1\n");
    machine.file("/etc/systemd/system/b.service", "[Service]\nExecStart=/bin/sleep 1\n");
    let items = [
        item("package", json!({ "name": "git" })),
        item("npm", json!({ "name": "cli", "prefix": "/usr/local" })),
        item("unit", json!({ "name": "a.service", "active": false })),
        item("unit", json!({ "name": "b.service", "active": false })),
    ];
    machine.take_runs();
    let recorder = run(&items, Mode::Plan, &Known::default(), &machine).unwrap();
    assert!(
        recorder.changes().is_empty() && recorder.ends().is_empty(),
        "{:?} {:?}",
        recorder.changes(),
        recorder.ends()
    );
    let runs = machine.take_runs();
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert!(runs[0].starts_with("systemctl show ") && runs[0].ends_with("a.service b.service"), "{runs:?}");
}

#[test]
fn a_package_that_apt_does_not_know_is_named_with_the_nearest_one() {
    let machine = FakeMachine::debian();
    machine.dir("/srv/apt");
    machine.file("/srv/apt/Packages", "Package: htop\nVersion: 1\nArchitecture: amd64\n");
    let ends = ends(item("package", json!({ "name": ["htpo"] })), &machine);
    assert!(ends[0].contains("apt knows no package `htpo`; did you mean `htop`?"), "{ends:?}");
}

#[test]
fn of_a_list_only_the_packages_that_apt_does_not_know_have_failed() {
    let machine = FakeMachine::debian();
    machine.dir("/srv/apt");
    let stanza = |name: &str, more: &str| format!("Package: {name}\nVersion: 1\nArchitecture: amd64\n{more}\n");
    let server = stanza("good", "") + &stanza("one", "Provides: both\n") + &stanza("two", "Provides: both\n");
    machine.file("/srv/apt/Packages", &server);
    let names = json!({ "name": ["good", "both", "nobody", "good:i386"] });
    let recorder = apply(&[item("package", names)], &mut Known::default(), &machine).unwrap();
    assert_eq!(recorder.changes(), ["package:good: nothing -> installed"]);
    let ends = recorder.ends();
    assert_eq!(ends.len(), 3, "{ends:?}");
    assert!(ends[0].starts_with("package:both failed: "), "{ends:?}");
    assert!(ends[0].contains("`both` is no package itself: `one`, `two` provide or replace it"), "{ends:?}");
    assert!(ends[0].contains("apt knows no package `nobody`"), "{ends:?}");
    assert!(ends[0].contains("takes no packages of the architecture `i386`"), "{ends:?}");
}

#[test]
fn a_held_package_waits_whatever_is_asked_of_it() {
    let machine = FakeMachine::debian();
    let stanza = |name: &str, status: &str| {
        format!("Package: {name}\nStatus: hold ok {status}\nVersion: 1.0\nArchitecture: amd64\n\n")
    };
    let status = stanza("there", "installed") + &stanza("fine", "installed") + &stanza("gone", "not-installed");
    machine.file("/var/lib/dpkg/status", &status);
    let of = |name: &str, version: Option<&str>| item("package", json!({ "name": name, "version": version }));
    let items = [of("there", Some("2.*")), of("fine", Some("1.*")), of("gone", None)];
    machine.take_runs();
    let recorder = apply(&items, &mut Known::default(), &machine).unwrap();
    assert_eq!(
        recorder.ends(),
        [
            "package:there waiting: is held at 1.0, and is to be 2.* \
             (if it may change, run `apt-mark unhold there`, then run again)",
            "package:gone waiting: is held, not installed, and is to be installed \
             (if it may change, run `apt-mark unhold gone`, then run again)",
        ]
    );
    assert!(recorder.changes().is_empty() && machine.take_runs().is_empty());
}

#[test]
fn who_holds_the_lock_is_named_while_it_is_waited_for_and_where_that_is_in_vain() {
    let machine = FakeMachine::debian();
    machine.dir("/srv/apt");
    machine.file("/srv/apt/Packages", "Package: htop\nVersion: 1\nArchitecture: amd64\n");
    let items = [item("package", json!({ "name": "htop" }))];
    let said = |recorder: &Recorder| {
        let text = |event| if let Event::Said { id, text } = event { Some(format!("{id}: {text}")) } else { None };
        recorder.events().into_iter().filter_map(text).collect::<Vec<_>>()
    };
    machine.hold_lock("/var/lib/dpkg/lock", 680, "dpkg", Duration::from_secs(90));
    let recorder = apply(&items, &mut Known::default(), &machine).unwrap();
    assert_eq!(said(&recorder), ["host/package:htop: waits for `dpkg` (pid 680), which holds `/var/lib/dpkg/lock`"]);
    let ends = recorder.ends();
    assert!(ends[0].contains("`dpkg` (pid 680) holds `/var/lib/dpkg/lock`: it was waited for 60 s"), "{ends:?}");
    let recorder = apply(&items, &mut Known::default(), &machine).unwrap();
    assert_eq!(said(&recorder).len(), 1);
    assert_eq!(recorder.changes(), ["package:htop: nothing -> installed"], "it ended within half a minute");
}

#[test]
fn of_a_list_only_the_package_that_can_not_be_configured_has_failed() {
    let machine = FakeMachine::debian();
    machine.dir("/srv/apt");
    let server =
        "Package: good\nVersion: 1\nArchitecture: amd64\n\nPackage: bad\nVersion: 1\nArchitecture: amd64\nFails: yes\n";
    machine.file("/srv/apt/Packages", server);
    let recorder =
        apply(&[item("package", json!({ "name": ["good", "bad"] }))], &mut Known::default(), &machine).unwrap();
    assert_eq!(recorder.changes(), ["package:good: nothing -> installed"]);
    let ends = recorder.ends();
    assert!(
        ends.len() == 1 && ends[0].starts_with("package:bad failed: running `apt-get install --no-remove good bad`"),
        "{ends:?}"
    );
}

#[test]
fn lists_are_fetched_when_they_are_not_there_older_than_their_sources_or_proven_old() {
    let machine = FakeMachine::debian();
    machine.dir("/srv/apt");
    let stanza = |name: &str| format!("Package: {name}\nVersion: 1\nArchitecture: amd64\n\n");
    let install = |name: &str| {
        machine.take_runs();
        apply(&[item("package", json!({ "name": name }))], &mut Known::default(), &machine).unwrap();
        machine.take_runs().iter().filter(|run| run.starts_with("apt-get ") && run.ends_with(" update")).count()
    };
    machine.file("/srv/apt/Packages", &stanza("one"));
    assert_eq!(install("one"), 1, "there were none");
    machine.file("/srv/apt/Packages", &(stanza("one") + &stanza("two")));
    assert_eq!(install("two"), 1, "the clock of this machine is days after its files");
    assert_eq!(install("two"), 0, "nothing is missing");
    machine.file("/srv/apt/Packages", &(stanza("one") + &stanza("two") + &stanza("three")));
    machine.set_clock_back(Duration::from_secs(1_999_999), Duration::ZERO);
    assert_eq!(install("three"), 1, "they are from a time that has not come");
}

#[test]
fn a_deb_with_another_digest_is_not_installed() {
    let machine = FakeMachine::debian();
    machine.web.lock().unwrap().insert("https://example.org/x.deb".into(), (200, b"Package: x\n".to_vec()));
    let fields = json!({ "name": "xx", "url": "https://example.org/x.deb", "sha256": "0".repeat(64) });
    let ends = ends(item("package", fields), &machine);
    assert!(ends[0].contains("its sha256 is ") && machine.text("/var/lib/dpkg/status").is_empty(), "{ends:?}");
}

#[test]
fn what_npm_could_not_install_leaves_no_cache_and_no_mark() {
    let machine = FakeMachine::debian();
    let ends = ends(item("npm", json!({ "name": "none", "prefix": "/usr/local" })), &machine);
    assert!(ends[0].contains("npm error code E404"), "{ends:?}");
    assert!(machine.text("/var/lib/provision/stamps/npm/none").is_empty());
    assert!(machine.disk().node(std::path::Path::new("/var/lib/provision/npm-cache")).is_none());
}

#[test]
fn a_former_prefix_in_which_another_recipe_has_the_package_keeps_it() {
    let (machine, mut known) = (FakeMachine::debian(), Known::default());
    machine.dir("/srv/fake-npm/cli");
    machine.file("/srv/fake-npm/cli/1.0.0", "");
    let cli = |prefix: &str| item("npm", json!({ "name": "cli", "prefix": prefix }));
    apply(&[cli("/opt/one")], &mut known, &machine).unwrap();
    let moved = ["npm:cli prefix: /opt/one -> /opt/two", "npm:cli: nothing -> installed"];
    assert_eq!(run(&[cli("/opt/two")], Mode::Plan, &known, &machine).unwrap().changes(), moved);
    known.shared.insert("host/npm:cli".parse().unwrap());
    assert_eq!(run(&[cli("/opt/two")], Mode::Plan, &known, &machine).unwrap().changes(), moved[1..]);
}

#[test]
fn secrets_of_npm_are_in_its_environment_and_nowhere_else() {
    let machine = FakeMachine::debian();
    let fields = json!({ "name": "none", "prefix": "/usr/local", "env": { "NPM_TOKEN": "hunter2" } });
    machine.take_runs();
    let recorder = apply(&[item("npm", fields)], &mut Known::default(), &machine).unwrap();
    let said = format!("{:?} {:?}", recorder.events(), machine.take_runs());
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_contradicts_itself_is_a_mistake_at_its_key() {
    let keys =
        |found: Vec<(Option<&'static str>, String)>| found.into_iter().map(|(key, _)| key.unwrap()).collect::<Vec<_>>();
    let template = json!({ "name": "a@.service", "content": "[Install]\n", "enabled": true, "active": true });
    assert_eq!(keys(mistakes("unit", &template)), ["enabled", "active"]);
    assert_eq!(keys(mistakes("unit", &json!({ "name": "a.service", "content": "x", "source": "y" }))), ["source"]);
    assert_eq!(keys(mistakes("unit", &json!({ "name": "a.service", "template": true }))), ["template"]);
    assert_eq!(keys(mistakes("unit", &json!({ "name": "a.service", "masked": true, "active": true }))), ["masked"]);
    let once = json!({ "name": "a.service", "content": "[Service]\nType=oneshot\n", "active": true, "enabled": true });
    assert_eq!(keys(mistakes("unit", &once)), ["active", "enabled"]);
    assert_eq!(keys(mistakes("package", &json!({ "name": "git", "url": "https://x/y.deb" }))), ["url"]);
    assert_eq!(keys(mistakes("package", &json!({ "name": "git", "sha256": "0".repeat(64) }))), ["sha256"]);
    assert_eq!(keys(mistakes("npm", &json!({ "name": "x", "registry": "registry.example" }))), ["registry"]);
    let plain = json!({ "name": ["a@one.service", "b.timer"], "enabled": true, "active": true, "settle": "2s" });
    assert!(mistakes("unit", &plain).is_empty());
}
