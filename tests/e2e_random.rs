//! Random recipes on a real machine, and random damage: a plan is what the apply does, a second one is empty, a plan after
//! damage names what was damaged and no more, and the repair touches nothing else.
use crate::lab::on_a_disposable_machine;
use crate::support::contract::{same, without_after};
use crate::support::here::{Here, item};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use provision::item::Item;
use provision::system::{Command, System as _};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io};

const ROOT: &str = "/srv/random";

#[test]
fn a_plan_says_what_happens_and_names_the_damage_and_nothing_else_is_touched() {
    on_a_disposable_machine(
        "e2e_random::a_plan_says_what_happens_and_names_the_damage_and_nothing_else_is_touched",
        &[],
        || {
            // `CASE=1000` makes it as many.
            let cases = std::env::var("CASE").ok().and_then(|number| number.parse().ok()).unwrap_or(80);
            let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
            let (resources, damaged) = (Cell::new(0), Cell::new(0));
            let outcome = TestRunner::new(config).run(&prop::collection::vec(any::<u16>(), 160), |throws| {
                let world = World::new(&mut Dice { throws, next: 0 });
                resources.set(resources.get() + world.things.len());
                damaged.set(damaged.get() + world.damages.len());
                let held = world.holds();
                world.clean();
                held.map_err(|why| TestCaseError::fail(format!("{why}\n{world:#?}")))
            });
            outcome.unwrap_or_else(|error| panic!("{error}"));
            println!("{} resources, {} times damage", resources.get(), damaged.get());
        },
    );
}

/// What chance decides, in order; zeros once it is used up.
struct Dice {
    throws: Vec<u16>,
    next: usize,
}

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.next += 1;
        usize::from(self.throws.get(self.next - 1).copied().unwrap_or_default()) % n
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// One resource.
#[derive(Debug, Clone)]
struct Thing {
    kind: &'static str,
    /// A name, or a path.
    name: String,
    fields: Value,
}

impl Thing {
    fn id(&self) -> String {
        format!("{}:{}", self.kind, self.name)
    }

    /// The path that is there because of it.
    fn path(&self) -> Option<PathBuf> {
        match self.kind {
            "directory" | "file" => Some(PathBuf::from(&self.name)),
            "command" => Some(PathBuf::from(self.fields["creates"].as_str()?)),
            "unit" => Some(Path::new("/etc/systemd/system").join(&self.name)),
            _ => None,
        }
    }
}

/// What somebody does to one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Damage {
    Gone,
    Mode,
    Owner,
    Content,
    Shell,
    NoMember,
    Disabled,
}

#[derive(Debug)]
struct World {
    things: Vec<Thing>,
    damages: Vec<(usize, Damage)>,
}

impl World {
    fn new(dice: &mut Dice) -> Self {
        let mut things =
            vec![Thing { kind: "directory", name: ROOT.to_owned(), fields: json!({ "path": ROOT, "mode": "0755" }) }];
        let mut owners = vec![json!("root"), json!(1234), json!("daemon")];
        let mut groups = vec![json!("root"), json!(4321), json!("games")];
        for name in ["rg-one", "rg-two"].into_iter().take(dice.below(3)) {
            things.push(Thing { kind: "group", name: name.to_owned(), fields: json!({ "name": name }) });
            groups.push(json!(name));
        }
        for name in ["ru-one", "ru-two"].into_iter().take(dice.below(3)) {
            let of: Vec<Value> = groups.iter().skip(3).take(dice.below(3)).cloned().collect();
            let fields = json!({ "name": name, "shell": dice.of(&["/bin/bash", "/bin/sh"]), "groups": of, "comment": dice.of(&["", "one of them"]) });
            things.push(Thing { kind: "user", name: name.to_owned(), fields });
            owners.push(json!(name));
        }
        let mut directories = vec![ROOT.to_owned()];
        for number in 0..dice.below(6) {
            let path = format!("{}/{}{number}", dice.of(&directories), dice.of(&["d", "with space", "ü"]));
            let mode = dice.of(&["0755", "0700", "2770", "1777"]);
            let fields = json!({ "path": path, "mode": mode, "owner": dice.of(&owners), "group": dice.of(&groups) });
            things.push(Thing { kind: "directory", name: path.clone(), fields });
            directories.push(path);
        }
        for number in 0..dice.below(8) {
            let path = format!("{}/{}{number}", dice.of(&directories), dice.of(&["f", ".hidden", "two words", "é"]));
            let content = dice.of(&["", "one line\n", "no end", "several\nlines\n\n", "ü\u{1F600}\n"]);
            let fields = match dice.below(5) {
                0 => json!({ "path": path, "link": dice.of(&["nowhere", "/etc/passwd", ".."]) }),
                1 => json!({ "path": path, "content": content }),
                _ => json!({ "path": path, "content": content, "mode": dice.of(&["0644", "0600", "0755", "4711"]),
                             "owner": dice.of(&owners), "group": dice.of(&groups) }),
            };
            things.push(Thing { kind: "file", name: path, fields });
        }
        for number in 0..dice.below(3) {
            let (name, creates) = (format!("made {number}"), format!("{}/made{number}", dice.of(&directories)));
            let fields = json!({ "name": name, "argv": ["touch", creates], "creates": creates });
            things.push(Thing { kind: "command", name, fields });
        }
        if dice.below(2) == 1 {
            let content = dice.of(&[
                "[Service]\nExecStart=/bin/true\n",
                "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n",
            ]);
            let enabled = content.contains("[Install]");
            let mut fields = json!({ "name": "random-one.service", "content": content });
            if enabled {
                fields["enabled"] = json!(true);
            }
            things.push(Thing { kind: "unit", name: "random-one.service".to_owned(), fields });
        }
        let can_be_hit: Vec<usize> = (0..things.len()).filter(|which| !possible(&things[*which]).is_empty()).collect();
        let mut damages: Vec<(usize, Damage)> = Vec::new();
        for _ in 0..=dice.below(4) {
            let which = dice.of(&can_be_hit);
            let hit = (which, dice.of(&possible(&things[which])));
            // Twice could be as before.
            if !damages.contains(&hit) {
                damages.push(hit);
            }
        }
        Self { things, damages }
    }

    fn items(&self) -> Vec<Item> {
        self.things.iter().map(|thing| item(thing.kind, &thing.fields)).collect()
    }

    fn holds(&self) -> Result<(), String> {
        let (mut here, items, before) = (Here::new(), self.items(), look());
        let planned = here.plan(&items);
        if look() != before {
            return Err(format!("the plan touched something:\n{planned:#?}"));
        }
        same("the first apply", &here.apply(&items), &without_after(&planned))?;
        same("the second apply", &here.apply(&items), &[])?;

        let mut damaged = BTreeSet::new();
        for (which, damage) in &self.damages {
            damaged.extend(self.hit(&self.things[*which], *damage).map_err(|error| format!("{damage:?}: {error}"))?);
        }
        let (before, planned) = (look(), here.plan(&items));
        let named: BTreeSet<String> = planned.iter().map(|line| self.id_in(line)).collect();
        if named != damaged {
            return Err(format!("damaged: {damaged:#?}\nthe plan: {planned:#?}"));
        }
        same("the repair", &here.apply(&items), &without_after(&planned))?;
        self.nothing_else_was_touched(&before, &damaged)?;
        same("the plan after the repair", &here.plan(&items), &[])
    }

    /// Does the damage, unless what it would damage is gone already, and returns the ids of what that drifts.
    fn hit(&self, thing: &Thing, damage: Damage) -> io::Result<Vec<String>> {
        let path = thing.path().unwrap_or_default();
        if thing.path().is_some() && path.symlink_metadata().is_err() {
            return Ok(Vec::new());
        }
        match damage {
            Damage::Gone if thing.kind == "directory" => {
                let below =
                    self.things.iter().filter(|other| other.path().is_some_and(|other| other.starts_with(&path)));
                let ids = below.map(Thing::id).collect();
                fs::remove_dir_all(&path)?;
                return Ok(ids);
            }
            Damage::Gone => fs::remove_file(&path)?,
            Damage::Mode => {
                let mode = path.metadata()?.permissions().mode() ^ 0o050;
                fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            }
            Damage::Owner => chown(&path, Some(7), Some(7))?,
            Damage::Content if path.is_symlink() => {
                fs::remove_file(&path)?;
                symlink("somewhere", &path)?;
            }
            Damage::Content => fs::write(&path, format!("{}# more\n", fs::read_to_string(&path)?))?,
            Damage::Shell => run(&["usermod", "-s", "/usr/sbin/nologin", &thing.name]),
            Damage::NoMember => run(&["usermod", "-G", "", &thing.name]),
            Damage::Disabled => run(&["systemctl", "disable", &thing.name]),
        }
        Ok(vec![thing.id()])
    }

    /// Returns the id with which a line begins.
    fn id_in(&self, line: &str) -> String {
        let begins = |id: &String| line.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with([':', ' ']));
        let ids = self.things.iter().map(Thing::id).filter(begins);
        ids.max_by_key(String::len).unwrap_or_else(|| line.to_owned())
    }

    fn nothing_else_was_touched(&self, before: &Look, damaged: &BTreeSet<String>) -> Result<(), String> {
        let paths = self.things.iter().filter(|thing| damaged.contains(&thing.id())).filter_map(Thing::path);
        // What is renamed into a directory changes that as well.
        let mut may: BTreeSet<PathBuf> =
            paths.flat_map(|path| [path.clone(), path.parent().unwrap_or(&path).to_owned()]).collect();
        if damaged.contains("unit:random-one.service") {
            let wants = Path::new("/etc/systemd/system/multi-user.target.wants");
            may.extend([wants.to_owned(), wants.join("random-one.service")]);
        }
        let after = look();
        let differs = |path: &&PathBuf| before.get(*path) != after.get(*path);
        let touched: Vec<&PathBuf> =
            before.keys().chain(after.keys()).filter(differs).filter(|path| !may.contains(*path)).collect();
        if touched.is_empty() { Ok(()) } else { Err(format!("damaged: {damaged:#?}\ntouched as well: {touched:#?}")) }
    }

    fn clean(&self) {
        let script = "systemctl -q disable random-one.service 2>/dev/null; rm -rf /srv/random /var/lib/provision \
                      /etc/systemd/system/random-one.service; systemctl daemon-reload; for user in ru-one ru-two; do \
                      userdel -r $user 2>/dev/null; done; for group in rg-one rg-two; do groupdel $group 2>/dev/null; done; true";
        run(&["sh", "-c", script]);
    }
}

/// Returns what can happen to a thing.
fn possible(thing: &Thing) -> Vec<Damage> {
    let has = |field: &str| thing.fields.get(field).is_some();
    let mut damages = match thing.kind {
        "group" => Vec::new(),
        "user" => vec![Damage::Shell],
        "file" | "unit" => vec![Damage::Gone, Damage::Content],
        _ => vec![Damage::Gone],
    };
    damages.extend(has("mode").then_some(Damage::Mode));
    damages.extend(has("owner").then_some(Damage::Owner));
    damages.extend(has("enabled").then_some(Damage::Disabled));
    damages
        .extend(thing.fields["groups"].as_array().is_some_and(|groups| !groups.is_empty()).then_some(Damage::NoMember));
    damages
}

type Look = BTreeMap<PathBuf, (u64, i64, i64)>;

/// Returns inode and time of change of all that recipes can make, and of what is beside it.
fn look() -> Look {
    fn into(look: &mut Look, path: &Path) {
        let Ok(found) = path.symlink_metadata() else { return };
        look.insert(path.to_owned(), (found.ino(), found.ctime(), found.ctime_nsec()));
        for entry in found.is_dir().then(|| fs::read_dir(path)).into_iter().flatten().flatten().flatten() {
            into(look, &entry.path());
        }
    }
    let mut look = Look::new();
    ["/srv", "/home", "/etc/systemd", "/etc/apt", "/opt", "/root"]
        .into_iter()
        .for_each(|path| into(&mut look, Path::new(path)));
    look
}

fn run(argv: &[&str]) {
    let command = Command::new(argv.iter().copied());
    provision::system::Real::new("/var/lib/provision").run(&command).unwrap().success(&command).unwrap();
}
