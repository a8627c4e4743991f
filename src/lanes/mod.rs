//! Who runs when: stages one after another, the lanes of a stage side by side, the host changed by one lane at a time.
mod base;
mod inside;
mod orphans;
mod owed;
mod progress;

pub use orphans::Orphans;
pub(crate) use orphans::id_of;

use crate::agent::Agent;
use crate::container::{Driver, push};
use crate::engine::{Course, Mode, Scope, Tally, converge};
use crate::error::{Error, Result};
use crate::event::{Counts, Event, Sink};
use crate::id::{Id, Machine};
use crate::item::Item;
use crate::recipe::{Lane, Stage};
use crate::resource::{HadByOthers, Known};
use crate::system::System;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What stands in place of a lane's name for what is in none; no lane is called so.
pub const HOST: &str = "host";

/// What a pass over the stages works with.
pub struct Fleet<'a> {
    /// What to converge, in order.
    pub stages: &'a [Stage],
    /// What makes and reaches containers; an error where a recipe needs none.
    pub driver: Result<&'static dyn Driver>,
    /// The host.
    pub sys: &'a dyn System,
    /// What the ledger and the command line say of a machine with that identity.
    pub known: &'a (dyn Fn(Machine, Option<&str>) -> Known + Sync),
    /// What other recipes have on a machine with that identity.
    pub others: &'a (dyn Fn(Machine, Option<&str>) -> HadByOthers + Sync),
    /// Where the events of a lane go; `None`: of what is in no lane.
    pub sink: &'a (dyn Fn(Option<&str>) -> Box<dyn Sink> + Sync),
    /// Says who stands under a container's id: what was known of another one is void.
    pub identify: &'a (dyn Fn(Machine, &str) -> Result<()> + Sync),
    /// The binary that is pushed into containers.
    pub binary: &'a push::Binary,
    /// How many lanes run side by side.
    pub jobs: usize,
    /// Patterns of ids that `--only` names.
    pub only: &'a [String],
    /// What an earlier form of the recipe made and this one no longer has; `None` where that is not asked.
    pub orphans: Option<Orphans>,
    looked: Mutex<orphans::Looked>,
    turn: Mutex<()>,
    agents: Mutex<BTreeMap<u32, Agent>>,
}

/// One way through all stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// What it is for.
    pub mode: Mode,
    /// Everything goes, in reverse order.
    pub destroy: bool,
}

/// What came of a pass.
#[derive(Debug, Default)]
pub struct Passed {
    /// How many names ended how.
    pub tally: Tally,
    /// The same by lane; `host`: in none.
    pub lanes: BTreeMap<String, LaneTally>,
    /// The first resource that was not tried because the run was interrupted.
    pub stopped: Option<Id>,
}

/// What came of a lane in a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LaneTally {
    /// How many names ended how.
    pub counts: Counts,
    /// How long it took.
    pub seconds: f64,
}

impl Passed {
    /// Takes in what came of a lane, or of a stretch of it, and how long it took.
    fn add(&mut self, lane: &str, tally: Tally, took: Duration) {
        let of_lane = self.lanes.entry(lane.to_owned()).or_default();
        of_lane.counts += tally.counts;
        of_lane.seconds += took.as_secs_f64();
        self.tally.add(tally);
    }
}

impl<'a> Fleet<'a> {
    /// Returns a fleet that has not started anything yet.
    pub fn new(
        stages: &'a [Stage],
        sys: &'a dyn System,
        known: &'a (dyn Fn(Machine, Option<&str>) -> Known + Sync),
        others: &'a (dyn Fn(Machine, Option<&str>) -> HadByOthers + Sync),
        sink: &'a (dyn Fn(Option<&str>) -> Box<dyn Sink> + Sync),
        identify: &'a (dyn Fn(Machine, &str) -> Result<()> + Sync),
        binary: &'a push::Binary,
    ) -> Self {
        let driver = crate::container::driver(sys);
        let (looked, turn, agents) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (jobs, only, orphans) = (8, &[][..], None);
        Self { stages, driver, sys, known, others, sink, identify, binary, jobs, only, orphans, looked, turn, agents }
    }

    /// Goes through all stages once. A failure ends its lane; after a barrier, that lane's continuation and what stands
    /// in no lane are skipped.
    pub fn pass(&self, pass: Pass) -> Result<Passed> {
        // Since the plan was shown much may have happened.
        self.sys.facts().forget();
        let mut passed = Passed::default();
        let mut trunk = Course::default();
        let mut lanes: BTreeMap<&str, Course> = BTreeMap::new();
        let mut seen: Vec<u32> = Vec::new();
        let ordered: Vec<&Stage> =
            if pass.destroy { self.stages.iter().rev().collect() } else { self.stages.iter().collect() };
        for stage in ordered {
            match stage {
                Stage::Plain(items) => {
                    if trunk.failed.is_none() {
                        trunk.failed = lanes.values().find_map(|course| course.failed.clone());
                    }
                    let (sink, begun) = ((self.sink)(None), Instant::now());
                    let tally = self.walk(items, pass, &mut trunk, &*sink, &mut seen)?;
                    passed.add(HOST, tally, begun.elapsed());
                }
                Stage::Lanes(side_by_side) => {
                    for lane in side_by_side {
                        let course = lanes.entry(&lane.name).or_insert_with(|| trunk.clone());
                        course.failed = course.failed.take().or_else(|| trunk.failed.clone());
                    }
                    for Abreast { lane, course, tally, took } in self.abreast(side_by_side, pass, &lanes, &seen)? {
                        passed.add(&lane.name, tally, took);
                        trunk.changed |= course.changed;
                        trunk.pending.join(&course.pending);
                        trunk.gates.extend(course.gates.clone());
                        trunk.stopped = trunk.stopped.take().or_else(|| course.stopped.clone());
                        seen.extend(containers(&lane.items));
                        lanes.insert(&lane.name, course);
                    }
                }
            }
        }
        passed.stopped = trunk.stopped;
        if passed.stopped.is_none() {
            let failed = trunk.failed.or_else(|| lanes.values().find_map(|course| course.failed.clone()));
            let begun = Instant::now();
            let mut course = Course::default();
            (course.failed, course.gates) = (failed, trunk.gates);
            let (tally, stopped) = self.orphaned(pass, course)?;
            passed.add(HOST, tally, begun.elapsed());
            passed.stopped = stopped;
        }
        Ok(passed)
    }

    /// Runs lanes side by side, `jobs` at most at a time, and returns where each of them stands, in their order.
    fn abreast<'l>(
        &self,
        lanes: &'l [Lane],
        pass: Pass,
        courses: &BTreeMap<&str, Course>,
        seen: &[u32],
    ) -> Result<Vec<Abreast<'l>>> {
        let queue = Mutex::new(lanes.iter().enumerate());
        let work = || -> Result<Vec<(usize, Abreast<'l>)>> {
            let mut done = Vec::new();
            loop {
                let Some((number, lane)) = queue.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                    return Ok(done);
                };
                let sink = (self.sink)(Some(&lane.name));
                let mut course = courses.get(lane.name.as_str()).cloned().unwrap_or_default();
                sink.emit(Event::LaneStarted)?;
                let begun = Instant::now();
                let tally = self.walk(&lane.items, pass, &mut course, &*sink, &mut seen.to_vec())?;
                let (took, stopped) = (begun.elapsed(), course.stopped.clone());
                sink.emit(Event::LaneEnded { seconds: took.as_secs_f64(), stopped })?;
                done.push((number, Abreast { lane, course, tally, took }));
            }
        };
        let workers = self.jobs.clamp(1, lanes.len().max(1));
        let mut all = Vec::new();
        thread::scope(|scope| {
            let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            for handle in handles {
                all.extend(handle.join().map_err(|_| Error::new("a lane broke off"))??);
            }
            Ok::<(), Error>(())
        })?;
        all.sort_by_key(|(number, _)| *number);
        Ok(all.into_iter().map(|(_, one)| one).collect())
    }

    /// Goes through the items of a lane, a segment a machine. `seen` holds the containers whose agent already has jobs of
    /// this pass.
    fn walk(
        &self,
        items: &[Item],
        pass: Pass,
        course: &mut Course,
        sink: &dyn Sink,
        seen: &mut Vec<u32>,
    ) -> Result<Tally> {
        let mut tally = Tally::default();
        let mut segments: Vec<&[Item]> = items.chunk_by(|a, b| a.job.machine == b.job.machine).collect();
        if pass.destroy {
            segments.reverse();
        }
        for segment in segments {
            let Some(first) = segment.first() else { continue };
            tally.add(match first.job.machine {
                Machine::Host => {
                    if pass.mode == Mode::Apply {
                        base::keep_what_bases_hold(segment, &tally, sink)?;
                    }
                    self.on_the_host(segment, pass, course, sink)?
                }
                Machine::Container(id) => self.inside(id, segment, pass, course, sink, seen)?,
            });
        }
        Ok(tally)
    }

    fn scope<'s>(&'s self, pass: Pass, known: &'s Known, sys: &'s dyn System, sink: &'s dyn Sink) -> Scope<'s> {
        let Pass { mode, destroy } = pass;
        Scope { mode, destroy, known, sys, sink, turn: Some(&self.turn), only: self.only }
    }

    fn on_the_host(&self, items: &[Item], pass: Pass, course: &mut Course, sink: &dyn Sink) -> Result<Tally> {
        let known = self.known_in(pass, Machine::Host, None);
        if pass.mode == Mode::Apply {
            // A base is done: systemd would wait ten seconds for an agent that nobody ends.
            self.end_agents(items, "base");
        }
        let tally = converge(items, self.scope(pass, &known, self.sys, sink), course)?;
        if pass.mode == Mode::Apply && tally.counts.changed > 0 {
            // A container that was changed may have been restarted: its agent, if it had one, is no more.
            self.end_agents(items, "container");
        }
        Ok(tally)
    }

    /// Ends the agents in the containers that items of this kind are about.
    fn end_agents(&self, items: &[Item], kind: &str) {
        for id in items.iter().filter(|item| item.job.kind == kind).flat_map(Item::ids) {
            let agent = id.name.parse().ok().and_then(|id: u32| self.agents().remove(&id));
            agent.into_iter().for_each(Agent::end);
        }
    }

    fn agents(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Agent>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all agents.
    pub fn end(self) {
        let agents = self.agents.into_inner().unwrap_or_else(PoisonError::into_inner);
        agents.into_values().for_each(Agent::end);
    }
}

/// One of the lanes of a stage, at its end.
struct Abreast<'l> {
    lane: &'l Lane,
    course: Course,
    tally: Tally,
    took: Duration,
}

/// Returns what is in a stage.
fn items_of(stage: &Stage) -> Box<dyn Iterator<Item = &Item> + '_> {
    match stage {
        Stage::Plain(items) => Box::new(items.iter()),
        Stage::Lanes(lanes) => Box::new(lanes.iter().flat_map(|lane| &lane.items)),
    }
}

fn containers(items: &[Item]) -> Vec<u32> {
    let inside = |item: &Item| match item.job.machine {
        Machine::Container(id) => Some(id),
        Machine::Host => None,
    };
    items.iter().filter_map(inside).collect()
}
