//! What a converge that changes nothing costs, against a floor that only lstats, opens, reads and compares the same files.
//!
//! `cargo bench --bench converge` prints, for 100, 1000 and 5000 files of 1 KiB with owner, group and mode, in N/50
//! directories, the medians of both in CPU time and of the ratio of neighbouring runs. Numbers as arguments replace those.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the floor reads by itself, and the result is shown"
)]
use nix::time::{ClockId, clock_gettime};
use provision::engine::{Course, Mode, Scope, Tally, converge};
use provision::error::Error;
use provision::event::{Sink, Started};
use provision::hub::Hub;
use provision::id::Machine;
use provision::item::{Item, JobItem};
use provision::ledger::{Lock, LockError, Writer};
use provision::report::Silent;
use provision::resource::Want;
use provision::system::{Real, passwd};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{File, symlink_metadata};
use std::hint::black_box;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![100, 1000, 5000] } else { asked };
    println!("{:>6} {:>11} {:>11} {:>7}   {:<13} pairs", "files", "floor", "converge", "ratio", "quartiles");
    for count in counts {
        let field = Field::new(count)?;
        let mut pairs = field.measured(40_000 / count.max(1))?;
        let (floor, whole) = (median(&mut pairs, |pair| pair.0), median(&mut pairs, |pair| pair.1));
        let mut ratios: Vec<f64> = pairs.iter().map(|(floor, whole)| whole / floor).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |quarter: usize| ratios[(ratios.len() - 1) * quarter / 4];
        let quartiles = format!("{:.2} to {:.2}", at(1), at(3));
        let (floor, whole) = (format!("{:.3} ms", floor * 1e3), format!("{:.3} ms", whole * 1e3));
        println!("{count:>6} {floor:>11} {whole:>11} {:>7.2}   {quartiles:<13} {}", at(2), pairs.len());
    }
    Ok(())
}

/// Returns the CPU time of this thread, which other work on this machine does not lengthen.
fn cpu_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn median(pairs: &mut [(f64, f64)], of: impl Fn(&(f64, f64)) -> f64) -> f64 {
    pairs.sort_by(|a, b| of(a).total_cmp(&of(b)));
    of(&pairs[pairs.len() / 2])
}

/// Files on this machine, and the items that ask for them.
struct Field {
    _scratch: tempfile::TempDir,
    state_dir: PathBuf,
    owner: (u32, u32),
    files: Vec<(PathBuf, Vec<u8>)>,
    items: Vec<Item>,
}

impl Field {
    fn new(count: usize) -> Result<Self> {
        let scratch = tempfile::tempdir()?;
        let state_dir = scratch.path().join("state");
        // Root gives its files to somebody whose name must be looked up; anybody else can only keep them.
        let accounts = passwd::accounts(&Real::new(&state_dir))?;
        let uid = symlink_metadata(scratch.path())?.uid();
        let user = if uid == 0 { accounts.user("nobody") } else { accounts.user_of(uid) };
        let user = user.ok_or("this user has no line in /etc/passwd")?;
        let group = accounts.group_of(user.gid).ok_or("this user's group has no line in /etc/group")?;
        let mut items = Vec::new();
        let mut files = Vec::new();
        for number in 0..count.div_ceil(50) {
            let path = scratch.path().join(format!("directory-{number:03}"));
            items.push(item("directory", &json!({ "path": path, "owner": user.name, "mode": "0755" }))?);
        }
        for number in 0..count {
            let path = scratch.path().join(format!("directory-{:03}/file-{number:04}.conf", number / 50));
            let content = format!("{:<1023}\n", format!("option {number} = "));
            let fields = json!({
                "path": path, "content": content, "owner": user.name, "group": group.name, "mode": "0640"
            });
            items.push(item("file", &fields)?);
            files.push((path, content.into_bytes()));
        }
        let field = Self { _scratch: scratch, state_dir, owner: (user.uid, user.gid), files, items };
        let first = field.run(&Real::new(&field.state_dir))?;
        assert_eq!(
            (first.counts.changed, first.counts.failed),
            (field.items.len(), 0),
            "the first run makes everything"
        );
        Ok(field)
    }

    /// Applies once, as a run of its own with ledger and hub; returns how it went and how long `converge` took.
    fn timed(&self, sys: &Real) -> Result<(Tally, Duration)> {
        let lock = Lock::take(&self.state_dir, "apply", SystemTime::now()).map_err(|error| match error {
            LockError::Held(holder) => Error::new(format!("taking the lock: {holder:?} holds it")),
            LockError::Failed(error) => error,
        })?;
        let hub = Hub::writing(Writer::open(lock)?, Box::new(Silent));
        hub.start(Started { recipe: "bench".to_owned(), command: "apply".to_owned(), ..Started::default() })?;
        hub.identify(Machine::Host, "here")?;
        let known = hub.known(Machine::Host, "here");
        let sink: &dyn Sink = &hub;
        let scope = Scope { mode: Mode::Apply, destroy: false, known: &known, sys, sink, turn: None, only: &[] };
        let began = cpu_time()?;
        let tally = converge(&self.items, scope, &mut Course::default())?;
        let time = cpu_time()?.saturating_sub(began);
        hub.end(0, &tally)?;
        Ok((tally, time))
    }

    fn run(&self, sys: &Real) -> Result<Tally> {
        self.timed(sys).map(|(tally, _)| tally)
    }

    fn converge(&self) -> Result<f64> {
        let (tally, time) = self.timed(&Real::new(&self.state_dir))?;
        assert_eq!((tally.counts.in_sync, tally.counts.changed), (self.items.len(), 0), "nothing is left to do");
        Ok(time.as_secs_f64())
    }

    fn floor(&self) -> Result<f64> {
        let mut bytes = vec![0; 4096];
        let began = cpu_time()?;
        let same = self.files.iter().try_fold(0, |same, (path, content)| {
            is_same(path, content, self.owner, &mut bytes).map(|is| same + usize::from(is))
        })?;
        let time = cpu_time()?.saturating_sub(began);
        assert_eq!(black_box(same), self.files.len());
        Ok(time.as_secs_f64())
    }

    /// Returns the times of both, side by side, each first in every other pair.
    fn measured(&self, pairs: usize) -> Result<Vec<(f64, f64)>> {
        self.floor()?;
        self.converge()?;
        (0..pairs.clamp(9, 201))
            .map(|number| {
                if number % 2 == 0 {
                    Ok((self.floor()?, self.converge()?))
                } else {
                    let whole = self.converge()?;
                    Ok((self.floor()?, whole))
                }
            })
            .collect()
    }
}

fn is_same(path: &Path, content: &[u8], owner: (u32, u32), bytes: &mut [u8]) -> std::io::Result<bool> {
    let is = symlink_metadata(path)?;
    let fits = is.is_file() && (is.uid(), is.gid()) == owner && is.mode() & 0o7777 == 0o640;
    let size = File::open(path)?.read(bytes)?;
    Ok(fits && bytes[..size] == *content)
}

fn item(kind: &str, fields: &serde_json::Value) -> Result<Item> {
    Ok(Item::receive(JobItem {
        machine: Machine::Host,
        kind: kind.to_owned(),
        fields: fields.clone(),
        phase: None,
        gate: None,
        want: Want::Present,
        timeout: Duration::from_mins(10),
        retries: 0,
        source: None,
        secret: BTreeSet::new(),
        unknown: BTreeSet::new(),
        digest: "9f3b1c7de2a45068".to_owned(),
        place: String::new(),
    })?)
}
