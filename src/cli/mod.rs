//! The command line: one file a command, each its arguments and its run.
mod account;
mod ack;
mod aftermath;
mod agent;
mod apply;
mod approved;
mod bundle;
mod complete;
mod destroy;
mod enter;
mod exit;
mod facts;
mod find;
mod gates;
mod history;
mod import;
mod init;
mod itself;
mod ledger;
mod named;
mod options;
mod orphans;
mod plan;
mod print;
mod prompt;
mod recipes;
mod report;
mod schedule;
mod session;
mod show;
mod since;
mod status;
mod test;
mod validate;
mod who;

use exit::Exit;

use crate::error::Error;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use options::Global;

/// Brings this host and its LXC containers to what a recipe says.
///
/// Run it again and it repairs whatever has drifted. `provision plan` shows what would be done; `provision apply` does it.
#[derive(Debug, Parser)]
#[command(
    name = "provision",
    version,
    after_help = "Examples:\n  provision plan eidolons.toml\n  provision apply eidolons.toml\n  provision status eidolons.toml\n\n\
                  Exit codes: 0 converged, 1 something failed, 2 recipe or command line wrong, 3 waiting for a person,\n\
                  4 `plan --check` found differences, `apply --expect` others than it expects, or somebody said no to them, 5 another run holds the lock, 130 or 143 interrupted."
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Apply(apply::Args),
    Plan(plan::Args),
    Status(status::Args),
    Test(test::Args),
    Validate(validate::Args),
    Ack(ack::Args),
    Enter(enter::Args),
    Destroy(destroy::Args),
    Recipes(recipes::Args),
    Bundle(bundle::Args),
    Init(init::Args),
    Import(import::Args),
    History(history::Args),
    Report(report::Args),
    Schedule(schedule::Args),
    #[command(subcommand)]
    Ledger(ledger::Command),
    #[command(subcommand, name = "self")]
    Itself(itself::Command),
    #[command(hide = true)]
    Agent(agent::Args),
    #[command(hide = true)]
    Complete(complete::Args),
}

/// Parses the command line, runs the command and returns the exit code.
pub fn main() -> i32 {
    let Cli { global, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::InvalidUtf8 => {
            let unreadable = std::env::args_os().find(|argument| argument.to_str().is_none()).unwrap_or_default();
            let why = Error::new("reading the command line").reason(format!("`{}` is not UTF-8", unreadable.display()));
            return Exit::Usage(why.remedy("give what it names another name, such as by `mv`")).say(false);
        }
        Err(error) => {
            // Help that nobody reads any more is no failure.
            drop(error.print());
            return error.exit_code();
        }
    };
    let outcome = match command {
        Command::Apply(args) => args.run(&global),
        Command::Plan(args) => args.run(&global),
        Command::Status(args) => args.run(&global),
        Command::Test(args) => args.run(&global),
        Command::Validate(args) => args.run(&global),
        Command::Ack(args) => args.run(&global),
        Command::Enter(args) => args.run(&global),
        Command::Destroy(args) => args.run(&global),
        Command::Recipes(args) => args.run(&global),
        Command::Bundle(args) => args.run(&global),
        Command::Init(args) => args.run(),
        Command::Import(args) => args.run(&global),
        Command::History(args) => args.run(&global),
        Command::Report(args) => args.run(&global),
        Command::Schedule(args) => args.run(&global),
        Command::Ledger(command) => command.run(&global),
        Command::Itself(command) => command.run(&global),
        Command::Agent(_) => agent::Args::run(),
        Command::Complete(args) => args.run(),
    };
    match outcome {
        Ok(code) => code,
        Err(exit) => exit.say(global.color_on_stderr()),
    }
}

/// Returns the command line as `--help` knows it, for what is written from the same source.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Says why nothing can be done at all, and returns the exit code.
pub fn refuse(why: &str) -> i32 {
    Exit::Failed(Error::new("starting").reason(why)).say(false)
}
