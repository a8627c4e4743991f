//! Tells whether what stands at a path has changed, cheaply enough for every check.
use super::{FileKind, System};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Above this a file is told by size and time: a binary of 200 MB is not read for every check.
const READ_AT_MOST: u64 = 1 << 20;

/// Links that are followed, as in the kernel.
const LINKS_AT_MOST: usize = 40;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Differs where the content does.
    pub digest: String,
    /// The latest change of what was looked at.
    pub modified: SystemTime,
}

/// Returns the fingerprint of a file, or of a directory with all in it; a link counts as what it leads to. `None`: nothing there.
pub fn fingerprint(sys: &dyn System, path: &Path) -> io::Result<Option<Fingerprint>> {
    let Some(path) = followed(sys, path)? else { return Ok(None) };
    let Some(stat) = sys.lstat(&path)? else { return Ok(None) };
    let digest = match stat.kind {
        FileKind::File if stat.size <= READ_AT_MOST => sha256(sys.read(&path)?),
        FileKind::Directory => return directory(sys, &path, stat.modified).map(Some),
        FileKind::File | FileKind::Other | FileKind::Link => {
            let age = stat.modified.duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("{} B {}", stat.size, age.as_nanos())
        }
    };
    Ok(Some(Fingerprint { digest, modified: stat.modified }))
}

fn directory(sys: &dyn System, path: &Path, mut modified: SystemTime) -> io::Result<Fingerprint> {
    let mut whole = Sha256::new();
    for name in sys.list(path)? {
        let path = path.join(&name);
        let inner = match sys.lstat(&path)? {
            // A link in it counts as its text, so that no loop is walked.
            Some(stat) if stat.kind == FileKind::Link => sys.read_link(&path)?.display().to_string(),
            Some(_) => match fingerprint(sys, &path)? {
                Some(found) => {
                    modified = modified.max(found.modified);
                    found.digest
                }
                None => continue,
            },
            None => continue,
        };
        whole.update(name.as_encoded_bytes());
        whole.update([0]);
        whole.update(inner);
        whole.update([0]);
    }
    Ok(Fingerprint { digest: hex(&whole.finalize()), modified })
}

/// Returns where a path leads when its last part is a link; `None` where nothing is.
pub fn followed(sys: &dyn System, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_AT_MOST {
        match sys.lstat(&path)? {
            None => return Ok(None),
            Some(stat) if stat.kind == FileKind::Link => {
                let target = sys.read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("/")).join(target);
            }
            Some(_) => return Ok(Some(path)),
        }
    }
    Ok(None)
}

/// Returns the names in a directory; none where it is not there.
pub fn listed(sys: &dyn System, path: &Path) -> io::Result<Vec<String>> {
    match sys.list(path) {
        Ok(names) => Ok(names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Returns the SHA-256 of bytes, as 64 lower-case digits.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
