//! One agent at a time in a machine: one that a killed run left behind finishes its child first.
#![expect(clippy::disallowed_methods, reason = "a lock is held by an open file, which no `System` call gives")]
use crate::error::{Attempt, Error, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

const DIRECTORY: &str = "/run/provision";
const LOCK: &str = "/run/provision/agent.lock";
/// How long the child of an earlier agent may take; dpkg is never killed.
const PATIENCE: Duration = Duration::from_mins(10);

/// Nothing is said of what takes less.
const PROMPTNESS: Duration = Duration::from_millis(500);

/// Waits for an earlier agent's end and returns the lock, which is held until it is dropped; `busy` is told once what that
/// one is doing.
pub fn lock(mut busy: impl FnMut(&str) -> Result<()>) -> Result<Flock<File>> {
    let attempt = || format!("locking `{LOCK}`");
    create_dir_all(DIRECTORY).attempt(attempt)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(LOCK)
        .attempt(attempt)?;
    let begun = Instant::now();
    let mut said = false;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                let written = lock.set_len(0).and_then(|()| lock.write_all(std::process::id().to_string().as_bytes()));
                return written.attempt(attempt).map(|()| lock);
            }
            Err((mut file, Errno::EWOULDBLOCK)) if begun.elapsed() < PATIENCE => {
                if !said && begun.elapsed() > PROMPTNESS {
                    busy(&at_work(&mut file))?;
                    said = true;
                }
                file
            }
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

/// Says what the agent is doing whose number stands in the lock.
fn at_work(lock: &mut File) -> String {
    let mut number = String::new();
    let read = lock.rewind().and_then(|()| lock.read_to_string(&mut number));
    let children = read.and_then(|_| std::fs::read_to_string(format!("/proc/{number}/task/{number}/children")));
    let name = |child: &str| std::fs::read_to_string(format!("/proc/{child}/comm")).ok();
    let children = children.unwrap_or_default();
    let works = children.split_whitespace().find_map(|child| Some((name(child)?, child)));
    works.map_or_else(
        || "waits for what an earlier run still does there".to_owned(),
        |(name, child)| {
            format!("waits for `{}` (pid {child} there), which an earlier run has started", name.trim_end())
        },
    )
}
