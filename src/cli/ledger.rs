//! `ledger verify`: walks the ledger's chain.
use super::Exit;
use super::options::Global;
use super::print::print;
use crate::error::Error;
use crate::ledger::Ledger;

/// Looks at the ledger.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Walks the whole chain, in all files of the ledger, and says where it breaks.
    #[command(after_help = "Examples:\n  provision ledger verify\n  provision ledger verify --state-dir /srv/state")]
    Verify,
}

impl Command {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let Self::Verify = self;
        let path = global.state_dir.join("ledger.jsonl");
        let verified = Ledger::verify(&global.state_dir)?;
        if verified.files == 1 && !path.exists() {
            let error = Error::new(format!("verifying `{}`", path.display())).reason("there is no ledger yet");
            return Err(error.remedy("the first `provision apply` begins it; --state-dir names another place").into());
        }
        if verified.is_broken() {
            return Err(verified.into_reasons(Error::new(format!("verifying `{}`", path.display()))).into());
        }
        print(&format!("{}: {}\n", path.display(), verified.sums()))?;
        Ok(0)
    }
}
