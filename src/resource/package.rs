//! `[[package]]`: Debian packages. Reads dpkg's records; starts apt-get only where something differs.
mod absent;
mod download;

use super::need::Needs;
use super::{Ask, Change, Mistake, Plan, Resource, Step, Tell, Thing, Waiting, Want};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{Digest, Names, PackageName, Text, VersionGlob};
use crate::system::apt::Apt;
use crate::system::dpkg::{self, Records, State};
use crate::system::{System, state};
use download::Download;
use serde::Deserialize;
use std::path::Path;
use std::time::Duration;

const KIND: &str = "package";
const APT_GET: &str = "/usr/bin/apt-get";
/// What a planned repair supplies, so that the packages after it don't plan it again.
const JOURNAL: &str = "/var/lib/dpkg/updates";
/// A stamp that begins with this names the package that was installed for a virtual one.
const PROVIDED_BY: &str = "provided by ";

/// Debian packages. Installed is what dpkg's own records say; apt-get is started only where something differs.
///
/// The lists are updated only if something is to be installed and they are older than a day or than a file of
/// sources, or prove to be old; a repository that is down matters only to what it alone has. Configuration files that
/// were changed stay as they are, nothing else is removed to make room, and nothing asks. What apt does not know holds
/// up nothing else in a list. A held package (`apt-mark hold`) waits until it is unheld. Whoever holds the lock of dpkg
/// or apt is named and waited for, as long as `timeout` says. An interrupted dpkg is a difference of its own with a
/// step of its own. Absent: removed, not purged, if ours; kept where others would go with it. Nothing is autoremoved.
///
/// ```toml
/// [[package]]
/// name = ["git", "tmux", "python3-venv"]
///
/// [[package]]
/// name    = "nodejs"
/// version = "22.*"
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Package {
    /// One package or a list: `git`, `libc6:i386`; `:all` and `:native` are the machine's own architecture, `:any` is any.
    /// A virtual package counts as installed where an installed one provides it; else the only one that does is installed,
    /// and where several do, name one of them.
    name: Names<PackageName>,
    /// Default: any. The version, with `*` and `?` for any: `"22.*"`. Never an older one than
    /// is installed.
    version: Option<VersionGlob>,
    /// Where a `.deb` of it is to be had. That file is installed though a repository has the package, too; what it
    /// depends on comes from the repositories.
    url: Option<Text>,
    /// The digest of that `.deb`, required with `url`. With another digest it is installed anew.
    sha256: Option<Digest<256>>,
}

impl Resource for Package {
    fn names(&self) -> Vec<String> {
        self.name.0.iter().map(|name| name.0.clone()).collect()
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        match (&self.url, &self.sha256) {
            (Some(_), None) => mistakes.push(Mistake::at("url", "`url` needs `sha256`: the digest of the .deb")),
            (None, Some(_)) => mistakes.push(Mistake::at("sha256", "`sha256` is of a `url`, and there is none")),
            _ => {}
        }
        if self.url.as_ref().is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            mistakes.push(Mistake::at("url", "`url` begins with https:// or http://"));
        }
        if self.url.is_some() && self.name.0.len() > 1 {
            mistakes.push(Mistake::at("url", "one `url` is one package, not a list"));
        }
        mistakes
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let records = Records::read(sys)?;
        match ask.want {
            Want::Present => self.present(ask, sys, &records),
            Want::Absent => self.absent(ask, sys, &records),
        }
    }
}

impl Package {
    fn present<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System, records: &Records) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        plan.steps.extend(self.repair(ask, records));
        let (mut changes, mut wanted) = (Vec::new(), Vec::new());
        for name in &self.name.0 {
            let Some(change) = self.difference(name, sys, records)? else { continue };
            if let Some(found) = find(records, name).filter(|found| found.held) {
                plan.waiting.push(held(name, found, change.to.as_deref().unwrap_or("installed")));
                continue;
            }
            changes.push(change);
            wanted.push(name);
        }
        if changes.is_empty() {
            return Ok(plan);
        }
        let mut needs = Needs::default();
        if sys.lstat(Path::new(APT_GET)).attempt(|| format!("reading `{APT_GET}`"))?.is_none() {
            needs.missing(&Thing::Program("apt-get".to_owned()), ask, || {
                Error::new("installing packages")
                    .reason(format!("there is no `{APT_GET}` on this machine"))
                    .remedy("this kind is for Debian and what descends from it")
            })?;
        }
        if needs.held.is_some() {
            plan.waiting.extend(wanted.iter().filter_map(|name| needs.waiting(&name.0, Vec::new())));
            return Ok(plan);
        }
        changes = changes.into_iter().map(|change| change.after(needs.after.clone())).collect();
        let timeout = ask.timeout;
        let step = Step::telling(changes, move |sys, tell| match (&self.url, &self.sha256) {
            (Some(url), Some(sha256)) => {
                let version = self.version.as_ref();
                Download { url, sha256: &sha256.0, name: wanted[0], version }.install(apt(sys, tell, timeout))
            }
            _ => self.install(&wanted, apt(sys, tell, timeout)),
        });
        plan.steps.push(step.opaque());
        Ok(plan)
    }

    /// Returns what differs of one package that dpkg has not been interrupted at.
    fn difference(&self, name: &PackageName, sys: &dyn System, records: &Records) -> Result<Option<Change>> {
        let (bare, architecture) = name.split();
        let asked = self.version.as_ref().map_or("installed", |version| version.0.as_str());
        let found = match (records.packages.find(bare, architecture), &self.url) {
            (Some(found), _) if found.state == State::Installed => found,
            // Its file is at hand: that goes before what a repository has.
            (Some(found), Some(_)) if found.broken => return Ok(Some(halfway(name, &found.state))),
            (Some(found), _) if found.state != State::Gone => {
                return Ok((!records.interrupted).then(|| halfway(name, &found.state)));
            }
            // A version is asked of the package itself, not of what stands in for it.
            (_, None) if self.version.is_none() && records.packages.provider(bare, architecture).is_some() => {
                return Ok(None);
            }
            _ => return Ok(Some(Change::made(&name.0, asked))),
        };
        if let Some(version) = self.version.as_ref().filter(|version| !version.fits(&found.version)) {
            let (from, to) = (found.version.clone(), version.0.clone());
            return Ok(Some(Change::field(&name.0, "version", Some(from), Some(to))));
        }
        match &self.sha256 {
            Some(sha256) => download::difference(sys, name, &sha256.0, &found.version),
            None => Ok(None),
        }
    }

    /// Returns the step that ends what dpkg was interrupted at; without it apt-get refuses to do anything.
    fn repair<'a>(&'a self, ask: &Ask<'_>, records: &Records) -> Option<Step<'a>> {
        if !records.interrupted || ask.pending.coming(&Thing::Path(JOURNAL.into())).is_some() {
            return None;
        }
        let ours = self.name.0.iter().filter_map(|name| match &find(records, name)?.state {
            state @ State::Halfway(_) => Some(halfway(name, state)),
            State::Installed | State::Gone => None,
        });
        let mut changes: Vec<Change> = ours.collect();
        if changes.is_empty() {
            let names: Vec<&str> = records.packages.halfway().take(5).map(|package| package.name.as_str()).collect();
            let at = if names.is_empty() { String::new() } else { format!(" at {}", names.join(", ")) };
            let from = Some(format!("interrupted{at}"));
            changes.push(Change::field(&self.name.0[0].0, "dpkg", from, Some("complete".to_owned())));
        }
        let timeout = ask.timeout;
        let step = Step::telling(changes, move |sys, tell| apt(sys, tell, timeout).complete());
        Some(step.supplies([Thing::Path(JOURNAL.into())]).opaque())
    }

    fn install(&self, wanted: &[&PackageName], apt: Apt<'_>) -> Result<()> {
        let argument =
            |name: &&PackageName| self.version.as_ref().map_or(name.0.clone(), |version| format!("{name}={version}"));
        let installed = apt.install(&wanted.iter().map(argument).collect::<Vec<_>>());
        apt.sys.facts().forget();
        let records = Records::read(apt.sys)?;
        for name in wanted {
            let (bare, architecture) = name.split();
            let is_there = find(&records, name).is_some_and(|found| found.state != State::Gone);
            if let Some(provider) = records.packages.provider(bare, architecture).filter(|_| !is_there) {
                let provider = records.packages.apt_name(provider);
                state::set_stamp(apt.sys, KIND, &name.0, &format!("{PROVIDED_BY}{provider}"))?;
            }
        }
        installed
    }
}

fn apt<'a>(sys: &'a dyn System, tell: &'a Tell<'a>, patience: Duration) -> Apt<'a> {
    Apt { sys, tell, patience }
}

fn find<'a>(records: &'a Records, name: &PackageName) -> Option<&'a dpkg::Package> {
    let (bare, architecture) = name.split();
    records.packages.find(bare, architecture)
}

/// Somebody said that it stays as it is.
fn held(name: &PackageName, found: &dpkg::Package, to: &str) -> Waiting {
    let is = match found.state {
        State::Gone => "is held, not installed".to_owned(),
        _ => format!("is held at {}", found.version),
    };
    Waiting {
        name: name.0.clone(),
        because: format!("{is}, and is to be {to}"),
        remedy: Some(format!("if it may change, run `apt-mark unhold {name}`, then run again")),
        supplies: Vec::new(),
    }
}

fn halfway(name: &PackageName, state: &State) -> Change {
    Change::field(&name.0, "state", Some(state.word().to_owned()), Some("installed".to_owned()))
}
