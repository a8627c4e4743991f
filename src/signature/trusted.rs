//! The keys that a machine trusts: the files `*.pub` of a directory that root alone can change.
#![expect(clippy::disallowed_methods, reason = "whom to trust is read before there is a machine to converge")]
use super::Key;
use crate::error::{Attempt as _, Error, Result};
use crate::system::shell_word;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A key file is not longer.
const MOST: u64 = 4096;

/// Returns the keys in a directory, by their names; none where there is no such directory.
///
/// # Errors
/// Somebody else than root, or who runs this, could have put a key there, or one cannot be read: then none is trusted.
pub fn trusted(directory: &Path) -> Result<Vec<Key>> {
    let reading = || format!("reading the trusted keys in `{}`", directory.display());
    let real = match directory.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        real => real.attempt(reading)?,
    };
    for above in real.ancestors() {
        let stat = std::fs::symlink_metadata(above).attempt(reading)?;
        let sticky = stat.mode() & 0o1000 != 0 && above != real;
        refuse_others(above, &stat, sticky)?;
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&real).attempt(reading)? {
        let path = entry.attempt(reading)?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(|path| read(&path)).collect()
}

fn read(path: &PathBuf) -> Result<Key> {
    let reading = || format!("reading the trusted key `{}`", path.display());
    let refused = |why: &str| Error::new(reading()).reason(why).remedy("put the key itself there, as a regular file");
    // Neither a link is followed nor a pipe waited for.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file: File = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => return Err(refused("it is a link")),
        file => file.attempt(reading)?,
    };
    let stat = file.metadata().attempt(reading)?;
    if !stat.is_file() {
        return Err(refused("it is not a regular file"));
    }
    refuse_others(path, &stat, false)?;
    let mut text = String::new();
    file.take(MOST).read_to_string(&mut text).attempt(reading)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    Key::parse(&name, &text).map_err(|error| error.during(reading()))
}

/// Refuses what others than root, or who runs this, can change.
fn refuse_others(path: &Path, stat: &Metadata, sticky: bool) -> Result<()> {
    let error = |why: String| {
        let shown = path.to_string_lossy();
        let typed = shell_word(&shown);
        Error::new(format!("trusting the keys below `{shown}`"))
            .reason(why)
            .remedy(format!("see who put the keys there; then `chown root:root {typed}` and `chmod go-w {typed}`"))
    };
    if stat.uid() != 0 && stat.uid() != rustix::process::geteuid().as_raw() {
        return Err(error(format!("it belongs to uid {}", stat.uid())));
    }
    if stat.mode() & 0o022 != 0 && !sticky {
        return Err(error(format!("others than its owner can write to it (mode {:04o})", stat.mode() & 0o7777)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    const KEY: &str = "RWQwp27vcQ8tdY9OhGveB+HXvDYqF191/eFP/JHTUdQnDka3++me8sxG\n";

    /// Returns a directory with a key, a note and another key.
    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("ops.pub", KEY), ("README", "hello"), ("boss.pub", KEY)] {
            std::fs::write(directory.path().join(name), text).unwrap();
            std::fs::set_permissions(directory.path().join(name), Permissions::from_mode(0o644)).unwrap();
        }
        directory
    }

    fn refusal(directory: &Path) -> String {
        trusted(directory).unwrap_err().causes.join("; ")
    }

    #[test]
    fn the_keys_of_a_directory_are_known_by_their_names() {
        let names = |keys: Vec<Key>| keys.into_iter().map(|key| key.name).collect::<Vec<_>>();
        assert_eq!(names(trusted(directory().path()).unwrap()), ["boss", "ops"]);
        assert_eq!(trusted(Path::new("/nowhere/trusted.d")), Ok(Vec::new()));
    }

    #[test]
    fn what_others_can_write_is_not_trusted_nor_anything_beside_it() {
        let directory = directory();
        let mode = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let key = directory.path().join("ops.pub");
        for wrong in [0o664, 0o646] {
            mode(&key, wrong);
            assert_eq!(refusal(directory.path()), format!("others than its owner can write to it (mode {wrong:04o})"));
        }
        mode(&key, 0o644);
        mode(directory.path(), 0o1777);
        assert_eq!(refusal(directory.path()), "others than its owner can write to it (mode 1777)");
        mode(directory.path(), 0o700);
        let inner = directory.path().join("trusted.d");
        std::fs::create_dir(&inner).unwrap();
        mode(directory.path(), 0o777);
        assert_eq!(refusal(&inner), "others than its owner can write to it (mode 0777)");
    }

    #[test]
    fn a_link_a_pipe_and_what_is_no_key_are_refused() {
        let directory = directory();
        let key = directory.path().join("ops.pub");
        std::fs::write(&key, "hello").unwrap();
        assert!(refusal(directory.path()).ends_with("it is not a public key of minisign"));
        std::fs::remove_file(&key).unwrap();
        std::os::unix::fs::symlink(directory.path().join("boss.pub"), &key).unwrap();
        assert_eq!(refusal(directory.path()), "it is a link");
        std::fs::remove_file(&key).unwrap();
        nix::unistd::mkfifo(&key, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        assert_eq!(refusal(directory.path()), "it is not a regular file");
    }
}
