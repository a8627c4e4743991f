//! One agent at a time in a machine: one that a killed run left behind finishes its child first.
#![expect(clippy::disallowed_methods, reason = "a lock is held by an open file, which no `System` call gives")]
use crate::error::{Attempt, Error, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, create_dir_all};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

const DIRECTORY: &str = "/run/provision";
const LOCK: &str = "/run/provision/agent.lock";
/// How long the child of an earlier agent may take; dpkg is never killed.
const PATIENCE: Duration = Duration::from_mins(10);

/// Waits for an earlier agent's end and returns the lock, which is held until it is dropped.
pub fn lock() -> Result<Flock<File>> {
    let attempt = || format!("locking `{LOCK}`");
    create_dir_all(DIRECTORY).attempt(attempt)?;
    let mut file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(LOCK).attempt(attempt)?;
    let begun = Instant::now();
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, Errno::EWOULDBLOCK)) if begun.elapsed() < PATIENCE => file,
            Err((_, Errno::EWOULDBLOCK)) => {
                return Err(Error::new(attempt())
                    .reason("an agent of an earlier run is still at work in this container")
                    .remedy("see what it runs with `ps`, wait for it or end it, then run again"));
            }
            Err((_, error)) => return Err(error).attempt(attempt),
        };
        std::thread::sleep(Duration::from_millis(50));
    }
}
