//! `ack`: a person says that a gate is passed; the ledger keeps who and when.
use super::options::Global;
use super::print::print;
use super::session::write_ledger;
use super::{Exit, who};
use crate::container::driver;
use crate::error::{Attempt, Error};
use crate::event::{Event, Sink, Started};
use crate::hub::Hub;
use crate::id::{Id, Machine};
use crate::report::Silent;
use crate::resource::Ack;
use crate::system::{Real, System};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Records that what a gate asks for was done: who says so, and when.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision ack gate:m365-lilly\n  provision ack 201/gate:claude --evidence 'ticket 4711'"
)]
pub(super) struct Args {
    /// The gate, as `plan` and `apply` name it.
    #[arg(value_name = "ID")]
    id: Id,
    /// What shows it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    evidence: String,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        if self.id.kind != "gate" {
            let error = Error::new(format!("acknowledging {}", self.id)).reason("it is not a gate");
            return Err(Exit::Usage(error.remedy("name a gate, such as host/gate:m365-lilly")));
        }
        let sys = Real::new(global.state_dir.clone());
        let identity = identity(&sys, self.id.machine)?;
        let hub = Hub::writing(write_ledger(global, &format!("ack {}", self.id), Duration::ZERO)?, Box::new(Silent));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let who = who::runs_this();
        hub.start(Started { command: "ack".to_owned(), version, who: who.clone(), ..Started::default() })?;
        hub.identify(self.id.machine, &identity)?;
        let ack = Ack { who: who.clone(), when: SystemTime::now(), evidence: self.evidence.clone() };
        hub.emit(Event::Acked { id: self.id.clone(), ack })?;
        hub.end(0, &crate::engine::Tally::default())?;
        print(&format!("{} is passed, says {who}\n", self.id))?;
        Ok(0)
    }
}

fn identity(sys: &Real, machine: Machine) -> Result<String, Exit> {
    match machine {
        Machine::Host => {
            let read = sys.read(Path::new("/etc/machine-id")).attempt(|| "reading `/etc/machine-id`".to_owned())?;
            Ok(String::from_utf8_lossy(&read).trim().to_owned())
        }
        Machine::Container(id) => driver(sys)?.identity(sys, id)?.ok_or_else(|| {
            Exit::Usage(
                Error::new(format!("acknowledging a gate in container {id}"))
                    .reason("there is no such container on this host"),
            )
        }),
    }
}
