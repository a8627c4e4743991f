//! Recipes that are applied again and again: a systemd service and timer each, written, taken away and listed.
mod text;

use crate::error::{Attempt as _, Error, Result};
use crate::system::unit_file::UNIT_DIRECTORY;
use crate::system::{Command, NewFile, System, systemctl};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use text::{MARK, applies, runs, service, timer, when};

const TIMEOUT: Duration = Duration::from_mins(1);

/// A recipe that is to be applied again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The recipe's name.
    pub recipe: String,
    /// What is run: the program by its whole path, and its arguments.
    pub argv: Vec<String>,
    /// When.
    pub when: When,
}

/// When a recipe is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// So long after the last time, and soon after a boot.
    Every(Duration),
    /// As systemd.time(7) has it; what was missed is made up for.
    Calendar(String),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(period) => write!(f, "every {}", text::period(*period)),
            Self::Calendar(calendar) => write!(f, "at {calendar}"),
        }
    }
}

/// A recipe that is scheduled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// The recipe's name.
    pub recipe: String,
    /// When it is applied: `every 30m`.
    pub when: String,
    /// It is being applied just now.
    pub running: bool,
    /// The next time, in microseconds since 1970; none: it is being applied, the timer does not run, or systemd does not say.
    pub next: Option<u64>,
    /// The last time.
    pub last: Option<u64>,
    /// Whether the last time succeeded; a wait for a person does.
    pub succeeded: bool,
}

/// Returns the names and the texts of the units that a package brings, for those who enable them by hand.
pub fn templates() -> [(&'static str, String); 2] {
    text::templates()
}

/// Schedules a recipe; false where all is so already.
pub fn set(sys: &dyn System, schedule: &Schedule) -> Result<bool> {
    let attempt = || format!("scheduling `{}`", schedule.recipe);
    let [of_service, of_timer] = units(&schedule.recipe);
    let names = [of_service.as_str(), of_timer.as_str()];
    let known = systemctl::show(sys, names)?;
    if !known.running {
        let by_hand =
            format!("let what starts programs here, such as cron, run `{}`", Command::new(&schedule.argv).shown());
        return Err(Error::new(attempt()).reason("systemd does not run here").remedy(by_hand));
    }
    let mut is_news = false;
    for (name, text) in [(&of_service, service(schedule)), (&of_timer, timer(schedule))] {
        let path = Path::new(UNIT_DIRECTORY).join(name);
        let there = read(sys, &path)?;
        if there.as_ref().is_some_and(|there| !there.starts_with(MARK)) {
            let error =
                Error::new(attempt()).reason(format!("`{}` was not written by `provision schedule`", path.display()));
            return Err(error.remedy("take it away, or give the recipe another `name`"));
        }
        if there.as_ref() != Some(&text) {
            let file = NewFile { content: text.as_bytes(), uid: 0, gid: 0, mode: 0o644 };
            sys.write(&path, &file, &|_| Ok(()))?;
            is_news = true;
        }
    }
    let holds = |name: &str| known.get(name).is_some_and(|unit| !unit.needs_reload);
    let runs = known.get(&of_timer).is_some_and(|unit| unit.is_active() && unit.file_state == "enabled");
    if !is_news && runs && names.into_iter().all(holds) {
        return Ok(false);
    }
    systemctl(sys, &["daemon-reload"])?;
    systemctl(sys, &["enable", "--quiet", &of_timer])?;
    systemctl(sys, &["restart", &of_timer])?;
    Ok(true)
}

/// Ends the schedule of a recipe, by the recipe's name; false where there is none. A run that is under way comes to its end.
pub fn off(sys: &dyn System, recipe: &str) -> Result<bool> {
    let [of_service, of_timer] = units(recipe);
    let path = |name: &str| Path::new(UNIT_DIRECTORY).join(name);
    let mut ours = Vec::new();
    for name in [&of_timer, &of_service] {
        if read(sys, &path(name))?.is_some_and(|text| text.starts_with(MARK)) {
            ours.push(path(name));
        }
    }
    if ours.is_empty() {
        return Ok(false);
    }
    let running = systemctl::show(sys, [of_timer.as_str()])?.running;
    if running {
        systemctl(sys, &["stop", &of_timer])?;
    }
    sys.remove_file(&path("timers.target.wants").join(&of_timer))?;
    // The timer is first and goes last: as long as it is there, a killed `off` is known to be unfinished.
    ours.iter().rev().try_for_each(|path| sys.remove_file(path))?;
    sys.remove_file(&Path::new("/var/lib/systemd/timers").join(format!("stamp-{of_timer}")))?;
    if running {
        systemctl(sys, &["daemon-reload"])?;
        // It is forgotten, so that nothing of it is left among the failed; one that did not fail is not known any more.
        sys.run(&Command::new(["systemctl", "reset-failed", "--", &of_service]).timeout(TIMEOUT))?;
    }
    Ok(true)
}

/// Ends every schedule, and returns the names of the recipes.
pub fn off_all(sys: &dyn System) -> Result<Vec<String>> {
    let recipes = recipes(sys)?;
    recipes.iter().try_for_each(|recipe| off(sys, recipe).map(drop))?;
    Ok(recipes)
}

/// Returns what is scheduled, in the order of the names.
pub fn list(sys: &dyn System) -> Result<Vec<Scheduled>> {
    let recipes = recipes(sys)?;
    let all: Vec<[String; 2]> = recipes.iter().map(|recipe| units(recipe)).collect();
    let known = systemctl::show(sys, all.iter().map(|[service, _]| service.as_str()))?;
    let times = if known.running && !all.is_empty() { times(sys)? } else { Vec::new() };
    let scheduled = recipes.into_iter().zip(&all).map(|(recipe, [service, timer])| {
        let text = read(sys, &Path::new(UNIT_DIRECTORY).join(timer))?.unwrap_or_default();
        let time = times.iter().find(|time| time.unit == *timer);
        let at = |of: fn(&Time) -> Option<u64>| time.and_then(of).filter(|at| *at > 0);
        let state = known.get(service).map_or("", |unit| unit.active.as_str());
        let (running, succeeded) = (state == "activating", state != "failed");
        let (next, last) = (at(|time| time.next), at(|time| time.last));
        Ok(Scheduled { recipe, when: when(&text), running, next, last, succeeded })
    });
    scheduled.collect()
}

/// Returns the names of the recipes that are scheduled.
pub fn recipes(sys: &dyn System) -> Result<Vec<String>> {
    let attempt = || format!("reading `{UNIT_DIRECTORY}`");
    let names = match sys.list(Path::new(UNIT_DIRECTORY)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        names => names.attempt(attempt)?,
    };
    let mut recipes = Vec::new();
    for name in names.iter().filter_map(|name| name.to_str()) {
        let Some(recipe) = name.strip_prefix("provision-").and_then(|name| name.strip_suffix(".timer")) else {
            continue;
        };
        if read(sys, &Path::new(UNIT_DIRECTORY).join(name))?.is_some_and(|text| text.starts_with(MARK)) {
            recipes.push(recipe.to_owned());
        }
    }
    Ok(recipes)
}

/// Returns those that a program applies; and those without a service, which a killed `off` did not end.
pub fn of_program(sys: &dyn System, program: &Path) -> Result<Vec<String>> {
    let (program, mut applied) = (program.display().to_string(), Vec::new());
    for recipe in recipes(sys)? {
        let [service, _] = units(&recipe);
        if read(sys, &Path::new(UNIT_DIRECTORY).join(service))?.is_none_or(|text| runs(&text, &program)) {
            applied.push(recipe);
        }
    }
    Ok(applied)
}

/// Returns the name of the recipe that is applied by what `apply` is given: a path, a name or an address.
pub fn of_recipe(sys: &dyn System, named: &str) -> Result<Option<String>> {
    for recipe in recipes(sys)? {
        let [service, _] = units(&recipe);
        if read(sys, &Path::new(UNIT_DIRECTORY).join(service))?.is_some_and(|text| applies(&text, named)) {
            return Ok(Some(recipe));
        }
    }
    Ok(None)
}

/// Returns the names of a recipe's service and timer.
fn units(recipe: &str) -> [String; 2] {
    ["service", "timer"].map(|kind| format!("provision-{recipe}.{kind}"))
}

fn read(sys: &dyn System, path: &Path) -> Result<Option<String>> {
    match sys.read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}

fn systemctl(sys: &dyn System, arguments: &[&str]) -> Result<()> {
    let command = Command::new([&["systemctl"], arguments].concat()).timeout(TIMEOUT);
    sys.run(&command)?.success(&command).map(drop)
}

/// When a timer elapses, and when it last did.
#[derive(Debug, Deserialize)]
struct Time {
    unit: String,
    next: Option<u64>,
    last: Option<u64>,
}

fn times(sys: &dyn System) -> Result<Vec<Time>> {
    let argv = ["systemctl", "list-timers", "--all", "--no-pager", "--output", "json", "provision-*.timer"];
    let command = Command::new(argv).timeout(TIMEOUT);
    let text = sys.run(&command)?.success(&command)?.text();
    // A systemd that knows no JSON here says no times.
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

/// Returns the first of a path and the directories above it that somebody else than root can write, or put another in place of.
pub fn open_to_others(sys: &dyn System, path: &Path) -> Option<PathBuf> {
    let is_open = |path: &&Path| {
        let stat = sys.lstat(path).ok().flatten();
        stat.is_some_and(|stat| stat.uid != 0 || (stat.mode & 0o022 != 0 && stat.mode & 0o1000 == 0))
    };
    path.ancestors().find(is_open).map(Path::to_owned)
}
