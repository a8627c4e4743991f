//! The pipe into a container: what comes out of one is hostile input.
use crate::support::place::wait_for;
use crate::support::recorder::Recorder;
use provision::agent::{Agent, Job, Launch, lock, serve};
use provision::engine::Mode;
use provision::error::Error;
use provision::event::{Counts, Event, Sink};
use provision::id::Machine;
use provision::resource::Known;
use provision::system::{Command, Empty, Real, System as _};
use std::collections::BTreeMap;

const MACHINE: Machine = Machine::Container(201);

fn job() -> Job {
    Job {
        mode: Mode::Apply,
        destroy: false,
        fresh: true,
        known: Known::default(),
        only: Vec::new(),
        gates: BTreeMap::new(),
        changed: false,
        items: Vec::new(),
    }
}

/// An agent that answers with these lines, whatever it is asked.
fn answering(lines: &str) -> Result<Launch, Error> {
    let script = format!("printf '%s\\n' '\"ready\"'; read -r job; printf '%b' '{lines}'");
    Agent::launch(MACHINE, &["sh".into(), "-c".into(), script], &|_| Ok(()))
}

fn refusal(lines: &str) -> String {
    let Ok(Launch::Running(mut agent)) = answering(lines) else { panic!("it says that it is ready") };
    let recorder = Recorder::default();
    let error = agent.work(job(), &recorder).expect_err("it must be refused");
    agent.end();
    format!("{error}: {}", error.causes.join(": "))
}

#[test]
fn an_agent_that_speaks_of_another_machine_is_refused() {
    let event = r#"{"event":{"event":"finished","id":"host/file:/etc/shadow","outcome":{"outcome":"in-sync"}}}\n"#;
    assert!(refusal(event).contains("it sent an event about another machine"), "{}", refusal(event));
}

#[test]
fn an_agent_that_claims_to_have_held_what_is_another_machines_is_refused() {
    let done = r#"{"done":{"tally":{"counts":{},"held":{"202/file:/x":"d"}},"gates":{},"failed":null,"changed":false,"stopped":null}}\n"#;
    assert!(refusal(done).contains("it sent a report about 202/file:/x"), "{}", refusal(done));
}

#[test]
fn what_is_no_answer_is_an_error_and_no_panic() {
    assert!(refusal("{\\n").contains("reading from the agent in 201"));
    assert!(refusal("garbage").contains("torn or too long"));
}

#[test]
fn an_agent_that_ends_before_its_job_is_done_is_an_error_with_what_it_printed() {
    let script = "printf '%s\\n' '\"ready\"'; read -r job; echo no space left on device >&2; exit 3";
    let Ok(Launch::Running(mut agent)) =
        Agent::launch(MACHINE, &["sh".into(), "-c".into(), script.into()], &|_| Ok(()))
    else {
        panic!("it says that it is ready")
    };
    let error = agent.work(job(), &Recorder::default()).expect_err("it ended");
    assert_eq!(error.output, ["no space left on device"]);
}

/// A run that is asked to end.
struct Interrupted;

impl Sink for Interrupted {
    fn emit(&self, _: Event) -> Result<(), Error> {
        Ok(())
    }

    fn interrupted(&self) -> bool {
        true
    }
}

#[test]
fn an_interrupted_run_counts_what_was_done_inside_and_names_what_was_not() {
    let changed = r#"{"event":{"event":"finished","id":"201/file:/x","outcome":{"outcome":"changed","changes":[]}}}\n"#;
    let applying = r#"{"event":{"event":"applying","ids":["201/file:/y"],"changes":[]}}\n"#;
    let broken = r#"{"broken":{"attempt":"emitting"}}\n"#;
    // It ends once it was told to stop.
    let script = format!(
        "printf '%s\\n' '\"ready\"'; read -r job; printf '%b' '{changed}{applying}'; read -r stop; printf '%b' '{broken}'"
    );
    let Ok(Launch::Running(mut agent)) = Agent::launch(MACHINE, &["sh".into(), "-c".into(), script], &|_| Ok(()))
    else {
        panic!("it says that it is ready")
    };
    let report = agent.work(job(), &Interrupted).unwrap();
    agent.end();
    assert_eq!(report.tally.counts, Counts { changed: 1, ..Counts::default() });
    assert_eq!(report.stopped.unwrap().to_string(), "201/file:/y");
}

#[test]
fn a_binary_that_is_not_there_is_missing_and_no_error() {
    let launch = Agent::launch(MACHINE, &["sh".into(), "-c".into(), "exit 127".into()], &|_| Ok(())).unwrap();
    assert!(matches!(launch, Launch::Missing));
}

#[test]
fn a_host_that_goes_away_ends_the_agent() {
    let mut answers: Vec<u8> = Vec::new();
    serve(&Empty, &mut std::io::empty(), &mut answers).unwrap();
    assert_eq!(String::from_utf8(answers).unwrap(), "\"ready\"\n");
}

#[test]
fn what_a_killed_agent_started_is_waited_for_by_the_next_one_which_says_so() {
    let place = tempfile::tempdir().unwrap();
    let (directory, going) = (place.path().join("run"), place.path().join("going"));
    let script = format!("touch '{0}'; while [ -e '{0}' ]; do sleep 0.02; done", going.display());
    let first = Real::new(place.path());
    let held = lock(&first, &directory, |what| panic!("{what}")).unwrap();
    let child = std::thread::spawn(move || first.run(&Command::new(["sh", "-c", &script])));
    wait_for(&going);
    // A lock goes with the process that holds it; its child stays.
    drop(held);
    let mut said = Vec::new();
    let next = lock(&Real::new(place.path()), &directory, |what| {
        said.push(what.to_owned());
        std::fs::remove_file(&going).unwrap();
        Ok(())
    });
    assert!(child.join().unwrap().is_ok_and(|output| output.code == 0));
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(
        said.starts_with("waits for `sh` (pid ") && said.ends_with(" there), which an earlier run has started"),
        "{said}"
    );
    drop(next.unwrap());
    drop(lock(&Real::new(place.path()), &directory, |what| panic!("{what}")).unwrap());
}

#[test]
fn an_agent_that_waits_for_an_earlier_one_says_so_before_it_is_ready() {
    let script = r#"printf '%s\n' '{"busy":"waits for `dpkg` (pid 7 there)"}' '"ready"'; read -r job"#;
    let said = std::cell::RefCell::new(Vec::new());
    let say = |text: &str| {
        said.borrow_mut().push(text.to_owned());
        Ok(())
    };
    let Ok(Launch::Running(agent)) = Agent::launch(MACHINE, &["sh".into(), "-c".into(), script.into()], &say) else {
        panic!("it is ready at last")
    };
    agent.end();
    assert_eq!(said.into_inner(), ["waits for `dpkg` (pid 7 there)"]);
}
