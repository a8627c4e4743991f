//! Whether a template is there, is about to come, or can be fetched; and what to do where it can't.
use super::View;
use super::template::Template;
use crate::container::template::{Offer, find, places};
use crate::error::{Error, Result};
use crate::recipe::nearest;
use crate::resource::Thing;
use crate::resource::need::Needs;
use crate::system::without_login;
use std::path::{Path, PathBuf};

/// A template that is to be fetched before a container is made from it.
pub(super) struct Fetched {
    /// From where.
    pub(super) from: String,
    /// To where.
    pub(super) path: PathBuf,
}

impl View<'_, '_> {
    /// Looks for a template. Returns what is fetched where it is not there.
    pub(super) fn needs_template(&self, needs: &mut Needs, asked: &Template) -> Result<Option<Fetched>> {
        if find(self.sys, self.driver, asked.name())?.is_some() {
            return Ok(None);
        }
        let places = places(self.sys, self.driver, asked.name())?;
        let coming = |path: &PathBuf| self.ask.pending.coming_if(|| Thing::Path(path.clone())).cloned();
        if let Some(id) = places.iter().find_map(coming) {
            needs.after = Some(id);
            return Ok(None);
        }
        let Some(path) = places.into_iter().next() else {
            return Err(Error::new(format!("looking for the template `{}`", asked.name()))
                .reason("no storage of this node holds templates")
                .remedy("allow `vztmpl` in the content of a storage that has a directory"));
        };
        if let Some((url, _)) = asked.url() {
            return Ok(Some(Fetched { from: without_login(url), path }));
        }
        let offer = self.driver.offer(self.sys)?;
        if let Some(offer) = offer.as_ref().filter(|offer| offer.names.iter().any(|name| name == asked.name())) {
            return Ok(Some(Fetched { from: offer.by.to_owned(), path }));
        }
        let thing = Thing::Path(path.clone());
        needs.missing(&thing, self.ask, || self.no_template(asked.name(), &path, offer.as_ref()))?;
        Ok(None)
    }

    /// Says that there is no such template, which one may have been meant, and what to do.
    fn no_template(&self, name: &str, path: &Path, offer: Option<&Offer>) -> Error {
        let dirs = self.driver.template_dirs(self.sys).unwrap_or_default();
        let there = dirs.iter().flat_map(|dir| self.sys.list(dir).unwrap_or_default());
        let there: Vec<String> = there.filter_map(|name| name.into_string().ok()).collect();
        let offered = offer.map_or(&[][..], |offer| &offer.names);
        let near = nearest(name, there.iter().chain(offered).map(String::as_str));
        let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? Else "));
        let error = Error::new(format!("looking for the template `{name}`"))
            .reason(format!("there is no `{}`", path.display()));
        match offer.filter(|_| !name.starts_with('/')) {
            None => error
                .remedy(format!("{near}put what makes it before this, or give `template` as {{ name, url, sha512 }}")),
            Some(Offer { by, names, renewed_by }) => {
                let known = if names.is_empty() { "has no list of what it can fetch" } else { "does not have it" };
                error.reason(format!("`{by}` {known}")).remedy(format!(
                    "{near}run `{renewed_by}` and then this again, or give `template` as {{ name, url, sha512 }}"
                ))
            }
        }
    }
}
