//! `[[npm]]`: global npm packages. Reads their `package.json`; starts npm only where something differs.
use super::need::Needs;
use super::secret::Secrets;
use super::{Ask, Change, Mistake, Plan, Remark, Resource, Step, Thing, Want};
use crate::error::{Attempt as _, Result};
use crate::field::{AbsPath, Names, NpmName, NpmVersion, Text};
use crate::system::npm::{self, Manifest};
use crate::system::{Fetch, System};
use install::{Stamp, Work};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod install;

/// How long a registry may take to say what its latest version is.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_AT_MOST: u64 = 8 << 20;

/// Global npm packages. Installed is what their `package.json` says; npm is started only where something differs.
///
/// A package that npm was killed at, or whose program is not linked, is a difference. No download cache stays
/// behind. Absent: uninstalled, if ours.
///
/// ```toml
/// [[npm]]
/// name    = ["@anthropic-ai/claude-code", "@openai/codex"]
/// prefix  = "/usr/local"
/// scripts = ["@anthropic-ai/claude-code"]
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Npm {
    /// `typescript`, `@scope/name`.
    name: Names<NpmName>,
    /// Default: any. A version, a range (`"^2.1"`) or a tag; with `"latest"` a newer one in the registry is a
    /// difference.
    version: Option<NpmVersion>,
    /// Default: npm's own. Packages are in `PREFIX/lib/node_modules`, programs in `PREFIX/bin`.
    prefix: Option<AbsPath>,
    /// Default: npm's own.
    registry: Option<Text>,
    /// Of npm.
    #[serde(default)]
    env: BTreeMap<String, Text>,
    /// The packages whose install scripts may run; of no other one any does.
    #[serde(default)]
    scripts: Vec<NpmName>,
}

/// What is there of one package.
enum Found {
    Nothing,
    /// Its `package.json` is missing or broken, or its installation was interrupted.
    Half(&'static str),
    Whole(Manifest),
}

impl Resource for Npm {
    fn names(&self) -> Vec<String> {
        self.name.0.iter().map(|name| name.0.clone()).collect()
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let web = |url: &Text| url.starts_with("https://") || url.starts_with("http://");
        let wrong = self.registry.as_ref().filter(|registry| !web(registry));
        wrong.map(|_| Mistake::at("registry", "`registry` begins with https:// or http://")).into_iter().collect()
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        match ask.want {
            Want::Present => self.check_present(ask, sys),
            Want::Absent => self.check_absent(ask, sys),
        }
    }
}

impl Npm {
    fn check_present<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let (mut changes, mut supplies, mut work) = (Vec::new(), Vec::new(), Work::default());
        let prefix = self.prefix(sys)?;
        for name in &self.name.0 {
            let stamp = Stamp::read(sys, &name.0)?;
            let found = look(&prefix, name, &stamp, sys)?;
            let asked = self.version.as_ref().map_or_else(|| "installed".to_owned(), ToString::to_string);
            let manifest = match found {
                Found::Nothing => {
                    changes.push(Change::made(&name.0, asked));
                    work.install.push(name);
                    continue;
                }
                Found::Half(what) => {
                    changes.push(Change::field(&name.0, "installed", Some(what.to_owned()), Some("whole".to_owned())));
                    work.install.push(name);
                    work.clear.push(name);
                    continue;
                }
                Found::Whole(manifest) => manifest,
            };
            let programs = manifest.programs.iter().map(|program| prefix.join("bin").join(program));
            if let Some(version) = self.wanted(name, &manifest.version, sys, &mut plan.remarks)? {
                changes.push(Change::field(&name.0, "version", Some(manifest.version.clone()), Some(version)));
                supplies.extend(programs.map(Thing::Path));
                work.install.push(name);
                continue;
            }
            for program in programs {
                if sys.lstat(&program).attempt(|| format!("reading `{}`", program.display()))?.is_none() {
                    let shown = program.display().to_string();
                    changes.push(Change::field(&name.0, "program", None, Some(shown)));
                    supplies.push(Thing::Path(program));
                    work.link.push(name);
                }
            }
            let owed = self.scripts_of(name, &prefix, sys)?;
            if !owed.iter().all(|script| stamp.has_run(&script.0, &manifest.version)) {
                let shown = owed.iter().map(|script| script.0.as_str()).collect::<Vec<_>>().join(", ");
                changes.push(Change::field(&name.0, "scripts", None, Some(format!("of {shown}, run"))));
                work.run.push(name);
            }
        }
        self.plan(changes, supplies, work, plan, ask, sys)
    }

    fn plan<'a>(
        &'a self,
        mut changes: Vec<Change>,
        supplies: Vec<Thing>,
        work: Work<'a>,
        mut plan: Plan<'a>,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Plan<'a>> {
        if changes.is_empty() {
            return Ok(plan);
        }
        let mut needs = Needs::default();
        needs.program("npm", ask, sys)?;
        let mut names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        names.dedup();
        if needs.held.is_some() {
            plan.waiting.extend(names.into_iter().filter_map(|name| needs.waiting(name, supplies.clone())));
            return Ok(plan);
        }
        for change in &mut changes {
            change.after.clone_from(&needs.after);
        }
        let timeout = ask.timeout;
        let secrets = self.secrets(ask);
        let step =
            Step::new(changes, move |sys| self.work(&work, sys, timeout).map_err(|error| secrets.hide_in(error)));
        plan.steps.push(step.supplies(supplies).opaque());
        Ok(plan)
    }

    fn check_absent<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let (mut changes, mut going) = (Vec::new(), Vec::new());
        let prefix = self.prefix(sys)?;
        for name in &self.name.0 {
            let stamp = Stamp::read(sys, &name.0)?;
            let from = match look(&prefix, name, &stamp, sys)? {
                Found::Nothing => continue,
                Found::Half(what) => what.to_owned(),
                Found::Whole(manifest) => manifest.version,
            };
            if ask.ours(&name.0) {
                changes.push(Change::removed(&name.0, from));
                going.push(name);
            } else {
                let text = "kept: it was there before us".to_owned();
                plan.remarks.push(Remark { name: name.0.clone(), text });
            }
        }
        if !changes.is_empty() {
            let (timeout, secrets) = (ask.timeout, self.secrets(ask));
            let uninstall = move |sys: &dyn System| self.uninstall(&going, sys, timeout);
            plan.steps
                .push(Step::new(changes, move |sys| uninstall(sys).map_err(|error| secrets.hide_in(error))).opaque());
        }
        Ok(plan)
    }

    /// Returns what npm is given and may print.
    fn secrets(&self, ask: &Ask<'_>) -> Secrets {
        let secret = self.env.iter().filter(|(key, _)| ask.is_secret(&format!("env.{key}")));
        Secrets::of(secret.map(|(_, value)| value.0.as_str()))
    }

    /// Returns where global packages are: what the recipe says, else what npm would take.
    fn prefix(&self, sys: &dyn System) -> Result<PathBuf> {
        if let Some(prefix) = &self.prefix {
            return Ok(prefix.path().to_owned());
        }
        let given = self.env.iter().find(|(key, _)| key.eq_ignore_ascii_case("npm_config_prefix"));
        match given {
            Some((_, prefix)) => Ok(PathBuf::from(&prefix.0)),
            None => Ok(npm::settings(sys).attempt(|| "reading npm's settings".to_owned())?.prefix),
        }
    }

    /// Returns the version that is asked for where the installed one is not it.
    fn wanted(
        &self,
        name: &NpmName,
        installed: &str,
        sys: &dyn System,
        remarks: &mut Vec<Remark>,
    ) -> Result<Option<String>> {
        match &self.version {
            None => Ok(None),
            Some(NpmVersion::Range(range)) => {
                Ok((!range.holds(installed)).then(|| format!("{}", NpmVersion::Range(range.clone()))))
            }
            Some(NpmVersion::Tag(tag)) => match self.tagged(name, tag, sys)? {
                Ok(version) if version == installed => Ok(None),
                Ok(version) => Ok(Some(format!("{version} ({tag})"))),
                Err(why) => {
                    let text = format!("not compared with `{tag}`: {why}");
                    remarks.push(Remark { name: name.0.clone(), text });
                    Ok(None)
                }
            },
        }
    }

    /// Asks the registry what it has under a tag; why it did not say is no error: what is installed may stay.
    fn tagged(&self, name: &NpmName, tag: &str, sys: &dyn System) -> Result<Result<String, String>> {
        let given = self.env.iter().find(|(key, _)| key.eq_ignore_ascii_case("npm_config_registry"));
        let registry = match self.registry.as_ref().or(given.map(|(_, registry)| registry)) {
            Some(registry) => registry.trim_end_matches('/').to_owned(),
            None => npm::settings(sys).attempt(|| "reading npm's settings".to_owned())?.registry,
        };
        let url = format!("{registry}/{}/{tag}", name.0.replace('/', "%2f"));
        let request = Fetch { url: &url, timeout: PATIENCE, limit: ANSWER_AT_MOST, whole: true, follow: true };
        Ok(match sys.fetch(&request) {
            Ok(answer) if answer.status == 200 => npm::parse_manifest(&answer.body)
                .map(|manifest| manifest.version)
                .ok_or_else(|| format!("`{url}` has no version in it")),
            Ok(answer) => Err(format!("`{url}` answered {}", answer.status)),
            Err(error) => Err([vec![error.attempt], error.causes].concat().join(": ")),
        })
    }

    /// Returns the packages whose install scripts may run, of those that are in this one.
    fn scripts_of(&self, name: &NpmName, prefix: &Path, sys: &dyn System) -> Result<Vec<&NpmName>> {
        let inside = modules(prefix).join(&name.0).join("node_modules");
        let mut some = Vec::new();
        for script in &self.scripts {
            let path = inside.join(&script.0);
            if script == name || sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some() {
                some.push(script);
            }
        }
        Ok(some)
    }
}

fn modules(prefix: &Path) -> PathBuf {
    prefix.join("lib/node_modules")
}

fn look(prefix: &Path, name: &NpmName, stamp: &Stamp, sys: &dyn System) -> Result<Found> {
    let directory = modules(prefix).join(&name.0);
    let path = directory.join("package.json");
    match sys.read(&path) {
        _ if stamp.is_interrupted() => Ok(Found::Half("interrupted")),
        Ok(json) => Ok(npm::parse_manifest(&json).map_or(Found::Half("a broken package.json"), Found::Whole)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let there = sys.lstat(&directory).attempt(|| format!("reading `{}`", directory.display()))?;
            Ok(there.map_or(Found::Nothing, |_| Found::Half("without package.json")))
        }
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}
