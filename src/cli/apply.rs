//! `apply`: the plan, a question on a terminal, and the changes.
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session};
use super::show::lines;
use super::{Exit, prompt};
use crate::engine::Mode;
use crate::event::{Event, Sink};
use crate::lanes::Pass;
use crate::recipe::SecretsMode;

/// Brings host and containers to what the recipe says; shows the plan first and, on a terminal, asks.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision apply eidolons.toml\n  provision apply eidolons.toml --yes --restart 203\n  \
                        provision apply web.toml --var domain=example.org"
)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    reach: ReachArgs,
    #[command(flatten)]
    allow: AllowArgs,
    /// Takes away what an earlier form of this recipe made and this one no longer has. Containers and other data only
    /// where `--data` names them.
    #[arg(long, conflicts_with = "only")]
    prune: bool,
    /// Does not ask.
    #[arg(short, long)]
    yes: bool,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let purpose = Purpose {
            command: "apply",
            access: Access::Write,
            secrets: SecretsMode::Required,
            reach: self.reach.clone(),
            allow: &self.allow,
            prune: Some(self.prune),
            show: lines(global, &self.recipe),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        let asks = !self.yes && !global.json && prompt::is_somebody_there();
        session.wait_for_others()?;
        session.run(|go| {
            let planned = go(Pass { mode: Mode::Plan, destroy: false })?;
            let empty = planned.tally.counts.changed == 0 && planned.tally.counts.due == 0;
            if planned.stopped.is_some() || empty {
                return session.end(&planned, false);
            }
            session.warn_of_capacity(&planned)?;
            if planned.tally.counts.changed > 0 {
                session.hub.emit(Event::PlanEnded)?;
            }
            if asks && planned.tally.counts.changed > 0 && !prompt::agrees("apply these changes?")? {
                return session.decline(&planned);
            }
            let passed = go(Pass { mode: Mode::Apply, destroy: false })?;
            session.end(&passed, false)
        })
    }
}
