//! The programs that a run starts, written down by each of them before it is itself: who comes after a killed run knows for whom
//! to wait.
#![expect(clippy::disallowed_methods, reason = "the boundary: what `System` does on a real machine")]
use super::Real;
use crate::error::{Attempt as _, Result};
use crate::system::System;
use rustix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Ticks of the clock in `/proc/PID/stat` (proc(5)).
const TICKS: i64 = 100;

impl Real {
    /// Returns a program that is still at work of those in the list of an earlier run: its number and its name.
    pub fn left_at_work(&self, list: &Path) -> Result<Option<(u32, String)>> {
        let text = match std::fs::read_to_string(list) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.attempt(|| format!("reading `{}`", list.display()))?,
        };
        let Some((boot, children)) = text.split_once('\n') else { return Ok(None) };
        if boot != self.boot() {
            return Ok(None);
        }
        Ok(children.lines().find_map(|line| still_there(self, line)))
    }

    /// Begins the list anew: from here on, what is started is in it.
    pub fn list_children(&self, list: &Path) -> Result<()> {
        let attempt = || format!("writing `{}`", list.display());
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(list).attempt(attempt)?;
        file.set_len(0).and_then(|()| file.rewind()).attempt(attempt)?;
        file.write_all(format!("{}\n", self.boot()).as_bytes()).attempt(attempt)?;
        drop(self.children.set(file));
        Ok(())
    }

    /// Returns the list, for a program that is about to be started.
    pub(super) fn children(&self) -> std::io::Result<Option<File>> {
        self.children.get().map(File::try_clone).transpose()
    }

    fn boot(&self) -> String {
        let id = self.read(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
        String::from_utf8_lossy(&id).trim().to_owned()
    }
}

/// Writes this very process down, with the time since boot in ticks. Between fork and exec: it allocates nothing.
pub(super) fn write_down(list: &mut File) -> std::io::Result<()> {
    let mut line = [0; 40];
    let mut rest = &mut line[..];
    writeln!(rest, "{} {}", std::process::id(), ticks())?;
    let left = rest.len();
    list.write_all(&line[..line.len() - left])
}

fn ticks() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * TICKS + now.tv_nsec / (1_000_000_000 / TICKS)
}

/// Returns the process of a line, unless it has ended or its number is another's by now.
fn still_there(sys: &dyn System, line: &str) -> Option<(u32, String)> {
    let (pid, written) = line.split_once(' ')?;
    let stat = sys.read(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
    let (name, begun) = begun(&String::from_utf8_lossy(&stat))?;
    let written: i64 = written.parse().ok()?;
    // It is written down as soon as it is there, on a machine that may be busy.
    (begun..begun + 10 * TICKS).contains(&written).then_some(())?;
    Some((pid.parse().ok()?, name))
}

/// Returns the name and the beginning, in ticks since boot, of a process that has not ended.
fn begun(stat: &str) -> Option<(String, i64)> {
    let (head, tail) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    let name = head.split_once(" (")?.1.to_owned();
    (!matches!(fields.first(), Some(&("Z" | "X")))).then_some(())?;
    Some((name, fields.get(19)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Command;

    #[test]
    fn what_a_run_has_started_is_known_to_the_next_one_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (first, list) = (Real::new(dir.path()), dir.path().join("children"));
        assert_eq!(first.left_at_work(&list).unwrap(), None);
        first.list_children(&list).unwrap();
        let going = std::thread::spawn(move || first.run(&Command::new(["sleep", "1"])));
        let next = Real::new(dir.path());
        let left = loop {
            // For an instant it is not itself yet.
            match next.left_at_work(&list).unwrap() {
                Some(left) if left.1 == "sleep" => break left.1,
                _ => {}
            }
        };
        going.join().unwrap().unwrap();
        assert_eq!(left, "sleep");
        assert_eq!(next.left_at_work(&list).unwrap(), None);
        next.list_children(&list).unwrap();
        assert_eq!(std::fs::read_to_string(&list).unwrap(), format!("{}\n", next.boot()));
    }

    #[test]
    fn a_number_that_is_anothers_by_now_and_another_boot_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (real, list) = (Real::new(dir.path()), dir.path().join("children"));
        let itself = std::process::id();
        let begun = begun(&std::fs::read_to_string("/proc/self/stat").unwrap()).unwrap().1;
        let known = |text: String| {
            std::fs::write(&list, text).unwrap();
            real.left_at_work(&list).unwrap().map(|(pid, _)| pid)
        };
        assert_eq!(known(format!("{}\n{itself} {begun}\n", real.boot())), Some(itself));
        assert_eq!(known(format!("{}\n{itself} {}\n", real.boot(), begun - 1)), None);
        assert_eq!(known(format!("another\n{itself} {begun}\n")), None);
        assert_eq!(known(format!("{}\n{itself}", real.boot())), None);
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "12 (a) b (c) S 1 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(begun(stat), Some(("a) b (c".to_owned(), 4711)));
        assert_eq!(begun(&stat.replace(" S ", " Z ")), None);
    }
}
