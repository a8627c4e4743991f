//! Calls of `pct`: of its exit code only zero or not zero means anything, and another call may hold the lock for a while.
use super::PCT;
use crate::error::Result;
use crate::system::{Command, System};
use std::time::Duration;

/// How often a call is tried that another one locked out; each waits ten seconds by itself.
const TRIES: u32 = 6;

/// Runs `pct` with these arguments.
pub(super) fn pct(sys: &dyn System, arguments: impl IntoIterator<Item = String>, timeout: Duration) -> Result<()> {
    let command = Command::new([PCT.to_owned()].into_iter().chain(arguments)).timeout(timeout);
    for _ in 1..TRIES {
        let output = sys.run(&command)?;
        if output.code == 0 || !is_locked_out(&output.stderr) {
            return output.success(&command).map(drop);
        }
    }
    sys.run(&command)?.success(&command).map(drop).map_err(|error| {
        error.remedy("something else works on this container, a backup perhaps: run again once it has ended")
    })
}

fn is_locked_out(stderr: &[u8]) -> bool {
    let text = String::from_utf8_lossy(stderr);
    text.contains("can't lock file") && text.contains("got timeout")
}
