//! Before a run changes anything it waits for what a killed one has left at work, and for what is at work on its containers.
use super::{Session, containers, known};
use crate::container::driver;
use crate::error::Error;
use crate::event::{Event, Sink as _};
use crate::id::{Id, Machine};
use crate::system::System as _;
use std::path::Path;
use std::time::Duration;

/// As long as making a container takes, and more; what is locked even then is said to wait.
const PATIENCE: Duration = Duration::from_mins(10);

/// Nothing is said of what takes less.
const PROMPTNESS: Duration = Duration::from_millis(500);

impl Session {
    /// Waits until nothing is at work any more, and says for what it waits.
    pub(in crate::cli) fn wait_for_others(&self) -> Result<(), Error> {
        let list = self.sys.state_dir().join("children");
        self.wait_for_an_earlier_run(&list)?;
        self.sys.list_children(&list)?;
        self.wait_for_containers()
    }

    fn wait_for_an_earlier_run(&self, list: &Path) -> Result<(), Error> {
        let (begun, mut said) = (self.sys.uptime(), None);
        while let Some(child) = self.sys.left_at_work(list)? {
            let waited = self.sys.uptime().saturating_sub(begun);
            if self.hub.interrupted() || waited >= PATIENCE {
                break;
            }
            if waited >= PROMPTNESS && said.as_ref() != Some(&child) {
                let text = format!("waits for `{}` (pid {}), which an earlier run has started", child.1, child.0);
                self.hub.emit(Event::Warned { text })?;
                said = Some(child);
            }
            self.sys.sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn wait_for_containers(&self) -> Result<(), Error> {
        let mut ids = containers(&self.recipe.stages);
        if self.prune == Some(true) {
            ids.extend(known(&self.hub));
        }
        let ids: Vec<u32> = ids.into_iter().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (driver, until) = (driver(&self.sys)?, self.sys.uptime() + PATIENCE);
        let mut said = None;
        while let Some(at_work) = driver.at_work(&self.sys, &ids)? {
            if self.hub.interrupted() || self.sys.uptime() >= until {
                break;
            }
            if said.as_ref() != Some(&at_work) {
                let id = Id::new(Machine::Host, "container", at_work.0.to_string());
                let text = format!("waits for `{}`, which is at work on it", at_work.1);
                self.hub.emit(Event::Said { id, text })?;
                said = Some(at_work);
            }
            self.sys.sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}
