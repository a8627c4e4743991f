//! Who holds a lock file, by process and program, so that a person knows for whom a run waits.
use super::System;
use std::fmt;
use std::io;
use std::path::Path;

/// A process that holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The lock file.
    pub path: &'static str,
    /// 0: one that can't be seen from here.
    pub pid: u32,
    /// Its program's name, at most 15 bytes; empty where it can't be read.
    pub program: String,
}

impl Holder {
    /// Returns who holds the first of these lock files that is held.
    ///
    /// # Errors
    /// Where a lock file is there and can't be asked.
    pub fn of(sys: &dyn System, paths: &[&'static str]) -> io::Result<Option<Self>> {
        for path in paths {
            if let Some(pid) = sys.lock_holder(Path::new(path))? {
                let name = sys.read(Path::new(&format!("/proc/{pid}/comm"))).unwrap_or_default();
                let program = String::from_utf8_lossy(&name).trim().to_owned();
                return Ok(Some(Self { path, pid, program }));
            }
        }
        Ok(None)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pid, self.program.as_str()) {
            (0, _) => f.write_str("a process that can't be seen from here"),
            (pid, "") => write!(f, "process {pid}"),
            (pid, program) => write!(f, "`{program}` (pid {pid})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Holder;

    #[test]
    fn a_holder_is_named_as_far_as_it_is_known() {
        let shown = |pid, program: &str| Holder { path: "/l", pid, program: program.into() }.to_string();
        assert_eq!(shown(667, "apt-get"), "`apt-get` (pid 667)");
        assert_eq!(shown(667, ""), "process 667");
        assert_eq!(shown(0, ""), "a process that can't be seen from here");
    }
}
