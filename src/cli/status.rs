//! `status`: the checklist, phases and lanes, from the machine.
use super::Exit;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session};
use super::show::checklist;
use crate::engine::Mode;
use crate::lanes::Pass;
use crate::recipe::SecretsMode;
use std::time::Duration;

/// Shows the checklist: a row a phase, a column a lane, each cell the worst of its resources.
///
/// Runs the tests, changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision status eidolons.toml\n  provision status eidolons.toml --only '201/*'")]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    #[command(flatten)]
    reach: ReachArgs,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let purpose = Purpose {
            command: "status",
            access: Access::Read,
            secrets: SecretsMode::AtHand,
            reach: self.reach.clone(),
            allow: &AllowArgs::default(),
            prune: None,
            patience: Duration::ZERO,
            show: checklist(global),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        session.run(|go| {
            let passed = go(Pass { mode: Mode::Status, destroy: false })?;
            session.end(&passed, false)
        })
    }
}
