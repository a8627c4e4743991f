//! What follows an apply, whoever started it: its metrics, and the hook that the machine's configuration names.
use super::Exit;
use super::account::{Account, Shared};
use super::options::Global;
use super::print::warn;
use super::prompt;
use crate::error::{Attempt as _, Error, Result};
use crate::recipe::{self, Config, Hook};
use crate::report::{Measured, error_text, metrics};
use crate::schedule;
use crate::system::{Command, NewFile, Real, System, state};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a machine's configuration is.
const CONFIG: &str = "/etc/provision/config.toml";
/// Where metrics are in the state directory.
const METRICS: &str = "metrics";

/// Which configuration.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ConfigArgs {
    /// Says where metrics go and what runs after a failure or drift; without, /etc/provision/config.toml where it is there.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

impl ConfigArgs {
    /// Reads it. One that is named must be there.
    pub(super) fn read(&self, sys: &dyn System) -> Result<Config, Exit> {
        let path = self.config.as_deref().unwrap_or(Path::new(CONFIG));
        let attempt = || format!("reading `{}`", path.display());
        let whole = std::path::absolute(path).attempt(attempt)?;
        let bytes = match sys.read(&whole) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.config.is_none() => return Ok(Config::default()),
            read => read.attempt(attempt).map_err(Exit::Usage)?,
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| Exit::Usage(Error::new(attempt()).reason("it is not UTF-8").remedy("write it in UTF-8")))?;
        Ok(Config::read(&path.display().to_string(), text)?)
    }
}

/// Writes the metrics of a run and runs the hook. What goes wrong with either is said, and changes nothing else.
pub(super) fn follow(global: &Global, config: &Config, named: &str, account: &Shared, outcome: &Result<i32, Exit>) {
    let (account, sys) = (account.get(), Real::new(global.state_dir.clone()));
    let told = |done: Result<()>| {
        if let Err(error) = done {
            warn(error_text(&error, false).trim_start_matches("error: ").trim_end());
        }
    };
    let code = match outcome {
        Ok(code) => *code,
        Err(exit) => exit.code(),
    };
    // A slip on the command line is seen by who made it.
    let is_news = !account.run.is_empty() || !prompt::is_somebody_there();
    let failed = matches!(code, 1 | 2);
    told(match &account.ended {
        Some(ended) if !account.lanes.is_empty() => {
            let drift = account.drift.iter().map(|(lane, ids)| (lane.clone(), ids.len())).collect();
            let of = Measured {
                recipe: &account.recipe,
                exit: ended.exit,
                at: sys.now(),
                seconds: Some(ended.seconds),
                lanes: &account.lanes,
                drift: &drift,
            };
            write_metrics(&sys, config.metrics.as_deref(), of)
        }
        None if failed && is_news => unfinished(&sys, config.metrics.as_deref(), named, &account, code),
        _ => Ok(()),
    });
    let drifted = !account.drift.is_empty() && account.ended.is_some();
    if let Some(hook) = config.hook.as_ref().filter(|_| is_news && (failed || drifted)) {
        told(run_hook(&sys, hook, named, &account, code));
    }
}

/// Writes the metrics of a run that could not begin, or not come to its end, in place of those that say that all was well.
/// Where there are none, nothing is made.
fn unfinished(sys: &Real, directory: Option<&Path>, named: &str, account: &Account, exit: i32) -> Result<()> {
    let mut known = Some(account.recipe.clone()).filter(|name| !name.is_empty());
    known = known.or_else(|| recipe::find(named).ok()?.name());
    // One that is gone is still scheduled by its name.
    let Some(recipe) = known.map_or_else(|| schedule::of_recipe(sys, named), |name| Ok(Some(name)))? else {
        return Ok(());
    };
    if sys.lstat(&metrics_file(sys, directory, &recipe)).ok().flatten().is_none() {
        return Ok(());
    }
    let (lanes, drift) = (BTreeMap::new(), BTreeMap::new());
    let of = Measured { recipe: &recipe, exit, at: sys.now(), seconds: None, lanes: &lanes, drift: &drift };
    write_metrics(sys, directory, of)
}

fn write_metrics(sys: &Real, directory: Option<&Path>, run: Measured<'_>) -> Result<()> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let text = metrics(run);
    let file = NewFile { content: text.as_bytes(), uid, gid, mode: 0o644 };
    if directory.is_none() {
        state::directory(sys, METRICS)?;
    }
    let written = sys.write(&metrics_file(sys, directory, run.recipe), &file, &|_| Ok(()));
    written.map_err(|error| error.otherwise("make that directory, or let the configuration name another one"))
}

/// Takes away the metrics of a recipe that was destroyed.
pub(super) fn forget(sys: &dyn System, config: &Config, recipe: &str) -> Result<()> {
    let path = metrics_file(sys, config.metrics.as_deref(), recipe);
    if sys.lstat(&path).ok().flatten().is_some() { sys.remove_file(&path) } else { Ok(()) }
}

fn metrics_file(sys: &dyn System, directory: Option<&Path>, recipe: &str) -> PathBuf {
    let directory = directory.map_or_else(|| sys.state_dir().join(METRICS), Path::to_owned);
    directory.join(format!("provision-{recipe}.prom"))
}

fn run_hook(sys: &Real, hook: &Hook, named: &str, account: &Account, code: i32) -> Result<()> {
    let counts = account.ended.as_ref().map(|ended| ended.counts).unwrap_or_default();
    let drift = || account.drift.values().flatten();
    let recipe = if account.recipe.is_empty() { named } else { &account.recipe };
    let lines =
        account.failed.iter().map(|id| format!("failed {id}\n")).chain(drift().map(|id| format!("drift {id}\n")));
    let mut command = Command::new(hook.argv.clone()).stdin(lines.collect::<String>()).timeout(hook.timeout);
    for (name, value) in [
        ("OUTCOME", if matches!(code, 1 | 2) { "failed" } else { "drift" }.to_owned()),
        ("RECIPE", recipe.to_owned()),
        ("FILE", account.file.clone()),
        ("RUN", account.run.clone()),
        ("EXIT", code.to_string()),
        ("DRIFT", drift().count().to_string()),
        ("CHANGED", counts.changed.to_string()),
        ("WAITING", counts.waiting.to_string()),
        ("FAILED", (counts.failed + counts.failed_tests).to_string()),
    ] {
        command = command.env(format!("PROVISION_{name}"), value);
    }
    sys.run(&command)?.success(&command).map(drop)
}
