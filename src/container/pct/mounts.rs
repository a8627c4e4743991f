//! Mounts in a running container that `pct` alone would get wrong.
use crate::container::lxc::{attach, state};
use crate::container::{Edit, Found, Mount, Set};
use crate::error::{Attempt as _, Error, Result};
use crate::system::{Bind, Command, System};
use std::path::Path;
use std::time::Duration;

/// How long it may take to take one away.
const SHORT: Duration = Duration::from_secs(30);

/// Returns the mount of an edit where it is written as asked and was taken away inside: `pct` would find nothing to do.
pub(super) fn only_gone<'e>(edit: &'e Edit, found: &Found) -> Option<&'e Mount> {
    match &edit.set {
        Set::Mount(mount) if found.running && found.settings.mounts.contains(mount) => Some(mount),
        _ => None,
    }
}

/// Mounts it once more.
pub(super) fn restore(sys: &dyn System, id: u32, mount: &Mount) -> Result<()> {
    let missing = || Error::new(format!("mounting in container {id}")).reason("its first process can't be found");
    let pid = state::first_process(sys, id)?.ok_or_else(missing)?;
    let (source, target) = (Path::new(&mount.source), Path::new(&mount.target));
    sys.bind_into(&Bind { pid, source, target, read_only: mount.read_only })
}

/// Takes away what a call mounted that was cut off before it wrote that down: the next one would mount it over that.
pub(super) fn take_back(sys: &dyn System, id: u32, mount: &Mount, found: &Found) -> Result<()> {
    let is_written = found.settings.mounts.iter().any(|is| is.target == mount.target);
    let is_mounted = found.mounted.as_ref().is_some_and(|targets| targets.contains(&mount.target));
    if is_written || !is_mounted {
        return Ok(());
    }
    let Some(pid) = state::first_process(sys, id)? else { return Ok(()) };
    let attempt = || format!("looking at what is mounted at `{}` in container {id}", mount.target);
    let inside = format!("/proc/{pid}/root{}", mount.target);
    let [inside, source] = [inside.as_str(), &mount.source].map(|path| sys.lstat(Path::new(path)));
    // Anything else that is mounted there is not ours.
    if inside.attempt(attempt)?.map(|is| is.inode) != source.attempt(attempt)?.map(|is| is.inode) {
        return Ok(());
    }
    let command = Command::new(attach(id, &["umount", &mount.target])).timeout(SHORT);
    sys.run(&command)?.success(&command).map(drop)
}
