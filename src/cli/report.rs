//! `report`: all that somebody needs who is to find a mistake in provision, as one tar, without secrets.
mod dossier;
mod machine;

use super::Exit;
use super::history::find;
use super::options::{Global, RecipeArgs, key_value};
use super::print::print;
use super::session::{given, items, load, options};
use crate::error::{Attempt, Error};
use crate::hub::{Discreet, HIDDEN};
use crate::ledger::{History, Ledger, Run};
use crate::recipe::{Recipe, SecretsMode, called};
use crate::report::{Style, error_text, history};
use crate::system::{Command, NewFile, Real, System};
use dossier::Dossier;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So many runs are in it event by event, up to the one that is asked for.
const RUNS: usize = 5;
/// So many are listed.
const LISTED: usize = 100;
/// What is called a secret and is shorter may be a word of the report.
const SHORTEST: usize = 6;
/// How long a plan may take.
const PLAN: Duration = Duration::from_mins(5);

const README: &str = "\
What `provision report` found on this machine, for who looks into a mistake of provision.

  versions.txt     of provision, the system and the tools that it calls
  plan.txt         what an apply of the recipe would change now
  history.txt      the last runs, a line each
  runs/            the last of them event by event, with what their programs printed
  ledger.txt       whether the ledger is whole
  containers/      how the containers are set, and the last of their journals
  journal.txt      the last of this machine's journal

Values of secrets that are known here, what anything here calls a secret, and what looks like a token, a key, a cookie or a
password, read (secret).
Nobody can know all of them: look through it before you send it.
";

/// Writes one tar for a bug report: versions, the plan, the last runs, containers and journals, without secrets.
///
/// It changes nothing. What is in it is listed in its README.txt; look through it before you send it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision report\n  provision report APPLY20261120-003 --recipe eidolons.toml\n  provision report --output /tmp/report.tar"
)]
pub(super) struct Args {
    /// The run that it is about: its reference, or an end of it that no other run has; without, the last one.
    #[arg(value_name = "REF")]
    reference: Option<String>,
    /// The recipe to plan, where it is another one than the run's or was moved.
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<String>,
    /// Sets a variable of the recipe's [vars]; without, and without --recipe, they are as the run had them. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    var: Vec<(String, String)>,
    /// The file to write; without, `provision-report-REF.tar` here.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let history = Ledger::history(&global.state_dir)?;
        let run = match &self.reference {
            Some(reference) => Some(find(&history, reference, global)?),
            None => history.runs.last(),
        };
        let name = format!("provision-report{}", run.map_or(String::new(), |run| format!("-{}", run.reference)));
        let output = self.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar")));
        let path = new_file(&sys, &output)?;

        let recipe = self.recipe(run);
        let recipe = recipe.map(|recipe| RecipeArgs { recipe, var: self.vars(run) });
        let (mut secrets, unread) = secrets(global, &sys, recipe.as_ref());
        secrets.extend(kept_secrets(&sys));
        let mut dossier = Dossier::new(secrets);
        dossier.text("README.txt", &format!("{README}{unread}"));
        dossier.text("versions.txt", &machine::versions(&sys, run));
        dossier.text("plan.txt", &plan(global, &sys, recipe.as_ref())?);
        runs(&mut dossier, global, &history, run);
        dossier.text("ledger.txt", &ledger(global));
        machine::containers(&mut dossier, &sys, global);
        dossier.text("journal.txt", &machine::journal(&sys));

        let files = dossier.names();
        let content = dossier.tar(&name, sys.now()).attempt(|| format!("writing `{}`", output.display()))?;
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        sys.write(&path, &NewFile { content: &content, uid, gid, mode: 0o600 }, &|_| Ok(()))?;
        print(&if global.json {
            let run = run.map(|run| &run.reference);
            format!("{}\n", json!({ "v": 1, "file": path, "run": run, "size": content.len(), "files": files }))
        } else {
            let size = content.len().div_ceil(1024);
            format!(
                "{}: {} files, {size} KiB; secrets are taken out as far as they are known: look through it before you \
                 send it\n",
                output.display(),
                files.len()
            )
        })?;
        Ok(0)
    }

    /// Returns the recipe that is to be planned.
    fn recipe(&self, run: Option<&Run>) -> Option<String> {
        let of_run = || {
            let file = &run?.started()?.file;
            (!file.is_empty()).then(|| called(file).to_owned())
        };
        self.recipe.clone().or_else(of_run)
    }

    /// Returns the variables with which it is planned: the run's, where they were recorded whole.
    fn vars(&self, run: Option<&Run>) -> Vec<(String, String)> {
        if !self.var.is_empty() || self.recipe.is_some() {
            return self.var.clone();
        }
        let recorded = run.and_then(Run::started).into_iter().flat_map(|started| started.vars.clone());
        recorded.filter(|(_, value)| !value.contains(HIDDEN) && !value.ends_with('…')).collect()
    }
}

/// Returns the values of the recipe's secrets, and what is to be said where they are not known.
fn secrets(global: &Global, sys: &Real, args: Option<&RecipeArgs>) -> (Vec<String>, String) {
    let look = |why: &str| format!("\n{why}, so the values of its secrets are not known: look twice.\n");
    let Some(args) = args else { return (Vec::new(), look("no recipe is known")) };
    let recipe = &args.recipe;
    let loaded = super::find::find(recipe, global, sys)
        .and_then(|found| load(&found, &options(global, args, sys, "", SecretsMode::AtHand)));
    match loaded {
        Ok(loaded) => {
            let is_whole = items(&loaded.stages).all(|item| item.job.unknown.is_empty());
            let unread = format!("\nNot all secrets of `{recipe}` were at hand when this was made: look twice.\n");
            (secrets_of(loaded), if is_whole { String::new() } else { unread })
        }
        Err(_) => (Vec::new(), look(&format!("`{recipe}` can't be loaded (plan.txt says why)"))),
    }
}

/// Returns the secrets of a recipe, and what it calls one.
fn secrets_of(recipe: Recipe) -> Vec<String> {
    let mut called = recipe.called_secret;
    items(&recipe.stages).for_each(|item| {
        given::called_secret(&item.job.fields, &mut called);
        if let Some(source) = &item.job.source {
            called.extend(Discreet::told_by(&String::from_utf8_lossy(source)));
        }
    });
    called.retain(|value| value.len() >= SHORTEST);
    called.into_iter().chain(recipe.secrets).collect()
}

/// Returns what `plan` says of the recipe, in a process of its own.
fn plan(global: &Global, sys: &Real, recipe: Option<&RecipeArgs>) -> Result<String, Exit> {
    let Some(RecipeArgs { recipe, var }) = recipe else {
        return Ok("no recipe is known; --recipe names one\n".to_owned());
    };
    let mut argv = ["plan", recipe].map(str::to_owned).to_vec();
    argv.extend(var.iter().flat_map(|(name, value)| ["--var".to_owned(), format!("{name}={value}")]));
    let shown = Command::new(["provision".to_owned()].into_iter().chain(argv.clone())).shown();
    argv.insert(0, "/proc/self/exe".to_owned());
    argv.extend(["--color", "never"].map(str::to_owned));
    let directories =
        [("--state-dir", &global.state_dir), ("--run-dir", &global.run_dir), ("--trusted-dir", &global.trusted_dir)];
    for (option, directory) in directories {
        let whole = std::path::absolute(directory).attempt(|| format!("finding `{}`", directory.display()))?;
        argv.extend([option.to_owned(), whole.display().to_string()]);
    }
    let here = std::path::absolute(".").attempt(|| "finding the working directory".to_owned())?;
    let command = Command::new(argv).cwd(Some(here)).timeout(PLAN);
    Ok(format!("$ {shown}\n{}", machine::answer(sys, &command)))
}

/// Returns the whole path of a file that is not there yet.
fn new_file(sys: &Real, output: &Path) -> Result<PathBuf, Exit> {
    let attempt = || format!("writing `{}`", output.display());
    let path = std::path::absolute(output).attempt(attempt)?;
    if sys.lstat(&path).attempt(attempt)?.is_some() {
        let error = Error::new(attempt()).reason("it is there already");
        return Err(Exit::Usage(error.remedy("take it away, or name another file with --output")));
    }
    Ok(path)
}

/// Returns the secrets that were generated here, of whatever recipe, and the key of digests.
fn kept_secrets(sys: &Real) -> Vec<String> {
    let names = |path: &Path| sys.list(path).unwrap_or_default();
    let secrets = sys.state_dir().join("secrets");
    let recipes = names(&secrets).into_iter().map(|recipe| secrets.join(recipe));
    let files = recipes.flat_map(|recipe| names(&recipe).into_iter().map(move |name| recipe.join(name)));
    let read = |path: PathBuf| Some(String::from_utf8_lossy(&sys.read(&path).ok()?).into_owned());
    files.chain([sys.state_dir().join("key")]).filter_map(read).collect()
}

fn runs(dossier: &mut Dossier, global: &Global, history: &History, last: Option<&Run>) {
    let all = &history.runs;
    let style = Style { verbose: true, ..Style::plain() };
    dossier.text("history.txt", &history::runs(&all[all.len().saturating_sub(LISTED)..], style));
    let end =
        all.iter().position(|run| Some(&run.reference) == last.map(|last| &last.reference)).map_or(0, |at| at + 1);
    for run in &all[end.saturating_sub(RUNS)..end] {
        // What can't be read of it is no reason to leave out the rest.
        let printed = Ledger::printed(&global.state_dir, &run.reference).unwrap_or_default();
        let run = run.clone().with(printed);
        dossier.text(&format!("runs/{}.txt", run.reference), &history::run(&run, style));
        let events = run.events.iter().filter_map(|envelope| serde_json::to_string(envelope).ok());
        let lines: String = events.map(|line| line + "\n").collect();
        dossier.json(&format!("runs/{}.jsonl", run.reference), &lines);
    }
}

fn ledger(global: &Global) -> String {
    match Ledger::verify(&global.state_dir) {
        Ok(verified) if verified.is_broken() => {
            error_text(&verified.into_reasons(Error::new("verifying the ledger")), false)
        }
        Ok(verified) => verified.sums() + "\n",
        Err(error) => error_text(&error, false),
    }
}
