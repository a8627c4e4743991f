//! The hub: where the events of all lanes meet. The ledger first, then the reporter.
mod called;
mod discreet;
mod private_key;
mod scrub;
mod token;

pub(crate) use called::is_named as is_secret_name;
pub use discreet::Discreet;
pub(crate) use token::HIDDEN;

use crate::approval::Changes;
use crate::engine::Tally;
use crate::error::Result;
use crate::event::{Ended, Envelope, Event, Outcome, Sink, Started, VERSION};
use crate::id::{Id, Machine};
use crate::ledger::{Ledger, Writer, rfc3339};
use crate::report::Reporter;
use crate::resource::{Claim, Fields, HadByOthers, Known};
use scrub::Scrub;
pub(crate) use scrub::steers;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Takes the events of a run from all of its lanes, records and shows them.
pub struct Hub {
    run: Mutex<Run>,
    scrub: Scrub,
    clock: Clock,
    interrupt: Arc<AtomicBool>,
}

/// What the ledger knows of a thing for one recipe.
#[derive(Debug, Clone)]
pub struct Left {
    /// Which.
    pub id: Id,
    /// What it knows.
    pub claim: Claim,
    /// The identity of the machine on which it is.
    pub identity: Option<String>,
    /// The other recipes that have it as well.
    pub others: Vec<String>,
}

/// A lane of a hub.
pub struct Lane {
    hub: Arc<Hub>,
    name: Option<String>,
}

/// What changes while a run goes on.
struct Run {
    ledger: Book,
    reporter: Box<dyn Reporter>,
    reference: String,
    seq: u64,
    recipe: String,
    began: SystemTime,
    waiting: BTreeSet<Id>,
    passed: BTreeMap<String, BTreeMap<Id, String>>,
    /// What the plan of the run changes.
    changes: Changes,
    /// It is a run whose plan has a digest.
    has_digest: bool,
}

/// A ledger to read, or to write as well.
enum Book {
    Read(Box<Ledger>),
    Write(Box<Writer>),
}

impl Book {
    fn record(&mut self, envelope: &Envelope) -> Result<()> {
        match self {
            Self::Read(_) => Ok(()),
            Self::Write(writer) => writer.record(envelope),
        }
    }
}

impl Deref for Book {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        match self {
            Self::Read(ledger) => ledger,
            Self::Write(writer) => writer,
        }
    }
}

impl Hub {
    /// Returns the hub of a run that only looks: it has no reference and leaves the ledger as it is.
    pub fn reading(ledger: Ledger, reporter: Box<dyn Reporter>) -> Self {
        Self::of(Book::Read(Box::new(ledger)), reporter)
    }

    /// Returns the hub of a run that is recorded.
    pub fn writing(ledger: Writer, reporter: Box<dyn Reporter>) -> Self {
        Self::of(Book::Write(Box::new(ledger)), reporter)
    }

    fn of(ledger: Book, reporter: Box<dyn Reporter>) -> Self {
        let run = Run {
            ledger,
            reporter,
            reference: String::new(),
            seq: 0,
            recipe: String::new(),
            began: SystemTime::UNIX_EPOCH,
            waiting: BTreeSet::new(),
            passed: BTreeMap::new(),
            changes: Changes::default(),
            has_digest: false,
        };
        let (scrub, interrupt) = (Scrub::default(), Arc::default());
        Self { run: Mutex::new(run), scrub, clock: steady(), interrupt }
    }

    /// Names the values that are hidden wherever they appear.
    #[must_use]
    pub fn secrets(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.scrub = Scrub::new(values);
        self
    }

    /// Tells the time by another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Gives the flag that a signal raises, so that the run ends after the steps that are running.
    #[must_use]
    pub fn interrupt(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupt = flag;
        self
    }

    /// Begins the run: gives it its reference, says what was started, and what is wrong with the ledger.
    pub fn start(&self, started: Started) -> Result<()> {
        let mut run = self.run();
        run.began = (self.clock)();
        run.recipe.clone_from(&started.recipe);
        if let Book::Write(writer) = &run.ledger {
            run.reference = writer.next_reference(&started.command, run.began);
        }
        let flaws = run.ledger.flaws().to_vec();
        self.pass(&mut run, None, Event::Started(started))?;
        flaws.into_iter().try_for_each(|text| self.pass(&mut run, None, Event::Warned { text }))
    }

    /// Returns the reference of the run; empty where it only reads.
    pub fn reference(&self) -> String {
        self.run().reference.clone()
    }

    /// Lets the run's last event have the digest of its plan: its key is one that other runs have.
    pub fn with_digest(&self) {
        self.run().has_digest = true;
    }

    /// Returns all changes of the plan, as far as it was said.
    pub fn changes(&self) -> Changes {
        self.run().changes.clone()
    }

    /// Returns what keys digests.
    pub fn key(&self) -> String {
        self.run().ledger.key().to_owned()
    }

    /// Returns who stood in a machine's place when the ledger was last written.
    pub fn identity(&self, machine: Machine) -> Option<String> {
        self.run().ledger.state().identity(machine).map(str::to_owned)
    }

    /// Says who stands in a machine's place: its machine-id, or a container's MAC. If that is another one than before, what
    /// was known of it is void, and so is that we made the container: so containers that exist are named before `known` of
    /// their host is asked, and again once one was made.
    pub fn identify(&self, machine: Machine, identity: &str) -> Result<()> {
        let mut run = self.run();
        match &mut run.ledger {
            Book::Read(ledger) => {
                ledger.identify(machine, identity);
                Ok(())
            }
            Book::Write(_) => {
                let event = Event::Identified { machine, identity: identity.to_owned() };
                self.pass(&mut run, None, event)
            }
        }
    }

    /// Returns what the ledger knows for the run's recipe on a machine, with the key.
    pub fn known(&self, machine: Machine, identity: &str) -> Known {
        let run = self.run();
        run.ledger.known(&run.recipe, machine, identity)
    }

    /// Returns what other recipes have on a machine, and by which ids.
    pub fn had_by_others(&self, machine: Machine, identity: &str) -> HadByOthers {
        let run = self.run();
        run.ledger.state().had_by_others(&run.recipe, machine, identity)
    }

    /// Says what the recipe of the run asks for, so that the ledger keeps it of what is ours.
    pub fn asks(&self, asks: BTreeMap<Id, Fields>) {
        let mut run = self.run();
        let recipe = run.recipe.clone();
        if let Book::Write(writer) = &mut run.ledger {
            writer.asks(&recipe, asks);
        }
    }

    /// Returns what the ledger knows for the run's recipe of these, and the recipes beside it that have each.
    pub fn left(&self, is_left: impl Fn(&Id) -> bool) -> Vec<Left> {
        let run = self.run();
        let state = run.ledger.state();
        let claims = state.claims(&run.recipe).filter(|(id, _)| is_left(id));
        let left = |(id, claim): (&Id, &Claim)| {
            let identity = state.identity(id.machine).map(str::to_owned);
            let others = state.others(&run.recipe, id).into_iter().map(str::to_owned).collect();
            Left { id: id.clone(), claim: claim.clone(), identity, others }
        };
        claims.map(left).collect()
    }

    /// Returns whether something is asked of it, for the run's recipe, and was there as asked when a run looked last.
    pub fn holds(&self, id: &Id) -> bool {
        let run = self.run();
        run.ledger.state().claim(&run.recipe, id).is_some_and(|claim| claim.held.is_some())
    }

    /// Returns the sink of a lane; `None`: of what stands outside any.
    pub fn lane(self: &Arc<Self>, name: Option<&str>) -> Lane {
        Lane { hub: self.clone(), name: name.map(str::to_owned) }
    }

    /// Ends the run: writes its last line, shows it and returns it.
    pub fn end(&self, exit: i32, tally: &Tally) -> Result<Ended> {
        let mut run = self.run();
        let seconds = (self.clock)().duration_since(run.began).unwrap_or_default().as_secs_f64();
        let held = tally.held.iter().filter(|(id, _)| id.kind != "test");
        let mut ended = Ended {
            exit,
            seconds: (seconds * 1000.0).round() / 1000.0,
            counts: tally.counts,
            held: held.map(|(id, digest)| (id.clone(), digest.clone())).collect(),
            passed: std::mem::take(&mut run.passed),
            plan: if run.has_digest { run.changes.digest() } else { String::new() },
            waiting: std::mem::take(&mut run.waiting),
            ..Ended::default()
        };
        let mut envelope = self.envelope(&mut run, None, Event::Ended(ended.clone()));
        let recorded = run.ledger.record(&envelope);
        run.ledger.head().clone_into(&mut ended.head);
        envelope.event = Event::Ended(ended.clone());
        run.reporter.event(&envelope);
        recorded.map(|()| ended)
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn envelope(&self, run: &mut Run, lane: Option<&str>, event: Event) -> Envelope {
        run.seq += 1;
        let time = rfc3339((self.clock)());
        Envelope { v: VERSION, run: run.reference.clone(), seq: run.seq, time, lane: lane.map(str::to_owned), event }
    }

    fn pass(&self, run: &mut Run, lane: Option<&str>, mut event: Event) -> Result<()> {
        self.scrub.event(&mut event);
        if let Event::Identified { machine, identity } = &event
            && run.ledger.state().identity(*machine) == Some(identity)
        {
            return Ok(());
        }
        if let (Event::Applying { ids, absent: false, .. }, Book::Write(writer)) = (&event, &run.ledger) {
            let asked = writer.news(ids);
            if !asked.is_empty() {
                let first = self.envelope(run, lane, Event::Asked { asked });
                run.ledger.record(&first)?;
            }
        }
        let envelope = self.envelope(run, lane, event);
        run.note(&envelope);
        let mut unkept = None;
        if let (Event::Printed { .. }, Book::Write(writer)) = (&envelope.event, &mut run.ledger) {
            unkept = writer.keep_printed(&envelope);
        } else {
            run.ledger.record(&envelope)?;
        }
        run.reporter.event(&envelope);
        if let Some(text) = unkept {
            let warned = self.envelope(run, None, Event::Warned { text });
            run.reporter.event(&warned);
        }
        Ok(())
    }
}

/// Returns a clock that goes on from the time of day that it is now, whatever that is set to later: within a run times are in
/// order, and what lies between two of them is what it took.
fn steady() -> Clock {
    let (time, since) = (SystemTime::now(), Instant::now());
    Arc::new(move || time + since.elapsed())
}

impl Run {
    /// Keeps what the last line of the run will say.
    fn note(&mut self, envelope: &Envelope) {
        let lane = envelope.lane.clone().unwrap_or_default();
        self.changes.take(&envelope.event);
        match &envelope.event {
            Event::Finished { id, outcome: Outcome::Waiting { .. }, .. } => drop(self.waiting.insert(id.clone())),
            Event::Finished { id, outcome, digest, .. } => {
                self.waiting.remove(id);
                let claim = self.ledger.state().claim(&self.recipe, id);
                let is_known = claim.is_some_and(|claim| !claim.failed && claim.held.as_ref() == Some(digest));
                if id.kind == "test" && *outcome == Outcome::InSync && !is_known {
                    self.passed.entry(lane).or_default().insert(id.clone(), digest.clone());
                }
            }
            _ => {}
        }
    }
}

impl Sink for Hub {
    fn emit(&self, event: Event) -> Result<()> {
        self.pass(&mut self.run(), None, event)
    }

    fn interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

impl Sink for Lane {
    fn emit(&self, event: Event) -> Result<()> {
        self.hub.pass(&mut self.hub.run(), self.name.as_deref(), event)
    }

    fn interrupted(&self) -> bool {
        self.hub.interrupted()
    }
}
