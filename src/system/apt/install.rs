//! `apt-get install`: with lists that are fresh, and an error that says what stood in the way of which package.
use super::refusal::{Refusal, complaints, may_be_outdated, refusals, remedy, was_interrupted};
use super::{Apt, apt_get, attempt, lists, printed};
use crate::error::{Attempt as _, Error, Result};
use crate::system::dpkg::Records;
use crate::system::{Command, Output};
use std::path::Path;

/// Foreign architectures are in it once there are any.
const ARCHITECTURES: &str = "/var/lib/dpkg/arch";
const COMPLAINTS: usize = 5;

/// A run of apt-get, and what fetching the lists before it gave cause to say.
struct Tried {
    arguments: Vec<String>,
    output: Output,
    complaints: Vec<String>,
}

impl Apt<'_> {
    /// Installs packages in one go, each `NAME` or `NAME=VERSION`. What apt-get can't install at all holds up no other one.
    ///
    /// # Errors
    /// Where one of them is not installed, with what apt-get said.
    pub fn install(&self, packages: &[String]) -> Result<()> {
        // What is in the way is a person's to take away.
        let tried =
            self.try_to(["install", "--no-remove"].map(str::to_owned).into_iter().chain(packages.iter().cloned()))?;
        if tried.output.code == 0 {
            return Ok(());
        }
        let refused: Vec<String> =
            refusals(&printed(&tried.output)).iter().filter_map(Refusal::package).map(str::to_owned).collect();
        let (out, rest): (Vec<&String>, Vec<&String>) =
            packages.iter().partition(|package| refused.iter().any(|name| is_of(package, name)));
        let mut error = self.explain(&tried);
        if !out.is_empty() && !rest.is_empty() {
            let rest: Vec<String> = rest.into_iter().cloned().collect();
            if let Err(also) = self.install(&rest) {
                error = also.causes.into_iter().fold(error.reason(also.attempt), Error::reason);
                error.output.extend(also.output);
            }
        }
        Err(error)
    }

    /// Runs apt-get. Lists that are stale are fetched first; lists that prove to be stale, once.
    fn try_to(&self, arguments: impl Iterator<Item = String>) -> Result<Tried> {
        let arguments: Vec<String> = arguments.collect();
        let stale = lists::are_stale(self.sys).attempt(|| "reading the age of apt's lists".to_owned())?;
        let mut said = stale.then(|| self.update()).transpose()?;
        let command = apt_get(arguments.iter().cloned());
        let mut output = self.locked(&command)?;
        if output.code != 0 && said.is_none() && may_be_outdated(&printed(&output)) {
            said = Some(self.update()?);
            output = self.locked(&command)?;
        }
        if output.code != 0 && was_interrupted(&printed(&output)) {
            // For whom we waited has left it so.
            (self.tell)("completes first what another dpkg was interrupted at");
            self.complete()?;
            output = self.locked(&command)?;
        }
        let complaints = said.unwrap_or_default();
        if output.code == 0 {
            for line in &complaints {
                (self.tell)(&format!("`apt-get update` said: {line}"));
            }
        }
        Ok(Tried { arguments, output, complaints })
    }

    /// Runs apt-get with arguments that must lead to something installed.
    pub(super) fn must(&self, arguments: impl Iterator<Item = String>) -> Result<()> {
        let tried = self.try_to(arguments)?;
        if tried.output.code == 0 { Ok(()) } else { Err(self.explain(&tried)) }
    }

    fn explain(&self, tried: &Tried) -> Error {
        let text = printed(&tried.output);
        let error = Error::new(attempt(&tried.arguments)).reason(format!("exit {}", tried.output.code)).output(&text);
        let mut error = refusals(&text).iter().fold(error, |error, refusal| self.add(error, refusal));
        let said = tried.complaints.iter().take(COMPLAINTS);
        error = said.fold(error, |error, line| error.reason(format!("`apt-get update` said: {line}")));
        if error.causes.len() == 1 {
            error = complaints(&text).into_iter().take(COMPLAINTS).fold(error, Error::reason);
        }
        let known = error.causes.iter().find_map(|cause| remedy(cause));
        known.into_iter().fold(error, Error::remedy)
    }

    /// Returns the error of a dpkg that was run by itself.
    pub(super) fn explain_dpkg(&self, command: &Command, output: &Output) -> Error {
        let text = printed(output);
        let attempt = format!("running `{}`", command.shown());
        let error = Error::new(attempt).reason(format!("exit {}", output.code)).output(&text);
        refusals(&text).iter().fold(error, |error, refusal| self.add(error, refusal))
    }

    /// Adds a reason, and what to do about it.
    fn add(&self, error: Error, refusal: &Refusal) -> Error {
        match refusal {
            Refusal::Unknown(name) => self.add_unknown(error, name),
            Refusal::Ambiguous(name, others) => error
                .reason(format!("`{name}` is no package itself: {} provide or replace it", list(others)))
                .remedy("name the one that you want"),
            Refusal::NoVersion(name, version) => {
                let reason = format!("apt knows no version `{version}` of `{name}`");
                match self.versions(name).as_slice() {
                    [] => error.reason(reason),
                    known => error.reason(format!("{reason}, only {}", known.join(", "))),
                }
            }
            Refusal::Downgrade(name) => {
                error.reason(format!("`{name}` would become older than it is, and that is not done")).remedy(
                    "ask for a version that is not older, or put it back by hand: `apt-get install --allow-downgrades`",
                )
            }
            Refusal::Held(name) => error
                .reason(format!("`{name}` is held"))
                .remedy(format!("if it may change, run `apt-mark unhold {name}`, then run again")),
            Refusal::Unmet(unmet) => {
                let held = self.held().into_iter().filter(|name| unmet.split(' ').any(|word| word == name));
                let error = error.reason(unmet);
                held.fold(error, |error, name| self.add(error, &Refusal::Held(name)))
            }
            Refusal::InTheWay => {
                error.reason("another package is in the way").remedy("remove that one by hand, then run again")
            }
            Refusal::NoArchive(name) => error
                .reason(format!("dpkg was killed while it unpacked `{name}`, and no repository has that"))
                .remedy(format!(
                    "install it again from its file: `dpkg --install FILE`; or take it away: \
                     `dpkg --remove --force-remove-reinstreq {name}`"
                )),
            Refusal::Failed(name) => error
                .reason(format!("dpkg could not bring `{name}` to its end"))
                .remedy("see what its script said, mend that, and run again: it goes on from there"),
        }
    }

    fn add_unknown(&self, error: Error, name: &str) -> Error {
        let (bare, architecture) = name.split_once(':').unwrap_or((name, ""));
        let reason = format!("apt knows no package `{name}`");
        if !architecture.is_empty() && !self.has(architecture) {
            return error
                .reason(format!("{reason}: this machine takes no packages of the architecture `{architecture}`"))
                .remedy(format!("run `dpkg --add-architecture {architecture}`, then run again"));
        }
        match self.nearest(bare) {
            Some(near) if near == bare => error.reason(format!("{reason}, only `{near}`")),
            Some(near) => error.reason(format!("{reason}; did you mean `{near}`?")),
            None => error.reason(reason),
        }
    }

    fn has(&self, architecture: &str) -> bool {
        let foreign = self.sys.read(Path::new(ARCHITECTURES)).unwrap_or_default();
        let is_own = Records::read(self.sys).is_ok_and(|records| records.packages.native() == Some(architecture));
        is_own || String::from_utf8_lossy(&foreign).lines().any(|line| line == architecture)
    }

    fn held(&self) -> Vec<String> {
        Records::read(self.sys)
            .map_or(Vec::new(), |records| records.packages.held().map(|it| it.name.clone()).collect())
    }

    /// Returns the name in the lists that is nearest to one that isn't.
    fn nearest(&self, name: &str) -> Option<String> {
        let known = self.sys.run(&Command::new(["apt-cache", "pkgnames"])).ok()?.text();
        let near =
            |known: &&str| known.len().abs_diff(name.len()) <= 2 && known.as_bytes().first() == name.as_bytes().first();
        crate::recipe::nearest(name, known.lines().filter(near)).map(str::to_owned)
    }

    /// Returns the versions that the lists have of a package, the newest first.
    fn versions(&self, name: &str) -> Vec<String> {
        let known = self.sys.run(&Command::new(["apt-cache", "madison", name])).map(|output| output.text());
        let mut versions: Vec<String> = known.iter().flat_map(|text| text.lines()).filter_map(second_column).collect();
        versions.dedup();
        versions
    }
}

impl Refusal {
    /// Returns the package that apt-get would not install, whatever else it was told to.
    fn package(&self) -> Option<&str> {
        match self {
            Self::Unknown(name)
            | Self::Ambiguous(name, _)
            | Self::NoVersion(name, _)
            | Self::Downgrade(name)
            | Self::Held(name) => Some(name),
            Self::Unmet(_) | Self::InTheWay | Self::NoArchive(_) | Self::Failed(_) => None,
        }
    }
}

/// Returns whether an argument, `git:amd64=2.*`, is of the package that apt-get calls `git` or `git:amd64`.
fn is_of(argument: &str, name: &str) -> bool {
    let package = argument.split('=').next().unwrap_or(argument);
    package == name || package.split(':').next() == Some(name)
}

/// Returns the second column of a line of `apt-cache madison`.
fn second_column(line: &str) -> Option<String> {
    line.split('|').nth(1).map(|version| version.trim().to_owned())
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
