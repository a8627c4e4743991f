//! How a container comes to be: its configuration, marked as unfinished until its root file system is whole.
use super::config::ours;
use super::host::Host;
use super::mac::{keep_identity, new_mac};
use super::rootfs::Rootfs;
use super::store::{clear, grant_ids, home, is_file, lock, reachable, write_config};
use super::write::{self, Pen};
use crate::container::{Found, Settings, edits};
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::path::Path;

/// Makes a container, stopped; `fill` brings its root file system and makes it its own.
pub(super) fn make(
    sys: &dyn System,
    id: u32,
    settings: &Settings,
    fill: impl FnOnce(&Rootfs, &Settings) -> Result<()>,
) -> Result<()> {
    let (host, unprivileged) = (Host::of(sys)?, settings.unprivileged != Some(false));
    if unprivileged {
        ["/etc/subuid", "/etc/subgid"].into_iter().try_for_each(|path| grant_ids(sys, path))?;
    }
    reachable(sys)?;
    let mut config = write::fresh(id, settings);
    let mut settings = settings.clone();
    for (n, net) in settings.nets.iter_mut().enumerate() {
        net.mac.get_or_insert_with(|| new_mac(sys, id, n));
    }
    let is_file = |path: &str| is_file(sys, path);
    for edit in edits(&settings, &Found::default()) {
        write::write(&mut config, &Pen { id, host: &host, is_file: &is_file }, &edit.set);
    }
    keep_identity(&mut config);
    if config.get(&ours("identity")).is_none() {
        // Without an interface it must be told from others all the same.
        config.set(&ours("identity"), &new_mac(sys, id, 0));
    }
    if sys.lstat(Path::new(&home(id))).attempt(|| format!("reading `{}`", home(id)))?.is_none() {
        sys.make_dir(Path::new(&home(id)), 0, 0, 0o755)?;
    }
    lock(sys, id, &config, "create")?;
    clear(sys, id)?;
    fill(&Rootfs::new(id, unprivileged), &settings)?;
    write_config(sys, id, &config)
}
