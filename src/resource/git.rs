//! `[[git]]`: a checkout. It is cloned beside and renamed into place; what its user changed in it is never lost.
mod advance;
mod checkout;
mod clone;
mod difference;
mod leave;
mod obstacle;
mod program;
mod remote;
mod torn;

use self::checkout::{Checkout, Found};
use self::obstacle::Obstacle;
use self::program::Program;
use super::ground::foreign_above;
use super::need::{Needs, owner_of};
use super::{Ask, Mistake, Plan, Remark, Resource, Step, Thing, Waiting, Want};
use crate::error::Result;
use crate::field::{AbsPath, GitRef, GitUrl, Principal, SparseDirectory, Text, UserName};
use crate::system::passwd::accounts;
use crate::system::{Stat, System, shell_word};
use serde::Deserialize;
use std::path::PathBuf;

/// A checkout of a repository. A check reads its files and asks no server: a branch is as far as it was last
/// fetched, by whomever. Only what is missing, or a new `ref` or `url`, is fetched.
///
/// A run reads the checkout's files and asks no server. So a branch is followed as far as it was fetched, by whomever:
/// where origin's was seen further on, it goes on to there; a `ref` that is new, or not what is checked out, is fetched,
/// and so is the `ref` of a new `url`. What must not move is a tag or a commit.
///
/// It is cloned beside and renamed, so that it is there whole or not at all. What is in the way *waits*, and nothing is ever
/// reset or overwritten: changes that are not committed, a rebase or merge that was not ended, an `index.lock`, a branch that
/// has diverged, a commit that was made there and is on no branch, a directory that is something else or somebody else's.
/// Files that git does not know or ignores stay. One that is not ours and differs waits for `--adopt`. A commit that was
/// asked for and came from origin is noted below `refs/provision/`, so that it is nobody's own work.
///
/// Where a run was killed while its git went from one commit to another, the next one takes back what that git wrote and goes
/// on; a file that somebody has changed since waits as ever.
///
/// git runs as `user`, with that user's configuration; nobody is asked for a password, and no hook runs. root's git works
/// neither in a checkout of somebody else nor below a user's directory. A proxy is what git's configuration says:
/// `http.proxy` in `/etc/gitconfig`. Submodules are left alone: neither cloned nor updated.
///
/// Absent: removed if ours; kept where it has changes, files that git ignores, a stash, submodules, or commits that were not
/// pushed. `--data ID` takes it along with all that.
///
/// ```toml
/// [[git]]
/// path   = "/home/lilly/repository"
/// url    = "/srv/git/repository.git"
/// user   = "lilly"
/// sparse = ["scripts", "src/maestro"]
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Git {
    /// Where it is to be.
    path: AbsPath,
    /// Where it comes from: http, https, ssh, git or file, `host:path`, or an absolute path; without a password.
    url: GitUrl,
    /// Default: whatever is there. A branch, a tag or a whole commit id. A branch is moved forward to what was fetched.
    #[serde(rename = "ref")]
    reference: Option<GitRef>,
    /// Default: `root`. As whom git runs, and to whom the files belong.
    user: Option<UserName>,
    /// Default: everything. At least these, and the files beside them. Taken out of the recipe again, a checkout that is
    /// ours becomes whole.
    #[serde(default)]
    sparse: Vec<SparseDirectory>,
    /// Default: all. How many commits are cloned. What is there already keeps what it has.
    depth: Option<u32>,
    /// `user:password` or a token, for http and https. It is given to git alone, and kept nowhere.
    credential: Option<Text>,
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
            Found::Empty(stat) => match self.unfit(&stat, ask, sys)? {
                Some(obstacle) => Ok(self.wait(obstacle)),
                None => self.make(Some(stat), ask, sys),
            },
            Found::Foreign(why) => Ok(self.wait(Obstacle {
                because: format!("`{}` {why}", self.path.0),
                remedy: "move it away, then run again".to_owned(),
            })),
            Found::Checkout(checkout) => self.change(&checkout, ask, sys),
        }
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.url.has_password() {
            let message = "a password in a URL would be seen in the list of processes and stay in the checkout: \
                           leave it out of `url` and give it as `credential`";
            mistakes.push(Mistake::at("url", message));
        }
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
        let owner = self.strange_owner(&checkout.stat, ask, sys)?;
        let mut ready = |sys: &dyn System| {
            self.needs(&mut needs, ask, sys)?;
            Ok(needs.met() && owner.is_none())
        };
        let torn = match program.note(sys)? {
            Some(note) if ready(sys)? => Some(program.torn(sys, checkout, &note)?),
            _ => None,
        };
        let differs = self.differences(checkout, torn.as_ref(), &program, ask, sys, &mut ready)?;
        if differs.changes.is_empty() && differs.obstacle.is_none() && owner.is_none() {
            return Ok(Plan::in_sync());
        }
        let ours = ask.claim(name).is_some_and(|claim| claim.made || !claim.last.is_empty());
        if !ours && !ask.allows(&ask.known.allowed.adopt, name) {
            let mut fields: Vec<&str> = differs.changes.iter().map(|change| change.field.as_str()).collect();
            fields.extend(owner.as_ref().map(|_| "user"));
            fields.extend(differs.obstacle.as_ref().filter(|_| fields.is_empty()).map(|_| "ref"));
            return Ok(self.wait(Obstacle {
                because: format!("exists and is not ours; differs in {}", fields.join(", ")),
                remedy: format!("to take it over, run again with `--adopt {}`", shell_word(&ask.id(name).to_string())),
            }));
        }
        if let Some(obstacle) = owner.or_else(|| differs.obstacle.clone()) {
            return Ok(self.wait(obstacle));
        }
        self.needs(&mut needs, ask, sys)?;
        if let Some(waiting) = needs.waiting(name, self.supplies()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let changes = differs.changes.iter().cloned().map(|change| change.after(needs.after.clone())).collect();
        let depth = (!checkout.boundary.is_empty()).then(|| self.depth.unwrap_or(1));
        let has_origin = checkout.url.is_some();
        let apply = move |sys: &dyn System| {
            torn.iter().try_for_each(|torn| program.mend(sys, torn))?;
            let done = self.advance(&program, &differs, has_origin, depth, sys);
            program.ended(sys, done)
        };
        Ok(Plan::step(Step::new(changes, apply).supplies(self.supplies()).opaque()))
    }

    /// What is needed to start git.
    fn needs(&self, needs: &mut Needs, ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        if self.runs_as_root()
            && let Some(foreign) = foreign_above(sys, self.path.path())?
        {
            let error = foreign.error("git", self.path.path());
            return Err(error.remedy(format!("say with `user` as whom git runs, such as user = \"{}\"", foreign.owner)));
        }
        needs.user(self.user.as_ref().map(|user| user.0.as_str()), ask, sys)?;
        needs.program("git", ask, sys)
    }

    fn runs_as_root(&self) -> bool {
        self.user.as_ref().is_none_or(|user| user.0 == "root")
    }

    /// Says why a clone can't take the place of an empty directory.
    fn unfit(&self, stat: &Stat, ask: &Ask<'_>, sys: &dyn System) -> Result<Option<Obstacle>> {
        let parent = self.path.path().parent().map(|parent| sys.lstat(parent)).transpose().ok().flatten().flatten();
        if parent.is_some_and(|parent| parent.inode.0 != stat.inode.0) {
            return Ok(Some(Obstacle {
                because: format!("something is mounted at `{}`, so nothing can be renamed into its place", self.path.0),
                remedy: "name a directory in it as `path`".to_owned(),
            }));
        }
        self.strange_owner(stat, ask, sys)
    }

    /// Says so where a directory belongs to somebody else than the user as whom git runs: git refuses to work there, and
    /// root's git might run what another put there.
    fn strange_owner(&self, stat: &Stat, ask: &Ask<'_>, sys: &dyn System) -> Result<Option<Obstacle>> {
        if ask.pending.coming_if(|| Thing::Path(self.path.path().to_owned())).is_some() {
            return Ok(None);
        }
        let user = self.user.as_ref().map_or("root", |user| &user.0);
        let Some((uid, _)) = owner_of(sys, &Principal::Name(user.to_owned()))? else { return Ok(None) };
        if stat.uid == uid {
            return Ok(None);
        }
        let owner = accounts(sys)?.shown_user(stat.uid);
        let remedy = match &self.user {
            None => format!("give it `user = \"{owner}\"`, or make root its owner"),
            Some(_) => format!("run `chown -R {user} {}`, or name `{owner}` as `user`", shell_word(&self.path.0)),
        };
        let because = format!("`{}` belongs to {owner}, and git runs as {user}", self.path.0);
        Ok(Some(Obstacle { because, remedy }))
    }

    fn program(&self, ask: &Ask<'_>) -> Program {
        Program {
            path: self.path.path().to_owned(),
            user: self.user.as_ref().map(|user| user.0.clone()),
            host: self.url.web_host(),
            credential: self.credential.as_ref().map(|credential| credential.0.clone()),
            timeout: ask.timeout,
            in_place: true,
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

    fn wait<'a>(&self, obstacle: Obstacle) -> Plan<'a> {
        let Obstacle { because, remedy } = obstacle;
        let waiting = Waiting { name: self.path.0.clone(), because, remedy: Some(remedy), supplies: Vec::new() };
        Plan { waiting: vec![waiting], ..Plan::default() }
    }

    fn kept<'a>(&self, why: &str) -> Plan<'a> {
        let remark = Remark { name: self.path.0.clone(), text: format!("kept: {why}") };
        Plan { remarks: vec![remark], ..Plan::default() }
    }
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

    fn mistakes(fields: &str) -> Vec<Option<&'static str>> {
        let git = toml::from_str::<Git>(&format!("path = \"/srv/x\"\n{fields}")).unwrap();
        git.mistakes().into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn a_credential_is_for_the_web_and_no_part_of_the_url() {
        assert_eq!(mistakes("url = \"https://bob@h/x\"\ncredential = \"t\""), []);
        assert_eq!(mistakes("url = \"git@h:x\"\ncredential = \"t\"\ndepth = 0"), [Some("credential"), Some("depth")]);
        assert_eq!(mistakes("url = \"https://bob:s3cret@h/x\""), [Some("url")]);
    }
}
