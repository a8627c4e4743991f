//! What must be there before a container can be made, changed or started.
use super::View;
use super::template::Template;
use crate::container::template::{find, places};
use crate::error::{Error, Result};
use crate::resource::Thing;
use crate::resource::need::Needs;
use std::path::{Path, PathBuf};

impl View<'_, '_> {
    pub(super) fn needs_template(&self, needs: &mut Needs, asked: &Template) -> Result<()> {
        if asked.url().is_some() || find(self.sys, self.driver, asked.name())?.is_some() {
            return Ok(());
        }
        let mut places = places(self.sys, self.driver, asked.name())?;
        if let Some(coming) =
            places.iter().position(|path| self.ask.pending.coming(&Thing::Path(path.clone())).is_some())
        {
            places.swap(0, coming);
        }
        let Some(path) = places.into_iter().next() else { return Ok(()) };
        let shown = path.display().to_string();
        needs.missing(&Thing::Path(path), self.ask, || {
            Error::new(format!("looking for the template `{}`", asked.name()))
                .reason(format!("there is no `{shown}`"))
                .remedy("put what makes it before this, or give `template` as { name, url, sha512 }")
        })
    }

    pub(super) fn needs_to_start(&self, needs: &mut Needs) -> Result<()> {
        let bridges = self.settings.nets.iter().filter_map(|net| net.bridge.as_deref());
        bridges.into_iter().try_for_each(|bridge| self.needs_bridge(needs, bridge))?;
        self.settings.mounts.iter().try_for_each(|mount| self.needs_source(needs, &mount.source))
    }

    pub(super) fn needs_bridge(&self, needs: &mut Needs, bridge: &str) -> Result<()> {
        self.needs_path(needs, Path::new("/sys/class/net").join(bridge), || {
            Error::new(format!("looking for the bridge `{bridge}`"))
                .reason("it is not there")
                .remedy(format!("put a [[bridge]] with name = \"{bridge}\" before this"))
        })
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
}
