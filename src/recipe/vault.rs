//! Where secrets are kept: files that a recipe names, and those that are generated once, below the state directory.
#![expect(clippy::disallowed_methods, reason = "secrets are read at load, on this machine alone: this is the boundary")]
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A secret as a file has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Without the newline at its end.
    pub(super) text: String,
    /// Users other than its owner and group may read it.
    pub(super) open: bool,
}

/// Reads a secret; none where there is no such file. A pipe or a device has no end.
pub(super) fn read(path: &Path) -> io::Result<Option<Kept>> {
    let mut file = match OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let open = file.metadata()?.permissions().mode() & 0o004 != 0;
    let kept = text.strip_suffix('\n').map_or(text.len(), str::len);
    text.truncate(kept);
    Ok(Some(Kept { text, open }))
}

/// Returns where a generated secret is kept.
pub(super) fn path(state: &Path, recipe: &str, name: &str) -> PathBuf {
    state.join("secrets").join(recipe).join(name)
}

/// Generates a secret of `length` letters and digits, unless it is there by now, and keeps it for its owner alone.
pub(super) fn generate(path: &Path, length: usize) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let held = File::open(directory)?;
    // Two runs at once make one secret: whoever comes second finds it.
    flock(&held, FlockOperation::LockExclusive)?;
    if path.try_exists()? {
        return Ok(());
    }
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(0o600))?;
    file.write_all(letters(length)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    held.sync_all()
}

/// Returns letters and digits from the kernel's random numbers, each as likely as the others.
fn letters(length: usize) -> io::Result<String> {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes = crate::random::bytes::<64>()?;
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(LETTERS[usize::from(*byte % 62)]));
        text.extend(fair.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_generated_once_and_is_its_owners_alone() {
        let state = tempfile::tempdir().unwrap();
        let path = path(state.path(), "web", "token");
        assert_eq!(read(&path).unwrap(), None);
        generate(&path, 100).unwrap();
        let first = read(&path).unwrap().unwrap();
        assert_eq!((first.text.len(), first.open), (100, false));
        assert!(first.text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        generate(&path, 100).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o077, 0);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
    }

    #[test]
    fn what_has_no_end_is_no_secret() {
        let state = tempfile::tempdir().unwrap();
        let pipe = state.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [&pipe, Path::new("/dev/zero"), state.path()] {
            assert_eq!(read(path).unwrap_err().to_string(), "it is no file");
        }
    }

    #[test]
    fn what_a_killed_run_left_is_replaced() {
        let state = tempfile::tempdir().unwrap();
        let path = path(state.path(), "web", "token");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path.with_extension("new"), "hal").unwrap();
        generate(&path, 32).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().text.len(), 32);
        assert!(!path.with_extension("new").exists());
    }
}
