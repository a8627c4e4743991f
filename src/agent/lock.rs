//! One agent at a time in a machine: one that a killed run left behind finishes its child first, and a child whose agent was
//! killed comes to its end.
#![expect(clippy::disallowed_methods, reason = "a lock is held by an open file, which no `System` call gives")]
use crate::error::{Attempt, Error, Result};
use crate::system::Real;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, create_dir_all};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where the lock is, and the list of what the agent starts. It is empty after a boot.
pub const DIRECTORY: &str = "/run/provision";
/// How long the child of an earlier agent may take; dpkg is never killed.
const PATIENCE: Duration = Duration::from_mins(10);

/// Nothing is said of what takes less.
const PROMPTNESS: Duration = Duration::from_millis(500);

/// Waits for an earlier agent's end, and for what it started where it was killed itself; returns the lock, which is held until
/// it is dropped. `busy` is told what is waited for. From here on what `sys` starts is known to the next agent.
pub fn lock(sys: &Real, directory: &Path, mut busy: impl FnMut(&str) -> Result<()>) -> Result<Flock<File>> {
    let path = directory.join("agent.lock");
    let attempt = || format!("locking `{}`", path.display());
    create_dir_all(directory).attempt(attempt)?;
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .attempt(attempt)?;
    let mut wait = Wait { begun: Instant::now(), said: false };
    let mut lock = loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => break lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                wait.a_while(|| at_work(&mut file), &mut busy).map_err(|error| error.during(attempt()))?;
                file
            }
            Err((_, error)) => return Err(error).attempt(attempt),
        };
    };
    let list = directory.join("agent.children");
    while let Some(left) = sys.left_at_work(&list)? {
        wait.a_while(|| Some(left), &mut busy).map_err(|error| error.during(attempt()))?;
    }
    sys.list_children(&list)?;
    lock.set_len(0).and_then(|()| lock.write_all(std::process::id().to_string().as_bytes())).attempt(attempt)?;
    Ok(lock)
}

struct Wait {
    begun: Instant,
    said: bool,
}

impl Wait {
    /// Waits a little for a program, given by number and name, or says that it takes too long.
    fn a_while(
        &mut self,
        at_work: impl FnOnce() -> Option<(u32, String)>,
        busy: &mut impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        if self.begun.elapsed() >= PATIENCE {
            return Err(Error::new("waiting for an earlier run")
                .reason("what it started is still at work in this container")
                .remedy("see what runs there with `ps`, wait for it or end it, then run again"));
        }
        if !self.said && self.begun.elapsed() > PROMPTNESS {
            busy(&at_work().map_or_else(
                || "waits for what an earlier run still does there".to_owned(),
                |(pid, name)| format!("waits for `{name}` (pid {pid} there), which an earlier run has started"),
            ))?;
            self.said = true;
        }
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    }
}

/// Returns what the agent is doing whose number stands in the lock.
fn at_work(lock: &mut File) -> Option<(u32, String)> {
    let mut number = String::new();
    lock.rewind().and_then(|()| lock.read_to_string(&mut number)).ok()?;
    let children = std::fs::read_to_string(format!("/proc/{number}/task/{number}/children")).ok()?;
    let name = |child: &str| std::fs::read_to_string(format!("/proc/{child}/comm")).ok();
    children.split_whitespace().find_map(|child| Some((child.parse().ok()?, name(child)?.trim_end().to_owned())))
}
