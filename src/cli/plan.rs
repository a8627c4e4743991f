//! `plan`: what an apply would do. Writes nothing, takes no lock.
use super::Exit;
use super::approved;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session};
use super::show::lines;
use crate::engine::Mode;
use crate::lanes::Pass;
use crate::recipe::SecretsMode;
use std::time::Duration;

/// Shows what an apply would change, and why: new, edited or drifted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision plan eidolons.toml\n  provision plan eidolons.toml --check --only '201/*'"
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
    /// Exits 4 where something differs.
    #[arg(long)]
    check: bool,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let purpose = Purpose {
            command: "plan",
            access: Access::Read,
            secrets: SecretsMode::AtHand,
            reach: self.reach.clone(),
            allow: &self.allow,
            prune: Some(self.prune),
            patience: Duration::ZERO,
            show: lines(global, &self.recipe),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        session.run(|go| {
            let passed = go(Pass { mode: Mode::Plan, destroy: false })?;
            session.say_capacity()?;
            let changes = session.hub.changes();
            if passed.stopped.is_none() && !changes.is_empty() {
                approved::keep(&changes, &global.run_dir, &session.sys);
            }
            let differences = self.check && passed.tally.counts.changed > 0;
            session.end(&passed, differences)
        })
    }
}
