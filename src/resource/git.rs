//! `[[git]]`: a checkout. It is cloned beside and renamed into place; what its user changed in it is never lost.
mod checkout;
mod clone;
mod leave;
mod program;

use self::checkout::{Checkout, Found, Standing, short};
use self::program::{Program, Relation};
use super::need::Needs;
use super::{Ask, Change, Mistake, Plan, Remark, Resource, Step, Thing, Waiting, Want};
use crate::error::Result;
use crate::field::{AbsPath, GitRef, GitUrl, SparseDirectory, Text, UserName, without_login};
use crate::system::System;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A checkout. A check reads its files and asks no server: a branch is as far as it was last fetched, by whomever, so that
/// a run costs nothing and never moves what somebody works on unannounced. A new `ref` or `url` is fetched.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Git {
    /// Where it is to be.
    path: AbsPath,
    /// Where it comes from.
    url: GitUrl,
    /// A branch, a tag or a commit; whatever is there without.
    #[serde(rename = "ref")]
    reference: Option<GitRef>,
    /// The user as whom git runs, and to whom the files belong; root without.
    user: Option<UserName>,
    /// The directories that are checked out, at least; everything without. Files beside them come when they are needed.
    #[serde(default)]
    sparse: Vec<SparseDirectory>,
    /// How many commits are cloned; all without. What is there already keeps what it has.
    depth: Option<u32>,
    /// `user:password` or a token for http and https; secret. It is given to git alone, and kept nowhere.
    credential: Option<Text>,
}

/// What differs, and what would have to be done.
#[derive(Default)]
struct Differences {
    changes: Vec<Change>,
    /// Why it has to wait for a person, and what that person does.
    obstacle: Option<(String, String)>,
    url: bool,
    /// Origin's commit to which the branch goes on; `None` with `fetch`: what origin has.
    forward: Option<String>,
    fetch: bool,
    cone: Option<BTreeSet<String>>,
}

impl Resource for Git {
    fn names(&self) -> Vec<String> {
        vec![self.path.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let found = Found::at(sys, self.path.path())?;
        if ask.want == Want::Absent {
            return self.absent(&found, ask, sys);
        }
        match found {
            Found::Nothing => self.make(None, ask, sys),
            Found::Empty(stat) => self.make(Some(stat), ask, sys),
            Found::Foreign(why) => {
                Ok(self.wait(format!("`{}` {why}", self.path.0), Some("move it away, then run again".to_owned())))
            }
            Found::Checkout(checkout) => self.change(&checkout, ask, sys),
        }
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.credential.is_some() && self.url.web_host().is_none() {
            mistakes.push(Mistake::at("credential", "`credential` is for URLs of http and https; ssh has its keys"));
        }
        if self.depth == Some(0) {
            mistakes.push(Mistake::at("depth", "a depth of 0 would have no commit: leave it out for all of them"));
        }
        mistakes
    }
}

impl Git {
    fn change<'a>(&'a self, checkout: &Checkout, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.path.0;
        let program = self.program(ask);
        let mut needs = Needs::default();
        let differs = self.differences(checkout, &program, sys, |sys| {
            self.needs(&mut needs, ask, sys)?;
            Ok(needs.met())
        })?;
        if differs.changes.is_empty() && differs.obstacle.is_none() {
            return Ok(Plan::in_sync());
        }
        let ours = ask.claim(name).is_some_and(|claim| claim.made || !claim.last.is_empty());
        if !ours && !ask.allows(&ask.known.allowed.adopt, name) {
            let fields: Vec<&str> = differs.changes.iter().map(|change| change.field.as_str()).collect();
            let remedy = format!("to take it over, run again with `--adopt {}`", ask.id(name));
            return Ok(self.wait(format!("exists and is not ours; differs in {}", fields.join(", ")), Some(remedy)));
        }
        if let Some((because, remedy)) = differs.obstacle {
            return Ok(self.wait(because, Some(remedy)));
        }
        self.needs(&mut needs, ask, sys)?;
        if let Some(waiting) = needs.waiting(name, self.supplies()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let changes = differs.changes.iter().cloned().map(|change| change.after(needs.after.clone())).collect();
        let depth = checkout.shallow.then(|| self.depth.unwrap_or(1));
        let has_origin = checkout.url.is_some();
        let apply = move |sys: &dyn System| self.bring_on(&program, &differs, has_origin, depth, sys);
        Ok(Plan::step(Step::new(changes, apply).supplies(self.supplies()).opaque()))
    }

    /// Compares by files, and asks git where they do not tell; `ready` says whether git can be asked.
    fn differences(
        &self,
        checkout: &Checkout,
        program: &Program,
        sys: &dyn System,
        mut ready: impl FnMut(&dyn System) -> Result<bool>,
    ) -> Result<Differences> {
        let mut differs = Differences::default();
        let field = |field: &str, from: Option<String>, to: String| Change::field(&self.path.0, field, from, Some(to));
        let is = checkout.url.as_deref();
        if is.map(|url| url.trim_end_matches('/')) != Some(self.url.0.trim_end_matches('/')) {
            differs.changes.push(field("url", is.map(without_login), self.url.to_string()));
            differs.url = true;
        }
        if let Some(reference) = &self.reference {
            let standing = match checkout.standing(sys, reference)? {
                // Without git it can't be told, so not before git is there.
                Standing::Unpeeled | Standing::Apart(_) if !ready(sys)? => Standing::There,
                Standing::Unpeeled => {
                    let commit = program.commit_of_tag(sys, reference)?;
                    let there = checkout.commit.as_deref() == Some(&commit);
                    if there { Standing::There } else { Standing::Elsewhere }
                }
                other => other,
            };
            match standing {
                Standing::There | Standing::Unpeeled => {}
                Standing::Apart(theirs) => match program.relation(sys, &theirs)? {
                    Relation::Ahead => {}
                    Relation::Behind => {
                        let to = format!("{reference} {}", short(&theirs));
                        differs.changes.push(field("ref", Some(checkout.shown()), to));
                        differs.forward = Some(theirs);
                    }
                    Relation::Diverged => {
                        let because = format!("`{reference}` and origin's `{reference}` have diverged");
                        differs.obstacle =
                            Some((because, format!("merge or rebase in `{}`, then run again", self.path.0)));
                    }
                },
                Standing::Elsewhere => {
                    differs.changes.push(field("ref", Some(checkout.shown()), reference.to_string()));
                    differs.fetch = true;
                }
            }
        }
        let asked: BTreeSet<String> = self.sparse.iter().map(|directory| directory.0.clone()).collect();
        let lacks = |cone: &BTreeSet<String>| !asked.iter().all(|directory| is_within(directory, cone));
        if !asked.is_empty() && checkout.cone.as_ref().is_none_or(lacks) {
            let from = checkout.cone.as_ref().map_or_else(|| "everything".to_owned(), listed);
            differs.changes.push(field("sparse", Some(from), listed(&asked)));
            differs.cone = Some(asked.union(checkout.cone.as_ref().unwrap_or(&BTreeSet::new())).cloned().collect());
        }
        let moves = differs.forward.is_some() || differs.fetch || differs.cone.is_some();
        if moves && differs.obstacle.is_none() && ready(sys)? {
            differs.obstacle = self.in_the_way(checkout, differs.fetch, program, sys)?;
        }
        Ok(differs)
    }

    /// What would be lost, or left behind unseen, by checking out something else.
    fn in_the_way(
        &self,
        checkout: &Checkout,
        leaves: bool,
        program: &Program,
        sys: &dyn System,
    ) -> Result<Option<(String, String)>> {
        let dirty = program.dirty(sys, false)?;
        if !dirty.is_empty() {
            let because = format!("has changes that are not committed: {}", named(&dirty));
            return Ok(Some((because, format!("commit them or put them away in `{}`, then run again", self.path.0))));
        }
        let Some(commit) = checkout.commit.as_deref().filter(|_| leaves) else { return Ok(None) };
        let held = program.run(sys, &["for-each-ref", "--count=1", "--contains", commit])?;
        if held.trim().is_empty() {
            let because = format!("its commit {} is on no branch", short(commit));
            return Ok(Some((because, format!("make a branch of it in `{}`, then run again", self.path.0))));
        }
        Ok(None)
    }

    fn bring_on(
        &self,
        program: &Program,
        differs: &Differences,
        has_origin: bool,
        depth: Option<u32>,
        sys: &dyn System,
    ) -> Result<()> {
        if differs.url {
            let verb = if has_origin { "set-url" } else { "add" };
            program.run(sys, &["remote", verb, "origin", &self.url.0])?;
        }
        if let Some(cone) = &differs.cone {
            program.set_cone(sys, cone.iter().map(String::as_str))?;
        }
        match (&self.reference, &differs.forward) {
            (Some(_), Some(commit)) => program.run(sys, &["merge", "--ff-only", commit]).map(drop),
            (Some(reference), None) if differs.fetch => {
                let fetched = program.fetch(sys, reference, depth)?;
                program.check_out(sys, reference, &fetched)
            }
            _ => Ok(()),
        }
    }

    fn needs(&self, needs: &mut Needs, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        needs.user(self.user.as_ref().map(|user| user.0.as_str()), ask, sys)?;
        needs.program("git", ask, sys)
    }

    fn program(&self, ask: &Ask<'_>) -> Program {
        Program {
            path: self.path.path().to_owned(),
            user: self.user.as_ref().map(|user| user.0.clone()),
            host: self.url.web_host(),
            credential: self.credential.as_ref().map(|credential| credential.0.clone()),
            timeout: ask.timeout,
        }
    }

    fn beside(&self) -> PathBuf {
        let mut name = self.path.path().file_name().unwrap_or_default().to_owned();
        name.push(".provision-partial");
        self.path.path().with_file_name(name)
    }

    fn supplies(&self) -> Vec<Thing> {
        vec![Thing::Path(self.path.path().to_owned())]
    }

    fn wait<'a>(&self, because: String, remedy: Option<String>) -> Plan<'a> {
        let waiting = Waiting { name: self.path.0.clone(), because, remedy, supplies: Vec::new() };
        Plan { waiting: vec![waiting], ..Plan::default() }
    }

    fn kept<'a>(&self, why: &str) -> Plan<'a> {
        let remark = Remark { name: self.path.0.clone(), text: format!("kept: {why}") };
        Plan { remarks: vec![remark], ..Plan::default() }
    }
}

/// Returns whether a directory is one of a cone, or below one.
fn is_within(directory: &str, cone: &BTreeSet<String>) -> bool {
    Path::new(directory).ancestors().any(|part| cone.contains(&*part.to_string_lossy()))
}

fn listed(directories: &BTreeSet<String>) -> String {
    let shown = directories.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if shown.is_empty() { "files at the top alone".to_owned() } else { shown }
}

/// Names a few files of a user's, in which any character may be.
fn named(files: &[String]) -> String {
    const MOST: usize = 3;
    let plain = |file: &String| file.chars().take(80).map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    let shown = files.iter().take(MOST).map(plain).collect::<Vec<_>>().join(", ");
    if files.len() > MOST { format!("{shown} and {} more", files.len() - MOST) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(fields: &str) -> usize {
        toml::from_str::<Git>(&format!("path = \"/srv/x\"\n{fields}")).unwrap().mistakes().len()
    }

    #[test]
    fn a_credential_is_for_the_web() {
        assert_eq!(mistakes("url = \"https://h/x\"\ncredential = \"t\""), 0);
        assert_eq!(mistakes("url = \"git@h:x\"\ncredential = \"t\"\ndepth = 0"), 2);
    }

    #[test]
    fn a_directory_is_within_a_cone_that_has_one_above_it() {
        let cone: BTreeSet<String> = ["src".to_owned()].into();
        assert!(is_within("src/maestro", &cone) && is_within("src", &cone));
        assert!(!is_within("srcs", &cone) && !is_within("docs", &cone));
    }
}
