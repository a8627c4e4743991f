//! One run at a time in a state directory: `flock` on STATE/lock, in which stands who holds it.
use super::store;
use super::time::rfc3339;
use crate::error::Error;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The lock of a state directory; it goes with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    state_dir: PathBuf,
    since: String,
    file: Flock<File>,
}

/// Who holds a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// RFC 3339.
    pub since: String,
    /// `apply eidolons.toml`.
    pub command: String,
}

impl Holder {
    fn is_dead(&self) -> bool {
        let pid = i32::try_from(self.pid).map(nix::unistd::Pid::from_raw);
        pid.is_ok_and(|pid| nix::sys::signal::kill(pid, None) == Err(nix::errno::Errno::ESRCH))
    }
}

/// How long what a killed run was starting may take to let go of its lock, and another run to say who it is.
const DYING: Duration = Duration::from_secs(2);

/// Why the lock was not had.
#[derive(Debug)]
pub enum LockError {
    /// Another run has it; unknown where that one does not say who it is. Exit 5.
    Held(Option<Holder>),
    /// The state directory or its lock can't be written.
    Failed(Error),
}

impl Lock {
    /// Makes the state directory if it isn't there and takes its lock for `command`, at once or not at all.
    pub fn take(state_dir: &Path, command: &str, now: SystemTime) -> Result<Self, LockError> {
        store::make_state_dir(state_dir)?;
        let path = state_dir.join("lock");
        let mut file = store::open_ours(&path)?;
        let begun = Instant::now();
        let mut file = loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => break file,
                Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                    let holder = read_holder(&mut file);
                    // A program that was being started when its parent was killed has the lock until it is itself; a run
                    // that begins has not said yet who it is, and one that ends has wiped it out.
                    if begun.elapsed() > DYING || !holder.as_ref().is_none_or(Holder::is_dead) {
                        return Err(LockError::Held(holder));
                    }
                    file
                }
                Err((_, error)) => {
                    return Err(Error::new(format!("locking `{}`", path.display())).because(&error).into());
                }
            };
            std::thread::sleep(Duration::from_millis(10));
        };
        let holder = Holder { pid: std::process::id(), since: rfc3339(now), command: command.to_owned() };
        let text = serde_json::to_string(&holder).unwrap_or_default();
        let written = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(|error| store::unwritten(format!("writing `{}`", path.display()), &error))?;
        Ok(Self { state_dir: state_dir.to_owned(), since: holder.since, file })
    }

    /// Returns the directory that it locks.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// Returns since when it is held, as RFC 3339.
    pub(super) fn since(&self) -> &str {
        &self.since
    }
}

impl Drop for Lock {
    /// Wipes out who held it, so that nobody takes that one for the next holder, which has not written yet who it is.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    serde_json::from_str(&text).ok()
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held by pid {} (`provision {}`) since {}", self.pid, self.command, self.since)
    }
}

impl From<Error> for LockError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<LockError> for Error {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(holder) => {
                let who = holder.map_or_else(|| "held by another run".to_owned(), |holder| holder.to_string());
                Self::new("taking the lock").reason(who).remedy("wait for that run to end, then run this one again")
            }
            LockError::Failed(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test writes down who held it")]
    fn what_a_killed_run_was_starting_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path(), "apply", noon()).unwrap();
        let gone = Holder { pid: 0x7fff_fff0, since: String::new(), command: "apply".to_owned() };
        std::fs::write(dir.path().join("lock"), serde_json::to_string(&gone).unwrap()).unwrap();
        let going = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(lock);
        });
        assert!(Lock::take(dir.path(), "plan", noon()).is_ok());
        going.join().unwrap();
    }

    fn noon() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(498_660)
    }

    #[test]
    fn a_second_run_is_told_who_holds_the_lock_and_since_when() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Lock::take(dir.path(), "apply eidolons.toml", noon()).unwrap();
        let Err(LockError::Held(Some(holder))) = Lock::take(dir.path(), "apply x", noon()) else {
            panic!("the lock was had twice")
        };
        let expected = Holder {
            pid: std::process::id(),
            since: "2026-11-20T12:00:00.000Z".into(),
            command: "apply eidolons.toml".into(),
        };
        assert_eq!(holder, expected);
        let error = Error::from(LockError::Held(Some(holder)));
        let why = format!(
            "held by pid {} (`provision apply eidolons.toml`) since 2026-11-20T12:00:00.000Z",
            std::process::id()
        );
        assert_eq!(error.causes, [why]);
    }

    #[test]
    fn a_lock_that_was_let_go_is_free() {
        let dir = tempfile::tempdir().unwrap();
        drop(Lock::take(dir.path(), "apply a longer command line", noon()).unwrap());
        let again = Lock::take(dir.path(), "x", noon()).unwrap();
        assert_eq!(again.state_dir(), dir.path());
        let Err(LockError::Held(Some(holder))) = Lock::take(dir.path(), "y", noon()) else { panic!("not held") };
        assert_eq!(holder.command, "x");
    }

    #[test]
    fn the_state_directory_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        let _lock = Lock::take(&state, "apply", noon()).unwrap();
        let mode = |path: &Path| path.symlink_metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&state), mode(&state.join("lock"))), (0o700, 0o600));
    }
}
