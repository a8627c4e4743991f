//! `ack`: a person says that gates are passed; the ledger keeps who and when.
use super::gates::are_known;
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
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Records that what gates ask for was done: who says so, and when. A gate that no recipe has is an error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision ack gate:m365-lilly\n  provision ack 201/gate:claude --evidence 'ticket 4711'"
)]
pub(super) struct Args {
    /// The gates, as `plan` and `apply` name them.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Id>,
    /// What shows it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    evidence: String,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        are_known(&self.ids, global, &sys)?;
        let identity = |id: &Id| Ok((id.machine, identity(&sys, id.machine)?));
        let identities: BTreeMap<Machine, String> = self.ids.iter().map(identity).collect::<Result<_, Exit>>()?;
        let names: Vec<String> = self.ids.iter().map(Id::to_string).collect();
        let (ledger, _) = write_ledger(global, &format!("ack {}", names.join(" ")), Duration::ZERO)?;
        let hub = Hub::writing(ledger, Box::new(Silent));
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let who = who::runs_this();
        hub.start(Started { command: "ack".to_owned(), version, who: who.clone(), ..Started::default() })?;
        identities.iter().try_for_each(|(machine, identity)| hub.identify(*machine, identity))?;
        let ack = Ack { who: who.clone(), when: SystemTime::now(), evidence: self.evidence.clone() };
        self.ids.iter().try_for_each(|id| hub.emit(Event::Acked { id: id.clone(), ack: ack.clone() }))?;
        hub.end(0, &crate::engine::Tally::default())?;
        let passed = names.iter().map(|name| format!("{name} is passed, says {who}"));
        print(&(passed.collect::<Vec<_>>().join("\n") + "\n"))?;
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
