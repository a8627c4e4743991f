//! The file that a unit brings.
use super::mask;
use crate::error::{Attempt as _, Error, Result};
use crate::field::UnitName;
use crate::resource::{Ask, Change, diff, kept};
use crate::system::unit_file::UNIT_DIRECTORY;
use crate::system::{FileKind, NewFile, System};
use std::path::{Path, PathBuf};

const MODE: u32 = 0o644;

/// Returns where a unit's own file is.
pub(super) fn path_of(name: &UnitName) -> PathBuf {
    Path::new(UNIT_DIRECTORY).join(&name.0)
}

/// Returns what differs of a unit's file.
pub(super) fn changes(name: &UnitName, bytes: &[u8], ask: &Ask<'_>, sys: &dyn System) -> Result<Vec<Change>> {
    let path = path_of(name);
    let attempt = || format!("reading `{}`", path.display());
    let is = sys.lstat(&path).attempt(attempt)?;
    // A mask of ours is nothing that was there before us.
    let Some(is) = (if mask::is_in_place(name, sys)? { None } else { is }) else {
        let made = Change::made(&name.0, format!("unit file, {}", ask.digest(bytes)));
        return Ok(vec![made.diff(diff::unified(b"", bytes))]);
    };
    let mut changes = Vec::new();
    let mut differs = |field, from, to| changes.push(Change::field(&name.0, field, Some(from), Some(to)));
    match is.kind {
        FileKind::File => {
            let old = sys.read(&path).attempt(attempt)?;
            if old != bytes {
                differs("content", ask.digest(&old), ask.digest(bytes));
                if let Some(change) = changes.last_mut() {
                    change.diff = diff::unified(&old, bytes);
                }
            } else if (is.uid, is.gid, is.mode) != (0, 0, MODE) {
                let owned = |uid, gid, mode| format!("{mode:04o}, owner {uid}:{gid}");
                differs("mode", owned(is.uid, is.gid, is.mode), owned(0, 0, MODE));
            }
        }
        FileKind::Link => {
            let target = sys.read_link(&path).attempt(attempt)?;
            differs("content", format!("a link to {}", target.display()), ask.digest(bytes));
        }
        FileKind::Directory | FileKind::Other => {
            return Err(Error::new(attempt()).reason("it is neither a file nor a link"));
        }
    }
    Ok(changes)
}

/// Writes a unit's file; what was there before us is kept in a copy. Where only its owner or mode differ it stays as it is:
/// a new file would look like a new unit to systemd.
pub(super) fn write(name: &UnitName, bytes: &[u8], foreign: bool, sys: &dyn System) -> Result<()> {
    let path = path_of(name);
    let attempt = || format!("reading `{}`", path.display());
    let is = sys.lstat(&path).attempt(attempt)?;
    if is.is_some_and(|is| is.kind == FileKind::File) && sys.read(&path).attempt(attempt)? == bytes {
        sys.chown(&path, 0, 0)?;
        return sys.chmod(&path, MODE);
    }
    if foreign && is.is_some() {
        kept::keep(&path, sys)?;
    }
    sys.write(&path, &NewFile { content: bytes, uid: 0, gid: 0, mode: MODE }, &|_| Ok(()))
}
