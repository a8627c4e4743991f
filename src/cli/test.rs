//! `test`: runs the tests of a recipe.
use super::Exit;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session};
use super::show::lines;
use crate::engine::Mode;
use crate::lanes::Pass;
use crate::recipe::SecretsMode;
use std::time::Duration;

/// Runs the recipe's tests and says of each how it ended. Changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision test eidolons.toml\n  provision test eidolons.toml --only '201/test:*'")]
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
            command: "test",
            access: Access::Read,
            secrets: SecretsMode::AtHand,
            reach: self.reach.clone(),
            allow: &AllowArgs::default(),
            prune: None,
            patience: Duration::ZERO,
            show: lines(global, &self.recipe),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        session.run(|go| {
            let passed = go(Pass { mode: Mode::Test, destroy: false })?;
            session.end(&passed, false)
        })
    }
}
