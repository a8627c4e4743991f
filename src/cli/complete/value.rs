//! What can stand for a value, by the name that it has in `--help`: recipes, ids, lanes, references.
use super::line::text;
use super::{Next, Paths};
use crate::cli::options::{Global, RecipeArgs, When, key_value};
use crate::cli::session::{items, load, options};
use crate::container::driver;
use crate::event::Event;
use crate::id::{Id, Machine};
use crate::item::Item;
use crate::ledger::{History, Ledger, Run};
use crate::recipe::{self, Listed, SecretsMode, catalog};
use crate::system::Real;
use clap::{Arg, Command, ValueHint};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is known where a value is wanted.
pub(super) struct Values<'l, 'c> {
    /// The command whose value it is.
    pub(super) command: &'c Command,
    /// Arguments and the values that they were given.
    pub(super) given: &'l [(&'c Arg, String)],
}

impl Values<'_, '_> {
    /// Returns what can stand for the value of an argument.
    pub(super) fn of(&self, arg: &Arg, typed: &str) -> Next {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let named = possible.iter().map(|value| (value.get_name().to_owned(), text(value.get_help())));
            return Next { paths: Paths::None, candidates: named.collect() };
        }
        let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let candidates = match name {
            "RECIPE" => self.recipes(),
            "KEY=VALUE" => self.variables(),
            "GLOB" => self.patterns(typed),
            "ID" => self.ids(arg.get_id().as_str(), typed),
            "LANE" => self.lanes(),
            "REF" => self.references(),
            _ => Vec::new(),
        };
        let paths = match (name, arg.get_value_hint()) {
            ("RECIPE", _) => Paths::Recipes,
            ("DIR", _) => Paths::Directories,
            (_, ValueHint::AnyPath | ValueHint::FilePath) => Paths::Files,
            _ => Paths::None,
        };
        Next { paths, candidates }
    }

    /// What can be run has a name; `recipes show` shows parts as well.
    fn recipes(&self) -> Vec<(String, String)> {
        let parts = self.command.get_name() == "show";
        let fits = |listed: &Listed| listed.unread.is_none() && (parts || listed.name.is_some());
        let wanted = catalog().into_iter().filter(|listed| !listed.hidden && fits(listed));
        wanted.map(|listed| (listed.recipe, listed.title.unwrap_or_default())).collect()
    }

    fn variables(&self) -> Vec<(String, String)> {
        let found = self.last("recipe").and_then(|name| recipe::find(name).ok());
        let variables = found.map(|found| found.variables()).unwrap_or_default();
        variables.into_iter().map(|(name, default)| (name + "=", default)).collect()
    }

    fn patterns(&self, typed: &str) -> Vec<(String, String)> {
        let ids = self.asked();
        let machines: BTreeSet<String> = ids.iter().map(|id| format!("{}/*", id.machine)).collect();
        let all = machines.into_iter().map(|pattern| (pattern, "all of that machine".to_owned()));
        all.chain(named(&ids, typed)).collect()
    }

    fn ids(&self, arg: &str, typed: &str) -> Vec<(String, String)> {
        let ids = match (self.command.get_name(), arg) {
            ("ack", _) => return named(&self.gates(), typed),
            ("enter" | "import", _) => {
                let sys = Real::new(self.directory("state_dir"));
                let ids = driver(&sys).and_then(|driver| driver.ids(&sys)).unwrap_or_default();
                return ids.iter().map(|id| (id.to_string(), String::new())).collect();
            }
            _ => self.asked(),
        };
        let containers = ids.iter().filter(|id| id.kind == "container");
        let mut words: Vec<_> = containers.map(|id| (id.name.clone(), "container".to_owned())).collect();
        if matches!(arg, "adopt" | "data") {
            words.extend(named(&ids, typed));
        }
        words
    }

    /// Returns the ids of the recipe on the line, where that can be loaded.
    fn asked(&self) -> Vec<Id> {
        let Some(recipe) = self.last("recipe") else { return Vec::new() };
        let vars = self.given.iter().filter(|(arg, _)| arg.get_id() == "var");
        let var = vars.filter_map(|(_, value)| key_value(value).ok()).collect();
        let state_dir = self.directory("state_dir");
        let sys = Real::new(state_dir.clone());
        let run_dir = self.directory("run_dir");
        let trusted_dir = self.directory("trusted_dir");
        let global = Global { state_dir, run_dir, trusted_dir, json: false, color: When::Never, verbose: false };
        let args = RecipeArgs { recipe: recipe.to_owned(), var };
        // Nothing is downloaded for a completion: a bundle has none.
        let Ok(found) = recipe::find(recipe) else { return Vec::new() };
        let loaded = load(&found, &options(&global, &args, &sys, "", SecretsMode::AtHand));
        loaded.map_or_else(|_| Vec::new(), |recipe| items(&recipe.stages).flat_map(Item::ids).collect())
    }

    /// Returns the gates for which the last run of each recipe waited, without those that were acknowledged since.
    fn gates(&self) -> Vec<Id> {
        let mut waiting: BTreeMap<String, BTreeSet<Id>> = BTreeMap::new();
        for run in self.history().runs {
            if let (Some(started), Some(ended)) = (run.started(), run.ended()) {
                let gates = ended.waiting.iter().filter(|id| id.kind == "gate");
                waiting.insert(started.recipe.clone(), gates.cloned().collect());
            }
            for envelope in &run.events {
                if let Event::Acked { id, .. } = &envelope.event {
                    for gates in waiting.values_mut() {
                        gates.remove(id);
                    }
                }
            }
        }
        waiting.into_values().flatten().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the lanes of the run that is named, or of all.
    fn lanes(&self) -> Vec<(String, String)> {
        let mut history = self.history();
        if let Some(Ok(run)) = self.last("reference").map(|reference| history.find(reference).cloned()) {
            history.runs = vec![run];
        }
        let lanes: BTreeSet<&str> = history.runs.iter().flat_map(Run::lanes).collect();
        lanes.into_iter().map(|lane| (lane.to_owned(), String::new())).collect()
    }

    fn references(&self) -> Vec<(String, String)> {
        let described = self.history().runs.into_iter().map(|run| {
            let what = run.started().map(|started| format!("{} {}", started.command, started.recipe));
            (run.reference, what.unwrap_or_default())
        });
        described.chain([("last".to_owned(), "the newest".to_owned())]).collect()
    }

    fn history(&self) -> History {
        Ledger::history(&self.directory("state_dir")).unwrap_or_default()
    }

    /// Returns the last value of an argument that was given.
    fn last(&self, id: &str) -> Option<&str> {
        let given = self.given.iter().rev().find(|(arg, _)| arg.get_id() == id);
        given.map(|(_, value)| value.as_str())
    }

    fn directory(&self, id: &str) -> PathBuf {
        let default = || {
            let arg = self.command.get_arguments().find(|arg| arg.get_id() == id)?;
            arg.get_default_values().first().map(PathBuf::from)
        };
        self.last(id).map(PathBuf::from).or_else(default).unwrap_or_default()
    }
}

/// Returns ids as words; what is on the host without `host/` where it is typed so.
fn named(ids: &[Id], typed: &str) -> Vec<(String, String)> {
    let whole = ids.iter().map(ToString::to_string);
    let words: Vec<String> = if ids.iter().any(|id| id.to_string().starts_with(typed)) {
        whole.collect()
    } else {
        ids.iter().filter(|id| id.machine == Machine::Host).map(Id::local).collect()
    };
    words.into_iter().map(|word| (word, String::new())).collect()
}
