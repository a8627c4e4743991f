//! Installing with npm so that a kill at any point is seen by the next check, and no cache stays behind.
use super::{Npm, modules};
use crate::error::{Attempt as _, Result};
use crate::field::NpmName;
use crate::system::{Command, Output, System, npm, state};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kind under which stamps are kept.
const KIND: &str = "npm";

/// What a change does, by package.
#[derive(Debug, Default)]
pub(super) struct Work<'a> {
    /// Installed, all by one npm.
    pub(super) install: Vec<&'a NpmName>,
    /// Taken away first: npm would take what is half there for whole.
    pub(super) clear: Vec<&'a NpmName>,
    /// Their programs are linked again.
    pub(super) link: Vec<&'a NpmName>,
    /// Their install scripts run.
    pub(super) run: Vec<&'a NpmName>,
}

/// What is kept on the machine of one package.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// npm is at it, or was when it was killed.
    #[serde(default)]
    busy: bool,
    /// The version whose install scripts have run.
    #[serde(default)]
    version: String,
    /// The packages whose scripts have run.
    #[serde(default)]
    scripts: Vec<String>,
}

impl Stamp {
    /// Returns the stamp of a package; an empty one where there is none.
    pub(super) fn read(sys: &dyn System, name: &str) -> Result<Self> {
        let text = state::stamp(sys, KIND, name)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Returns whether npm was killed at this package.
    pub(super) fn is_interrupted(&self) -> bool {
        self.busy
    }

    /// Returns whether the install scripts of a package have run for a version.
    pub(super) fn has_run(&self, script: &str, version: &str) -> bool {
        self.version == version && self.scripts.iter().any(|run| run == script)
    }

    fn leave(&self, sys: &dyn System, name: &str) -> Result<()> {
        if !self.busy && self.version.is_empty() {
            return state::clear_stamp(sys, KIND, name);
        }
        let text = serde_json::to_string(self).attempt(|| format!("writing the stamp of `{name}`"))?;
        state::set_stamp(sys, KIND, name, &text)
    }
}

impl Npm {
    /// Does the work. npm undoes what fails; only where it was killed does a stamp say that it was at work.
    pub(super) fn work(&self, work: &Work<'_>, sys: &dyn System, timeout: Duration) -> Result<()> {
        let prefix = self.prefix(sys)?;
        let touched = [&work.install, &work.link, &work.run].map(Vec::as_slice).concat();
        let mut before = Vec::new();
        for name in &work.install {
            before.push(Stamp::read(sys, &name.0)?);
            Stamp { busy: true, ..Stamp::default() }.leave(sys, &name.0)?;
            clear(&prefix, name, work.clear.contains(name), sys)?;
        }
        let cache = state::directory(sys, state::NPM_CACHE)?;
        let outcome = self.start(work, &prefix, &cache, sys, timeout);
        sys.remove_tree(&cache)?;
        let (outcome, killed) = match outcome {
            Ok(Some((command, output))) => (output.success(&command).map(drop), false),
            Ok(None) => (Ok(()), false),
            Err(error) => (Err(error), true),
        };
        if outcome.is_err() && !killed {
            for (name, before) in work.install.iter().zip(before) {
                let busy = before.busy && there(&prefix, name, sys)?;
                Stamp { busy, ..before }.leave(sys, &name.0)?;
            }
        }
        outcome?;
        touched.iter().try_for_each(|name| self.done(&prefix, name, sys))
    }

    /// Runs npm as often as it takes; returns the first call that failed.
    fn start(
        &self,
        work: &Work<'_>,
        prefix: &Path,
        cache: &Path,
        sys: &dyn System,
        timeout: Duration,
    ) -> Result<Option<(Command, Output)>> {
        let mut calls = Vec::new();
        if !work.install.is_empty() {
            // Scripts run afterwards, those that may: so it is the same with every npm, whatever it runs unasked.
            let version = self.version.as_ref().map_or(String::new(), |version| format!("@{version}"));
            let packages = work.install.iter().map(|name| format!("{name}{version}"));
            calls.push(
                self.command("install", prefix, cache)
                    .arguments(["--ignore-scripts".to_owned()].into_iter().chain(packages)),
            );
        }
        if !work.link.is_empty() {
            let packages = work.link.iter().map(|name| name.0.clone());
            calls.push(
                self.command("rebuild", prefix, cache)
                    .arguments(["--ignore-scripts".to_owned()].into_iter().chain(packages)),
            );
        }
        let owed = !work.install.is_empty() || !work.run.is_empty();
        if owed && !self.scripts.is_empty() {
            let scripts: Vec<String> = self.scripts.iter().map(|script| script.0.clone()).collect();
            let allowed = format!("--allow-scripts={}", scripts.join(","));
            calls.push(self.command("rebuild", prefix, cache).arguments([allowed].into_iter().chain(scripts)));
        }
        for command in calls {
            let command = command.timeout(timeout);
            let output = sys.run(&command)?;
            if output.code != 0 {
                return Ok(Some((command, output)));
            }
        }
        Ok(None)
    }

    /// Takes packages away, as npm does.
    pub(super) fn uninstall(&self, names: &[&NpmName], sys: &dyn System, timeout: Duration) -> Result<()> {
        let prefix = self.prefix(sys)?;
        let cache = state::directory(sys, state::NPM_CACHE)?;
        let names = names.iter().map(|name| name.0.clone()).collect::<Vec<_>>();
        let command = self
            .command("uninstall", &prefix, &cache)
            .arguments(["--ignore-scripts".to_owned()].into_iter().chain(names.clone()));
        // First: after a kill in between, the package is there still and goes all the same.
        names.iter().try_for_each(|name| state::clear_stamp(sys, KIND, name))?;
        let outcome = sys.run(&command.clone().timeout(timeout)).and_then(|output| output.success(&command));
        sys.remove_tree(&cache)?;
        outcome?;
        for name in names {
            // npm leaves what it does not understand.
            sys.remove_tree(&modules(&prefix).join(&name))?;
        }
        Ok(())
    }

    fn command(&self, verb: &str, prefix: &Path, cache: &Path) -> Call {
        let mut command = Command::new([
            "npm",
            verb,
            "--global",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--loglevel=warn",
            "--logs-max=0",
        ]);
        command.argv.push(format!("--prefix={}", prefix.display()));
        let own_cache = self.env.keys().any(|key| key.eq_ignore_ascii_case("npm_config_cache"));
        if !own_cache {
            command.argv.push(format!("--cache={}", cache.display()));
        }
        command.argv.extend(self.registry.iter().map(|registry| format!("--registry={registry}")));
        command.env.extend(self.env.iter().map(|(key, value)| (key.clone(), value.0.clone())));
        Call(command)
    }

    /// Leaves the stamp of what is whole now.
    fn done(&self, prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<()> {
        let path = modules(prefix).join(&name.0).join("package.json");
        let Some(manifest) = sys.read(&path).ok().and_then(|json| npm::parse_manifest(&json)) else {
            return Stamp::default().leave(sys, &name.0);
        };
        let scripts = self.scripts_of(name, prefix, sys)?.into_iter().map(|script| script.0.clone()).collect();
        Stamp { busy: false, version: manifest.version, scripts }.leave(sys, &name.0)
    }
}

/// An npm call whose packages are still to come.
struct Call(Command);

impl Call {
    fn arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Command {
        self.0.argv.extend(arguments);
        self.0
    }
}

fn there(prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<bool> {
    let path = modules(prefix).join(&name.0);
    Ok(sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some())
}

/// Takes away what a killed npm left: the directory to which it moved the old version, at which the next one would stop;
/// and, where it was at work, the package itself.
fn clear(prefix: &Path, name: &NpmName, whole: bool, sys: &dyn System) -> Result<()> {
    let (scope, bare) = name.split();
    let parent: PathBuf = scope.map_or_else(|| modules(prefix), |scope| modules(prefix).join(scope));
    if whole {
        sys.remove_tree(&parent.join(bare))?;
    }
    let aside = format!(".{bare}-");
    for left in sys.list(&parent).unwrap_or_default() {
        if left.to_string_lossy().starts_with(&aside) {
            sys.remove_tree(&parent.join(left))?;
        }
    }
    Ok(())
}
