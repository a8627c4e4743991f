//! Random recipes applied by the real program, killed at random again and again: the run after that ends well, the one after
//! it finds nothing to do, the ledger is whole, and nothing is left over. `CASE=2000` makes it as many recipes.
use crate::lab::{binary, on_a_furnished_machine};
use crate::support::world::{Dice, World};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

const RECIPE: &str = "/root/random.toml";

/// Files that are there only while something is at work: ours, those of the tools for accounts, those of systemctl.
const LEFT: &str = "find / -xdev ( -name *.provision-* -o -name .#* -o -path /etc/*.lock -o -path /etc/passwd.[0-9]* \
                    -o -path /etc/group.[0-9]* ) ! -name .pwd.lock";

#[test]
fn random_recipes_killed_at_random_converge_in_the_next_run() {
    on_a_furnished_machine(
        "e2e_torture::random_recipes_killed_at_random_converge_in_the_next_run",
        &[],
        |lab| lab.put(&binary(), "/usr/local/bin/provision"),
        || {
            let cases = std::env::var("CASE").ok().and_then(|number| number.parse().ok()).unwrap_or(40);
            // What happens again at the same time is not the same: nothing is to be shrunk.
            let config =
                ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
            // From half a millisecond to half a second, as often in each doubling.
            let moments = prop::collection::vec((9.0..19.0_f64).prop_map(f64::exp2), 1..6);
            let (recipes, kills) = (Cell::new(0), Cell::new(0));
            let outcome = TestRunner::new(config).run(
                &(prop::collection::vec(any::<u16>(), 160), moments),
                |(throws, moments)| {
                    let world = World::new(&mut Dice::new(throws));
                    fs::write(RECIPE, world.recipe()).unwrap();
                    let times = killed_at(&moments);
                    let converged = converges();
                    World::clean();
                    recipes.set(recipes.get() + 1);
                    kills.set(kills.get() + times);
                    converged.map_err(|why| {
                        TestCaseError::fail(format!(
                            "killed {times} times, at {moments:?} µs: {why}\n{}",
                            world.recipe()
                        ))
                    })
                },
            );
            println!("{} recipes, killed {} times", recipes.get(), kills.get());
            outcome.unwrap_or_else(|error| panic!("{error}"));
        },
    );
}

/// Applies it once for each of these moments, in microseconds, and kills it then. Returns how often it was still at work.
fn killed_at(moments: &[f64]) -> usize {
    let kill = |moment: &&f64| {
        let mut run = Command::new("provision")
            .args(["apply", "--yes", RECIPE])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_secs_f64(**moment / 1e6));
        let was_at_work = run.try_wait().unwrap().is_none();
        run.kill().unwrap();
        run.wait().unwrap();
        was_at_work
    };
    moments.iter().filter(kill).count()
}

fn converges() -> Result<(), String> {
    said(&["provision", "apply", "--yes", RECIPE])?;
    let again = said(&["provision", "apply", "--yes", RECIPE])?;
    if !again.contains("applied: 0 changed") {
        return Err(format!("the second run: {again}"));
    }
    said(&["provision", "plan", "--check", RECIPE])?;
    said(&["provision", "ledger", "verify"])?;
    let left = said(&LEFT.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>())?;
    if left.is_empty() { Ok(()) } else { Err(format!("left over: {left}")) }
}

/// Runs a program, which must succeed, and returns what it says.
fn said(argv: &[&str]) -> Result<String, String> {
    let output = Command::new(argv[0]).args(&argv[1..]).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{}: {}: {text}", argv.join(" "), output.status)) }
}
