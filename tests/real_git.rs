//! The git kind on real git and a real repository: what the fake one can't vouch for.
mod network;
mod server;
mod states;
mod torn;
mod users;

use crate::support::case::Case;
use crate::support::contract;
use crate::support::item;
use crate::support::recorder::Recorder;
use crate::support::watched::Watched;
use provision::engine::Mode;
use provision::event::{Event, Outcome};
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want};
use provision::system::{Command, Real, System};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// git with somebody who commits.
const GIT: &str = "git -c user.name=a -c user.email=a@b";

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

/// A checkout `app` in such a world, and what is known of it.
struct Bench {
    world: World,
    sys: Watched,
    known: Known,
    /// What the recipe says besides path and URL.
    fields: Value,
    timeout: Duration,
}

impl Bench {
    /// Returns one in which there is no checkout yet.
    fn new(fields: Value) -> Self {
        let world = world();
        let sys = Watched::new(&world.directory.path().join("state"));
        Self { world, sys, known: Known::default(), fields, timeout: Duration::from_mins(1) }
    }

    /// Returns one in which it was cloned.
    fn cloned(fields: Value) -> Self {
        let mut bench = Self::new(fields);
        assert_eq!(bench.apply().len(), 1);
        bench
    }

    fn dir(&self) -> String {
        self.world.directory.path().display().to_string()
    }

    fn one(&self) -> &str {
        &self.world.first[..10]
    }

    fn two(&self) -> &str {
        &self.world.second[..10]
    }

    /// Runs a script in the directory; what it prints is returned.
    fn sh(&self, script: &str) -> String {
        let names = ["AUTHOR", "COMMITTER"].map(|who| format!("GIT_{who}_NAME=a GIT_{who}_EMAIL=a@b"));
        let script = format!("set -e; export {}\n{script}", names.join(" "));
        let command = Command::new(["sh"]).stdin(script).cwd(Some(self.world.directory.path().to_owned()));
        self.world.sys.run(&command).unwrap().success(&command).unwrap().text().trim_end().to_owned()
    }

    /// Does the same in the checkout.
    fn app(&self, script: &str) -> String {
        self.sh(&format!("cd app\n{script}"))
    }

    /// Makes a commit that `top` has as text, pushes it to a branch of origin's, and returns it.
    fn commit_at_origin(&self, text: &str, branch: &str) -> String {
        let push = format!("git push -q ../repo.git HEAD:refs/heads/{branch}");
        self.sh(&format!("cd work && echo {text} >top && git commit -qam {text} && {push}"));
        self.sh("git -C work rev-parse --short=10 HEAD")
    }

    fn run(&mut self, mode: Mode, absent: bool) -> Recorder {
        let mut fields = json!({
            "path": format!("{}/app", self.dir()),
            "url": format!("file://{}/repo.git", self.dir()),
        });
        for (key, value) in self.fields.as_object().unwrap() {
            fields[key] = value.clone();
        }
        let item = Item::receive(JobItem {
            digest: fields.to_string(),
            want: if absent { Want::Absent } else { Want::Present },
            timeout: self.timeout,
            secret: ["credential".to_owned()].into(),
            ..item::job("git", fields)
        })
        .unwrap();
        match mode {
            Mode::Apply => contract::apply(&[item], &mut self.known, &self.sys).unwrap(),
            mode => contract::run(&[item], mode, &self.known, &self.sys).unwrap(),
        }
    }

    /// Returns changes and ends of a run, in which `DIR` is the directory.
    fn said(&mut self, mode: Mode, absent: bool) -> Vec<String> {
        let (run, dir) = (self.run(mode, absent), self.dir());
        run.changes().into_iter().chain(run.ends()).map(|line| line.replace(&dir, "DIR")).collect()
    }

    fn plan(&mut self) -> Vec<String> {
        self.said(Mode::Plan, false)
    }

    fn apply(&mut self) -> Vec<String> {
        self.said(Mode::Apply, false)
    }

    fn leave(&mut self) -> Vec<String> {
        self.said(Mode::Apply, true)
    }

    /// Returns the error of an apply: attempt, causes, output, and the remedy at its end.
    fn fails(&mut self) -> String {
        let events = self.run(Mode::Apply, false).events();
        let error = events.into_iter().find_map(|event| match event {
            Event::Finished { outcome: Outcome::Failed { error }, .. } => Some(error),
            _ => None,
        });
        let error = error.expect("it fails");
        let told = [vec![error.attempt], error.causes, error.output].concat().join(": ");
        error.remedy.map_or(told.clone(), |remedy| format!("{told}; {remedy}"))
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
changes = ["git:DIR/tag sparse: docs -> docs, src/maestro"]
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
fn what_is_not_ours_waits_whatever_its_state() {
    for script in ["git checkout -q --detach HEAD~1; echo mine >top", "git reset -q --hard HEAD~1"] {
        let mut bench = Bench::new(json!({ "ref": "main" }));
        bench.sh("git clone -q file://$PWD/repo.git app");
        bench.app(script);
        let before = bench.app("git rev-parse HEAD; cat top");
        let waits = "git:DIR/app waiting: exists and is not ours; differs in ref \
                     (to take it over, run again with `--adopt host/git:DIR/app`)";
        assert_eq!(bench.apply(), [waits]);
        assert_eq!(bench.app("git rev-parse HEAD; cat top"), before);
        assert_eq!(bench.leave(), ["git:DIR/app remark: kept: it was there before"]);
        bench.app("git checkout -q -f main");
        bench.known.allowed.adopt.insert(format!("git:{}/app", bench.dir()));
        assert!(bench.apply().len() <= 1);
        assert_eq!(bench.apply(), [""; 0]);
    }
}

#[test]
fn what_is_no_checkout_waits_and_stays() {
    let strange = [
        ("echo mine >app", "is not a directory"),
        ("mkdir app; echo mine >app/notes", "is a directory with something else in it"),
        ("mkdir -p app/.git; ln -s /etc/shadow app/.git/HEAD", "has a `.git` without a HEAD that can be read"),
        ("git -C work worktree add -q ../app main~1", "belongs to another repository, of which it is a part"),
        ("ln -s work app", "is not a directory"),
    ];
    for (script, why) in strange {
        let mut bench = Bench::new(json!({ "ref": "main" }));
        bench.sh(script);
        let before = bench.sh("ls -lR app .git 2>/dev/null || true");
        assert_eq!(bench.apply(), [format!("git:DIR/app waiting: `DIR/app` {why} (move it away, then run again)")]);
        assert_eq!(bench.sh("ls -lR app .git 2>/dev/null || true"), before);
    }
}
