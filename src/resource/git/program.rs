//! The git program in one checkout: as its user, without a prompt, with a credential that is neither in argv nor on disk.
use crate::error::{Error, Result};
use crate::field::{GitRef, GitUrl};
use crate::resource::secret::Secrets;
use crate::system::{Command, Output, System};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Answers git's question for a login; both are in the environment of git alone.
const HELPER: &str = "!f() { test \"$1\" = get || exit 0; \
    printf 'username=%s\\npassword=%s\\n' \"$PROVISION_GIT_USER\" \"$PROVISION_GIT_PASSWORD\"; }; f";

/// How git is started for one resource.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The checkout.
    pub(super) path: PathBuf,
    /// As whom; root without.
    pub(super) user: Option<String>,
    /// Where a credential is sent, and to nowhere else.
    pub(super) host: Option<String>,
    /// `user:password`, or a token alone.
    pub(super) credential: Option<String>,
    /// How long it may take.
    pub(super) timeout: Duration,
}

/// How a branch and origin's are to each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// Origin's has more.
    Behind,
    /// Ours has more.
    Ahead,
    /// Each has something of its own.
    Diverged,
}

impl Program {
    /// Returns the same for another directory.
    pub(super) fn at(&self, path: &Path) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// Runs git in the checkout, whatever it answers.
    pub(super) fn ask(&self, sys: &dyn System, arguments: &[&str]) -> Result<Output> {
        let path = self.path.display().to_string();
        let mut argv = vec!["git", "-C", &path];
        argv.extend(arguments);
        self.start(sys, &argv).map_err(|error| self.hide(error))
    }

    /// Runs git in the checkout, which must succeed, and returns what it printed.
    pub(super) fn run(&self, sys: &dyn System, arguments: &[&str]) -> Result<String> {
        let path = self.path.display().to_string();
        let mut argv = vec!["git", "-C", &path];
        argv.extend(arguments);
        let output = self.start(sys, &argv).and_then(|output| output.success(&Command::new(argv.iter().copied())));
        output.map(|output| output.text()).map_err(|error| self.hide(error))
    }

    /// Clones into the checkout's directory, which must be there and empty, and leaves the files for later.
    pub(super) fn clone_into(&self, sys: &dyn System, url: &GitUrl, options: &[&str]) -> Result<()> {
        let path = self.path.display().to_string();
        let mut argv = vec!["git", "clone", "--no-checkout"];
        argv.extend(options);
        argv.extend(["--", &url.0, &path]);
        let shown =
            Command::new(argv.iter().map(|part| if *part == url.0 { url.to_string() } else { (*part).to_owned() }));
        let output = self.start(sys, &argv)?;
        let refused = ["could not read Username", "Authentication failed"];
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        let cloned = output.success(&shown).map(drop).map_err(|error| self.hide(error));
        match &self.credential {
            _ if !refused.iter().any(|refusal| printed.contains(refusal)) => cloned,
            None => cloned.map_err(|error| error.remedy("where the repository is not public, give `credential`")),
            Some(_) => cloned
                .map_err(|error| error.remedy("the server does not take `credential`: see that it is still valid")),
        }
    }

    /// Returns the files with changes that are not committed; with `untracked`, those that git does not know as well.
    pub(super) fn dirty(&self, sys: &dyn System, untracked: bool) -> Result<Vec<String>> {
        let untracked = if untracked { "--untracked-files=normal" } else { "--untracked-files=no" };
        let printed = self.run(sys, &["status", "--porcelain", "-z", "--no-renames", untracked])?;
        Ok(printed.split('\0').filter_map(|entry| entry.get(3..)).map(str::to_owned).collect())
    }

    /// Returns the commit of a tag that is here.
    pub(super) fn commit_of_tag(&self, sys: &dyn System, tag: &GitRef) -> Result<String> {
        let commit = self.run(sys, &["rev-parse", "--verify", &format!("refs/tags/{tag}^{{commit}}")])?;
        Ok(commit.trim().to_owned())
    }

    /// Checks out these directories, and of the rest only the files at the top.
    pub(super) fn set_cone<'d>(&self, sys: &dyn System, directories: impl Iterator<Item = &'d str>) -> Result<()> {
        let mut arguments = vec!["sparse-checkout", "set", "--cone"];
        arguments.extend(directories);
        self.run(sys, &arguments).map(drop)
    }

    /// Returns how HEAD and a commit of origin's are to each other.
    pub(super) fn relation(&self, sys: &dyn System, theirs: &str) -> Result<Relation> {
        if self.is_ancestor(sys, "HEAD", theirs)? {
            return Ok(Relation::Behind);
        }
        Ok(if self.is_ancestor(sys, theirs, "HEAD")? { Relation::Ahead } else { Relation::Diverged })
    }

    fn is_ancestor(&self, sys: &dyn System, older: &str, newer: &str) -> Result<bool> {
        let output = self.ask(sys, &["merge-base", "--is-ancestor", older, newer])?;
        match output.code {
            0 => Ok(true),
            1 => Ok(false),
            _ => output.success(&Command::new(["git", "merge-base", "--is-ancestor", older, newer])).map(|_| false),
        }
    }

    /// Fetches what a ref names at origin and returns what to check out.
    pub(super) fn fetch(&self, sys: &dyn System, asked: &GitRef, depth: Option<u32>) -> Result<Fetched> {
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let fetch = |what: &str| {
            let mut arguments = vec!["fetch", "--no-tags"];
            arguments.extend(depth.as_deref());
            arguments.extend(["origin", what]);
            self.run(sys, &arguments).map(drop)
        };
        if asked.is_commit() {
            let is_here = self.ask(sys, &["cat-file", "-e", &format!("{asked}^{{commit}}")])?.code == 0;
            return if is_here { Ok(Fetched::Commit) } else { fetch(&asked.0).map(|()| Fetched::Commit) };
        }
        let (branch, tag) = (format!("refs/heads/{asked}"), format!("refs/tags/{asked}"));
        let listed = self.run(sys, &["ls-remote", "origin", &branch, &tag])?;
        let has =
            |name: &str| listed.lines().any(|line| line.split_once('\t').is_some_and(|(_, listed)| listed == name));
        if has(&branch) {
            fetch(&format!("+{branch}:refs/remotes/origin/{asked}")).map(|()| Fetched::Branch)
        } else if has(&tag) {
            fetch(&format!("+{tag}:{tag}")).map(|()| Fetched::Tag)
        } else {
            Err(Error::new(format!("looking for `{asked}` at origin"))
                .reason("it has no branch and no tag of that name"))
        }
    }

    /// Checks out what was fetched. A branch goes on to origin's commit where nothing of its own is in the way.
    pub(super) fn check_out(&self, sys: &dyn System, asked: &GitRef, fetched: &Fetched) -> Result<()> {
        match fetched {
            Fetched::Commit => self.run(sys, &["checkout", "--detach", &asked.0]).map(drop),
            Fetched::Tag => self.run(sys, &["checkout", "--detach", &format!("refs/tags/{asked}")]).map(drop),
            Fetched::Branch => {
                let theirs = format!("refs/remotes/origin/{asked}");
                let local = format!("refs/heads/{asked}");
                if self.ask(sys, &["rev-parse", "--verify", "--quiet", &local])?.code == 0 {
                    self.run(sys, &["checkout", &asked.0, "--"])?;
                } else {
                    self.run(sys, &["checkout", "--no-track", "-b", &asked.0, &theirs])?;
                    // So that `git pull` knows where from, also where origin's other branches are not fetched.
                    self.run(sys, &["config", &format!("branch.{asked}.remote"), "origin"])?;
                    self.run(sys, &["config", &format!("branch.{asked}.merge"), &local])?;
                }
                match self.relation(sys, &theirs)? {
                    Relation::Behind => self.run(sys, &["merge", "--ff-only", &theirs]).map(drop),
                    Relation::Ahead | Relation::Diverged => Ok(()),
                }
            }
        }
    }

    fn start(&self, sys: &dyn System, argv: &[&str]) -> Result<Output> {
        let mut all = vec![argv[0].to_owned()];
        let mut env = vec![
            ("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned()),
            ("GIT_OPTIONAL_LOCKS".to_owned(), "0".to_owned()),
            ("GIT_SSH_COMMAND".to_owned(), "ssh -o BatchMode=yes".to_owned()),
        ];
        if let (Some(host), Some(credential)) = (&self.host, &self.credential) {
            // The first one forgets the helpers of the machine and the user, which might keep it.
            let helper = format!("credential.{host}.helper={HELPER}");
            all.extend(["-c", "credential.helper=", "-c", &helper].map(str::to_owned));
            let (user, password) = credential.trim().split_once(':').unwrap_or(("x-access-token", credential.trim()));
            env.push(("PROVISION_GIT_USER".to_owned(), user.to_owned()));
            env.push(("PROVISION_GIT_PASSWORD".to_owned(), password.to_owned()));
        }
        all.extend(argv[1..].iter().map(|part| (*part).to_owned()));
        sys.run(&Command { argv: all, env, user: self.user.clone(), timeout: Some(self.timeout), ..Command::default() })
    }

    fn hide(&self, error: Error) -> Error {
        Secrets::of(self.credential.as_deref()).hide_in(error)
    }
}

/// What a ref was found to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    /// A commit.
    Commit,
    /// A branch of origin's.
    Branch,
    /// A tag.
    Tag,
}
