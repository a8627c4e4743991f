//! `schedule`: a recipe is applied again and again by systemd, so that what drifts is repaired.
use super::Exit;
use super::aftermath::ConfigArgs;
use super::apply::period;
use super::find::find;
use super::named;
use super::options::{Global, ReachArgs, RecipeArgs, key_value};
use super::print::{print, warn};
use super::session::{given, items, load, options};
use crate::error::{Attempt as _, Error};
use crate::id::Id;
use crate::item::Item;
use crate::ledger::rfc3339;
use crate::recipe::{Address, At, Found, Origin, Recipe, SecretsMode};
use crate::resource::Allowed;
use crate::schedule::{self, Schedule, Scheduled, When};
use crate::system::{Command, Real, System, without_login};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How long a run waits for another one.
const WAIT: &str = "10m";

/// Has systemd apply a recipe again and again, so that what drifts is repaired. Without RECIPE, lists what is scheduled.
///
/// The first run is at once, and one soon after each boot. What needs a person's word waits for a person.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision schedule eidolons.toml --every 30m\n  \
                        provision schedule web --calendar 'Mon..Fri 03:00' --var domain=example.org\n  \
                        provision schedule\n  provision schedule eidolons --off")]
pub(super) struct Args {
    /// The recipe: a file, the name of one in /etc/provision/recipes or among those that ship, or a bundle.
    #[arg(value_name = "RECIPE", requires = "how")]
    recipe: Option<String>,
    /// How long after the last time: `30m`, `12h`, `1d`.
    #[arg(long, value_name = "PERIOD", value_parser = every, group = "how", requires = "recipe")]
    every: Option<Duration>,
    /// When, as systemd.time(7) has it: `daily`, `Mon..Fri 03:00`. What was missed is made up for.
    #[arg(long, value_name = "TIME", group = "how", requires = "recipe")]
    calendar: Option<String>,
    /// Ends it; without RECIPE, all.
    #[arg(long, group = "how")]
    off: bool,
    /// Sets a variable of the recipe's [vars], as `apply` does. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    var: Vec<(String, String)>,
    #[command(flatten)]
    reach: ReachArgs,
    /// Takes away what the recipe no longer has, but for containers and other data.
    #[arg(long, conflicts_with = "only")]
    prune: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

fn every(text: &str) -> Result<Duration, String> {
    match period(text)? {
        period if period < Duration::from_secs(1) => Err("a second is the least".to_owned()),
        period if period > Duration::from_hours(24 * 365) => Err("a year is the most".to_owned()),
        period => Ok(period),
    }
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        match (&self.recipe, self.off) {
            (Some(recipe), false) => self.set(global, &sys, recipe)?,
            (Some(recipe), true) => self.off(global, &sys, recipe)?,
            (None, true) => {
                for recipe in schedule::off_all(&sys)? {
                    print(&format!("{recipe} is not scheduled any more\n"))?;
                }
            }
            (None, false) => {
                let all = schedule::list(&sys)?;
                let line = if global.json { json } else { shown };
                print(&all.iter().map(line).collect::<String>())?;
            }
        }
        Ok(0)
    }

    fn set(&self, global: &Global, sys: &Real, named: &str) -> Result<(), Exit> {
        let found = find(named, global, sys)?;
        let loaded = self.load(global, sys, named, &found)?;
        let ids: Vec<Id> = items(&loaded.stages).flat_map(Item::ids).collect();
        if let Some(mistake) = named::mistake(&ids, &loaded.name, &self.reach, &Allowed::default()) {
            return Err(Exit::Usage(mistake));
        }
        let recorded = given::recorded(&self.var, &loaded);
        if let Some((name, _)) = self.var.iter().find(|(name, value)| recorded.get(name) != Some(value)) {
            let error = Error::new(format!("scheduling `{}` with `--var {name}`", loaded.name));
            let error =
                error.reason("its value is taken for a secret, and everybody can read the unit that would have it");
            let remedy =
                "let the recipe have it from its [secrets]: from a file, or from /etc/provision/environment by `env`";
            return Err(Exit::Usage(error.remedy(remedy)));
        }
        self.config.read(sys)?;
        let when = match (&self.every, &self.calendar) {
            (Some(every), _) => When::Every(*every),
            (None, calendar) => When::Calendar(calendar_of(sys, calendar.as_deref().unwrap_or_default())?),
        };
        let (recipe, argv) = (loaded.name, self.argv(global, sys, named, &found)?);
        let schedule = Schedule { recipe, argv, when };
        let is_news = schedule::set(sys, &schedule)?;
        let (recipe, when, already) = (&schedule.recipe, &schedule.when, if is_news { "" } else { " already" });
        print(&format!("{recipe} is applied {when}{already}; `journalctl -u provision-{recipe}` has what it says\n"))?;
        Ok(())
    }

    fn load(&self, global: &Global, sys: &Real, named: &str, found: &Found) -> Result<Recipe, Exit> {
        let args = RecipeArgs { recipe: named.to_owned(), var: self.var.clone() };
        load(found, &options(global, &args, sys, "", SecretsMode::AtHand))
    }

    /// Returns what is run: `apply`, of the same recipe from wherever it is started.
    fn argv(&self, global: &Global, sys: &Real, named: &str, found: &Found) -> Result<Vec<String>, Exit> {
        let binary = sys.read_link(Path::new("/proc/self/exe")).attempt(|| "finding this program".to_owned())?;
        let recipe = match found.origin {
            Origin::Here => whole(&found.path)?,
            Origin::Machine | Origin::Binary => named.to_owned(),
            Origin::Bundle { .. } => whole_address(named)?,
        };
        let read = [Some(binary.as_path()), (found.origin == Origin::Here).then(|| Path::new(&recipe))];
        for path in read.into_iter().flatten() {
            if let Some(open) = schedule::open_to_others(sys, path) {
                let text = "can be written by others than root, who are then root here";
                warn(&format!("`{}` is run by root from now on, and `{}` {text}", path.display(), open.display()));
            }
        }
        let mut argv = vec![word_of(&binary)?, "apply".into(), recipe, "--yes".into()];
        argv.extend(["--wait".into(), WAIT.into()]);
        argv.extend(self.var.iter().flat_map(|(name, value)| ["--var".into(), format!("{name}={value}")]));
        argv.extend(self.reach.only.iter().flat_map(|glob| ["--only".into(), glob.clone()]));
        if self.reach.jobs != ReachArgs::JOBS {
            argv.extend(["--jobs".into(), self.reach.jobs.to_string()]);
        }
        argv.extend(self.prune.then(|| "--prune".into()));
        if let Some(config) = &self.config.config {
            argv.extend(["--config".into(), whole(config)?]);
        }
        let directories = [
            ("--state-dir", &global.state_dir, Global::STATE_DIR),
            ("--run-dir", &global.run_dir, Global::RUN_DIR),
            ("--trusted-dir", &global.trusted_dir, Global::TRUSTED_DIR),
        ];
        for (option, directory, default) in directories {
            if directory != Path::new(default) {
                argv.extend([option.into(), whole(directory)?]);
            }
        }
        argv.extend(global.json.then(|| "--json".into()));
        argv.extend(global.verbose.then(|| "--verbose".into()));
        Ok(argv)
    }

    /// Ends the schedule of a recipe: of that name, or of the name that the file has.
    fn off(&self, global: &Global, sys: &Real, named: &str) -> Result<(), Exit> {
        let of_file = || {
            let found = find(named, global, sys).ok()?;
            self.load(global, sys, named, &found).ok().map(|loaded| loaded.name)
        };
        let is_name = !named.contains('/');
        let ended = if is_name && schedule::off(sys, named)? {
            named.to_owned()
        } else {
            match of_file() {
                Some(name) if schedule::off(sys, &name)? => name,
                name => {
                    let why = name.map_or("it is not scheduled, and no recipe is there".to_owned(), |name| {
                        format!("no recipe `{name}` is scheduled")
                    });
                    let error = Error::new(format!("ending the schedule of `{named}`")).reason(why);
                    return Err(Exit::Usage(error.remedy("`provision schedule` lists what is scheduled, by its name")));
                }
            }
        };
        print(&format!("{ended} is not scheduled any more\n"))?;
        Ok(())
    }
}

/// Returns the address of a bundle from wherever it is named.
fn whole_address(named: &str) -> Result<String, Exit> {
    match Address::parse(named).map_err(Exit::Usage)? {
        Some(Address { at: At::File(path), sha256 }) => {
            Ok(whole(&path)? + &sha256.map_or_else(String::new, |sha256| format!("#sha256={sha256}")))
        }
        Some(Address { at: at @ At::Url(_), .. }) if without_login(named) != named => {
            let error = Error::new(format!("scheduling `{at}`"));
            let error = error.reason("its address has a password, and everybody can read the unit that would have it");
            let remedy = "have the server give it to all: the digest or the signature tells that it is the right one";
            Err(Exit::Usage(error.remedy(remedy)))
        }
        _ => Ok(named.to_owned()),
    }
}

fn whole(path: &Path) -> Result<String, Exit> {
    let whole: PathBuf = std::path::absolute(path).attempt(|| format!("finding `{}`", path.display()))?;
    word_of(&whole)
}

/// Returns a path as an argument of the command that a unit has.
fn word_of(path: &Path) -> Result<String, Exit> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let error = Error::new(format!("scheduling `{}`", path.display()));
        let error = error.reason("its name is not UTF-8, and a unit would have another one");
        Exit::Usage(error.remedy("give it, and what it is in, another name"))
    })
}

/// Returns a time that systemd understands.
fn calendar_of(sys: &Real, text: &str) -> Result<String, Exit> {
    let command = Command::new(["systemd-analyze", "calendar", "--", text]).timeout(Duration::from_mins(1));
    let is_line = !text.chars().any(char::is_control);
    if is_line && sys.run(&command)?.code == 0 {
        return Ok(text.to_owned());
    }
    let error = Error::new("reading `--calendar`").reason(format!("`{}` is no time to systemd", text.escape_debug()));
    Err(Exit::Usage(error.remedy("write it as systemd.time(7) has it, such as `daily` or `Mon..Fri 03:00`")))
}

fn json(scheduled: &Scheduled) -> String {
    serde_json::to_string(scheduled).map(|line| line + "\n").unwrap_or_default()
}

fn shown(scheduled: &Scheduled) -> String {
    let Scheduled { recipe, when, running, next, last, succeeded } = scheduled;
    let time = |at: &Option<u64>| {
        let at = at.map(|at| rfc3339(SystemTime::UNIX_EPOCH + Duration::from_micros(at)));
        at.map_or("never".to_owned(), |at| format!("{} UTC", at[..19].replace('T', " ")))
    };
    let next = if *running { "now".to_owned() } else { time(next) };
    let failed = if *succeeded { "" } else { " (failed)" };
    format!("{recipe}  {when}  next {next}  last {}{failed}\n", time(last))
}
