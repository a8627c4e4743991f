//! Removal: of one thing, or of a whole tree, following no link and crossing no mount.
use super::capture::names;
use super::obstacle;
use super::place::{Place, stat_in};
use super::write::kind;
use crate::error::{Attempt as _, Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat2, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Deeper trees are refused: each level holds a descriptor and a frame.
const DEEPEST: usize = 500;

/// Removes a file or link.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    remove(path, AtFlags::empty(), || format!("removing `{}`", path.display()))
}

/// Removes an empty directory.
pub(super) fn remove_dir(path: &Path) -> Result<()> {
    remove(path, AtFlags::REMOVEDIR, || format!("removing the directory `{}`", path.display()))
}

fn remove(path: &Path, flags: AtFlags, attempt: impl Fn() -> String) -> Result<()> {
    let Some(place) = Place::find(path).attempt(&attempt)? else { return Ok(()) };
    obstacle::to_removing(&place.dir, &place.name, path, &attempt)?;
    match unlinkat(&place.dir, &place.name, flags) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed.and_then(|()| place.sync()).attempt(attempt),
    }
}

/// Removes a directory with all that is in it. Where something is mounted in it, nothing is touched.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let attempt = || format!("removing the directory `{}` with all that is in it", path.display());
    let Some(place) = Place::find(path).attempt(attempt)? else { return Ok(()) };
    match place.stat().attempt(attempt)? {
        None => return Ok(()),
        Some(there) if kind(&there) != FileType::Directory => {
            return Err(Error::new(attempt()).reason("it is not a directory"));
        }
        Some(_) => {}
    }
    refuse_mounts(&place).attempt(attempt)?;
    clear(&place.dir, &place.name, path, 0).attempt(attempt)?;
    place.sync().attempt(attempt)
}

fn clear(parent: &OwnedFd, name: &OsStr, shown: &Path, depth: usize) -> Result<()> {
    let attempt = || format!("removing `{}`", shown.display());
    if depth > DEEPEST {
        return Err(Error::new(attempt()).reason(format!("it is nested more than {DEEPEST} deep")));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::BENEATH;
    let dir = openat2(parent, name, flags, Mode::empty(), resolve).attempt(attempt)?;
    for entry in names(&dir).attempt(attempt)? {
        let below = shown.join(&entry);
        match stat_in(&dir, &entry).attempt(|| format!("removing `{}`", below.display()))? {
            None => {}
            Some(there) if kind(&there) == FileType::Directory => clear(&dir, &entry, &below, depth + 1)?,
            Some(_) => unlink(&dir, &entry, &below, AtFlags::empty())?,
        }
    }
    unlink(parent, name, shown, AtFlags::REMOVEDIR)
}

fn unlink(dir: &OwnedFd, name: &OsStr, shown: &Path, flags: AtFlags) -> Result<()> {
    let attempt = || format!("removing `{}`", shown.display());
    unlinkat(dir, name, flags).or_else(|errno| {
        obstacle::to_removing(dir, name, shown, &attempt)?;
        Err(Error::new(attempt()).because(&errno))
    })
}

#[expect(clippy::disallowed_methods, reason = "the boundary: what `System` does on a real machine")]
fn refuse_mounts(place: &Place) -> Result<()> {
    let parent = std::fs::read_link(format!("/proc/self/fd/{}", place.dir.as_raw_fd()))
        .attempt(|| "finding its true path".to_owned())?;
    let mounts = std::fs::read("/proc/self/mountinfo").attempt(|| "reading the mounts".to_owned())?;
    match mounted_below(&mounts, &parent.join(&place.name)) {
        None => Ok(()),
        Some(mount) => Err(Error::new(format!("looking for mounts in `{}`", parent.join(&place.name).display()))
            .reason(format!("`{}` is mounted there", mount.display()))
            .remedy("unmount it, then run again")),
    }
}

/// Returns a mount at or below a path, of what `/proc/PID/mountinfo` says, see proc(5).
fn mounted_below(mountinfo: &[u8], path: &Path) -> Option<PathBuf> {
    let points = mountinfo.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.map(unescape).find(|point| point.starts_with(path))
}

/// Undoes the octal escapes of blank, tab, newline and backslash.
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| byte == b'\\');
        plain.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &after[3..] } else { after };
    }
    OsString::from_vec(plain).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    const MOUNTS: &[u8] = b"\
22 1 253:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:35 / /srv/a\\040b/data rw - tmpfs tmpfs rw
41 22 253:0 /etc /srv/bound rw - ext4 /dev/vda rw
42 22 0:36 / /srv/\xff\\134040 rw - tmpfs tmpfs rw
";

    #[test]
    fn a_mount_is_found_at_and_below_a_path_and_not_beside_it() {
        let mount = |path: &str| mounted_below(MOUNTS, Path::new(path));
        assert_eq!(mount("/srv/a b"), Some("/srv/a b/data".into()));
        assert_eq!(mount("/srv/bound"), Some("/srv/bound".into()), "a bind mount has its source's device");
        assert_eq!(mount("/srv/boun"), None);
        let latin1 = OsStr::from_bytes(b"/srv/\xff\\040");
        assert_eq!(mounted_below(MOUNTS, Path::new(latin1)), Some(latin1.into()), "a name that is not UTF-8");
        assert_eq!(mount("/srv/a b/data/x"), None);
    }
}
