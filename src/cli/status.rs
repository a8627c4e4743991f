//! `status`: the checklist, phases and lanes, from the machine.
use super::options::{AllowArgs, Global, ReachArgs, RecipeArgs};
use super::session::{Access, Purpose, Session, reporter};
use super::Exit;
use crate::engine::Mode;
use crate::error::Attempt;
use crate::event::Envelope;
use crate::lanes::Pass;
use crate::recipe::SecretsMode;
use crate::report::{Checklist, Reporter};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Shows the checklist: a row a phase, a column a lane, each cell the worst of its resources. Runs the tests, changes nothing.
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
        let seen = Seen::default();
        let purpose = Purpose {
            command: "status",
            access: Access::Read,
            secrets: SecretsMode::AtHand,
            reach: self.reach.clone(),
            allow: &AllowArgs::default(),
            reporter: if global.json { reporter(global) } else { Box::new(seen.clone()) },
        };
        let session = Session::open(global, &self.recipe, purpose)?;
        let code = session.run(|go| {
            let passed = go(Pass { mode: Mode::Status, destroy: false })?;
            session.end(&passed, false)
        })?;
        if !global.json {
            let mut checklist = Checklist::new(&session.recipe.phases, session.lanes());
            let events = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
            events.iter().for_each(|envelope| checklist.event(envelope));
            let text = checklist.text(terminal_width(), global.color());
            write!(std::io::stdout(), "{text}").attempt(|| "printing".to_owned())?;
        }
        Ok(code)
    }
}

/// Keeps the events until the recipe is known.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Envelope>>>);

impl Reporter for Seen {
    fn event(&mut self, envelope: &Envelope) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(envelope.clone());
    }
}

/// Returns the columns of the terminal; 100 where there is none.
fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(100, |size| usize::from(size.ws_col).max(20))
}
