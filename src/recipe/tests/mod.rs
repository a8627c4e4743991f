//! The language as a whole, on kinds of its own that are small.
mod expressions;
mod mistakes;
mod secrets;
mod structure;

use super::{HostFacts, Mistakes, Options, Recipe, SecretsMode, Stage, load};
use crate::error::Result;
use crate::field::{AbsPath, ContainerId, Mode, Names, Text, UserName};
use crate::resource::{Ask, Kind, Mistake, Plan, Resource};
use crate::system::System;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

macro_rules! kinds {
    ($($kind:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? } names($this:ident) $names:expr; mistakes $mistakes:expr;)+) => { $(
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        #[allow(dead_code, reason = "these are read, and nothing is done with most of them")]
        struct $kind { $($(#[$attribute])* $field: $type),* }
        impl Resource for $kind {
            fn names(&self) -> Vec<String> {
                let $this = self;
                $names
            }
            fn check<'a>(&'a self, _: &Ask<'_>, _: &dyn System) -> Result<Plan<'a>> {
                Ok(Plan::in_sync())
            }
            fn mistakes(&self) -> Vec<Mistake> {
                let check: fn(&Self) -> Vec<Mistake> = $mistakes;
                check(self)
            }
        }
    )+ };
}

kinds! {
    Paper {
        path: AbsPath,
        content: Option<Text>,
        source: Option<Text>,
        #[serde(default)]
        template: bool,
        mode: Option<Mode>,
        owner: Option<UserName>,
    } names(this) vec![this.path.0.clone()]; mistakes |this| {
        let both = this.content.is_some() && this.source.is_some();
        both.then(|| Mistake::at("source", "`content` and `source` exclude each other")).into_iter().collect()
    };
    Bag { name: Names<Text>, version: Option<Text> } names(this) this.name.0.iter().map(|name| name.0.clone()).collect(); mistakes |_| Vec::new();
    Order {
        name: Text,
        argv: Vec<Text>,
        env: Option<BTreeMap<String, Text>>,
        creates: Option<AbsPath>,
        user: Option<UserName>,
        count: Option<u32>,
    } names(this) vec![this.name.0.clone()]; mistakes |this| {
        this.creates.is_none().then(|| Mistake::new("a command without a guard")).into_iter().collect()
    };
    Gate { name: Text } names(this) vec![this.name.0.clone()]; mistakes |_| Vec::new();
    Box_ { id: ContainerId, hostname: Text, network: Option<Vec<Card>>, mounts: Option<Vec<Mount>> } names(this) vec![this.id.to_string()]; mistakes |_| Vec::new();
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "these are read, and nothing is done with them")]
struct Card {
    address: Text,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "these are read, and nothing is done with them")]
struct Mount {
    source: AbsPath,
    target: AbsPath,
    read_only: Option<bool>,
}

const KINDS: &[Kind] = &[
    Kind::of::<Paper>("file", "path").required(&["path"]).secrets(&["content"]),
    Kind::of::<Bag>("package", "name").required(&["name"]),
    Kind::of::<Order>("command", "name").required(&["name", "argv"]).secrets(&["env"]),
    Kind::of::<Gate>("gate", "name").required(&["name"]),
    Kind::of::<Box_>("container", "id").required(&["id", "hostname"]),
];

/// Files of a recipe, the first of which is its root; what is not said is at rest.
struct Case {
    files: BTreeMap<String, Vec<u8>>,
    vars: Vec<(String, String)>,
    env: BTreeMap<String, String>,
    secrets: SecretsMode,
    state: PathBuf,
}

impl Case {
    fn new(root: &str) -> Self {
        let files = BTreeMap::from([("web.toml".to_owned(), format!("name = \"web\"\n{root}").into_bytes())]);
        let (vars, env) = (Vec::new(), BTreeMap::new());
        Self { files, vars, env, secrets: SecretsMode::AtHand, state: PathBuf::from("/nowhere") }
    }

    fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<Recipe, Mistakes> {
        let env = |name: &str| self.env.get(name).map(std::ffi::OsString::from);
        let facts = HostFacts { hostname: "pve".into(), cores: 8, driver: "lxc".into(), ..HostFacts::default() };
        let options = Options {
            vars: self.vars.clone(),
            facts,
            env: &env,
            secrets: self.secrets,
            state_dir: self.state.clone(),
            key: "key".to_owned(),
        };
        load::load(Path::new("recipes/web.toml"), &self.files, &options, KINDS)
    }

    /// Loads what is right and shows it, a line an item, indented in lanes.
    #[track_caller]
    fn shown(&self) -> String {
        let recipe = self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let mut shown = String::new();
        let mut line = |indent: &str, item: &crate::item::Item| {
            for id in item.ids() {
                shown.extend([indent, &id.to_string(), "\n"]);
            }
        };
        for stage in &recipe.stages {
            match stage {
                Stage::Plain(items) => items.iter().for_each(|item| line("", item)),
                Stage::Lanes(lanes) => {
                    for lane in lanes {
                        for item in &lane.items {
                            line(&format!("{}: ", lane.name), item);
                        }
                    }
                }
            }
        }
        shown
    }

    /// Loads what is wrong and returns the report.
    #[track_caller]
    fn report(&self) -> String {
        match self.load() {
            Ok(recipe) => panic!("no mistake was found: {recipe:?}"),
            Err(mistakes) => mistakes.to_string(),
        }
    }

    /// Loads what is wrong and returns the titles, a line each.
    #[track_caller]
    fn titles(&self) -> Vec<String> {
        match self.load() {
            Ok(recipe) => panic!("no mistake was found: {recipe:?}"),
            Err(mistakes) => mistakes.0.into_iter().map(|mistake| mistake.title).collect(),
        }
    }

    /// Loads what is right and returns its only item.
    #[track_caller]
    fn item(&self) -> crate::item::JobItem {
        let recipe = self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        match recipe.stages.into_iter().next() {
            Some(Stage::Plain(mut items)) => items.remove(0).job,
            other => panic!("not a plain stage: {other:?}"),
        }
    }
}
