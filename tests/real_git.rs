//! The git kind on real git and a real repository: what the fake one can't vouch for.
use crate::support::{case::Case, contract};
use provision::system::{Command, Real, System};
use std::path::Path;
use tempfile::TempDir;

/// A repository with two commits on `main`, the first of them tagged, and a machine.
struct World {
    directory: TempDir,
    sys: Real,
    first: String,
    second: String,
}

const MAKE: &str = "
set -e
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
git init -q -b main work && cd work
mkdir -p src/maestro src/other docs
for file in top src/a src/maestro/m src/other/o docs/d; do echo one > $file; done
git add -A && git commit -q -m one && git tag -a v1 -m v1
echo two > top && git commit -q -a -m two
git clone -q --bare . ../repo.git
";

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let sys = Real::new(directory.path().join("state"));
    let make = Command::new(["sh"]).stdin(MAKE).cwd(Some(directory.path().to_owned()));
    sys.run(&make).unwrap().success(&make).unwrap();
    let id = |name: &str| git(&sys, &directory.path().join("work"), &["rev-parse", name]);
    let (first, second) = (id("main~1"), id("main"));
    World { directory, sys, first, second }
}

fn git(sys: &Real, path: &Path, arguments: &[&str]) -> String {
    let path = path.display().to_string();
    let command = Command::new(["git", "-C", &path].iter().chain(arguments).copied());
    sys.run(&command).unwrap().success(&command).unwrap().text().trim().to_owned()
}

impl World {
    /// Runs a case in which `DIR` is the directory, `ONE` and `TWO` are the commits.
    fn keeps(&self, text: &str) {
        let text = text.replace("DIR", &self.directory.path().display().to_string());
        let text = [("ONE", &self.first), ("TWO", &self.second)]
            .iter()
            .fold(text, |text, (name, id)| text.replace(&format!("{name}-SHORT"), &id[..10]).replace(name, id));
        let case: Case = toml::from_str(&text).unwrap();
        contract::on_any_machine(&case, &self.sys).unwrap_or_else(|why| panic!("{}: {why}", case.about));
    }
}

#[test]
fn a_real_branch_is_cloned_followed_and_come_back_to() {
    world().keeps(
        r#"
about   = "a branch"
changes = ["git:DIR/app: nothing -> file://DIR/repo.git at main"]
after   = [{ file = ["DIR/app/top", "two\n"] }, { missing = "DIR/app.provision-partial" }]
[[resource]]
kind   = "git"
fields = { path = "DIR/app", url = "file://DIR/repo.git", ref = "main", depth = 2 }
[[drift]]
by      = [{ run = ["git", "-C", "DIR/app", "checkout", "-q", "--detach", "HEAD~1"] }]
changes = ["git:DIR/app ref: ONE-SHORT -> main"]
[[drift]]
by      = [{ run = ["git", "-C", "DIR/app", "reset", "-q", "--hard", "HEAD~1"] }]
changes = ["git:DIR/app ref: main ONE-SHORT -> main TWO-SHORT"]
"#,
    );
}

#[test]
fn a_real_tag_and_commit_are_checked_out_and_sparse_is_at_least_that() {
    world().keeps(
        r#"
about   = "a tag and a commit"
changes = ["git:DIR/tag: nothing -> file://DIR/repo.git at v1", "git:DIR/commit: nothing -> file://DIR/repo.git at ONE"]
after   = [
    { file = ["DIR/tag/src/maestro/m", "one\n"] },
    { missing = "DIR/tag/src/other" },
    { file = ["DIR/commit/top", "one\n"] },
]
[[resource]]
kind   = "git"
fields = { path = "DIR/tag", url = "file://DIR/repo.git", ref = "v1", sparse = ["src/maestro"] }
[[resource]]
kind   = "git"
fields = { path = "DIR/commit", url = "file://DIR/repo.git", ref = "ONE" }
[[drift]]
by      = [{ run = ["git", "-C", "DIR/tag", "sparse-checkout", "set", "--cone", "docs"] }]
changes = ["git:DIR/tag sparse: docs -> src/maestro"]
[[drift]]
by      = [{ run = ["git", "-C", "DIR/tag", "sparse-checkout", "add", "docs"] }]
changes = []
[[drift]]
by      = [{ run = ["git", "-C", "DIR/commit", "checkout", "-q", "main"] }, { run = ["git", "-C", "DIR/commit", "pack-refs", "--all"] }]
changes = ["git:DIR/commit ref: main TWO-SHORT -> ONE"]
"#,
    );
}

#[test]
fn real_changes_of_a_user_are_waited_for() {
    let world = world();
    let app = world.directory.path().join("app");
    let url = format!("file://{}/repo.git", world.directory.path().display());
    git(&world.sys, world.directory.path(), &["clone", "-q", &url, "app"]);
    git(&world.sys, &app, &["checkout", "-q", "--detach", "HEAD~1"]);
    std::fs::write(app.join("top"), "mine\n").unwrap();
    world.keeps(
        r#"
about   = "a checkout with changes, and not ours"
changes = []
ends    = ["git:DIR/app waiting: exists and is not ours; differs in ref (to take it over, run again with `--adopt host/git:DIR/app`)"]
after   = [{ file = ["DIR/app/top", "mine\n"] }]
[[resource]]
kind   = "git"
fields = { path = "DIR/app", url = "file://DIR/repo.git", ref = "main" }
"#,
    );
}

#[test]
fn a_real_clone_that_fails_says_what_git_said_and_leaves_nothing() {
    let world = world();
    let path = world.directory.path().join("app");
    let (path, url) = (path.display().to_string(), "https://127.0.0.1:1/x.git");
    let fields = serde_json::json!({ "path": path, "url": url, "credential": "s3cret-token" });
    let resource = provision::resource::kind("git").unwrap().from_json(&fields).unwrap();
    let (known, pending, none, fresh) = Default::default();
    let ask = provision::resource::Ask {
        want: provision::resource::Want::Present,
        machine: provision::id::Machine::Host,
        kind: "git",
        source: None,
        secret: &["credential".to_owned()].into(),
        unknown: &none,
        peers: &[],
        known: &known,
        pending: &pending,
        fresh: &fresh,
        timeout: std::time::Duration::from_mins(1),
    };
    let plan = resource.check(&ask, &world.sys).unwrap();
    let error = (plan.steps.into_iter().next().unwrap().apply)(&world.sys, &|_| ()).unwrap_err();
    assert!(error.attempt.starts_with("running `git clone --no-checkout -- https://127.0.0.1:1/x.git "), "{error:?}");
    assert!(error.output.iter().any(|line| line.contains("unable to access")), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    let left: Vec<_> =
        std::fs::read_dir(world.directory.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "work and repo.git alone: {left:?}");
}
