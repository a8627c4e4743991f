//! Installing with npm so that a kill at any point is seen by the next check, and no cache stays behind.
use super::former::{is_same, leave_former};
use super::found::links_into;
use super::session::{End, Session};
use super::{Npm, modules};
use crate::error::{Attempt as _, Error, Result};
use crate::field::NpmName;
use crate::resource::Tell;
use crate::system::{System, npm, state};
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
    /// Taken out of a former prefix, last.
    pub(super) leave: Vec<(&'a NpmName, PathBuf)>,
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
    /// The prefixes into which we put it, where it was not before; `None`: it was there, or an older version did not
    /// keep them.
    #[serde(default)]
    prefixes: Option<Vec<PathBuf>>,
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

    /// Returns the prefixes into which we put it.
    pub(super) fn prefixes(&self) -> &[PathBuf] {
        self.prefixes.as_deref().unwrap_or_default()
    }

    /// Returns whether what is ours of it is in a prefix.
    pub(super) fn made_in(&self, prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<bool> {
        let mut is_there = self.prefixes.is_none();
        for made in self.prefixes() {
            is_there |= is_same(made, prefix, name, sys)?;
        }
        Ok(is_there)
    }

    /// Returns what is left of it where nothing has run yet.
    fn unfinished(self) -> Self {
        Self { prefixes: self.prefixes, ..Self::default() }
    }

    /// Returns it without a prefix.
    pub(super) fn without(mut self, prefix: &Path) -> Self {
        self.prefixes.iter_mut().for_each(|prefixes| prefixes.retain(|made| made != prefix));
        self
    }

    pub(super) fn leave(&self, sys: &dyn System, name: &str) -> Result<()> {
        if !self.busy && self.version.is_empty() && self.prefixes.is_none() {
            return state::clear_stamp(sys, KIND, name);
        }
        let text = serde_json::to_string(self).attempt(|| format!("writing the stamp of `{name}`"))?;
        state::set_stamp(sys, KIND, name, &text)
    }
}

impl Npm {
    /// Does the work, as far as it goes. npm undoes what fails; only where it was killed does a stamp say that it was at work.
    pub(super) fn work(&self, work: &Work<'_>, sys: &dyn System, tell: &Tell<'_>, timeout: Duration) -> Result<()> {
        let session = Session::new(self, sys, tell, timeout)?;
        let done = self.work_in(&session, work);
        session.end()?;
        done
    }

    fn work_in(&self, session: &Session<'_>, work: &Work<'_>) -> Result<()> {
        let mut errors = Vec::new();
        let mut touched = [&work.link, &work.run].map(Vec::as_slice).concat();
        if let Some(error) = self.install(session, &work.install, work)? {
            if work.install.len() == 1 {
                errors.push(error);
            } else {
                // One that can't be installed is nothing to the others.
                for name in &work.install {
                    match self.install(session, &[name], work)? {
                        Some(error) => errors.push(error),
                        None => touched.push(name),
                    }
                }
            }
        } else {
            touched.extend(&work.install);
        }
        if !work.link.is_empty() {
            let names = work.link.iter().map(|name| name.0.clone());
            errors.extend(session.run("rebuild", "--ignore-scripts", names)?.refused());
        }
        let owed = touched.iter().any(|name| !work.link.contains(name) || work.run.contains(name));
        let ran = if owed && !self.scripts.is_empty() { self.run_scripts(session)? } else { None };
        for name in &touched {
            match &ran {
                // Whole, and its scripts are still owed.
                Some(_) => Stamp::read(session.sys, &name.0)?.unfinished().leave(session.sys, &name.0)?,
                None => self.done(&session.prefix, name, session.sys)?,
            }
        }
        errors.extend(ran);
        leave_former(session, &work.leave)?;
        errors.into_iter().next().map_or(Ok(()), Err)
    }

    /// Installs packages by one npm; returns why it refused.
    fn install(&self, session: &Session<'_>, names: &[&NpmName], work: &Work<'_>) -> Result<Option<Error>> {
        if names.is_empty() {
            return Ok(None);
        }
        let (sys, prefix) = (session.sys, &session.prefix);
        let mut before = Vec::new();
        for name in names {
            let stamp = Stamp::read(sys, &name.0)?;
            let mut prefixes = stamp.prefixes.clone();
            if !stamp.prefixes().contains(prefix) && !there(prefix, name, sys)? {
                prefixes.get_or_insert_default().push(prefix.clone());
            }
            before.push(stamp);
            Stamp { busy: true, prefixes, ..Stamp::default() }.leave(sys, &name.0)?;
            clear(prefix, name, work.clear.contains(name), sys)?;
        }
        // Scripts run afterwards, those that may: so it is the same with every npm, whatever it runs unasked.
        let version = self.version.as_ref().map_or(String::new(), |version| format!("@{version}"));
        let packages = names.iter().map(|name| format!("{name}{version}"));
        let refused = session.run("install", "--ignore-scripts", packages)?;
        if let End::Refused(error) = refused {
            for (name, before) in names.iter().zip(before) {
                let busy = before.busy && there(prefix, name, sys)?;
                Stamp { busy, ..before }.leave(sys, &name.0)?;
            }
            return Ok(Some(error));
        }
        Ok(None)
    }

    fn run_scripts(&self, session: &Session<'_>) -> Result<Option<Error>> {
        let scripts: Vec<String> = self.scripts.iter().map(|script| script.0.clone()).collect();
        let allowed = format!("--allow-scripts={}", scripts.join(","));
        Ok(session.run("rebuild", &allowed, scripts.into_iter())?.refused())
    }

    /// Takes packages away, as npm does; first those in former prefixes, of which only the stamp tells.
    pub(super) fn uninstall(
        &self,
        names: &[&NpmName],
        former: &[(&NpmName, PathBuf)],
        sys: &dyn System,
        timeout: Duration,
    ) -> Result<()> {
        let session = Session::new(self, sys, &|_| (), timeout)?;
        let done = uninstall(&session, names, former);
        session.end()?;
        done
    }

    /// Leaves the stamp of what is whole now.
    fn done(&self, prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<()> {
        let path = modules(prefix).join(&name.0).join("package.json");
        let stamp = Stamp::read(sys, &name.0)?;
        let Some(manifest) = sys.read(&path).ok().and_then(|json| npm::parse_manifest(&json)) else {
            return stamp.unfinished().leave(sys, &name.0);
        };
        let scripts = self.scripts_of(name, prefix, sys)?.into_iter().map(|script| script.0.clone()).collect();
        Stamp { busy: false, version: manifest.version, scripts, ..stamp }.leave(sys, &name.0)
    }
}

fn uninstall(session: &Session<'_>, names: &[&NpmName], former: &[(&NpmName, PathBuf)]) -> Result<()> {
    for (name, prefix) in former {
        session.elsewhere(prefix).uninstall(&[name])?;
        Stamp::read(session.sys, &name.0)?.without(prefix).leave(session.sys, &name.0)?;
    }
    // First, for nothing looks at the stamp of what is gone; a half that is left is seen without one.
    names.iter().try_for_each(|name| state::clear_stamp(session.sys, KIND, &name.0))?;
    if names.is_empty() { Ok(()) } else { session.uninstall(names) }
}

impl Session<'_> {
    /// Takes packages out of its prefix.
    pub(super) fn uninstall(&self, names: &[&NpmName]) -> Result<()> {
        let (sys, prefix) = (self.sys, &self.prefix);
        let packages = names.iter().map(|name| name.0.clone());
        if let Some(error) = self.run("uninstall", "--ignore-scripts", packages)?.refused() {
            return Err(error);
        }
        for name in names {
            // npm leaves what it does not understand.
            clear(prefix, name, true, sys)?;
            let scope = name.split().0.map(|scope| modules(prefix).join(scope));
            if let Some(scope) = scope.filter(|scope| sys.list(scope).is_ok_and(|names| names.is_empty())) {
                sys.remove_dir(&scope)?;
            }
        }
        Ok(())
    }
}

pub(super) fn there(prefix: &Path, name: &NpmName, sys: &dyn System) -> Result<bool> {
    let path = modules(prefix).join(&name.0);
    Ok(sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))?.is_some())
}

/// Takes away what a killed npm left: the directory and the links to which it moved the old version, at which the next one
/// would stop; and, where it was at work, the package itself with its links, to which it would give no executable file.
fn clear(prefix: &Path, name: &NpmName, whole: bool, sys: &dyn System) -> Result<()> {
    let (scope, bare) = name.split();
    let parent: PathBuf = scope.map_or_else(|| modules(prefix), |scope| modules(prefix).join(scope));
    if whole {
        sys.remove_tree(&parent.join(bare))?;
    }
    for left in sys.list(&parent).unwrap_or_default() {
        if retired(&left.to_string_lossy()) == Some(bare) {
            sys.remove_tree(&parent.join(left))?;
        }
    }
    for link in links_into(prefix, name, sys)? {
        if whole || link.file_name().is_some_and(|left| retired(&left.to_string_lossy()).is_some()) {
            sys.remove_file(&link)?;
        }
    }
    Ok(())
}

/// Returns what npm moved aside under a name: `.NAME-` and eight letters or digits (retire-path.js of its arborist).
fn retired(name: &str) -> Option<&str> {
    let (name, hash) = name.strip_prefix('.')?.rsplit_once('-')?;
    (hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::retired;

    #[test]
    fn what_npm_moved_aside_is_told_from_anothers() {
        assert_eq!(retired(".cli-Qs1aMTiW"), Some("cli"));
        assert_eq!(retired(".cli-next-Qs1aMTiW"), Some("cli-next"));
        for other in ["cli-Qs1aMTiW", ".cli", ".cli-short", ".bin"] {
            assert_eq!(retired(other), None, "{other}");
        }
    }
}
