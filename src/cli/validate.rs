//! `validate`: reads a recipe and says what is wrong with it. Touches no machine.
use super::Exit;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::print::print;
use super::session::{Access, Purpose, Session};
use super::show::silence;
use crate::recipe::SecretsMode;
use std::time::Duration;

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
            prune: None,
            patience: Duration::ZERO,
            show: silence(),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        let count = session.items().map(|item| item.ids().len()).sum::<usize>();
        let warnings = session.recipe.warnings.iter().map(|text| format!("warning: {text}\n"));
        let (found, name, s) = (&session.found, &session.recipe.name, if count == 1 { "" } else { "s" });
        let right = format!("{found}: `{name}` is right: {count} resource{s}\n");
        print(&warnings.chain([right]).collect::<String>())?;
        Ok(0)
    }
}
