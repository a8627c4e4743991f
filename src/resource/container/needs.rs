//! What must be there before a container can be made, changed or started.
use super::View;
use super::origin::Origin;
use crate::container::{MAPPED, Mount};
use crate::error::{Error, Result};
use crate::recipe::nearest;
use crate::resource::need::Needs;
use crate::resource::{Remark, Thing};
use crate::system::FileKind;
use std::path::{Path, PathBuf};

/// The host's network interfaces.
const INTERFACES: &str = "/sys/class/net";

impl View<'_, '_> {
    /// Sees that a new root file system has a place to go to; that of a clone is with its base where no other is asked.
    pub(super) fn needs_room(&self, needs: &mut Needs, origin: Origin<'_>) -> Result<()> {
        let storage = self.settings.storage.as_deref();
        if storage.is_none() && matches!(origin, Origin::Base(..)) {
            return Ok(());
        }
        match self.driver.room(self.sys, storage) {
            Ok(_) => Ok(()),
            Err(error) => needs.missing(&Thing::Path(self.driver.storages().into()), self.ask, || error),
        }
    }

    pub(super) fn needs_tools(&self, needs: &mut Needs) -> Result<()> {
        let package = self.driver.package();
        self.driver.programs().iter().try_for_each(|program| {
            self.needs_path(needs, PathBuf::from(program), || {
                Error::new(format!("looking for the program `{program}`"))
                    .reason(format!("it is not there, and container {} can't be changed without it", self.name))
                    .remedy(format!("install the package {package}, or put a [[package]] with it before this"))
            })
        })
    }

    pub(super) fn needs_to_start(&self, needs: &mut Needs) -> Result<()> {
        let bridges = self.settings.nets.iter().filter_map(|net| net.bridge.as_deref());
        bridges.into_iter().try_for_each(|bridge| self.needs_bridge(needs, bridge))?;
        self.settings.mounts.iter().try_for_each(|mount| self.needs_source(needs, &mount.source))
    }

    pub(super) fn needs_bridge(&self, needs: &mut Needs, bridge: &str) -> Result<()> {
        let path = Path::new(INTERFACES).join(bridge);
        let looking = || Error::new(format!("looking for the bridge `{bridge}`"));
        if self.is_there(&path.join("device")) {
            return Err(looking().reason("it is a network card, and no bridge").remedy(self.other_bridges(bridge)));
        }
        self.needs_path(needs, path, || looking().reason("it is not there").remedy(self.other_bridges(bridge)))
    }

    /// Says which bridge may have been meant, and how to come by this one.
    fn other_bridges(&self, bridge: &str) -> String {
        let names = self.sys.list(Path::new(INTERFACES)).unwrap_or_default();
        let names = names.iter().filter_map(|name| name.to_str());
        let bridges: Vec<&str> =
            names.filter(|name| self.is_there(&Path::new(INTERFACES).join(name).join("bridge"))).collect();
        match nearest(bridge, bridges.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? Else put a [[bridge]] with name = \"{bridge}\" before this"),
            None => format!("put a [[bridge]] with name = \"{bridge}\" before this"),
        }
    }

    pub(super) fn needs_source(&self, needs: &mut Needs, source: &str) -> Result<()> {
        self.needs_path(needs, PathBuf::from(source), || {
            Error::new(format!("looking for `{source}`, which container {} mounts", self.name))
                .reason("it is not there")
                .remedy(format!("put a [[directory]] with path = \"{source}\" before this"))
        })
    }

    fn needs_path(&self, needs: &mut Needs, path: PathBuf, what: impl FnOnce() -> Error) -> Result<()> {
        match self.sys.lstat(&path) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => needs.missing(&Thing::Path(path), self.ask, what),
            Err(error) => Err(what().because(&error)),
        }
    }

    fn is_there(&self, path: &Path) -> bool {
        matches!(self.sys.lstat(path), Ok(Some(_)))
    }

    /// Says which mounts root inside can't use as they are meant, because of whom they belong to on the host.
    pub(super) fn foreign<'m>(&self, mounts: impl IntoIterator<Item = &'m Mount>) -> Vec<Remark> {
        if self.settings.unprivileged == Some(false) {
            return Vec::new();
        }
        mounts.into_iter().filter_map(|mount| self.foreign_source(mount)).collect()
    }

    fn foreign_source(&self, mount: &Mount) -> Option<Remark> {
        let source = Path::new(&mount.source);
        if self.ask.pending.coming_if(|| Thing::Path(source.to_owned())).is_some() {
            return None;
        }
        let stat = self.sys.lstat(source).ok()??;
        let (bit, what) = if mount.read_only { (0o4, "read") } else { (0o2, "write to") };
        let by_group = MAPPED.contains(&stat.gid) && stat.mode & (bit << 3) != 0;
        if stat.kind == FileKind::Link || MAPPED.contains(&stat.uid) || by_group || stat.mode & bit != 0 {
            return None;
        }
        let inside = if stat.uid < MAPPED.end - MAPPED.start { stat.uid } else { 0 };
        let who = |uid: u32| if uid == 0 { "root".to_owned() } else { format!("uid {uid}") };
        Some(self.remark(format!(
            "`{}` is {}'s, who is nobody inside: no user there can {what} it; with owner = {} it would be {}'s",
            mount.source,
            who(stat.uid),
            MAPPED.start + inside,
            who(inside),
        )))
    }
}
