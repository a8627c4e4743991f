//! What a lane does inside a container: the agent, once there is one to talk to, and what is said where there is none.
use super::progress::Progress;
use super::{Fleet, Pass};
use crate::agent::{Agent, Job, Launch};
use crate::container::{Driver, Found, What, push};
use crate::engine::{Course, Mode, Tally, converge};
use crate::error::{Error, Result};
use crate::event::{Event, Outcome, Sink};
use crate::id::{Id, Machine};
use crate::item::Item;
use crate::resource::{Known, Missing, Thing};
use crate::system::Empty;
use std::time::Duration;

/// How long a container may take from its start to its address and route.
const BOOT: Duration = Duration::from_mins(1);
/// How long one that goes down is waited for, to say what became of it.
const DOWN: Duration = Duration::from_secs(10);

impl Fleet<'_> {
    /// Converges a segment of a lane inside a container.
    pub(super) fn inside(
        &self,
        id: u32,
        items: &[Item],
        pass: Pass,
        course: &mut Course,
        sink: &dyn Sink,
        seen: &mut Vec<u32>,
    ) -> Result<Tally> {
        let machine = Machine::Container(id);
        let driver = self.driver.clone()?;
        let itself = Id::new(Machine::Host, "container", id.to_string());
        if course.failed.is_some() || course.stopped.is_some() || sink.interrupted() {
            return converge(items, self.scope(pass, &Known::default(), &Empty, sink), course);
        }
        let goes_whole = pass.destroy && self.orphans.is_none() && self.goes_whole(id);
        if goes_whole || !self.is_asked(items) {
            return Ok(Tally::default());
        }
        let (identity, found) = match self.look(driver, id) {
            Ok(is) => is,
            Err(error) => return fail_all(items, &error, course, sink),
        };
        let running = found.as_ref().is_some_and(|found| found.running);
        let sealed = found.is_some_and(|found| found.what == What::Template);
        // One that runs and is not to be touched; one that a later run will find made anew.
        let held = matches!(course.pending.missing(&Thing::Machine(id)), Missing::Held(_));
        let replaced =
            (running || sealed) && pass.mode == Mode::Plan && course.pending.coming(&Thing::Machine(id)).is_some();
        if sealed && !held && !replaced {
            if pass.destroy {
                return Ok(Tally::default());
            }
            return self.sealed(id, items, pass, &(self.known)(machine, identity.as_deref()), sink);
        }
        if !running || held || replaced {
            let identity = identity.as_deref().filter(|_| !replaced);
            return self.without(&itself, identity, items, pass, course, sink);
        }
        if let Some(identity) = &identity {
            (self.identify)(machine, identity)?;
        }
        let known = self.known_in(pass, machine, identity.as_deref());
        let agent = self.agents().remove(&id);
        // Somebody may have restarted the container since.
        let agent = agent.and_then(|mut agent| (!agent.has_ended()).then_some(agent));
        let agent = agent.map_or_else(|| self.launch(driver, id, course.changed, sink), Ok);
        let mut agent = match agent {
            Ok(agent) => agent,
            Err(error) => return fail_all(items, &self.became(driver, id, error), course, sink),
        };
        let fresh = !seen.contains(&id);
        let job = Job {
            mode: pass.mode,
            destroy: pass.destroy,
            fresh,
            known,
            only: self.only.to_vec(),
            gates: course.gates.clone(),
            changed: course.changed,
            items: items.iter().map(|item| item.job.clone()).collect(),
        };
        let progress = Progress::new(sink);
        let report = match agent.work(job, &progress) {
            Ok(report) => report,
            Err(error) => {
                let (mut tally, rest) = progress.rest(items);
                tally.add(fail_all(rest, &self.became(driver, id, error), course, sink)?);
                return Ok(tally);
            }
        };
        seen.push(id);
        self.agents().insert(id, agent);
        course.gates = report.gates;
        course.changed |= report.changed;
        course.failed = course.failed.take().or(report.failed);
        course.stopped = course.stopped.take().or(report.stopped);
        Ok(report.tally)
    }

    /// Returns what tells a container from another one of its id, and what there is.
    fn look(&self, driver: &dyn Driver, id: u32) -> Result<(Option<String>, Option<Found>)> {
        Ok((driver.identity(self.sys, id)?, driver.found(self.sys, id)?))
    }

    /// Adds to the failure of work in a container what became of that container meanwhile.
    fn became(&self, driver: &dyn Driver, id: u32, error: Error) -> Error {
        // One that goes down seems to run for a moment.
        if driver.ready(self.sys, id, DOWN).is_ok() {
            return error;
        }
        self.sys.facts().forget();
        let (why, next) = match driver.found(self.sys, id) {
            Ok(Some(Found { running: true, .. })) | Err(_) => return error,
            Ok(Some(_)) => ("was stopped", "started"),
            Ok(None) => ("was taken away", "made anew"),
        };
        let remedy = format!("run the same command again: it is {next} if the recipe has it, else do that first");
        error.reason(format!("container {id} {why} meanwhile")).remedy(remedy)
    }

    /// A container that is not there, does not run, or is not to be touched.
    fn without(
        &self,
        itself: &Id,
        identity: Option<&str>,
        items: &[Item],
        pass: Pass,
        course: &mut Course,
        sink: &dyn Sink,
    ) -> Result<Tally> {
        let Machine::Container(id) = items[0].job.machine else { return Ok(Tally::default()) };
        if pass.destroy {
            return Ok(Tally::default());
        }
        match course.pending.missing(&Thing::Machine(id)) {
            Missing::Held(by) => {
                end_all(items, &Outcome::Waiting { because: format!("waits for {by}"), remedy: None }, sink)
            }
            Missing::Nowhere if pass.mode == Mode::Plan || pass.mode == Mode::Apply => {
                let error = Error::new(format!("working in container {id}"))
                    .reason("it is not there, or does not run, and nothing before this makes or starts it")
                    .remedy(format!("add a [[container]] with id = {id} before it, or start it"));
                fail_all(items, &error, course, sink)
            }
            Missing::After(after) if pass.mode == Mode::Plan && identity.is_some() => {
                // It is there and only stopped: what is in it shows once it runs.
                course.changed = true;
                let ids = items.iter().flat_map(Item::ids).collect();
                sink.emit(Event::Behind { after, ids })?;
                Ok(Tally::default())
            }
            Missing::After(_) | Missing::Nowhere => {
                // What is not there counts as empty inside.
                let known = (self.known)(Machine::Container(id), identity);
                let outer = std::mem::take(&mut course.pending);
                course.pending.opaque(itself);
                let inherited = self.inherited(id).filter(|_| pass.mode == Mode::Plan);
                let comes_along = |item: &Item| inherited.as_ref().is_some_and(|inherited| inherited.holds(item));
                let tally = items.chunk_by(|a, b| comes_along(a) == comes_along(b)).try_fold(
                    Tally::default(),
                    |mut tally, some| {
                        if comes_along(&some[0]) {
                            self.come_along(itself, some, course, sink)?;
                        } else {
                            tally.add(converge(some, self.scope(pass, &known, &Empty, sink), course)?);
                        }
                        Ok(tally)
                    },
                );
                course.pending = outer;
                tally
            }
        }
    }

    /// A container that goes with its data takes with it what is inside.
    fn goes_whole(&self, id: u32) -> bool {
        let itself = Id::new(Machine::Host, "container", id.to_string());
        let data = (self.known)(Machine::Host, None).allowed.data;
        [itself.name.clone(), itself.local(), itself.to_string()].iter().any(|name| data.contains(name))
    }

    fn launch(&self, driver: &dyn Driver, id: u32, changed: bool, sink: &dyn Sink) -> Result<Agent> {
        if changed {
            driver.ready(self.sys, id, BOOT)?;
        }
        let argv = driver.attach(id, &push::agent_argv(&self.binary.hash));
        let itself = Id::new(Machine::Host, "container", id.to_string());
        let say = |text: &str| sink.emit(Event::Said { id: itself.clone(), text: text.to_owned() });
        if let Launch::Running(agent) = Agent::launch(Machine::Container(id), &argv, &say)? {
            return Ok(*agent);
        }
        push::push(self.sys, driver, id, self.binary)?;
        match Agent::launch(Machine::Container(id), &argv, &say)? {
            Launch::Running(agent) => Ok(*agent),
            Launch::Missing => Err(Error::new(format!("starting the agent in {id}"))
                .reason("the binary that was just pushed cannot be executed there")
                .remedy(format!("see whether /run in container {id} is mounted noexec"))),
        }
    }

    /// Returns whether `--only` names anything in it; for gates alone no agent is started.
    fn is_asked(&self, items: &[Item]) -> bool {
        self.only.is_empty() || items.iter().flat_map(Item::ids).any(|id| self.names(&id))
    }
}

fn fail_all(items: &[Item], error: &Error, course: &mut Course, sink: &dyn Sink) -> Result<Tally> {
    let Some((first, rest)) = items.split_first() else { return Ok(Tally::default()) };
    let ids = first.ids();
    course.failed.get_or_insert_with(|| ids[0].clone());
    let mut tally = end_all(std::slice::from_ref(first), &Outcome::Failed { error: error.clone() }, sink)?;
    let because = format!("{} failed", ids[0]);
    tally.add(end_all(rest, &Outcome::Skipped { because }, sink)?);
    Ok(tally)
}

fn end_all(items: &[Item], outcome: &Outcome, sink: &dyn Sink) -> Result<Tally> {
    let mut tally = Tally::default();
    for item in items {
        for id in item.ids() {
            match outcome {
                Outcome::Failed { .. } => tally.counts.failed += 1,
                Outcome::Waiting { .. } => tally.counts.waiting += 1,
                _ => tally.counts.skipped += 1,
            }
            let (phase, digest) = (item.job.phase.clone(), item.job.digest.clone());
            sink.emit(Event::Finished { id, outcome: outcome.clone(), phase, digest, absent: false })?;
        }
    }
    Ok(tally)
}
