//! What the commands on a recipe share: it is loaded, the ledger is opened, and passes go over its stages.
pub(super) mod given;
mod machine_id;
mod patience;

use super::find::find;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::orphans::orphans;
use super::print::warn;
use super::show::Show;
use super::{Exit, facts, gates, named, who};
use crate::approval::Changes;
use crate::capacity::Capacity;
use crate::container::{driver, push};
use crate::engine::{Mode, Tally, matches};
use crate::error::{Attempt, Error};
use crate::event::{Counts, Event, Sink, Started};
use crate::hub::{Hub, Left};
use crate::id::{Id, Machine};
use crate::interrupt;
use crate::item::{Item, changes_nothing};
use crate::lanes::{Fleet, Orphans, Pass, Passed, id_of};
use crate::ledger::{Ledger, Lock, LockError, Writer};
use crate::recipe::{self, Found, Options, Recipe, SecretsMode, Stage};
use crate::resource::{self, Allowed, Known, Remark};
use crate::system::{Real, System, without_login};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

/// Whether a command only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Takes no lock, writes nothing.
    Read,
    /// Holds the lock, writes the ledger.
    Write,
}

/// A run on a recipe.
pub(super) struct Session {
    /// The host.
    pub(super) sys: Real,
    /// The recipe.
    pub(super) recipe: Recipe,
    /// Where it was found.
    pub(super) found: String,
    /// Where events go.
    pub(super) hub: Arc<Hub>,
    identity: String,
    binary: push::Binary,
    allowed: Allowed,
    reach: ReachArgs,
    prune: Option<bool>,
}

/// What to open a session for.
pub(super) struct Purpose<'a> {
    /// The command: `apply`.
    pub(super) command: &'a str,
    /// Whether it only looks.
    pub(super) access: Access,
    /// Whether secrets must be at hand.
    pub(super) secrets: SecretsMode,
    /// How much of the recipe.
    pub(super) reach: ReachArgs,
    /// What a person allowed.
    pub(super) allow: &'a AllowArgs,
    /// Whether orphans are taken away, or shown; `None`: neither.
    pub(super) prune: Option<bool>,
    /// How long it waits for another run that holds the lock.
    pub(super) patience: Duration,
    /// Makes what shows it, once the recipe is known and the ids whose last outcome was a failure.
    pub(super) show: Show<'a>,
}

impl Session {
    /// Loads the recipe, opens the ledger and begins the run.
    pub(super) fn open(global: &Global, args: &RecipeArgs, purpose: Purpose<'_>) -> Result<Self, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let (allowed, reach) = (purpose.allow.allowed(), purpose.reach);
        // With a pattern it is not known what is left.
        let prune = purpose.prune.filter(|_| reach.only.is_empty());
        let is_there = |recipe: &Recipe| is_there(recipe, &reach, &allowed, prune == Some(true), &global.state_dir);
        let interrupt = interrupt::flag()?;
        let mut shares_key = matches!(purpose.command, "plan" | "apply");
        let found = find(&args.recipe, global, &sys)?;
        let load = |key: &str, secrets| load(&found, &options(global, args, &sys, key, secrets));
        let (recipe, book) = match purpose.access {
            Access::Read => {
                let mut ledger = Ledger::open(&global.state_dir)?;
                shares_key = shares_key && ledger.share_key(&global.state_dir, &global.run_dir);
                let recipe = load(ledger.key(), purpose.secrets)?;
                is_there(&recipe)?;
                let reporter = (purpose.show)(&recipe, ledger.state().failed(&recipe.name));
                (recipe, Hub::reading(ledger, reporter))
            }
            Access::Write => {
                // A wrong recipe or option touches nothing: it is seen before the lock makes the state directory.
                let key = Ledger::key_of(&global.state_dir)?;
                let seen = load(&key, SecretsMode::AtHand)?;
                is_there(&seen)?;
                let command = format!("{} {}", purpose.command, without_login(&args.recipe));
                let (ledger, waited) = write_ledger(global, &command, purpose.patience)?;
                let holds = !waited && !seen.has_secrets && key == ledger.key();
                let recipe = if holds { seen } else { load(ledger.key(), purpose.secrets)? };
                let reporter = (purpose.show)(&recipe, ledger.state().failed(&recipe.name));
                (recipe, Hub::writing(ledger, reporter))
            }
        };
        let bound = book.identity(Machine::Host);
        let identity = machine_id::read(bound.as_deref(), &sys)?;
        let found = found.to_string();
        let hub = Arc::new(book.secrets(recipe.secrets.clone()).interrupt(interrupt));
        hub.start(Started {
            recipe: recipe.name.clone(),
            file: found.clone(),
            command: purpose.command.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            who: who::runs_this(),
            vars: given::recorded(&args.var, &recipe),
        })?;
        if shares_key {
            hub.with_digest();
        }
        recipe.warnings.iter().try_for_each(|text| hub.emit(Event::Warned { text: text.clone() }))?;
        if let Some(text) = machine_id::changed(bound.as_deref(), &identity) {
            hub.emit(Event::Warned { text })?;
        }
        hub.identify(Machine::Host, &identity)?;
        let asks = |item: &Item| {
            let fields = item.remembered()?;
            Some(item.ids().into_iter().map(move |id| (id, fields.clone())))
        };
        hub.asks(items(&recipe.stages).filter_map(asks).flatten().collect());
        if matches!(purpose.command, "plan" | "apply") {
            gates::keep(&recipe.name, items(&recipe.stages), &global.run_dir, &sys);
        }
        let no_containers = containers(&recipe.stages).is_empty() && (prune.is_none() || known(&hub).is_empty());
        let binary = running_binary(&sys, no_containers)?;
        Ok(Self { sys, recipe, found, hub, identity, binary, allowed, reach, prune })
    }

    /// Leaves to other recipes what they have as well, for a destroy. Returns what this one no longer asks for.
    pub(super) fn leave_to_others(&mut self) -> Result<BTreeMap<Id, String>, Error> {
        let asked: BTreeSet<Id> = self.items().flat_map(Item::ids).filter(|id| self.reaches(id)).collect();
        let mut shared = self.hub.left(|id| asked.contains(id) && !changes_nothing(&id.kind));
        shared.retain(|one| !one.others.is_empty());
        for Left { id, others, .. } in &shared {
            let text = format!("kept: recipe `{}` has it as well", others.join("`, `"));
            self.hub.emit(Event::Remark { id: id.clone(), remark: Remark { name: id.name.clone(), text } })?;
        }
        let left: BTreeMap<Id, String> = shared.into_iter().map(|one| (one.id, String::new())).collect();
        self.recipe.without(|id| left.contains_key(id));
        Ok(left)
    }

    /// Says what an earlier form of the recipe made, which a destroy passes over; with a pattern it is not looked for that.
    pub(super) fn remark_orphans(&self) -> Result<(), Error> {
        if !self.reach.only.is_empty() {
            return Ok(());
        }
        let orphans = self.orphans(false)?;
        let ids = orphans.items.iter().map(id_of).chain(orphans.unknown);
        for id in ids.filter(|id| !self.goes_whole(id.machine)) {
            let text = "stays: an earlier form of this recipe made or changed it; `apply --prune` before a destroy takes it \
                        away";
            self.hub.emit(Event::Remark { remark: Remark { name: id.name.clone(), text: text.to_owned() }, id })?;
        }
        Ok(())
    }

    /// Returns whether a machine is a container that goes with all that is in it.
    fn goes_whole(&self, machine: Machine) -> bool {
        let Machine::Container(number) = machine else { return false };
        let itself = Id::new(Machine::Host, "container", number.to_string());
        let names = [itself.name.clone(), itself.local(), itself.to_string()];
        names.iter().any(|name| self.allowed.data.contains(name))
    }

    /// Returns whether `--only` names it, or is not given.
    fn reaches(&self, id: &Id) -> bool {
        self.reach.only.is_empty() || self.reach.only.iter().any(|glob| matches(glob, id))
    }

    /// Goes over the stages with what `work` does with the fleet, then ends its agents.
    pub(super) fn run<T>(
        &self,
        work: impl FnOnce(&dyn Fn(Pass) -> Result<Passed, Error>) -> Result<T, Exit>,
    ) -> Result<T, Exit> {
        let shown = OnceLock::new();
        let whose = |machine: Machine, of_container: Option<&str>| match machine {
            Machine::Host => self.identity.clone(),
            Machine::Container(_) => of_container.unwrap_or_default().to_owned(),
        };
        let known = |machine: Machine, of_container: Option<&str>| -> Known {
            let shown_to_go = shown.get().cloned();
            let known = self.hub.known(machine, &whose(machine, of_container));
            Known { allowed: self.allowed.clone(), shown_to_go, ..known }
        };
        let others = |machine: Machine, of_container: Option<&str>| {
            self.hub.had_by_others(machine, &whose(machine, of_container))
        };
        let sink = |lane: Option<&str>| -> Box<dyn Sink> { Box::new(self.hub.lane(lane)) };
        let identify = |machine: Machine, identity: &str| self.hub.identify(machine, identity);
        let mut fleet = Fleet::new(&self.recipe.stages, &self.sys, &known, &others, &sink, &identify, &self.binary);
        fleet.jobs = usize::from(self.reach.jobs);
        fleet.only = &self.reach.only;
        self.identify_containers()?;
        fleet.orphans = self.prune.map(|prune| self.orphans(prune)).transpose()?;
        let outcome = work(&|pass| {
            if pass.mode == Mode::Apply {
                // Since the plan was shown another container may have come to stand under an id.
                self.identify_containers()?;
                shown.get_or_init(|| self.hub.changes().removed());
            }
            fleet.pass(pass)
        });
        fleet.end();
        outcome
    }

    /// Says which containers stand under the recipe's ids before anything is asked of the ledger about them.
    fn identify_containers(&self) -> Result<(), Error> {
        let mut all = containers(&self.recipe.stages);
        if self.prune.is_some() {
            all.extend(known(&self.hub));
        }
        for id in all {
            if let Some(identity) = driver(&self.sys)?.identity(&self.sys, id)? {
                self.hub.identify(Machine::Container(id), &identity)?;
            }
        }
        Ok(())
    }

    /// Returns what earlier forms of the recipe made and this one no longer has.
    fn orphans(&self, prune: bool) -> Result<Orphans, Error> {
        let mut news: Vec<(Id, &Item)> =
            self.items().flat_map(|item| item.ids().into_iter().map(move |id| (id, item))).collect();
        let asked: BTreeSet<Id> = news.iter().map(|(id, _)| id.clone()).collect();
        let mut left = Vec::new();
        for one in self.hub.left(|id| !asked.contains(id) && !self.recipe.leaves_alone(id)) {
            let stands = match one.id.machine {
                Machine::Host => Some(self.identity.clone()),
                Machine::Container(id) => driver(&self.sys)?.identity(&self.sys, id)?,
            };
            if stands == one.identity {
                left.push(one);
            }
        }
        news.retain(|(id, _)| !self.hub.holds(id));
        Ok(orphans(left, &news, prune))
    }

    /// Returns every item of the recipe.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        items(&self.recipe.stages)
    }

    /// Says what the recipe's containers may take of this host, where the plan makes or changes one.
    pub(super) fn say_capacity(&self) -> Result<(), Error> {
        if !self.hub.changes().are_of("container") {
            return Ok(());
        }
        let host = facts::read(&self.sys);
        let all = resource::capacity(self.items(), driver(&self.sys)?, &self.sys)?;
        let all = Capacity { cores: host.cores, memory: host.memory, ..all };
        self.hub.emit(Event::Capacity(all.judged()))
    }

    /// Ends a run whose plan a person did not want, or interrupted instead of answering: the differences stay.
    pub(super) fn decline(&self, planned: &Passed) -> Result<i32, Exit> {
        self.hub.emit(Event::Warned { text: "nothing was changed".to_owned() })?;
        let counts = Counts { changed: 0, ..planned.tally.counts };
        let code = interrupt::exit_code().unwrap_or_else(|| unapplied(counts));
        self.hub.end(code, &Tally { counts, ..planned.tally.clone().without_left() })?;
        Ok(code)
    }

    /// Has recorded what the plan found in sync, before the first change: a run that is killed could not say so.
    pub(super) fn keep_held(&self, planned: &Passed) -> Result<(), Error> {
        let held = planned.tally.held.iter().filter(|(id, _)| id.kind != "test");
        let held: BTreeMap<Id, String> = held.map(|(id, digest)| (id.clone(), digest.clone())).collect();
        if held.is_empty() { Ok(()) } else { self.hub.emit(Event::Held { held }) }
    }

    /// Ends a run whose plan is not the one that was expected, and says what differs where that is known.
    pub(super) fn refuse(&self, planned: &Passed, expected: &str, known: Option<&Changes>) -> Result<i32, Exit> {
        let changes = self.hub.changes();
        self.hub.emit(Event::Unexpected {
            expected: expected.to_owned(),
            planned: changes.digest(),
            differences: known.map(|known| known.differences(&changes)),
        })?;
        let counts = Counts { changed: 0, ..planned.tally.counts };
        let code = unapplied(counts);
        self.hub.end(code, &Tally { counts, ..planned.tally.clone() })?;
        Ok(code)
    }

    /// Ends the run and returns its exit code: that of the signal, else 1, 3, 4, 0.
    pub(super) fn end(&self, passed: &Passed, differences: bool) -> Result<i32, Exit> {
        let code = exit_code(passed.tally.counts, differences);
        let code = if passed.stopped.is_some() { interrupt::exit_code().unwrap_or(code) } else { code };
        if let Some(id) = &passed.stopped {
            let text = format!("interrupted; {id} and what comes after it were not tried: run the same command again");
            self.hub.emit(Event::Warned { text })?;
        }
        self.hub.end(code, &passed.tally)?;
        Ok(code)
    }
}

/// Looks whether what the command line names is in the recipe.
fn is_there(recipe: &Recipe, reach: &ReachArgs, allowed: &Allowed, prune: bool, state_dir: &Path) -> Result<(), Exit> {
    let mut ids: Vec<Id> = items(&recipe.stages).flat_map(Item::ids).collect();
    if prune && !allowed.data.is_empty() {
        ids.extend(Ledger::open(state_dir)?.state().claims(&recipe.name).map(|(id, _)| id.clone()));
    }
    named::mistake(&ids, &recipe.name, reach, allowed).map_or(Ok(()), |mistake| Err(Exit::Usage(mistake)))
}

pub(super) fn items(stages: &[Stage]) -> impl Iterator<Item = &Item> {
    stages.iter().flat_map(|stage| match stage {
        Stage::Plain(items) => items.iter().collect::<Vec<_>>(),
        Stage::Lanes(lanes) => lanes.iter().flat_map(|lane| &lane.items).collect(),
    })
}

/// Returns the binary that runs; nothing where no container needs it.
fn running_binary(sys: &dyn System, none: bool) -> Result<push::Binary, Error> {
    let path = Path::new("/proc/self/exe");
    let bytes = if none { Vec::new() } else { sys.read(path).attempt(|| "reading the binary that runs".to_owned())? };
    Ok(push::Binary::new(bytes))
}

fn exit_code(counts: Counts, differences: bool) -> i32 {
    match counts {
        Counts { failed, failed_tests, .. } if failed + failed_tests > 0 => 1,
        Counts { waiting, .. } if waiting > 0 => 3,
        _ if differences => 4,
        _ => 0,
    }
}

/// Returns the exit code of a run whose plan has changes and that made none of them.
fn unapplied(counts: Counts) -> i32 {
    if counts.failed + counts.failed_tests > 0 { 1 } else { 4 }
}

/// Loads a recipe that was found.
pub(super) fn load(found: &Found, options: &Options<'_>) -> Result<Recipe, Exit> {
    Ok(recipe::load(&found.path, found.files.as_ref(), options)?)
}

/// Returns what a recipe is loaded with.
pub(super) fn options(
    global: &Global,
    args: &RecipeArgs,
    sys: &Real,
    key: &str,
    secrets: SecretsMode,
) -> Options<'static> {
    Options {
        vars: args.var.clone(),
        facts: facts::read(sys),
        env: &environment,
        secrets,
        state_dir: global.state_dir.clone(),
        key: key.to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Takes the lock of the state directory for a command line and opens its ledger to write; waits so long for another run.
/// Returns whether it waited.
pub(super) fn write_ledger(global: &Global, command: &str, patience: Duration) -> Result<(Writer, bool), Exit> {
    let (begun, mut is_told) = (Instant::now(), false);
    let lock = loop {
        match Lock::take(&global.state_dir, command, SystemTime::now()) {
            Ok(lock) => break lock,
            Err(failed @ LockError::Failed(_)) => return Err(failed.into()),
            Err(held) if begun.elapsed() >= patience => return Err(held.into()),
            Err(_) if interrupt::is_raised() => {
                return Err(Exit::Interrupted(
                    Error::new("waiting for another run").reason("interrupted; nothing was done"),
                ));
            }
            Err(held) if !is_told => {
                is_told = true;
                warn(&format!("waits for another run: {}", Error::from(held).causes.join(": ")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    Ledger::take_over_key(&lock, &global.run_dir)?;
    Ok((Writer::open(lock)?, is_told))
}

/// Returns the containers in which the ledger knows something of the run's recipe.
fn known(hub: &Hub) -> BTreeSet<u32> {
    let inside = hub.left(|id| id.machine != Machine::Host).into_iter().filter_map(|one| match one.id.machine {
        Machine::Container(id) => Some(id),
        Machine::Host => None,
    });
    inside.collect()
}

fn containers(stages: &[Stage]) -> BTreeSet<u32> {
    let named = items(stages).flat_map(|item| match item.job.machine {
        Machine::Container(id) => vec![id],
        Machine::Host if item.job.kind == "container" => {
            item.resource.names().iter().filter_map(|name| name.parse().ok()).collect()
        }
        Machine::Host => Vec::new(),
    });
    named.collect()
}
