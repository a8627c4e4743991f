//! `enter`: a shell of root, or a command, in a container.
#![expect(
    clippy::disallowed_methods,
    reason = "the shell takes this process's place: it is no child that a `System` runs"
)]
use super::Exit;
use super::options::Global;
use crate::container::driver;
use crate::error::Error;
use crate::system::Real;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Opens a login shell of root in a container of this host, or runs a command there.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  provision enter 201\n  provision enter 201 -- journalctl -n 50")]
pub(super) struct Args {
    /// The container's id.
    #[arg(value_name = "ID", value_parser = clap::value_parser!(u32).range(100..))]
    id: u32,
    /// What to run in place of a shell; its exit code is the one of `enter`.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Args {
    /// Runs it; returns only where the shell could not be started.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let driver = driver(&sys)?;
        let attempt = format!("entering container {}", self.id);
        match driver.found(&sys, self.id)? {
            Some(found) if found.running => {}
            Some(_) => {
                let error = Error::new(attempt).reason("it does not run");
                return Err(Exit::Usage(error.remedy("start it, or run `provision apply` on its recipe")));
            }
            None => return Err(Exit::Usage(Error::new(attempt).reason("there is no such container on this host"))),
        }
        let argv = driver.enter(self.id, &self.command);
        let [program, arguments @ ..] = argv.as_slice() else { return Err(Error::new(attempt).into()) };
        let error = Command::new(program).args(arguments).exec();
        Err(Error::new(format!("running `{}`", argv.join(" "))).because(&error).into())
    }
}
