//! `[[npm]]`: global npm packages. Reads their `package.json`; starts npm only where something differs.
mod former;
mod found;
mod install;
mod refusal;
mod session;
mod tag;

use super::ground::foreign_above;
use super::need::Needs;
use super::secret::Secrets;
use super::{Ask, Change, Mistake, Plan, Remark, Resource, Step, Thing, Waiting, Want};
use crate::error::{Attempt as _, Result};
use crate::field::{AbsPath, GitUrl, Names, NpmName, NpmVersion, Text};
use crate::system::System;
use crate::system::npm::{self, Settings};
use former::former_prefixes;
use found::{Found, Link};
use install::{Stamp, Work};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Global npm packages. Installed is what their `package.json` says; npm is started only where something differs.
///
/// A package that npm was killed at, or whose program is not linked, is a difference. No download cache stays
/// behind, and install scripts run only for those in `scripts`, whatever the npm: 11 and 12 alike. A check asks the
/// registry for a tag alone, without a login; where it does not answer, what is installed stays. A tag that it does not
/// have is an error of the plan. npm runs as root, so the prefix must be root's. An engine that does not fit
/// is told; with `env = { NPM_CONFIG_ENGINE_STRICT = "true" }` it is refused. A program of the same name that is somebody
/// else's *waits*, since npm would take it away. Of a list only what can't be installed fails. Absent: uninstalled, if ours.
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
    /// Default: npm's own. Packages are in `PREFIX/lib/node_modules`, programs in `PREFIX/bin`. With another one, what we
    /// installed in the former goes once it is in the new one.
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

impl Resource for Npm {
    fn names(&self) -> Vec<String> {
        self.name.0.iter().map(|name| name.0.clone()).collect()
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let Some(registry) = &self.registry else { return Vec::new() };
        let url = GitUrl(registry.0.clone());
        let message = match url.web_host() {
            None => "`registry` begins with https:// or http://",
            Some(_) if url.has_password() => {
                "a password in a URL would be seen in the list of processes: put the login into npm's configuration, \
                 `//HOST/:_authToken=…` in a file that `env` names as `NPM_CONFIG_USERCONFIG`"
            }
            Some(_) => return Vec::new(),
        };
        vec![Mistake::at("registry", message)]
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
            let found = Found::at(&prefix, name, &stamp, sys)?;
            if let Some(waiting) = found.strangers_program(&prefix, name, sys)? {
                plan.waiting.push(waiting);
                continue;
            }
            for former in former_prefixes(name, &stamp, &prefix, ask, sys, &mut plan)? {
                let [from, to] = [&former, &prefix].map(|prefix| Some(prefix.display().to_string()));
                changes.push(Change::field(&name.0, "prefix", from, to));
                work.leave.push((name, former));
            }
            let manifest = match found {
                Found::Nothing => {
                    let asked = self.version.as_ref().map_or_else(|| "installed".to_owned(), ToString::to_string);
                    changes.push(Change::made(&name.0, asked));
                    work.install.push(name);
                    continue;
                }
                Found::Half(what, _) => {
                    changes.push(Change::field(&name.0, "installed", Some(what.to_owned()), Some("whole".to_owned())));
                    work.install.push(name);
                    work.clear.push(name);
                    continue;
                }
                Found::Whole(manifest) => manifest,
            };
            if let Some(version) = self.wanted(name, &manifest.version, sys, &mut plan)? {
                changes.push(Change::field(&name.0, "version", Some(manifest.version.clone()), Some(version)));
                supplies.extend(manifest.programs.iter().map(|program| Thing::Path(found::path_of(&prefix, program))));
                work.install.push(name);
                continue;
            }
            if plan.refusal(&name.0).is_some() {
                continue;
            }
            for program in &manifest.programs {
                if Link::of(program, &prefix, name, sys)? == Link::Missing {
                    let path = found::path_of(&prefix, program);
                    changes.push(Change::field(&name.0, "program", None, Some(path.display().to_string())));
                    supplies.push(Thing::Path(path));
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
        let needs = self.needs(ask, sys)?;
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
        let step = Step::telling(changes, move |sys, tell| {
            let tell = |text: &str| tell(&secrets.hide(text));
            self.work(&work, sys, &tell, timeout).map_err(|error| secrets.hide_in(error))
        });
        plan.steps.push(step.supplies(supplies).opaque());
        Ok(plan)
    }

    fn check_absent<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let (mut changes, mut going, mut leave) = (Vec::new(), Vec::new(), Vec::new());
        let prefix = self.prefix(sys)?;
        for name in &self.name.0 {
            let stamp = Stamp::read(sys, &name.0)?;
            let found = Found::at(&prefix, name, &stamp, sys)?;
            let strangers = found.strangers_program(&prefix, name, sys)?;
            let former = former_prefixes(name, &stamp, &prefix, ask, sys, &mut plan)?;
            for former in former {
                changes.push(Change::field(&name.0, "prefix", Some(former.display().to_string()), None));
                leave.push((name, former));
            }
            let from = match found {
                Found::Nothing => continue,
                Found::Half(what, _) => what.to_owned(),
                Found::Whole(manifest) => manifest.version,
            };
            let is_ours = ask.ours(&name.0) && stamp.made_in(&prefix, name, sys)?;
            if let Some(waiting) = strangers.filter(|_| is_ours) {
                plan.waiting.push(waiting);
                continue;
            }
            if is_ours {
                changes.push(Change::removed(&name.0, from));
                going.push(name);
            } else {
                let text = "kept: it was there before us".to_owned();
                plan.remarks.push(Remark { name: name.0.clone(), text });
            }
        }
        if !changes.is_empty() {
            self.needs(ask, sys)?;
            let (timeout, secrets) = (ask.timeout, self.secrets(ask));
            let uninstall = move |sys: &dyn System| self.uninstall(&going, &leave, sys, timeout);
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

    /// What is needed to start npm.
    fn needs(&self, ask: &Ask<'_>, sys: &dyn System) -> Result<Needs> {
        let modules = modules(&self.prefix(sys)?);
        if let Some(foreign) = foreign_above(sys, &modules.join("package"))? {
            return Err(foreign.error("npm", &modules).remedy("take a `prefix` where root alone can write"));
        }
        let mut needs = Needs::default();
        needs.program("npm", ask, sys)?;
        Ok(needs)
    }

    /// Returns where global packages are: what the recipe says, else what npm would take.
    fn prefix(&self, sys: &dyn System) -> Result<PathBuf> {
        if let Some(prefix) = &self.prefix {
            return Ok(prefix.path().to_owned());
        }
        match self.setting("prefix") {
            Some(prefix) => Ok(PathBuf::from(prefix)),
            None => Ok(self.settings(sys)?.prefix),
        }
    }

    /// Returns a setting of npm's that `env` gives.
    fn setting(&self, name: &str) -> Option<&str> {
        let key = format!("npm_config_{name}");
        self.env.iter().find(|(given, _)| given.eq_ignore_ascii_case(&key)).map(|(_, value)| value.0.as_str())
    }

    /// Returns the settings in npm's files.
    fn settings(&self, sys: &dyn System) -> Result<Settings> {
        let user = self.setting("userconfig").unwrap_or("/root/.npmrc");
        npm::settings(sys, Path::new(user)).attempt(|| "reading npm's settings".to_owned())
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
