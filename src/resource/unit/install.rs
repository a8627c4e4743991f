//! The links that enabling a unit makes, as the `[Install]` section of its file names them: those that lack, and those that
//! only an older file of ours named.
use super::file::path_of;
use super::look::Look;
use super::{Unit, name_in_systemd};
use crate::error::{Attempt as _, Result};
use crate::field::{Field as _, UnitName};
use crate::resource::Ask;
use crate::system::unit_file::{UNIT_DIRECTORY, can_be_enabled, install_words};
use crate::system::{FileKind, System, systemctl};
use std::collections::BTreeSet;
use std::path::Path;

/// The key that not every systemd knows, and the end of the directory of its links.
const UPHELD_BY: (&str, &str) = ("UpheldBy", "upholds");

/// Where a distribution has links of its own, which do as well.
const VENDOR: [&str; 3] = ["/usr/local/lib/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];

/// Returns the links that a unit lacks which counts as enabled: one of them is enough for systemd to call it that.
pub(super) fn lacking(look: &Look<'_, '_>, unit: &systemctl::Unit, sys: &dyn System) -> Result<Vec<String>> {
    if unit.file_state != "enabled" || look.after.is_some() || name_in_systemd(look.name, Some(unit)) != look.name.0 {
        return Ok(Vec::new());
    }
    // A drop-in may add to what the file says, or take it back.
    for drop_in in &unit.drop_ins {
        if read(drop_in, sys)?.is_some_and(|text| text.contains("[Install]")) {
            return Ok(Vec::new());
        }
    }
    let text = match (look.bytes, &unit.fragment) {
        (Some(bytes), _) => Some(String::from_utf8_lossy(bytes).into_owned()),
        (None, Some(fragment)) => read(fragment, sys)?,
        (None, None) => None,
    };
    let mut lacking = Vec::new();
    let Some(text) = text else { return Ok(Vec::new()) };
    let upholds = install_words(&text, UPHELD_BY.0).is_empty() || systemctl::knows_upheld_by(sys)?;
    let named = links(look.name, &text).unwrap_or_default();
    for link in named.into_iter().filter(|link| upholds || !is_upholding(link)) {
        // What another unit has as its name is not taken from it; systemctl says so where that was never enabled.
        let vendor = VENDOR.iter().filter(|_| link.contains('/'));
        let places = [UNIT_DIRECTORY].iter().chain(vendor).map(|directory| Path::new(directory).join(&link));
        let mut there = false;
        for place in places {
            there = there || sys.lstat(&place).attempt(|| format!("reading `{}`", place.display()))?.is_some();
        }
        if !there {
            lacking.push(link);
        }
    }
    Ok(lacking)
}

impl Unit {
    /// Returns the links that only the file names which is about to be written anew, of a unit that we enabled, and of instances
    /// that are to be enabled. They go before that, since nothing tells of them afterwards.
    pub(super) fn outdated(&self, look: &Look<'_, '_>, ask: &Ask<'_>, sys: &dyn System) -> Result<Vec<String>> {
        let (true, Some(bytes)) = (look.writes, look.bytes) else { return Ok(Vec::new()) };
        let own = path_of(look.name);
        let Some(old) = read(&own, sys)? else { return Ok(Vec::new()) };
        let new = String::from_utf8_lossy(bytes);
        let mut outdated = Vec::new();
        for name in self.enabled_with(look.name, &new, ask) {
            let (Some(old), Some(new)) = (links(&name, &old), links(&name, &new)) else { continue };
            for link in old.difference(&new) {
                let path = Path::new(UNIT_DIRECTORY).join(link);
                let attempt = || format!("reading `{}`", path.display());
                if sys.lstat(&path).attempt(attempt)?.is_some_and(|is| is.kind == FileKind::Link)
                    && sys.read_link(&path).attempt(attempt)?.file_name() == own.file_name()
                {
                    outdated.push(link.clone());
                }
            }
        }
        Ok(outdated)
    }

    /// Returns the units that we enabled by this unit's file, as far as they are to have the links that it names and no others.
    fn enabled_with(&self, name: &UnitName, new: &str, ask: &Ask<'_>) -> Vec<UnitName> {
        // Whatever was last said of it: that it is disabled may be what a killed run was about to see to.
        let is_switched = |name: &str| ask.claim(name).is_some_and(|claim| claim.last.contains_key("enabled"));
        if name.is_template() {
            let instances =
                ask.peers.iter().filter(|peer| peer.asks("enabled") == Some(true) && is_switched(&peer.name));
            let instances = instances.map(|peer| UnitName(peer.name.clone()));
            return instances.filter(|instance| instance.template().as_deref() == Some(name.0.as_str())).collect();
        }
        // `enabled = false` takes all of them away; without `enabled` they stay as long as they are what the file says.
        let goes = match self.enabled {
            Some(enabled) => enabled,
            None => !can_be_enabled(new),
        };
        if goes && is_switched(&name.0) { vec![name.clone()] } else { Vec::new() }
    }
}

/// Removes such links.
pub(super) fn remove<'l>(links: impl IntoIterator<Item = &'l String>, sys: &dyn System) -> Result<()> {
    links.into_iter().try_for_each(|link| sys.remove_file(&Path::new(UNIT_DIRECTORY).join(link)))
}

fn read(path: &Path, sys: &dyn System) -> Result<Option<String>> {
    let attempt = || format!("reading `{}`", path.display());
    if sys.lstat(path).attempt(attempt)?.is_none_or(|is| is.kind != FileKind::File) {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&sys.read(path).attempt(attempt)?).into_owned()))
}

/// Returns the links that `systemctl enable` makes for a unit with this file, below the directory of unit files; `None` where
/// only systemd can tell.
fn links(name: &UnitName, file: &str) -> Option<BTreeSet<String>> {
    let file = &file.replace("\\\n", " ");
    let mut links = BTreeSet::new();
    for (key, directory) in [("WantedBy", "wants"), ("RequiredBy", "requires"), UPHELD_BY] {
        for word in install_words(file, key) {
            links.insert(format!("{}.{directory}/{name}", expanded(word, name)?));
        }
    }
    // Those of an instance are made from its template's.
    if name.template().is_none() {
        for word in install_words(file, "Alias") {
            links.insert(expanded(word, name)?);
        }
        links.remove(&name.0);
    }
    Some(links)
}

fn is_upholding(link: &str) -> bool {
    Path::new(link).parent().and_then(Path::extension).is_some_and(|is| is == UPHELD_BY.1)
}

/// Returns the unit that a word of an `[Install]` section names, see "Specifiers" in systemd.unit(5); `None` where it has one
/// that is not known here, or quotes.
fn expanded(word: &str, name: &UnitName) -> Option<String> {
    let (stem, _) = name.0.rsplit_once('.')?;
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let mut parts = word.split('%');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        text.push_str(match part.chars().next()? {
            'i' => instance,
            'p' => prefix,
            'n' => &name.0,
            'N' => stem,
            _ => return None,
        });
        text.push_str(&part[1..]);
    }
    UnitName::from_text(&text).ok().filter(|unit| !unit.is_template()).map(|unit| unit.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links_of(name: &str, install: &str) -> Option<String> {
        let links = links(&UnitName(name.to_owned()), &format!("[Service]\nWantedBy=no.target\n[Install]\n{install}"))?;
        Some(links.into_iter().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_links_of_a_unit_are_those_that_systemctl_makes() {
        let cases = [
            ("a.service", "WantedBy=x.target y.target", "x.target.wants/a.service y.target.wants/a.service"),
            ("a.service", "WantedBy=x.target\nWantedBy=\nRequiredBy = y.target", "y.target.requires/a.service"),
            ("a.service", "# WantedBy=x.target\nAlias=b.service a.service\nAlso=c.socket", "b.service"),
            ("a.service", "WantedBy=x.target \\\n  y.target", "x.target.wants/a.service y.target.wants/a.service"),
            ("a-b@c.service", "WantedBy=%p-%i.target\nAlias=d@.service", "a-b-c.target.wants/a-b@c.service"),
            ("a@b.service", "WantedBy=%N.target %n", "a@b.service.wants/a@b.service a@b.target.wants/a@b.service"),
            ("a.service", "UpheldBy=x.target", "x.target.upholds/a.service"),
        ];
        for (name, install, expected) in cases {
            assert_eq!(links_of(name, install).as_deref(), Some(expected), "{install}");
        }
        for unknown in
            ["WantedBy=%H.target", "WantedBy=\"x.target\"", "WantedBy=../x.target", "WantedBy=x@.target", "WantedBy=%"]
        {
            assert_eq!(links_of("a.service", unknown), None, "{unknown}");
        }
    }
}
