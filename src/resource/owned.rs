//! Owner, group and mode of what is there, set so that at no moment anybody can do more than before or after.
use crate::error::Result;
use crate::system::{FileKind, Stat, System};
use std::path::Path;

/// Sets owner, group and, where one is given, the mode of what stands at `path` and `is` so; a link has no mode.
pub(crate) fn set(path: &Path, is: Stat, (uid, gid): (u32, u32), mode: Option<u32>, sys: &dyn System) -> Result<()> {
    let mode = mode.filter(|_| is.kind != FileKind::Link);
    let is_given = (uid, gid) != (is.uid, is.gid);
    if is_given {
        // A new owner must not have what only the old one should, nor the old group what only the new one should.
        let common = is.mode & mode.unwrap_or(is.mode) & 0o777;
        if common != is.mode & 0o777 {
            sys.chmod(path, common)?;
            // Who is just opening a file may have seen its old mode and be asked for its new group: another file never
            // had that mode.
            if is.kind == FileKind::File {
                sys.copy(path, path)?;
            }
        }
        sys.chown(path, uid, gid)?;
    }
    match mode {
        Some(mode) if is_given || mode != is.mode => sys.chmod(path, mode),
        _ => Ok(()),
    }
}

/// Returns the mode that a file has once it was given to another: without setuid and setgid, see chown(2).
pub(crate) fn mode_once_given(is: Stat) -> u32 {
    let setgid = if is.mode & 0o010 == 0 { 0 } else { 0o2000 };
    if is.kind == FileKind::File { is.mode & !(0o4000 | setgid) } else { is.mode }
}
