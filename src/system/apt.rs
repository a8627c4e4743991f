//! apt-get as it is called here: it never asks, keeps configuration files that were edited, and waits for others by name.
mod complete;
mod deb;
mod install;
mod lists;
mod refusal;
mod remove;

pub use deb::Deb;
pub use remove::others_that_go;

use super::dpkg;
use super::lock::Holder;
use super::{Command, Output, System};
use crate::error::{Attempt as _, Error, Result};
use std::time::Duration;

const OPTIONS: [&str; 16] = [
    "-q",
    "-y",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    // Whoever holds the lock is waited for, and named, by us.
    "-o",
    "DPkg::Lock::Timeout=0",
    // A name is a name and no regular expression.
    "-o",
    "APT::Cmd::Pattern-Only=true",
    "-o",
    "APT::Get::AutomaticRemove=false",
    "-o",
    "APT::Keep-Downloaded-Packages=false",
    "-o",
    "APT::Color=false",
];

const LOCKS: [&str; 4] = [dpkg::LOCKS[0], dpkg::LOCKS[1], "/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock"];

/// How often a lock is looked at.
const TURN: Duration = Duration::from_secs(1);

/// apt on a machine, at work in one step.
#[derive(Clone, Copy)]
pub struct Apt<'a> {
    /// The machine.
    pub sys: &'a dyn System,
    /// Tells people how it goes.
    pub tell: &'a dyn Fn(&str),
    /// How long others are waited for, and how long fetching the lists may take.
    pub patience: Duration,
}

impl Apt<'_> {
    /// Runs what takes the locks of dpkg or apt, once nobody else holds one; says who does meanwhile.
    fn locked(&self, command: &Command) -> Result<Output> {
        let mut waited = Duration::ZERO;
        let mut named = None;
        loop {
            let holder = Holder::of(self.sys, &LOCKS).attempt(|| "asking who holds dpkg's lock".to_owned())?;
            let is_over = waited >= self.patience;
            match holder {
                Some(holder) if is_over => return Err(locked_out(command, &holder, waited)),
                Some(holder) if named.as_ref() != Some(&holder) => {
                    (self.tell)(&format!("waits for {holder}, which holds `{}`", holder.path));
                    named = Some(holder);
                }
                Some(_) => {}
                None => {
                    let output = self.sys.run(command)?;
                    // Somebody may have come in between.
                    if output.code == 0 || is_over || !refusal::is_locked(&printed(&output)) {
                        return Ok(output);
                    }
                }
            }
            self.sys.sleep(TURN);
            waited += TURN;
        }
    }
}

fn locked_out(command: &Command, holder: &Holder, waited: Duration) -> Error {
    let options = |argument: &&String| OPTIONS.contains(&argument.as_str());
    let told: Vec<String> = command.argv.iter().filter(|argument| !options(argument)).cloned().collect();
    Error::new(format!("running `{}`", Command::new(told).shown()))
        .reason(format!("{holder} holds `{}`", holder.path))
        .reason(format!("it was waited for {} s", waited.as_secs()))
        .remedy("see what that process does; once it has ended, run again, or give it longer with `timeout`")
}

/// Returns `apt-get` with these arguments. It is never ended by a timeout: dpkg must not be.
fn apt_get<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = quiet(["apt-get"]);
    command.argv.extend(OPTIONS.map(str::to_owned));
    command.argv.extend(arguments.into_iter().map(Into::into));
    command
}

/// Returns a command in whose environment no package asks anything or restarts what it doesn't own.
fn quiet<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Command {
    Command::new(argv)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBIAN_PRIORITY", "critical")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("NEEDRESTART_SUSPEND", "1")
        .env("UCF_FORCE_CONFFOLD", "1")
}

/// Returns what is shown of a run of apt-get: without the options that every run has.
fn attempt(arguments: &[String]) -> String {
    format!("running `{}`", Command::new(["apt-get".to_owned()].into_iter().chain(arguments.iter().cloned())).shown())
}

/// Returns what was printed, of progress only what it came to; dpkg writes to a terminal that apt-get makes for it.
fn printed(output: &Output) -> String {
    let text = format!("{}\n{}", output.text(), String::from_utf8_lossy(&output.stderr));
    let last = |line: &'_ str| line.trim_end_matches('\r').rsplit('\r').next().map(str::to_owned);
    text.lines().filter_map(last).map(|line| line + "\n").collect()
}
