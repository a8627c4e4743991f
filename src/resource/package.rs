//! `package`: Debian packages. Reads dpkg's records; starts apt-get only where something differs.
use super::{Ask, Change, Missing, Mistake, Plan, Remark, Resource, Step, Thing, Waiting, Want};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{Digest, Names, PackageName, Text, VersionGlob};
use crate::system::apt::{self, apt_get};
use crate::system::dpkg::{self, Packages, State};
use crate::system::fingerprint::{hex, listed};
use crate::system::{Fetch, NewFile, System, state};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const STATUS: &str = "/var/lib/dpkg/status";
const JOURNAL: &str = "/var/lib/dpkg/updates";
const APT_GET: &str = "/usr/bin/apt-get";
const DEB_AT_MOST: u64 = 1 << 30;

/// Debian packages that are installed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Package {
    name: Names<PackageName>,
    version: Option<VersionGlob>,
    url: Option<Text>,
    sha256: Option<Digest<256>>,
}

/// dpkg's records, and what says that it was interrupted.
struct Records {
    packages: Packages,
    journal: bool,
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
        if self.url.is_some() && self.name.0.len() > 1 {
            mistakes.push(Mistake::at("url", "one `url` is one package, not a list"));
        }
        mistakes
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let records = records(sys)?;
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
        let mut changes = Vec::new();
        for name in &self.name.0 {
            changes.extend(self.difference(name, sys, &records.packages)?);
        }
        if changes.is_empty() {
            return Ok(plan);
        }
        if sys.lstat(Path::new(APT_GET)).attempt(|| format!("reading `{APT_GET}`"))?.is_none() {
            let error = || {
                Error::new("installing packages")
                    .reason(format!("there is no `{APT_GET}` on this machine"))
                    .remedy("this kind is for Debian and what descends from it")
            };
            match ask.needs(&Thing::Program("apt-get".to_owned()), error)? {
                Missing::Held(id) => {
                    let wait = |change: Change| Waiting {
                        name: change.name,
                        because: format!("waits for {id}"),
                        remedy: None,
                        supplies: Vec::new(),
                    };
                    plan.waiting.extend(changes.into_iter().map(wait));
                    return Ok(plan);
                }
                Missing::After(id) => {
                    changes = changes.into_iter().map(|change| change.after(Some(id.clone()))).collect();
                }
                Missing::Nowhere => {}
            }
        }
        let wanted: Vec<&PackageName> =
            changes.iter().filter_map(|change| self.name.0.iter().find(|name| name.0 == change.name)).collect();
        let timeout = ask.timeout;
        let step = Step::new(changes, move |sys| match (&self.url, &self.sha256) {
            (Some(url), Some(sha256)) => self.install_deb(sys, url, &sha256.0, timeout),
            _ => apt::install(sys, &wanted.iter().map(|name| self.argument(name)).collect::<Vec<_>>(), timeout),
        });
        plan.steps.push(step.opaque());
        Ok(plan)
    }

    /// Returns what differs of one package that dpkg has not been interrupted at.
    fn difference(&self, name: &PackageName, sys: &dyn System, packages: &Packages) -> Result<Option<Change>> {
        let (bare, architecture) = name.split();
        let asked = self.version.as_ref().map_or("installed", |version| version.0.as_str());
        let found = match packages.find(bare, architecture) {
            Some(found) if found.state == State::Installed => found,
            Some(found) if found.state != State::Gone => return Ok(None),
            // A version is asked of the package itself, not of what stands in for it.
            _ if self.version.is_none() && self.url.is_none() && packages.provider(bare).is_some() => return Ok(None),
            _ => return Ok(Some(Change::made(&name.0, asked))),
        };
        if let Some(version) = self.version.as_ref().filter(|version| !version.fits(&found.version)) {
            let (from, to) = (found.version.clone(), version.0.clone());
            return Ok(Some(Change::field(&name.0, "version", Some(from), Some(to))));
        }
        let Some(sha256) = &self.sha256 else { return Ok(None) };
        let stamp = state::stamp(sys, "package", &name.0)?;
        if stamp.as_deref() == Some(&deb_stamp(&sha256.0, &found.version)) {
            return Ok(None);
        }
        let from = stamp.filter(|stamp| stamp.ends_with(&format!(" {}", found.version)));
        let from = from.map_or_else(|| format!("{} from elsewhere", found.version), |stamp| short(&stamp));
        Ok(Some(Change::field(&name.0, "sha256", Some(from), Some(short(&sha256.0)))))
    }

    /// Returns the step that ends what dpkg was interrupted at; without it apt-get refuses to do anything.
    fn repair<'a>(&'a self, ask: &Ask<'_>, records: &Records) -> Option<Step<'a>> {
        let halfway: Vec<&dpkg::Package> = records.packages.halfway().collect();
        let planned = ask.pending.coming(&Thing::Path(JOURNAL.into())).is_some();
        if planned || (halfway.is_empty() && !records.journal) {
            return None;
        }
        let ours = self.name.0.iter().filter_map(|name| {
            let (bare, architecture) = name.split();
            let found = records.packages.find(bare, architecture)?;
            let State::Halfway(word) = &found.state else { return None };
            Some(Change::field(&name.0, "state", Some(word.clone()), Some("installed".to_owned())))
        });
        let mut changes: Vec<Change> = ours.collect();
        if changes.is_empty() {
            let names: Vec<&str> = halfway.iter().take(5).map(|package| package.name.as_str()).collect();
            let at = if names.is_empty() { String::new() } else { format!(" at {}", names.join(", ")) };
            let from = Some(format!("interrupted{at}"));
            changes.push(Change::field(&self.name.0[0].0, "dpkg", from, Some("complete".to_owned())));
        }
        let broken = halfway.iter().filter(|package| package.broken).map(|package| package.name.clone()).collect();
        let step = Step::new(changes, move |sys| apt::complete(sys, broken));
        Some(step.supplies([Thing::Path(JOURNAL.into())]).opaque())
    }

    fn absent<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System, records: &Records) -> Result<Plan<'a>> {
        let mut plan = Plan::default();
        let mut going: Vec<(&PackageName, &dpkg::Package)> = Vec::new();
        for name in &self.name.0 {
            let (bare, architecture) = name.split();
            let Some(found) = records.packages.find(bare, architecture) else { continue };
            if found.state == State::Gone {
                continue;
            }
            if let Some(by) = ask.pending.stays().filter(|_| ask.ours(&name.0)) {
                let text = format!("kept: {by} stays and may need it");
                plan.remarks.push(Remark { name: name.0.clone(), text });
            } else if ask.ours(&name.0) {
                going.push((name, found));
            } else {
                let text = "kept: it was installed before, not by this recipe".to_owned();
                plan.remarks.push(Remark { name: name.0.clone(), text });
            }
        }
        if going.is_empty() {
            return Ok(plan);
        }
        plan.steps.extend(self.repair(ask, records));
        let needed = needed_by_others(sys, &going)?;
        going.retain(|(name, _)| match needed.iter().find(|(kept, _)| kept == &name.0) {
            None => true,
            Some((_, by)) => {
                let text = format!("kept: {} would go with it", by.join(", "));
                plan.remarks.push(Remark { name: name.0.clone(), text });
                false
            }
        });
        if going.is_empty() {
            return Ok(plan);
        }
        let changes = going.iter().map(|(name, found)| Change::removed(&name.0, &found.version)).collect();
        let names: Vec<String> = going.iter().map(|(name, _)| name.0.clone()).collect();
        let step = Step::new(changes, move |sys| {
            apt::run(sys, &apt_get(["remove"].into_iter().chain(names.iter().map(String::as_str))))?;
            names.iter().try_for_each(|name| state::clear_stamp(sys, "package", name))
        });
        plan.steps.push(step.opaque());
        Ok(plan)
    }

    fn argument(&self, name: &PackageName) -> String {
        self.version.as_ref().map_or_else(|| name.0.clone(), |version| format!("{}={version}", name.0))
    }

    fn install_deb(&self, sys: &dyn System, url: &str, sha256: &str, timeout: Duration) -> Result<()> {
        let name = &self.name.0[0];
        let fetched = sys.fetch(&Fetch { url, timeout, limit: DEB_AT_MOST })?;
        if fetched.status != 200 {
            return Err(
                Error::new(format!("fetching `{url}`")).reason(format!("the server answered {}", fetched.status))
            );
        }
        let found = hex(&Sha256::digest(&fetched.body));
        if found != sha256 {
            let reason = format!("its sha256 is {found}, not {sha256}");
            return Err(Error::new(format!("fetching `{url}`")).reason(reason).remedy("nothing was installed"));
        }
        let deb = state::directory(sys, "downloads")?.join(format!("{}.deb", name.split().0));
        sys.write(&deb, &NewFile { content: &fetched.body, uid: 0, gid: 0, mode: 0o600 }, &|_| Ok(()))?;
        let installed = apt::install(sys, &[deb.display().to_string()], timeout);
        sys.remove_file(&deb)?;
        installed?;
        sys.facts().forget();
        let records = records(sys)?;
        let (bare, architecture) = name.split();
        let Some(found) = records.packages.find(bare, architecture) else {
            return Err(Error::new(format!("installing `{url}`")).reason(format!("it holds no package `{bare}`")));
        };
        state::set_stamp(sys, "package", &name.0, &deb_stamp(sha256, &found.version))
    }
}

fn records(sys: &dyn System) -> Result<Arc<Records>> {
    sys.facts().get("dpkg", || {
        let mut texts = vec![read(sys, Path::new(STATUS))?];
        let names = listed(sys, Path::new(JOURNAL)).attempt(|| format!("reading `{JOURNAL}`"))?;
        for name in names.iter().filter(|name| dpkg::is_journal(name)) {
            texts.push(read(sys, &Path::new(JOURNAL).join(name))?);
        }
        let packages = Packages::parse(texts.iter().map(String::as_str));
        Ok(Records { packages, journal: texts.len() > 1 })
    })
}

fn read(sys: &dyn System, path: &Path) -> Result<String> {
    match sys.read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}

/// Returns those that others than themselves and what came with them need, and who.
fn needed_by_others(sys: &dyn System, going: &[(&PackageName, &dpkg::Package)]) -> Result<Vec<(String, Vec<String>)>> {
    let automatic = dpkg::parse_automatic(&read(sys, Path::new("/var/lib/apt/extended_states"))?);
    let others = |names: &[&str]| -> Result<Vec<String>> {
        let command = apt_get(["--simulate", "remove"].into_iter().chain(names.iter().copied()));
        let output = sys.run(&command)?.success(&command)?.text();
        let bare = |name: &str| name.split(':').next().unwrap_or(name).to_owned();
        let mut others: Vec<String> = apt::parse_removals(&output).into_iter().map(bare).collect();
        others.retain(|other| !going.iter().any(|(name, _)| name.split().0 == other) && !automatic.contains(other));
        Ok(others)
    };
    let all: Vec<&str> = going.iter().map(|(name, _)| name.0.as_str()).collect();
    if others(&all)?.is_empty() {
        return Ok(Vec::new());
    }
    let each = all.iter().map(|name| Ok(((*name).to_owned(), others(&[name])?)));
    let mut each = each.collect::<Result<Vec<_>>>()?;
    each.retain(|(_, others)| !others.is_empty());
    Ok(each)
}

fn deb_stamp(sha256: &str, version: &str) -> String {
    format!("{sha256} {version}")
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
