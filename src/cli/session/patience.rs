//! A run that changes containers waits for what is at work on them: a run that was killed may have left its tool behind.
use super::{Session, containers};
use crate::container::driver;
use crate::error::Error;
use crate::event::{Event, Sink as _};
use crate::id::{Id, Machine};
use crate::system::System as _;
use std::time::Duration;

/// As long as making a container takes, and more; what is still locked then is said to wait.
const PATIENCE: Duration = Duration::from_mins(10);

impl Session {
    /// Waits until nothing is at work any more on the containers of the recipe, and says for what it waits.
    pub(in crate::cli) fn wait_for_others(&self) -> Result<(), Error> {
        let until = self.sys.now() + PATIENCE;
        for number in containers(&self.recipe.stages) {
            let mut said = None;
            while let Some(at_work) = driver(&self.sys)?.at_work(&self.sys, number)? {
                if self.hub.interrupted() || self.sys.now() >= until {
                    return Ok(());
                }
                if said.as_ref() != Some(&at_work) {
                    let id = Id::new(Machine::Host, "container", number.to_string());
                    self.hub
                        .emit(Event::Said { id, text: format!("waits for `{at_work}`, which is at work on it") })?;
                    said = Some(at_work);
                }
                self.sys.sleep(Duration::from_millis(200));
            }
        }
        Ok(())
    }
}
