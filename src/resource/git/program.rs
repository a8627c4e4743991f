//! The git program in one checkout: as its user, without a prompt, with a credential that is neither in argv nor on disk.
use super::remote::remedy;
use crate::error::{Error, Result};
use crate::field::GitRef;
use crate::resource::secret::Secrets;
use crate::system::{Command, Output, System};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Answers git's question for a login; both are in the environment of git alone.
const HELPER: &str = "!f() { test \"$1\" = get || exit 0; \
    printf 'username=%s\\npassword=%s\\n' \"$PROVISION_GIT_USER\" \"$PROVISION_GIT_PASSWORD\"; }; f";

/// What no git of ours does: run the hooks of a checkout, which may be anybody's and may fail for reasons of their own; start
/// a daemon; clean up in the background, when nobody waits for it any more; touch submodules.
const QUIET: [&str; 5] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
];

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
    /// It works in the checkout itself, not beside it.
    pub(super) in_place: bool,
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

/// What is looked at of submodules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Submodules {
    /// Nothing: a checkout of something else does not touch them.
    Ignored,
    /// All that differs in them, and the files that git does not know or ignores besides.
    Whole,
}

/// What of a checkout is not committed.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// Files that were changed; of a whole look also those that git does not know.
    pub(super) changed: Vec<String>,
    /// Files that git ignores.
    pub(super) ignored: Vec<String>,
}

impl Program {
    /// Returns the same for a directory beside the checkout.
    pub(super) fn at(&self, path: &Path) -> Self {
        Self { path: path.to_owned(), in_place: false, ..self.clone() }
    }

    /// Runs git in the checkout, whatever it answers.
    pub(super) fn ask(&self, sys: &dyn System, arguments: &[&str]) -> Result<Output> {
        self.start(sys, &self.argv(arguments), &[])
    }

    /// Runs git in the checkout, which must succeed, and returns what it printed.
    pub(super) fn run(&self, sys: &dyn System, arguments: &[&str]) -> Result<String> {
        self.feed(sys, arguments, &[])
    }

    /// Does the same with something on stdin.
    pub(super) fn feed(&self, sys: &dyn System, arguments: &[&str], stdin: &[u8]) -> Result<String> {
        let argv = self.argv(arguments);
        let output = self.start(sys, &argv, stdin)?.success(&Command::new(argv));
        output.map(|output| output.text()).map_err(|error| self.explain(error))
    }

    /// Returns whether a name is one of an object that is here.
    pub(super) fn has(&self, sys: &dyn System, name: &str) -> Result<bool> {
        Ok(self.ask(sys, &["rev-parse", "--verify", "--quiet", name])?.code == 0)
    }

    /// Returns what is not committed.
    pub(super) fn status(&self, sys: &dyn System, submodules: Submodules) -> Result<Status> {
        let mut arguments = vec!["status", "--porcelain", "-z", "--no-renames"];
        arguments.extend(match submodules {
            Submodules::Ignored => ["--ignore-submodules=all", "--untracked-files=no", "--ignored=no"],
            Submodules::Whole => ["--ignore-submodules=none", "--untracked-files=normal", "--ignored=traditional"],
        });
        let mut status = Status::default();
        for entry in self.run(sys, &arguments)?.split('\0') {
            let Some((kind, file)) = entry.split_at_checked(3) else { continue };
            let list = if kind == "!! " { &mut status.ignored } else { &mut status.changed };
            list.push(file.to_owned());
        }
        Ok(status)
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

    /// Returns how what is checked out (nothing, before the first commit) and a commit of origin's are to each other.
    pub(super) fn relation(&self, sys: &dyn System, ours: Option<&str>, theirs: &str) -> Result<Relation> {
        let Some(ours) = ours else { return Ok(Relation::Behind) };
        if self.is_ancestor(sys, ours, theirs)? {
            return Ok(Relation::Behind);
        }
        Ok(if self.is_ancestor(sys, theirs, ours)? { Relation::Ahead } else { Relation::Diverged })
    }

    fn is_ancestor(&self, sys: &dyn System, older: &str, newer: &str) -> Result<bool> {
        let output = self.ask(sys, &["merge-base", "--is-ancestor", older, newer])?;
        match output.code {
            0 => Ok(true),
            1 => Ok(false),
            _ => output.success(&Command::new(["git", "merge-base", "--is-ancestor", older, newer])).map(|_| false),
        }
    }

    /// Starts git with these arguments, the first of which is its name.
    pub(super) fn start<S: AsRef<str>>(&self, sys: &dyn System, argv: &[S], stdin: &[u8]) -> Result<Output> {
        let mut all = vec![argv[0].as_ref().to_owned()];
        all.extend(QUIET.iter().flat_map(|setting| ["-c", setting]).map(str::to_owned));
        // Nobody is asked: there is no terminal, and no program of the user's that opens a window.
        let mut env: Vec<(String, String)> = [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS_REQUIRE", "never"),
            ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
            ("GIT_OPTIONAL_LOCKS", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let (Some(host), Some(credential)) = (&self.host, &self.credential) {
            // The first one forgets the helpers of the machine and the user, which might keep it.
            let helper = format!("credential.{host}.helper={HELPER}");
            all.extend(["-c", "credential.helper=", "-c", &helper].map(str::to_owned));
            let (user, password) = credential.trim().split_once(':').unwrap_or(("x-access-token", credential.trim()));
            env.push(("PROVISION_GIT_USER".to_owned(), user.to_owned()));
            env.push(("PROVISION_GIT_PASSWORD".to_owned(), password.to_owned()));
        }
        all.extend(argv[1..].iter().map(|part| part.as_ref().to_owned()));
        let mut command = Command { argv: all, env, user: self.user.clone(), tied: true, ..Command::default() };
        command.stdin = stdin.to_vec();
        sys.run(&command.timeout(self.timeout)).map_err(|error| self.hide(error))
    }

    /// Returns an error of git's with what to do next, and without the credential.
    pub(super) fn explain(&self, error: Error) -> Error {
        let error = self.hide(error);
        match remedy(&error.output.join("\n"), self.credential.is_some()) {
            Some(remedy) if error.remedy.is_none() => error.remedy(remedy),
            _ => error,
        }
    }

    fn argv(&self, arguments: &[&str]) -> Vec<String> {
        let path = self.path.display().to_string();
        ["git", "-C", &path].iter().chain(arguments).map(|part| (*part).to_owned()).collect()
    }

    fn hide(&self, error: Error) -> Error {
        Secrets::of(self.credential.as_deref()).hide_in(error)
    }
}
