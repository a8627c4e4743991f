//! Calls of `pct`: of its exit code only zero or not zero means anything, and another call may hold the lock for a while.
use super::PCT;
use crate::error::Result;
use crate::system::{Command, System};
use std::time::Duration;

/// How often a call is tried that another one locked out; each waits ten seconds by itself.
const TRIES: u32 = 6;

/// The exit codes of a call that a signal ended.
const SIGNALS: std::ops::Range<i32> = 129..160;

/// Runs `pct` with these arguments.
pub(super) fn pct(sys: &dyn System, arguments: impl IntoIterator<Item = String>, timeout: Duration) -> Result<()> {
    let command = Command::new([PCT.to_owned()].into_iter().chain(arguments)).timeout(timeout);
    for _ in 1..TRIES {
        let output = sys.run(&command)?;
        let was_ended = SIGNALS.contains(&output.code) || says(&output.stderr, "received interrupt");
        if output.code == 0 || !is_locked_out(&output.stderr) {
            let done = output.success(&command).map(drop);
            let again = "run the same command again: what was cut off is done anew";
            return if was_ended { done.map_err(|error| error.remedy(again)) } else { done };
        }
    }
    sys.run(&command)?.success(&command).map(drop).map_err(|error| {
        error.remedy("something else works on this container, a backup perhaps: run again once it has ended")
    })
}

fn is_locked_out(stderr: &[u8]) -> bool {
    says(stderr, "can't lock file") && says(stderr, "got timeout")
}

fn says(stderr: &[u8], words: &str) -> bool {
    String::from_utf8_lossy(stderr).contains(words)
}
