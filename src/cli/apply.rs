//! `apply`: the plan, a question on a terminal, and the changes.
use super::account::Shared;
use super::aftermath::{ConfigArgs, follow};
use super::approved;
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session};
use super::show::lines;
use super::{Exit, prompt};
use crate::engine::Mode;
use crate::event::{Event, Sink};
use crate::field::{Field as _, Period};
use crate::lanes::{Pass, Passed};
use crate::recipe::SecretsMode;
use crate::system::Real;
use std::time::Duration;

/// Brings host and containers to what the recipe says; shows the plan first and, on a terminal, asks.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision apply eidolons.toml\n  provision apply eidolons.toml --yes --restart 203\n  \
                        provision apply web.toml --var domain=example.org\n  \
                        provision apply web.toml --expect 3fa9c1d2e3b4a596"
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
    /// Changes nothing unless its plan has the digest that `plan` printed, and says what differs; then it does not ask.
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    expect: Option<String>,
    /// Waits so long at most for another run that holds the lock, such as `10m`.
    #[arg(long, value_name = "PERIOD", default_value = "0s", hide_default_value = true, value_parser = period)]
    wait: Duration,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Reads how long something takes.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    Period::from_text(text).map(|Period(period)| period)
}

/// Reads the beginning of a digest, or all of it.
fn digest(text: &str) -> Result<String, String> {
    let is_digest = (16..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected the 16 to 64 hexadecimal digits that `plan` prints".into())
    }
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let config = self.config.read(&Real::new(global.state_dir.clone()))?;
        let account = Shared::default();
        let outcome = self.converge(global, &account);
        follow(global, &config, &self.recipe.recipe, &account, &outcome);
        outcome
    }

    fn converge(&self, global: &Global, account: &Shared) -> Result<i32, Exit> {
        let purpose = Purpose {
            command: "apply",
            access: Access::Write,
            secrets: SecretsMode::Required,
            reach: self.reach.clone(),
            allow: &self.allow,
            prune: Some(self.prune),
            patience: self.wait,
            show: account.beside(lines(global, &self.recipe)),
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        let asks = !self.yes && self.expect.is_none() && !global.json && prompt::is_somebody_there();
        session.wait_for_others()?;
        let end = |passed: &Passed| {
            account.passed(passed);
            session.end(passed, false)
        };
        session.run(|go| {
            let planned = go(Pass { mode: Mode::Plan, destroy: false })?;
            let empty = planned.tally.counts.changed == 0 && planned.tally.counts.due == 0;
            if let Some(expected) = self.expect.as_ref().filter(|_| planned.stopped.is_none()) {
                let changes = session.hub.changes();
                if changes.is_empty() && planned.tally.counts.failed == 0 {
                    let text = "what was expected is not needed any more: nothing is to be changed".to_owned();
                    session.hub.emit(Event::Warned { text })?;
                } else if changes.is_empty() || !changes.digest().starts_with(expected) {
                    let known = approved::find(expected, &global.run_dir, &session.sys);
                    return session.refuse(&planned, expected, known.as_ref());
                }
            }
            if planned.stopped.is_some() || empty {
                return end(&planned);
            }
            session.say_capacity()?;
            if planned.tally.counts.changed > 0 {
                session.hub.emit(Event::PlanEnded)?;
            }
            if asks && planned.tally.counts.changed > 0 && !prompt::agrees("apply these changes?")? {
                return session.decline(&planned);
            }
            session.keep_held(&planned)?;
            let passed = go(Pass { mode: Mode::Apply, destroy: false })?;
            end(&passed)
        })
    }
}
