//! `self uninstall`: this program is taken away; what it made stays.
use super::print::print;
use super::{own_path, prompt};
use crate::cli::Exit;
use crate::cli::options::Global;
use crate::error::{Error, Result};
use crate::ledger::{Ledger, Lock};
use crate::schedule;
use crate::system::{Real, System};
use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

/// Where a person puts what recipes need.
const SETTINGS: &str = "/etc/provision";

/// Takes this program away with its schedules, and says what it leaves: the state directory, recipes, and all that recipes made.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision self uninstall\n  provision self uninstall --yes")]
pub(in crate::cli) struct Args {
    /// Does not ask.
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    /// Runs it.
    pub(in crate::cli) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let path = own_path(&sys, "uninstalling", "apt-get remove provision")?;
        if !self.yes && !prompt::is_somebody_there() {
            let error = Error::new("uninstalling without a terminal").reason("nobody can be asked");
            return Err(Exit::Usage(error.remedy("look at what `provision history` says, then give `--yes`")));
        }
        let is_there = |path: &Path| Ok::<_, Error>(sys.look(path)?.is_some());
        let state = global.state_dir.as_path();
        // Nobody is to be at work meanwhile.
        let lock = || Lock::take(state, "self uninstall", SystemTime::now());
        let _lock = if is_there(state)? { Some(lock()?) } else { None };
        let mut text = format!("takes away {}\n", path.display());
        let scheduled = schedule::of_program(&sys, &path)?;
        for recipe in &scheduled {
            let _ = writeln!(text, "ends the schedule of `{recipe}`");
        }
        if is_there(state)? {
            // Writing to a string does not fail.
            let _ =
                writeln!(text, "leaves {}: the ledger, secrets and copies of what was there before", state.display());
            for recipe in Ledger::open(state)?.state().recipes() {
                let _ =
                    writeln!(text, "leaves what `{recipe}` made; `provision destroy {recipe}` would take that away");
            }
        }
        if is_there(Path::new(SETTINGS))? {
            let _ = writeln!(text, "leaves {SETTINGS}");
        }
        print(&text)?;
        if !self.yes && !prompt::agrees("uninstall provision?")? {
            print("nothing was changed\n")?;
            return Ok(0);
        }
        scheduled.iter().try_for_each(|recipe| schedule::off(&sys, recipe).map(drop))?;
        sys.remove_file(&path)?;
        print("provision is uninstalled\n")?;
        Ok(0)
    }
}
