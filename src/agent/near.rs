//! The host's end: starts the agent, sends it jobs and takes its events as what they are: hostile input.
#![expect(
    clippy::disallowed_methods,
    reason = "the pipe to the agent is a process that stays; `System::run` is for those that end"
)]
use super::{Answer, Job, Order, Report};
use crate::error::{Attempt, Error, Result};
use crate::event::{Counts, Event, Sink};
use crate::id::{Id, Machine};
use crate::system::program::PATH;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A line of an agent is at most this long.
const LONGEST: u64 = 4 << 20;
/// So much of what an agent prints as errors is kept.
const ERRORS: u64 = 64 << 10;

/// How starting an agent ended.
pub enum Launch {
    /// It runs.
    Running(Box<Agent>),
    /// The binary is not there, or not this one: push it first.
    Missing,
}

/// A running agent.
pub struct Agent {
    machine: Machine,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    errors: Receiver<String>,
}

impl Agent {
    /// Starts an agent by `argv`, which runs it inside that machine; `say` is told for what it has to wait.
    pub fn launch(machine: Machine, argv: &[String], say: &dyn Fn(&str) -> Result<()>) -> Result<Launch> {
        let attempt = || format!("starting the agent in {machine}");
        let [program, arguments @ ..] = argv else { return Err(Error::new(attempt()).reason("nothing to run")) };
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| could_not_start(program, &error).during(attempt()))?;
        let piped = || Error::new(attempt()).reason("no pipe");
        let orders = child.stdin.take().ok_or_else(piped)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(piped)?);
        let stderr = child.stderr.take().ok_or_else(piped)?;
        let (sender, errors) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            // What can't be read or taken any more is of no use to anybody.
            drop(stderr.take(ERRORS).read_to_end(&mut text));
            drop(sender.send(String::from_utf8_lossy(&text).into_owned()));
        });
        let mut agent = Self { machine, child, orders, answers, errors };
        let mut first = agent.receive()?;
        while let Some(Answer::Busy(what)) = &first {
            say(what)?;
            first = agent.receive()?;
        }
        match first {
            Some(Answer::Ready) => Ok(Launch::Running(Box::new(agent))),
            Some(_) => Err(agent.lost("it did not say that it is ready")),
            None => match agent.child.wait().attempt(attempt)?.code() {
                Some(126 | 127) => Ok(Launch::Missing),
                _ => Err(agent.lost("it ended at once")),
            },
        }
    }

    /// Has a job done; its events go to `sink`, and each change waits until `sink` has it.
    pub fn work(&mut self, job: Job, sink: &dyn Sink) -> Result<Report> {
        self.send(&Order::Job(Box::new(job)))?;
        let (mut stopped, mut counts) = (None, Counts::default());
        loop {
            match self.receive()? {
                Some(Answer::Event(event)) => {
                    let waits = matches!(*event, Event::Applying { .. });
                    self.is_its_own(&event)?;
                    match &*event {
                        Event::Applying { ids, .. } if sink.interrupted() => {
                            // The stop comes as an error of the job: what it did until then is known from its events.
                            stopped = Some(ids.first().cloned().unwrap_or_else(|| self.itself()));
                            self.send(&Order::Stop)?;
                            continue;
                        }
                        Event::Finished { id, outcome, .. } => counts.count(&id.kind, outcome),
                        _ => {}
                    }
                    sink.emit(*event)?;
                    if waits {
                        self.send(&Order::Ack)?;
                    }
                }
                Some(Answer::Done(report)) => return self.is_plausible(*report),
                Some(Answer::Broken(_)) if stopped.is_some() => {
                    return Ok(Report { tally: counts.into(), stopped, ..Report::default() });
                }
                Some(Answer::Broken(error)) => return Err(error.during(format!("working in {}", self.machine))),
                Some(Answer::Ready | Answer::Busy(_)) => {}
                None => return Err(self.lost("it ended before its job was done")),
            }
        }
    }

    /// Returns whether what runs it has ended, whatever it was about to do.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn itself(&self) -> Id {
        let name = self.machine.to_string();
        Id::new(Machine::Host, "container", name)
    }

    /// An agent speaks of its own machine alone.
    fn is_its_own(&self, event: &Event) -> Result<()> {
        if event.is_of(self.machine) {
            return Ok(());
        }
        Err(self.foreign("an event about another machine, or about the run as a whole"))
    }

    fn is_plausible(&self, report: Report) -> Result<Report> {
        let foreign = report.tally.held.keys().chain(&report.failed).find(|id| id.machine != self.machine);
        match foreign {
            Some(id) => Err(self.foreign(&format!("a report about {id}"))),
            None => Ok(report),
        }
    }

    fn foreign(&self, what: &str) -> Error {
        Error::new(format!("reading from the agent in {}", self.machine))
            .reason(format!("it sent {what}"))
            .remedy("look at that container before anything else: something in it answers in the agent's place")
    }

    fn send(&mut self, order: &Order) -> Result<()> {
        let attempt = || format!("sending to the agent in {}", self.machine);
        let mut line = serde_json::to_vec(order).attempt(attempt)?;
        line.push(b'\n');
        self.orders.write_all(&line).and_then(|()| self.orders.flush()).attempt(attempt)
    }

    fn receive(&mut self) -> Result<Option<Answer>> {
        let attempt = || format!("reading from the agent in {}", self.machine);
        let mut line = Vec::new();
        let read = (&mut self.answers).take(LONGEST).read_until(b'\n', &mut line).attempt(attempt)?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(Error::new(attempt()).reason("a line that is torn or too long"));
        }
        serde_json::from_slice(&line).map(Some).attempt(attempt)
    }

    /// Returns the error of an agent that is no more, with what it printed last.
    fn lost(&mut self, why: &str) -> Error {
        drop(self.child.kill());
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let printed = self.errors.recv().unwrap_or_default();
        Error::new(format!("working in {}", self.machine))
            .reason(format!("the agent: {why} ({status})"))
            .output(&printed)
            .remedy("see whether the container runs, then run the same command again")
    }

    /// Ends the agent: its stdin closes, and it is waited for.
    pub fn end(self) {
        let Self { mut child, orders, .. } = self;
        drop(orders);
        drop(child.wait());
    }
}

/// Returns the error of a program that leads into a machine.
fn could_not_start(program: &str, error: &std::io::Error) -> Error {
    let error = Error::new(format!("running `{program}`")).because(error);
    error.remedy(format!("see whether `{program}` is installed, then run again"))
}
