//! The ledger's files: the state directory, what is read from it whole, and the file to which lines are appended.
#![expect(
    clippy::disallowed_methods,
    reason = "the ledger is no resource: what it records comes before any of them is changed"
)]
use crate::error::{Attempt as _, Error, Result};
use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// How many bytes are set aside beyond the end, so that the outcome of a change whose intent is on disk finds room as well.
const RESERVE: u64 = 256 * 1024;

/// The file to which lines are appended.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    file: File,
    /// The bytes that are known to be whole.
    length: u64,
    reserved: u64,
    /// Why nothing may be appended any more.
    broken: Option<Error>,
}

impl Store {
    /// Opens the ledger, or makes it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let is_new = !path.try_exists().unwrap_or(false);
        let file = open_ours(path)?;
        let length = file.metadata().attempt(|| format!("reading `{}`", path.display()))?.len();
        if is_new {
            sync_dir(path)?;
        }
        Ok(Self { path: path.to_owned(), file, length, reserved: length, broken: None })
    }

    /// Returns how many bytes it has.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Cuts off what comes after that many bytes.
    pub(super) fn cut(&mut self, length: u64) -> Result<()> {
        let cut = self.file.set_len(length).and_then(|()| self.file.sync_all());
        cut.attempt(|| format!("cutting the torn last line off `{}`", self.path.display()))?;
        self.length = length;
        self.reserved = length;
        Ok(())
    }

    /// Appends lines and returns once they are on disk. Where that fails nothing of them stays.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<()> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let end = self.length + lines.len() as u64;
        let written = self.reserve(end).and_then(|()| self.file.write_all(lines));
        if let Err(error) = written {
            let error = self.failed(&error);
            if self.file.set_len(self.length).is_err() {
                self.broken = Some(error.clone());
            }
            self.reserved = self.length;
            return Err(error);
        }
        if let Err(error) = self.file.sync_data() {
            // What a failed sync left on disk can't be known, and asking once more would say that all is well.
            let error = self.failed(&error);
            self.broken = Some(error.clone());
            return Err(error);
        }
        self.length = end;
        Ok(())
    }

    fn reserve(&mut self, end: u64) -> io::Result<()> {
        if self.reserved >= end + RESERVE / 2 {
            return Ok(());
        }
        let length = |bytes: u64| i64::try_from(bytes).map_err(io::Error::other);
        let (from, bytes) = (length(self.length)?, length(end - self.length + RESERVE)?);
        match fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, from, bytes) {
            Ok(()) => self.reserved = end + RESERVE,
            // A file system that can't set room aside.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => self.reserved = u64::MAX,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn failed(&self, error: &io::Error) -> Error {
        unwritten(format!("writing the ledger `{}`", self.path.display()), error)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Gives back what was set aside; the ledger is whole either way.
        if self.broken.is_none() && self.reserved > self.length {
            let _ = self.file.set_len(self.length);
        }
    }
}

/// Returns why something could not be written, and what to do.
pub(super) fn unwritten(attempt: String, error: &io::Error) -> Error {
    let remedy = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT) => "free some space, then run again",
        Some(Errno::EROFS) => "mount its file system so that it can be written, then run again",
        _ => "see to it that the ledger can be written, then run again; what was changed so far is recorded",
    };
    Error::new(attempt).because(error).remedy(remedy)
}

/// Makes the state directory for its owner alone, or sees to it that nobody else can write into the one that is there.
pub(super) fn make_state_dir(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| unwritten(format!("making the state directory `{}`", path.display()), &error))?;
    let stat = std::fs::metadata(path).attempt(|| format!("reading the state directory `{}`", path.display()))?;
    let refuse = |why: String| {
        let error = Error::new(format!("using the state directory `{}`", path.display())).reason(why);
        Err(error
            .remedy("give it to the user who runs provision, with mode 0700, or name another one with --state-dir"))
    };
    if stat.uid() != nix::unistd::geteuid().as_raw() {
        return refuse(format!("it belongs to uid {}", stat.uid()));
    }
    if stat.mode() & 0o022 != 0 {
        return refuse(format!("others can write into it (mode {:04o})", stat.mode() & 0o7777));
    }
    Ok(())
}

/// Opens a file of the state directory for reading and appending, or makes it for its owner alone; follows no link.
pub(super) fn open_ours(path: &Path) -> Result<File> {
    let attempt = || format!("opening `{}`", path.display());
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path);
    let file = file.map_err(|error| unwritten(attempt(), &error))?;
    let stat = file.metadata().attempt(attempt)?;
    if !stat.is_file() {
        return Err(Error::new(attempt()).reason("it is not a regular file"));
    }
    if stat.uid() != nix::unistd::geteuid().as_raw() {
        let error = Error::new(attempt()).reason(format!("it belongs to uid {}", stat.uid()));
        return Err(error.remedy("give it back to the user who runs provision"));
    }
    Ok(file)
}

/// Returns what is in a file; `None` where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unread(path, &error)),
    }
}

fn unread(path: &Path, error: &io::Error) -> Error {
    let unread = Error::new(format!("reading `{}`", path.display())).because(error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => unread.remedy("run it as the user who runs provision here, such as root"),
        _ => unread,
    }
}

/// Returns what is in a file from there on; nothing where there is none.
pub(super) fn read_from(path: &Path, from: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(io::SeekFrom::Start(from))?;
        file.read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(bytes),
        Err(error) => Err(unread(path, &error)),
    }
}

/// Removes what a killed run left of putting a file in place.
pub(super) fn tidy(state_dir: &Path) {
    for name in ["key.new", "claims.new", "ledger.new"] {
        // Where it can't be removed it is written over.
        let _ = std::fs::remove_file(state_dir.join(name));
    }
}

/// Puts a small file in place whole, for its owner alone.
pub(super) fn put(path: &Path, content: &[u8]) -> Result<()> {
    let attempt = || format!("writing `{}`", path.display());
    let beside = path.with_extension("new");
    let flags = OFlag::O_NOFOLLOW.bits();
    let options =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(&beside);
    let put = options.and_then(|mut file| {
        file.write_all(content).and_then(|()| file.sync_all())?;
        std::fs::rename(&beside, path)
    });
    put.map_err(|error| unwritten(attempt(), &error))?;
    sync_dir(path)
}

/// Gives a file that holds `content` a second name. One that has that name and content already is what a killed run left.
pub(super) fn link(path: &Path, second: &Path, content: &[u8]) -> Result<()> {
    let attempt = || format!("linking `{}` to `{}`", second.display(), path.display());
    match std::fs::hard_link(path, second) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if read_if_there(second)?.as_deref() != Some(content) {
                let error = Error::new(attempt()).reason("another file has that name");
                return Err(error.remedy("move that one away; `provision ledger verify` says what the ledger lacks"));
            }
        }
        Err(error) => return Err(unwritten(attempt(), &error)),
    }
    sync_dir(second)
}

/// Returns bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    crate::random::bytes().attempt(|| "asking the kernel for random bytes".to_owned())
}

fn sync_dir(of: &Path) -> Result<()> {
    let dir = of.parent().unwrap_or(Path::new("/"));
    File::open(dir).and_then(|dir| dir.sync_all()).attempt(|| format!("syncing `{}`", dir.display()))
}
