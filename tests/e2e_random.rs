//! Random recipes on a real machine, and random damage: a plan is what the apply does, a second one is empty, a plan after
//! damage names what was damaged and no more, and the repair touches nothing else.
use crate::lab::on_a_disposable_machine;
use crate::support::contract::{same, without_after};
use crate::support::here::Here;
use crate::support::world::{Dice, Thing, World, run};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io};

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
                let fate = Fate::new(&mut Dice::new(throws));
                resources.set(resources.get() + fate.world.things.len());
                damaged.set(damaged.get() + fate.damages.len());
                let held = fate.holds();
                World::clean();
                held.map_err(|why| TestCaseError::fail(format!("{why}\n{fate:#?}")))
            });
            outcome.unwrap_or_else(|error| panic!("{error}"));
            println!("{} resources, {} times damage", resources.get(), damaged.get());
        },
    );
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

/// A world and what happens to it.
#[derive(Debug)]
struct Fate {
    world: World,
    damages: Vec<(usize, Damage)>,
}

impl Fate {
    fn new(dice: &mut Dice) -> Self {
        let world = World::new(dice);
        let things = &world.things;
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
        Self { world, damages }
    }

    fn holds(&self) -> Result<(), String> {
        let (mut here, items, before) = (Here::new(), self.world.items(), look());
        let planned = here.plan(&items);
        if look() != before {
            return Err(format!("the plan touched something:\n{planned:#?}"));
        }
        same("the first apply", &here.apply(&items), &without_after(&planned))?;
        same("the second apply", &here.apply(&items), &[])?;

        let mut damaged = BTreeSet::new();
        for (which, damage) in &self.damages {
            damaged
                .extend(self.hit(&self.world.things[*which], *damage).map_err(|error| format!("{damage:?}: {error}"))?);
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
                    self.world.things.iter().filter(|other| other.path().is_some_and(|other| other.starts_with(&path)));
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
        let ids = self.world.things.iter().map(Thing::id).filter(begins);
        ids.max_by_key(String::len).unwrap_or_else(|| line.to_owned())
    }

    fn nothing_else_was_touched(&self, before: &Look, damaged: &BTreeSet<String>) -> Result<(), String> {
        let paths = self.world.things.iter().filter(|thing| damaged.contains(&thing.id())).filter_map(Thing::path);
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
    for path in ["/srv", "/home", "/etc/systemd", "/etc/apt", "/opt", "/root"] {
        into(&mut look, Path::new(path));
    }
    look
}
