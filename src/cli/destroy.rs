//! `destroy`: takes away what is ours, in reverse order.
use super::aftermath::{ConfigArgs, forget};
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session};
use super::show::lines;
use super::{Exit, prompt};
use crate::engine::Mode;
use crate::error::Error;
use crate::event::{Event, Sink};
use crate::lanes::Pass;
use crate::recipe::SecretsMode;
use crate::schedule;
use crate::system::Real;
use std::time::Duration;

/// Takes away what this recipe made, in reverse order; containers and other data only where `--data` names them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision destroy eidolons.toml\n  provision destroy eidolons.toml --data 207 --only '*container:207'"
)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    reach: ReachArgs,
    /// Destroys this container, or other data, too. May be repeated.
    #[arg(long, value_name = "ID")]
    data: Vec<String>,
    /// Does not ask.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let allow = AllowArgs { data: self.data.clone(), ..AllowArgs::default() };
        let asks = !self.yes && !global.json && prompt::is_somebody_there();
        if !self.yes && !asks {
            let attempt = if global.json { "destroying with `--json`" } else { "destroying without a terminal" };
            let error = Error::new(attempt).reason("nobody can be asked");
            return Err(Exit::Usage(error.remedy("look at the recipe, then give `--yes`")));
        }
        let config = self.config.read(&Real::new(global.state_dir.clone()))?;
        let purpose = Purpose {
            command: "destroy",
            access: Access::Write,
            secrets: SecretsMode::AtHand,
            reach: self.reach.clone(),
            allow: &allow,
            prune: None,
            patience: Duration::ZERO,
            show: lines(global, &self.recipe),
        };
        let mut session = Session::open(global, &self.recipe, purpose)?;
        if schedule::recipes(&session.sys)?.contains(&session.recipe.name) {
            let name = &session.recipe.name;
            let text =
                format!("it is scheduled, so it will be applied again: `provision schedule {name} --off` ends that");
            session.hub.emit(Event::Warned { text })?;
        }
        session.wait_for_others()?;
        let left = session.leave_to_others()?;
        session.remark_orphans()?;
        let code = session.run(|go| {
            let mut planned = go(Pass { mode: Mode::Plan, destroy: true })?;
            if planned.stopped.is_some() {
                planned.tally = planned.tally.without_left();
            }
            if planned.tally.counts.changed == 0 || planned.stopped.is_some() {
                planned.tally.held.extend(left);
                return session.end(&planned, false);
            }
            session.hub.emit(Event::PlanEnded)?;
            if asks && !prompt::agrees("take all of this away?")? {
                return session.decline(&planned);
            }
            let mut passed = go(Pass { mode: Mode::Apply, destroy: true })?;
            passed.tally.held.extend(left);
            session.end(&passed, false)
        })?;
        if code == 0 && self.reach.only.is_empty() {
            forget(&session.sys, &config, &session.recipe.name)?;
        }
        Ok(code)
    }
}
