//! A run that goes by a clock of its own: half a second passes each time somebody looks at it.
use provision::engine::Tally;
use provision::event::{Counts, Ended, Event, Outcome, Sink, Started};
use provision::hub::{Clock, Hub};
use provision::id::{Id, Machine};
use provision::ledger::{Ledger, Lock, Writer};
use provision::report::{Reporter, Silent};
use provision::resource::Change;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// What is written by someone who is given away.
#[derive(Debug, Clone, Default)]
pub struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    /// Returns what was written so far.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// 2026-11-20, noon.
pub fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(498_660)
}

/// Returns a clock that starts at noon.
pub fn clock() -> Clock {
    let ticks = AtomicU64::new(0);
    Arc::new(move || noon() + Duration::from_millis(500 * ticks.fetch_add(1, Ordering::Relaxed)))
}

/// Opens the ledger of a state directory to write.
pub fn writer(state_dir: &Path) -> Writer {
    Writer::open(Lock::take(state_dir, "apply web.toml", noon()).unwrap()).unwrap()
}

/// Opens it so that it is rotated from that many bytes on.
pub fn rotating(state_dir: &Path, rotate_at: u64) -> Writer {
    Writer::open_rotating(Lock::take(state_dir, "apply web.toml", noon()).unwrap(), rotate_at).unwrap()
}

/// Starts a run of `command` that is recorded.
pub fn start(state_dir: &Path, command: &str, reporter: Box<dyn Reporter>) -> Arc<Hub> {
    start_in(writer(state_dir), command, reporter)
}

/// Starts a run of `command` that is recorded in a ledger that is open.
pub fn start_in(writer: Writer, command: &str, reporter: Box<dyn Reporter>) -> Arc<Hub> {
    let hub = Arc::new(Hub::writing(writer, reporter).clock(clock()));
    hub.start(started("web", command)).unwrap();
    hub
}

/// Starts a run of `command` that is not.
pub fn look(command: &str, reporter: Box<dyn Reporter>) -> Arc<Hub> {
    let ledger = Ledger::open(Path::new("/nonexistent/provision")).unwrap();
    let hub = Arc::new(Hub::reading(ledger, reporter).clock(clock()));
    hub.start(started("web", command)).unwrap();
    hub
}

fn started(recipe: &str, command: &str) -> Started {
    Started {
        recipe: recipe.into(),
        file: "web.toml".into(),
        command: command.into(),
        version: "0.1.0".into(),
        ..Started::default()
    }
}

/// Makes one recorded run in which these things are changed on a host with the identity `host`.
pub fn run(state_dir: &Path, things: &[&str]) -> Ended {
    run_in(writer(state_dir), things)
}

/// Makes one of another recipe.
pub fn run_of(state_dir: &Path, recipe: &str, things: &[&str]) -> Ended {
    let hub = Hub::writing(writer(state_dir), Box::new(Silent)).clock(clock());
    hub.start(started(recipe, "apply")).unwrap();
    make_all(&Arc::new(hub), things)
}

/// Makes one in a ledger that is open.
pub fn run_in(writer: Writer, things: &[&str]) -> Ended {
    make_all(&start_in(writer, "apply", Box::new(Silent)), things)
}

fn make_all(hub: &Arc<Hub>, things: &[&str]) -> Ended {
    hub.identify(Machine::Host, "host").unwrap();
    for thing in things {
        make(&**hub, thing);
    }
    hub.end(0, &Tally::default()).unwrap()
}

/// Emits what an engine does while it makes a thing.
pub fn make(sink: &dyn Sink, thing: &str) {
    let id = id(thing);
    let changes = vec![Change::made(&id.name, "new")];
    sink.emit(Event::Checking { ids: vec![id.clone()] }).unwrap();
    sink.emit(Event::Applying { ids: vec![id.clone()], changes: changes.clone(), absent: false }).unwrap();
    sink.emit(finished(&id, Outcome::Changed { changes })).unwrap();
}

/// Returns how a thing ended, with the digest `asked`.
pub fn finished(id: &Id, outcome: Outcome) -> Event {
    Event::Finished { id: id.clone(), outcome, phase: None, digest: "asked".into(), absent: false }
}

/// Reads an id.
pub fn id(text: &str) -> Id {
    text.parse().unwrap()
}

/// Returns a state directory that is not there yet, in a directory that goes when it is dropped.
pub fn state_dir() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    (dir, state)
}

/// Returns where its ledger is.
pub fn ledger_of(state: &Path) -> PathBuf {
    state.join("ledger.jsonl")
}

/// Returns what was found in sync, with these digests.
pub fn tally(held: &[(&str, &str)]) -> Tally {
    let held: std::collections::BTreeMap<_, _> =
        held.iter().map(|(of, digest)| (id(of), (*digest).to_owned())).collect();
    Tally { counts: Counts { in_sync: held.len(), ..Counts::default() }, held }
}
