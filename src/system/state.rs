//! What is kept on a machine below its state directory: stamps (`stamps/KIND/NAME`), outputs, downloads. Root's alone.
use super::{NewFile, System};
use crate::error::{Attempt as _, Error, Result};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// Returns the directory `name` below the state directory, made where it is not there.
pub fn directory(sys: &dyn System, name: &str) -> Result<PathBuf> {
    let path = sys.state_dir().join(name);
    make(sys, &path)?;
    Ok(path)
}

/// Returns the stamp of a resource; `None` where there is none.
pub fn stamp(sys: &dyn System, kind: &str, name: &str) -> Result<Option<String>> {
    let path = stamp_path(sys, kind, name);
    match sys.read(&path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}

/// Leaves a stamp; it is there whole or not at all.
pub fn set_stamp(sys: &dyn System, kind: &str, name: &str, text: &str) -> Result<()> {
    make(sys, &sys.state_dir().join("stamps").join(kind))?;
    let file = NewFile { content: text.as_bytes(), uid: 0, gid: 0, mode: 0o600 };
    sys.write(&stamp_path(sys, kind, name), &file, &|_| Ok(()))
}

/// A directory below the state directory that is there while npm works, and no longer.
pub const NPM_CACHE: &str = "npm-cache";

/// Returns what killed runs left: temporaries among the stamps (they begin with a dot, stamps never do), and npm's cache.
pub fn leftovers(sys: &dyn System) -> Vec<PathBuf> {
    let stamps = sys.state_dir().join("stamps");
    let names = |path: &Path| sys.list(path).unwrap_or_default();
    let kinds = names(&stamps).into_iter().map(|kind| stamps.join(kind));
    let each = kinds.flat_map(|kind| names(&kind).into_iter().map(move |name| kind.join(name)));
    let torn = each.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
    let cache = sys.state_dir().join(NPM_CACHE);
    torn.chain(matches!(sys.lstat(&cache), Ok(Some(_))).then_some(cache)).collect()
}

/// Takes away what killed runs left.
pub fn sweep(sys: &dyn System) -> Result<()> {
    let npm = sys.state_dir().join(NPM_CACHE);
    leftovers(sys).iter().try_for_each(|path| if *path == npm { sys.remove_tree(path) } else { sys.remove_file(path) })
}

/// Takes a stamp away; none there is no error.
pub fn clear_stamp(sys: &dyn System, kind: &str, name: &str) -> Result<()> {
    sys.remove_file(&stamp_path(sys, kind, name))
}

/// Keeps what a resource's program printed, in place of what it printed before: `outputs/KIND/NAME`.
pub fn keep_output(sys: &dyn System, kind: &str, name: &str, printed: &[u8]) -> Result<()> {
    let directory = sys.state_dir().join("outputs").join(kind);
    make(sys, &directory)?;
    let file = NewFile { content: printed, uid: 0, gid: 0, mode: 0o600 };
    sys.write(&directory.join(file_name(name)), &file, &|_| Ok(()))
}

/// Returns the temporary that a killed run left of such an output; the next one to be kept would remove it.
pub fn torn_output(sys: &dyn System, kind: &str, name: &str) -> Result<Option<PathBuf>> {
    let directory = sys.state_dir().join("outputs").join(kind);
    let names = match sys.list(&directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).attempt(|| format!("reading `{}`", directory.display())),
    };
    let start = format!(".{}.provision-", file_name(name));
    let torn = names.into_iter().find(|found| found.as_encoded_bytes().starts_with(start.as_bytes()));
    Ok(torn.map(|found| directory.join(found)))
}

/// Takes away what was kept of a resource's program; nothing there is no error.
pub fn drop_output(sys: &dyn System, kind: &str, name: &str) -> Result<()> {
    let path = sys.state_dir().join("outputs").join(kind).join(file_name(name));
    match sys.lstat(&path).attempt(|| format!("reading `{}`", path.display()))? {
        Some(_) => sys.remove_file(&path),
        None => Ok(()),
    }
}

fn stamp_path(sys: &dyn System, kind: &str, name: &str) -> PathBuf {
    sys.state_dir().join("stamps").join(kind).join(file_name(name))
}

/// Returns a file name for any name: what is not plain is percent-encoded, what is too long ends in its digest.
pub(crate) fn file_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || b"-_@+:".contains(&byte) || (byte == b'.' && at > 0) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    if encoded.len() <= 200 {
        return encoded;
    }
    encoded.truncate(160);
    let digest = Sha256::digest(name);
    digest.iter().take(16).fold(encoded, |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn make(sys: &dyn System, path: &Path) -> Result<()> {
    if sys.lstat(path).attempt(|| format!("reading `{}`", path.display()))?.is_some() {
        return Ok(());
    }
    let Some(parent) = path.parent() else {
        return Err(Error::new("making `/`").reason("it is not there"));
    };
    make(sys, parent)?;
    let mode = if path.starts_with(sys.state_dir()) { 0o700 } else { 0o755 };
    sys.make_dir(path, 0, 0, mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_gives_a_plain_file_name_of_its_own() {
        assert_eq!(file_name("max-agent@claude.service"), "max-agent@claude.service");
        assert_eq!(file_name("@a/b"), "@a%2fb");
        assert_eq!(file_name(".."), "%2e.");
        assert_ne!(file_name("a%2fb"), file_name("a/b"));
        let (long, longer) = ("x".repeat(300), "x".repeat(301));
        assert!(file_name(&long).len() <= 200);
        assert_ne!(file_name(&long), file_name(&longer));
    }
}
