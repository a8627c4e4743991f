//! The end inside the container: reads jobs, converges them, sends events and waits for the word before each change.
use super::{Answer, Job, Order, Report};
use crate::engine::{Course, Scope, converge};
use crate::error::{Attempt, Error, Result};
use crate::event::{Event, Sink};
use crate::item::Item;
use crate::system::System;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Tells the host what an earlier agent is doing, for which this one waits.
pub fn busy(answers: &mut dyn Write, what: &str) -> Result<()> {
    write_line(answers, &Answer::Busy(what.to_owned()))
}

fn write_line(answers: &mut dyn Write, answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer).attempt(|| "writing an answer".to_owned())?;
    line.push(b'\n');
    answers.write_all(&line).and_then(|()| answers.flush()).attempt(|| "answering the host".to_owned())
}

/// Serves jobs until stdin ends. A host that goes away ends it after the child that is running.
pub fn serve(sys: &dyn System, orders: &mut (dyn BufRead + Send), answers: &mut (dyn Write + Send)) -> Result<()> {
    let pipe = Pipe { ends: Mutex::new((orders, answers)), stopped: AtomicBool::new(false) };
    pipe.send(&Answer::Ready)?;
    let mut course = Course::default();
    while let Some(order) = pipe.receive()? {
        let Order::Job(job) = order else { continue };
        let answer = match work(*job, sys, &pipe, &mut course) {
            Ok(report) => Answer::Done(Box::new(report)),
            Err(error) => Answer::Broken(error),
        };
        pipe.send(&answer)?;
    }
    Ok(())
}

fn work(job: Job, sys: &dyn System, pipe: &Pipe<'_>, course: &mut Course) -> Result<Report> {
    if job.fresh {
        *course = Course::default();
        sys.facts().forget();
    }
    course.gates = job.gates;
    course.changed |= job.changed;
    let items = job.items.into_iter().map(Item::receive).collect::<Result<Vec<_>>>()?;
    let scope =
        Scope { mode: job.mode, destroy: job.destroy, known: &job.known, sys, sink: pipe, turn: None, only: &job.only };
    let tally = converge(&items, scope, course)?;
    Ok(Report {
        tally,
        gates: course.gates.clone(),
        failed: course.failed.clone(),
        changed: course.changed,
        stopped: course.stopped.clone(),
    })
}

struct Pipe<'a> {
    ends: Mutex<(&'a mut (dyn BufRead + Send), &'a mut (dyn Write + Send))>,
    stopped: AtomicBool,
}

impl Pipe<'_> {
    fn send(&self, answer: &Answer) -> Result<()> {
        write_line(self.ends.lock().unwrap_or_else(PoisonError::into_inner).1, answer)
    }

    fn receive(&self) -> Result<Option<Order>> {
        let mut line = String::new();
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.0.read_line(&mut line).attempt(|| "reading the host's order".to_owned())? == 0 {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).attempt(|| "reading the host's order".to_owned())
    }
}

impl Sink for Pipe<'_> {
    fn emit(&self, event: Event) -> Result<()> {
        let waits = matches!(event, Event::Applying { .. });
        self.send(&Answer::Event(Box::new(event)))?;
        if !waits {
            return Ok(());
        }
        match self.receive()? {
            Some(Order::Ack) => Ok(()),
            Some(Order::Stop) => {
                self.stopped.store(true, Ordering::Relaxed);
                Err(Error::new("the host asked to stop"))
            }
            Some(Order::Job(_)) => {
                Err(Error::new("reading the host's order").reason("a job in place of an acknowledgement"))
            }
            None => Err(Error::new("the host went away")),
        }
    }

    fn interrupted(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
