//! Who holds a lock: asked of the kernel, as fcntl(2) has it, so that it is right on every file system.
#![expect(clippy::disallowed_methods, reason = "the boundary: what `System` does on a real machine")]
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};
use std::fs::File;
use std::io;
use std::path::Path;

/// Returns the process that holds a lock on a file; 0 where it is not one of this pid namespace.
pub(super) fn holder(path: &Path) -> io::Result<Option<u32>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let blocks = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock))?;
    Ok(blocks.map(|lock| u32::try_from(Pid::as_raw(lock.pid)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::holder;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn the_holder_of_a_lock_is_another_process_while_it_lives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        assert_eq!(holder(&path).unwrap(), None, "nothing is there");
        std::fs::write(&path, "").unwrap();
        assert_eq!(holder(&path).unwrap(), None);
        let script = "use Fcntl qw(:DEFAULT :flock SEEK_SET); open(my $f, '+<', $ARGV[0]) or die; \
                      my $l = pack('s s l! l! i', F_WRLCK, SEEK_SET, 0, 0, 0); fcntl($f, F_SETLK, $l) or die; \
                      $| = 1; print \"held\\n\"; sleep 60";
        let perl = Command::new("perl").args(["-e", script]).arg(&path).stdout(Stdio::piped()).spawn();
        let mut child = perl.expect("perl is part of every Debian");
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        assert_eq!(holder(&path).unwrap(), Some(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holder(&path).unwrap(), None);
    }
}
