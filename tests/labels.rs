//! New, edit or drift: right after whatever happened before, and the same in a plan, in what an apply shows, in a status, as
//! text and as JSON.
use crate::support::fake::FakeMachine;
use crate::support::item::job;
use crate::support::place::{Place, wait_for};
use crate::support::run::start;
use provision::engine::{Course, Mode, Scope, converge};
use provision::event::{Envelope, Event, Label, Outcome};
use provision::hub::Hub;
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::ledger::{Ledger, Verified};
use provision::report::{Reporter, Silent};
use provision::resource::{Allowed, Known};
use provision::system::{Command, System};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

const A: &str = "[[file]]\npath = \"ROOT/a\"\ncontent = \"a\\n\"\n";
const B: &str = "[[file]]\npath = \"ROOT/b\"\ncontent = \"b\\n\"\n";
const C: &str = "[[file]]\npath = \"ROOT/c\"\ncontent = \"c\\n\"\n";
/// A directory must be there, so this fails.
const FAILS: &str = "[[file]]\npath = \"ROOT/dir/x\"\nsource = \"x\"\nvalidate = [\"false\"]\n";

fn recipe(place: &Place, parts: &[&str]) {
    named(place, "web", parts);
}

fn named(place: &Place, name: &str, parts: &[&str]) {
    let text = format!("name = \"{name}\"\n{}", parts.concat()).replace("ROOT", &place.root().display().to_string());
    fs::write(place.root().join(format!("{name}.toml")), text).unwrap();
}

fn place() -> Place {
    let place = Place::new("name = \"web\"\n");
    fs::create_dir(place.root().join("dir")).unwrap();
    fs::write(place.root().join("x"), "x\n").unwrap();
    place
}

fn write(place: &Place, name: &str, text: &str) {
    fs::write(place.root().join(name), text).unwrap();
}

fn apply(place: &Place, code: i32, more: &[&str]) {
    let ran = place.run(&[&["apply", "web.toml"], more].concat());
    assert_eq!(ran.code, code, "{ran:?}");
}

/// Returns `a drift, b new` of what differs, the same whoever is asked.
#[track_caller]
fn says(place: &Place) -> String {
    of(place, "web")
}

#[track_caller]
fn of(place: &Place, name: &str) -> String {
    let file = format!("{name}.toml");
    let json = |arguments: &[&str]| -> Vec<Value> {
        let ran = place.run(&[arguments, &["--json"]].concat());
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let told = |events: &[Value], at: fn(&Value) -> &Value| -> Vec<String> {
        let labels = events.iter().filter_map(|event| Some((event["id"].as_str()?, at(event).as_str()?)));
        labels.map(|(id, label)| format!("{} {label}", id.rsplit(['/', ':']).next().unwrap())).collect()
    };
    let plan = json(&["plan", &file]);
    let planned = told(&plan, |event| &event["label"]);
    let ended = told(&plan, |event| &event["outcome"]["label"]);
    let status = told(&json(&["status", &file]), |event| &event["outcome"]["label"]);
    // It shows its own plan and changes nothing.
    let shown = told(&json(&["apply", &file, "--expect", "0123456789abcdef"]), |event| &event["label"]);
    let text = place.run(&["plan", &file]).stdout;
    let lines = text.lines().filter_map(|line| {
        let (head, label) = line.strip_suffix(')')?.rsplit_once("  (")?;
        Some(format!("{} {label}", head.split_whitespace().nth(1)?.rsplit(['/', ':']).next()?))
    });
    let lines: Vec<String> = lines.collect();
    assert_eq!(planned, ended, "{text}");
    assert_eq!(planned, status, "in status");
    assert_eq!(planned, lines, "as text: {text}");
    if !planned.is_empty() {
        assert_eq!(planned, shown, "in apply");
    }
    let drifted: Vec<&String> = planned.iter().filter(|one| one.ends_with(" drift")).collect();
    let below = place.run(&["status", &file]).stdout;
    assert_eq!(below.matches("  (drift)").count(), drifted.len(), "below the checklist: {below}");
    planned.join(", ")
}

#[test]
fn before_anything_all_is_new_and_after_an_apply_what_differs_is_drift_or_an_edit() {
    let place = place();
    recipe(&place, &[A, B]);
    assert_eq!(says(&place), "a new, b new");
    apply(&place, 0, &[]);
    assert_eq!(says(&place), "");
    write(&place, "a", "other\n");
    assert_eq!(says(&place), "a drift");
    recipe(&place, &[A, &B.replace("b\\n", "B\\n")]);
    assert_eq!(says(&place), "a drift, b edit");
    recipe(&place, &[&A.replace("a\\n", "A\\n"), B]);
    assert_eq!(says(&place), "a edit", "both changed: the recipe is why");
    recipe(&place, &[&A.replace("[[file]]\n", "[[file]]\nstate = \"absent\"\n"), B]);
    assert_eq!(says(&place), "", "it was changed since, so it stays");
}

#[test]
fn what_should_be_gone_and_comes_back_is_drift() {
    let place = place();
    recipe(&place, &[A]);
    apply(&place, 0, &[]);
    recipe(&place, &["[[file]]\nstate = \"absent\"\npath = \"ROOT/a\"\n"]);
    assert_eq!(says(&place), "a edit");
    apply(&place, 0, &[]);
    assert_eq!(says(&place), "");
    recipe(&place, &[A]);
    assert_eq!(says(&place), "a edit", "and when it is wanted again");
    apply(&place, 0, &[]);
    write(&place, "a", "other\n");
    assert_eq!(says(&place), "a drift");
}

#[test]
fn after_a_failed_apply() {
    let place = place();
    recipe(&place, &[A, FAILS, B]);
    apply(&place, 1, &[]);
    assert_eq!(says(&place), "x new, b new", "what failed and what was not tried never held");
    write(&place, "a", "other\n");
    assert_eq!(says(&place), "a drift, x new, b new", "what was done before it did");
    let holds = FAILS.replace("\"false\"", "\"true\"");
    recipe(&place, &[A, &holds, B]);
    apply(&place, 0, &[]);
    // Now an edit of it fails, and then a repair.
    recipe(&place, &[A, FAILS, B]);
    write(&place, "x", "y\n");
    apply(&place, 1, &[]);
    assert_eq!(says(&place), "x edit");
    write(&place, "b", "other\n");
    write(&place, "x", "x\n");
    recipe(&place, &[A, &holds, B]);
    assert_eq!(says(&place), "b drift", "what failed is as it was");
}

#[test]
fn after_one_that_was_killed() {
    let slow = "[[command]]\nname = \"slow\"\nargv = [\"sh\", \"-c\", \"touch ROOT/begun; sleep 3\"]\nonce = true\n";
    for signal in ["KILL", "INT"] {
        let place = place();
        recipe(&place, &[A, B]);
        apply(&place, 0, &[]);
        write(&place, "c", "c\n");
        recipe(&place, &[&A.replace("a\\n", "A\\n"), C, slow, &B.replace("b\\n", "B\\n"), FAILS]);
        let mut run = place.command(&["apply", "web.toml"]).stdout(Stdio::null()).spawn().unwrap();
        wait_for(&place.root().join("begun"));
        let kill = std::process::Command::new("kill").args(["-s", signal, &run.id().to_string()]).status().unwrap();
        assert!(kill.success());
        run.wait().unwrap();
        // At once: whoever looks by an apply has the ledger know it.
        write(&place, "c", "other\n");
        let slow = if signal == "KILL" { "slow new, " } else { "" };
        assert_eq!(
            says(&place),
            format!("c drift, {slow}b edit, x new"),
            "{signal}: c was found in sync, the edit of a made"
        );
        write(&place, "a", "other\n");
        assert_eq!(says(&place), format!("a drift, c drift, {slow}b edit, x new"), "{signal}");
    }
}

#[test]
fn after_a_prune_and_after_a_rename() {
    let place = place();
    recipe(&place, &[A, B]);
    apply(&place, 0, &[]);
    recipe(&place, &[B]);
    write(&place, "b", "other\n");
    assert_eq!(says(&place), "b drift", "an orphan is none of the three");
    apply(&place, 0, &["--prune"]);
    recipe(&place, &[A, B]);
    assert_eq!(says(&place), "a new", "it is known no more");
    apply(&place, 0, &[]);
    // One that was not pruned is known, and one that was renamed is another one.
    recipe(&place, &[B]);
    apply(&place, 0, &[]);
    write(&place, "a", "other\n");
    recipe(&place, &[A, &B.replace("ROOT/b", "ROOT/c")]);
    assert_eq!(says(&place), "a drift, c new");
    apply(&place, 0, &["--prune"]);
    write(&place, "c", "other\n");
    assert_eq!(says(&place), "c drift");
}

#[test]
fn what_was_there_before_is_new_until_it_held() {
    let place = place();
    write(&place, "a", "theirs\n");
    write(&place, "b", "b\n");
    recipe(&place, &[A, B]);
    assert_eq!(says(&place), "a new");
    apply(&place, 0, &[]);
    write(&place, "a", "theirs\n");
    write(&place, "b", "other\n");
    assert_eq!(says(&place), "a drift, b drift", "b was found as asked, and held");
}

#[test]
fn two_recipes_on_one_host() {
    let place = place();
    recipe(&place, &[A, B]);
    apply(&place, 0, &[]);
    named(&place, "other", &[&A.replace("a\\n", "A\\n"), B, C]);
    assert_eq!(of(&place, "other"), "a new, c new", "it never held for this one");
    assert_eq!(place.run(&["apply", "other.toml"]).code, 0);
    assert_eq!(says(&place), "a drift", "for the first one the machine changed");
    write(&place, "b", "x\n");
    assert_eq!(of(&place, "other"), "b drift");
    recipe(&place, &[A]);
    apply(&place, 0, &["--prune"]);
    assert_eq!(of(&place, "other"), "a drift, b drift");
}

#[test]
fn where_a_secret_is_not_at_hand() {
    let place = place();
    let text = |mode: &str| {
        format!(
            "[secrets]\nword = {{ env = \"WORD\" }}\n[[file]]\npath = \"ROOT/a\"\ncontent = \"{{{{ word }}}}\"\nmode = \"{mode}\"\n"
        )
    };
    recipe(&place, &[&text("0600")]);
    let with = |arguments: &[&str]| place.command(arguments).env("WORD", "hush").output().unwrap();
    assert!(with(&["apply", "web.toml"]).status.success());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(place.root().join("a"), mode).unwrap();
    let label = |arguments: &[&str]| {
        let said = String::from_utf8(with(arguments).stdout).unwrap();
        ["(new)", "(edit)", "(drift)"].into_iter().find(|label| said.contains(label)).map(str::to_owned)
    };
    assert_eq!(label(&["plan", "web.toml"]).as_deref(), Some("(drift)"));
    let without = place.run(&["plan", "web.toml"]);
    assert!(without.stdout.contains("(drift)"), "{without:?}");
}

/// Writes a ledger again as version 1 had it: without what the recipe asked.
fn as_of_version_1(state: &Path) {
    let path = state.join("ledger.jsonl");
    let hash = |text: &str| Sha256::digest(text).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let (mut prev, mut all) = ("0".repeat(64), String::new());
    for line in fs::read_to_string(&path).unwrap().lines() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let fields = value.as_object_mut().unwrap();
        fields.remove("sum");
        fields.remove("asked");
        if fields["event"] == "asked" {
            continue;
        }
        fields.insert("v".into(), json!(1));
        fields.insert("prev".into(), json!(prev));
        // `v` comes first.
        let rest: serde_json::Map<_, _> =
            fields.iter().filter(|(name, _)| *name != "v").map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut text = format!("{{\"v\":1,{}", &serde_json::to_string(&rest).unwrap()[1..]);
        text.pop();
        let sum = hash(&text);
        text.extend([",\"sum\":\"", &sum[..16], "\"}"]);
        prev = hash(&text);
        all.push_str(&text);
        all.push('\n');
    }
    fs::write(&path, all).unwrap();
}

#[test]
fn after_an_upgrade_of_provision() {
    let place = place();
    recipe(&place, &[A, B, C]);
    apply(&place, 0, &[]);
    let state = place.root().join("state");
    as_of_version_1(&state);
    let verified: Verified = Ledger::verify(&state).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    write(&place, "a", "other\n");
    recipe(&place, &[A, &B.replace("b\\n", "B\\n"), C]);
    assert_eq!(says(&place), "a drift, b edit");
    apply(&place, 0, &[]);
    assert_eq!(says(&place), "");
    write(&place, "c", "other\n");
    assert_eq!(says(&place), "c drift");
    recipe(&place, &[A, B]);
    write(&place, "c", "c\n");
    apply(&place, 0, &["--prune"]);
    assert!(!place.root().join("c").exists(), "what the older one made is known as ours");
}

/// A host with a ledger, and what stands in its container, each a machine in memory.
struct Desk {
    host: FakeMachine,
    inside: FakeMachine,
    state: tempfile::TempDir,
}

/// Keeps the labels that are shown.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<String>>>);

impl Reporter for Shown {
    fn event(&mut self, envelope: &Envelope) {
        let word = |label: &Label| format!("{label:?}").to_lowercase();
        let line = match &envelope.event {
            Event::Planned { id, label, .. } => format!("{} {}", id.kind, word(label)),
            Event::Finished { id, outcome: Outcome::Waiting { .. }, .. } => format!("{} waits", id.kind),
            Event::Finished { id, outcome: Outcome::Failed { error }, .. } => format!("{} failed {error:?}", id.kind),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Desk {
    fn new() -> Self {
        let host = FakeMachine::debian();
        host.dir("/var/cache/provision/templates");
        host.file("/var/cache/provision/templates/debian-12.tar.zst", "template");
        Self { host, inside: FakeMachine::debian(), state: tempfile::tempdir().unwrap() }
    }

    fn items(memory: &str, text: &str) -> [Item; 2] {
        let made = |machine, kind: &str, fields: Value| {
            let digest = fields.to_string();
            Item::receive(JobItem { machine, digest, ..job(kind, fields) }).unwrap()
        };
        let container = json!({ "id": 202, "hostname": "mike", "template": "debian-12.tar.zst", "memory": memory });
        let file = json!({ "path": "/etc/motd", "content": text });
        [made(Machine::Host, "container", container), made(Machine::Container(202), "file", file)]
    }

    fn mac(&self) -> Option<String> {
        provision::container::driver(&self.host).unwrap().identity(&self.host, 202).unwrap()
    }

    /// Goes over the container, then over what is in it, as a run does.
    fn go(&self, hub: &Arc<Hub>, mode: Mode, items: &[Item], allowed: &Allowed) {
        hub.identify(Machine::Host, "host").unwrap();
        let mut total = provision::engine::Tally::default();
        for (item, sys) in items.iter().zip([&self.host, &self.inside]) {
            if let Some(mac) = self.mac() {
                hub.identify(Machine::Container(202), &mac).unwrap();
            }
            let identity =
                if item.job.machine == Machine::Host { "host".into() } else { self.mac().unwrap_or_default() };
            let known = Known { allowed: allowed.clone(), ..hub.known(item.job.machine, &identity) };
            let scope = Scope { mode, destroy: false, known: &known, sys, sink: &**hub, turn: None, only: &[] };
            total.add(converge(std::slice::from_ref(item), scope, &mut Course::default()).unwrap());
        }
        hub.end(0, &total).unwrap();
    }

    fn apply(&self, items: &[Item], adopt: bool) {
        let hub = start(self.state.path(), "apply", Box::new(Silent));
        let allowed = Allowed { adopt: adopt.then(|| "202".to_owned()).into_iter().collect(), ..Allowed::default() };
        self.go(&hub, Mode::Apply, items, &allowed);
    }

    /// Returns what a plan and a status say.
    #[track_caller]
    fn says(&self, items: &[Item]) -> String {
        let shown = |mode| {
            let told = Shown::default();
            let hub = Arc::new(Hub::reading(Ledger::open(self.state.path()).unwrap(), Box::new(told.clone())));
            let started = provision::event::Started { recipe: "web".into(), ..Default::default() };
            hub.start(started).unwrap();
            self.go(&hub, mode, items, &Allowed::default());
            told.0.lock().unwrap().join(", ")
        };
        let plan = shown(Mode::Plan);
        assert_eq!(plan, shown(Mode::Status), "in status");
        plan
    }

    /// Somebody takes the container away.
    fn taken_away(&mut self) {
        self.host.run(&Command::new(["lxc-stop", "-n", "202"])).unwrap();
        self.host.disk().remove_tree(Path::new("/var/lib/lxc/202"));
        self.anew();
    }

    /// Somebody puts another one in its place.
    fn replaced(&mut self) {
        let config = self.host.text("/var/lib/lxc/202/config");
        let other = config.replace(&self.mac().unwrap(), "BC:24:11:00:00:01");
        assert_ne!(config, other);
        self.host.file("/var/lib/lxc/202/config", &other);
        self.anew();
    }

    /// What is in it is as in a new one.
    fn anew(&mut self) {
        self.host.facts().forget();
        self.inside = FakeMachine::debian();
    }
}

#[test]
fn after_a_container_was_recreated_or_adopted() {
    let mut desk = Desk::new();
    let (items, edited) = (Desk::items("512MiB", "hello\n"), Desk::items("1GiB", "hello\n"));
    assert_eq!(desk.says(&items), "container new, file new");
    desk.apply(&items, false);
    assert_eq!(desk.says(&items), "");
    desk.inside.file("/etc/motd", "other\n");
    assert_eq!(desk.says(&edited), "container edit, file drift");

    desk.taken_away();
    assert_eq!(desk.says(&items), "container drift, file new", "what is in the next one has never held");
    desk.apply(&items, false);
    assert_eq!(desk.says(&items), "");
    desk.inside.file("/etc/motd", "other\n");
    assert_eq!(desk.says(&items), "file drift");

    desk.replaced();
    assert_eq!(desk.says(&items), "container waits, file new", "somebody else's is known for nothing");
    desk.apply(&items, true);
    assert_eq!(desk.says(&items), "");
    desk.inside.file("/etc/motd", "other\n");
    assert_eq!(desk.says(&edited), "container edit, file drift", "once it is adopted it is as any other");
}
