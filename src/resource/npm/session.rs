//! One npm after the other on one prefix, with a cache that does not stay.
use super::Npm;
use super::refusal::{explain, unfit_engines};
use crate::error::{Error, Result};
use crate::resource::Tell;
use crate::system::{Command, System, state};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How npm is started.
pub(super) struct Session<'s> {
    pub(super) sys: &'s dyn System,
    pub(super) prefix: PathBuf,
    npm: &'s Npm,
    cache: PathBuf,
    tell: &'s Tell<'s>,
    timeout: Duration,
}

/// How an npm ended that was not killed.
pub(super) enum End {
    Done,
    /// It undid what it had done.
    Refused(Error),
}

impl End {
    pub(super) fn refused(self) -> Option<Error> {
        match self {
            Self::Done => None,
            Self::Refused(error) => Some(error),
        }
    }
}

impl<'s> Session<'s> {
    pub(super) fn new(npm: &'s Npm, sys: &'s dyn System, tell: &'s Tell<'s>, timeout: Duration) -> Result<Self> {
        let (prefix, cache) = (npm.prefix(sys)?, state::directory(sys, state::NPM_CACHE)?);
        Ok(Self { sys, prefix, npm, cache, tell, timeout })
    }

    /// Returns the same on another prefix.
    pub(super) fn elsewhere(&self, prefix: &Path) -> Self {
        Self { prefix: prefix.to_owned(), cache: self.cache.clone(), ..*self }
    }

    /// Removes the cache.
    pub(super) fn end(self) -> Result<()> {
        self.sys.remove_tree(&self.cache)
    }

    /// Runs npm; an error where it was killed, by whomever, and may have left anything.
    pub(super) fn run(&self, verb: &str, option: &str, packages: impl Iterator<Item = String>) -> Result<End> {
        let mut command = Command::new(["npm", verb, "--global", "--no-audit", "--no-fund", "--no-update-notifier"]);
        command.argv.extend(["--loglevel=warn", "--logs-max=0"].map(str::to_owned));
        command.argv.push(format!("--prefix={}", self.prefix.display()));
        if self.npm.setting("cache").is_none() {
            command.argv.push(format!("--cache={}", self.cache.display()));
        }
        command.argv.extend(self.npm.registry.iter().map(|registry| format!("--registry={registry}")));
        command.argv.push(option.to_owned());
        command.argv.extend(packages);
        command.env.extend(self.npm.env.iter().map(|(key, value)| (key.clone(), value.0.clone())));
        command.tied = true;
        let command = command.timeout(self.timeout);
        let output = self.sys.run(&command)?;
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        for text in unfit_engines(&printed) {
            (self.tell)(&text);
        }
        let was_killed = output.code >= 128;
        match output.success(&command) {
            Ok(_) => Ok(End::Done),
            Err(error) if was_killed => Err(error),
            Err(error) => Ok(End::Refused(explain(error, &printed))),
        }
    }
}
