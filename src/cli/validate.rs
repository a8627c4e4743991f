//! `validate`: reads a recipe and says what is wrong with it. Touches no machine.
use super::Exit;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session, silence};
use crate::error::Attempt;
use crate::recipe::SecretsMode;
use std::io::Write;

/// Reads a recipe and everything that it includes, and names every mistake. Looks at no machine.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision validate eidolons.toml\n  provision validate web.toml --var domain=example.org"
)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let purpose = Purpose {
            command: "validate",
            access: Access::Read,
            secrets: SecretsMode::AtHand,
            reach: ReachArgs { only: Vec::new(), jobs: 1 },
            allow: &AllowArgs::default(),
            show: silence(),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        let count = session.items().map(|item| item.ids().len()).sum::<usize>();
        writeln!(
            std::io::stdout(),
            "{}: `{}` is right: {count} resource{}",
            session.found,
            session.recipe.name,
            if count == 1 { "" } else { "s" }
        )
        .attempt(|| "printing".to_owned())?;
        Ok(0)
    }
}
