//! A package by `url`: fetched, held against its digest and what it says of itself, installed; a stamp says which it was.
use super::KIND;
use crate::error::{Error, Result};
use crate::field::{PackageName, VersionGlob};
use crate::resource::Change;
use crate::system::apt::{Apt, Deb};
use crate::system::dpkg::Records;
use crate::system::fingerprint::sha256;
use crate::system::{Fetch, System, state, without_login};

const AT_MOST: u64 = 1 << 30;

/// A `.deb` to fetch and install.
pub(super) struct Download<'a> {
    pub(super) url: &'a str,
    pub(super) sha256: &'a str,
    pub(super) name: &'a PackageName,
    pub(super) version: Option<&'a VersionGlob>,
}

/// Returns how an installed package differs from the `.deb` with that digest.
pub(super) fn difference(
    sys: &dyn System,
    name: &PackageName,
    sha256: &str,
    installed: &str,
) -> Result<Option<Change>> {
    let stamp = state::stamp(sys, KIND, &name.0)?;
    if stamp.as_deref() == Some(&stamp_of(sha256, installed)) {
        return Ok(None);
    }
    let from = stamp.filter(|stamp| stamp.ends_with(&format!(" {installed}")));
    let from = from.map_or_else(|| format!("{installed} from elsewhere"), |stamp| short(&stamp));
    Ok(Some(Change::field(&name.0, "sha256", Some(from), Some(short(sha256)))))
}

impl Download<'_> {
    pub(super) fn install(&self, apt: Apt<'_>) -> Result<()> {
        let name = self.name.split().0;
        let content = self.fetch(apt)?;
        let deb = Deb::keep(apt.sys, name, &content)?;
        if let Some(version) = self.version.filter(|version| !version.fits(&deb.version)) {
            let reason = format!("the .deb is version {}, and `version` is {version}", deb.version);
            deb.drop_from(apt.sys)?;
            return Err(Error::new(format!("installing `{}`", without_login(self.url)))
                .reason(reason)
                .remedy("nothing was installed"));
        }
        let stamp = stamp_of(self.sha256, &deb.version);
        let installed = apt.install_deb(&deb);
        apt.sys.facts().forget();
        let is_broken = || {
            Records::read(apt.sys)
                .is_ok_and(|records| records.packages.find(name, None).is_some_and(|found| found.broken))
        };
        if installed.is_err() && is_broken() {
            // The next run goes on with it.
            return installed;
        }
        deb.drop_from(apt.sys)?;
        installed?;
        state::set_stamp(apt.sys, KIND, &self.name.0, &stamp)
    }

    fn fetch(&self, apt: Apt<'_>) -> Result<Vec<u8>> {
        let attempt = || Error::new(format!("fetching `{}`", without_login(self.url)));
        let fetched = apt.sys.fetch(&Fetch {
            url: self.url,
            timeout: apt.patience,
            limit: AT_MOST,
            whole: true,
            follow: true,
        })?;
        if fetched.status != 200 {
            return Err(attempt().reason(format!("the server answered {}", fetched.status)));
        }
        let found = sha256(&fetched.body);
        if found != self.sha256 {
            let reason = format!("its sha256 is {found}, not {}", self.sha256);
            return Err(attempt().reason(reason).remedy(
                "nothing was installed: see whether that is the file that you mean, and put its digest into the recipe as `sha256`",
            ));
        }
        Ok(fetched.body)
    }
}

fn stamp_of(sha256: &str, version: &str) -> String {
    format!("{sha256} {version}")
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}
