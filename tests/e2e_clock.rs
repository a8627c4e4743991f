//! The clock is set back a day while the release binary is at work, or between its runs: for it and for all that it starts, since
//! the machine's own clock is everybody's.
mod clock;

use crate::lab::{binary, on_a_furnished_machine};
use crate::support::packages::sh;
use crate::support::place::{Place, Ran, wait_for};
use crate::support::repository::make;
use clock::{Clock, Started};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// Its step waits until somebody lets it go on, and says what time it is then.
const RECIPE: &str = r#"
name = "web"

[[file]]
path    = "ROOT/before"
content = "before\n"

[[command]]
name    = "step"
argv    = ["sh", "-c", "echo >>ROOT/begun; until [ -e ROOT/go ]; do sleep 0.1; done; date +%s >ROOT/time"]
creates = "ROOT/time"
timeout = "1m"

[[unit]]
name    = "clocked.service"
content = """
[Service]
ExecStart=/bin/sleep infinity
"""
active  = true
settle  = "1s"

[[file]]
path    = "ROOT/after"
content = "after\n"
"#;

/// It, in a container.
const INSIDE: &str = r#"
name = "web"

[[container]]
id       = 401
hostname = "clocked"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
memory   = "256MiB"

[[include]]
in     = 401
recipe = "inside.toml"
"#;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

#[test]
fn a_clock_that_is_set_back_a_day_deceives_nobody() {
    on_a_furnished_machine(
        "e2e_clock::a_clock_that_is_set_back_a_day_deceives_nobody",
        &["lxc", "uidmap", "zstd"],
        |lab| {
            lab.put(&binary(), env!("CARGO_BIN_EXE_provision"));
            lab.put(Path::new(TEMPLATE), TEMPLATE);
            lab.sh("printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid");
        },
        || {
            let host = Job::on_the_host();
            while_an_apply_goes_on(&host);
            between_two_runs(&host);
            // Whichever of the two runs has the clock that is behind.
            killed_and_run_again(&host, -DAY, 0, 2);
            killed_and_run_again(&host, 0, -DAY, 2);
            what_takes_too_long_is_ended(&host);

            let inside = Job::in_a_container();
            while_an_apply_goes_on(&inside);
            killed_and_run_again(&inside, -DAY, 0, 1);
            killed_and_run_again(&inside, 0, -DAY, 1);

            lists_of_packages_are_fetched();
        },
    );
}

fn while_an_apply_goes_on(job: &Job) {
    job.clock.set(0);
    let run = job.at_its_step();
    job.clock.set(-DAY);
    let ran = job.goes_on(run);
    assert!(ran.code == 0 && ran.stdout.contains("\napplied: 4 changed, "), "{ran:#?}");
    let told: i64 = job.read("time").trim().parse().unwrap();
    let behind = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() - told;
    assert!((DAY..DAY + 600).contains(&behind), "what a run starts goes by the same clock: {behind}");
    job.is_in_sync();
    job.clock.set(0);
    job.is_in_sync();

    let all = job.history(&[]);
    let runs = &all[all.len() - 3..];
    let seconds = |run: &Value| run["seconds"].as_f64().unwrap();
    assert!((1.0..60.0).contains(&seconds(&runs[0])), "it took longer than a unit has to stay up: {runs:#?}");
    assert!(runs[1..].iter().all(|run| (0.0..60.0).contains(&seconds(run))), "{runs:#?}");
    let events = job.json(&["history", "show", runs[0]["run"].as_str().unwrap()]);
    let times: Vec<&str> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times[0] == runs[0]["begun"], "{times:#?}");
    let since = |since: &str| job.history(&["--since", since]).len();
    assert_eq!((since("1h"), since("2d")), (all.len() - 1, all.len()), "by its clock, one began yesterday: {runs:#?}");
    job.clock.set(-DAY);
    assert_eq!(since("1h"), all.len(), "what began later than now began after that");
}

fn between_two_runs(job: &Job) {
    let (web, after) = (job.place.root().join("web.toml"), job.there.join("after"));
    let [recipe, content] = [&web, &after].map(|path| fs::read_to_string(path).unwrap());
    job.clock.set(-DAY);
    let new = format!("\n[[file]]\npath = \"{}/new\"\ncontent = \"new\"\n", job.there.display());
    fs::write(&web, recipe.replace("before\\n", "edited\\n") + &new).unwrap();
    fs::write(&after, "theirs\n").unwrap();
    let plan = Ran::of(&job.clock.run(&job.place.command(&["plan", "web.toml"])), job.place.root()).stdout;
    let said = |path: &str, kind: &str| {
        let is = plan.lines().any(|line| line.contains(&format!("file:ROOT/{path}")) && line.ends_with(kind));
        assert!(is, "{path}: {kind}\n{plan}");
    };
    said("before", "(edit)");
    said("after", "(drift)");
    said("new", "(new)");
    let ran = job.applied();
    assert!(ran.code == 0 && ran.stdout.contains("\napplied: 3 changed, "), "{ran:#?}");
    assert_eq!(fs::read_to_string(&after).unwrap(), content);
    job.is_in_sync();
}

/// The step is waited for, and done again where it is not known to have been done.
fn killed_and_run_again(job: &Job, killed: i64, next: i64, times: usize) {
    job.clock.set(killed);
    let run = job.at_its_step();
    run.kill();
    let clock = Clock::default();
    clock.set(next);
    let again = clock.start(&job.place.command(&["apply", "web.toml"]));
    again.says("waits for `");
    let ran = job.goes_on(again);
    assert_eq!(run.wait().status.code(), None, "it was killed");
    assert_eq!((ran.code, job.read("begun").lines().count()), (0, times), "{ran:#?}");
    job.is_in_sync();
    let exits: Vec<Option<i64>> = job.history(&[]).iter().map(|run| run["exit"].as_i64()).collect();
    assert_eq!(exits[exits.len() - 3..], [None, Some(0), Some(0)]);
}

fn what_takes_too_long_is_ended(job: &Job) {
    let web = job.place.root().join("web.toml");
    fs::write(&web, fs::read_to_string(&web).unwrap().replace("\"1m\"", "\"3s\"")).unwrap();
    job.clock.set(0);
    let run = job.at_its_step();
    job.clock.set(-DAY);
    let ran = Ran::of(&run.wait(), job.place.root());
    assert!(ran.code == 1 && ran.stdout.contains("it took longer than 3s"), "{ran:#?}");
}

fn lists_of_packages_are_fetched() {
    let recipe = |names: &str| format!("name = \"web\"\n[[package]]\nname = [{names}]\n");
    let job = Job { place: Place::new(&recipe("\"tool\"")), there: PathBuf::new(), clock: Clock::default() };
    let stanza = |name: &str| format!("Package: {name}\nVersion: 1\nArchitecture: all\n\n");
    make(&(stanza("tool") + &stanza("other")), &[]);
    // What apt takes from a repository must not be of a day that has not come.
    sh("sed -i \"s/^Date: .*/Date: $(date -R -u -d '-3 days')/\" /srv/apt/repository/Release; apt-get update -qq");
    let fetched = || fs::metadata("/var/lib/apt/lists/partial").unwrap().modified().unwrap();
    let before = fetched();
    assert_eq!((job.applied().code, fetched()), (0, before), "they are fresh");
    job.clock.set(-DAY);
    job.place.recipe(&recipe("\"tool\", \"other\""));
    assert_eq!(job.applied().code, 0);
    assert!(fetched() > before, "of lists that are newer than the clock nobody knows how old they are");
    job.is_in_sync();
}

/// A recipe, with a clock by which it is applied.
struct Job {
    place: Place,
    /// Where its files are.
    there: PathBuf,
    clock: Clock,
}

impl Job {
    fn on_the_host() -> Self {
        let place = Place::new(RECIPE);
        Self { there: place.root().to_owned(), place, clock: Clock::default() }
    }

    /// Makes the container, which goes by the machine's clock.
    fn in_a_container() -> Self {
        let place = Place::new(INSIDE);
        let recipe = RECIPE.replace("name = \"web\"\n", "").replace("ROOT", "/srv");
        fs::write(place.root().join("inside.toml"), recipe).unwrap();
        let made = place.run(&["apply", "web.toml", "--only", "container:*"]);
        assert_eq!(made.code, 0, "{made:#?}");
        Self { place, there: "/var/lib/lxc/401/rootfs/srv".into(), clock: Clock::default() }
    }

    /// Starts an apply and returns once its step waits, which is due again.
    fn at_its_step(&self) -> Started {
        for file in ["begun", "go", "time"] {
            drop(fs::remove_file(self.there.join(file)));
        }
        let run = self.clock.start(&self.place.command(&["apply", "web.toml"]));
        wait_for(&self.there.join("begun"));
        run
    }

    /// Lets the step go on, and waits for the end of the run.
    fn goes_on(&self, run: Started) -> Ran {
        fs::write(self.there.join("go"), "").unwrap();
        Ran::of(&run.wait(), self.place.root())
    }

    fn applied(&self) -> Ran {
        Ran::of(&self.clock.run(&self.place.command(&["apply", "web.toml"])), self.place.root())
    }

    /// Nothing is to be done, and the ledger is whole.
    #[track_caller]
    fn is_in_sync(&self) {
        let ran = self.applied();
        assert!(ran.code == 0 && ran.stdout.contains("\napplied: 0 changed, "), "{ran:#?}");
        let verified = self.place.run(&["ledger", "verify"]);
        assert_eq!(verified.code, 0, "{verified:#?}");
    }

    /// Returns the runs in the order of the ledger.
    fn history(&self, arguments: &[&str]) -> Vec<Value> {
        self.json(&[&["history"], arguments].concat())
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.clock.run(&self.place.command(&[arguments, &["--json"]].concat()));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.there.join(name)).unwrap()
    }
}
