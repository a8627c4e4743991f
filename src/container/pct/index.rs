//! The templates that a node can fetch by name: Proxmox's index of them, and `pveam`.
use super::cluster;
use crate::container::lxc::host::text;
use crate::container::template::Offer;
use crate::error::{Error, Result};
use crate::system::{Command, System};
use std::time::Duration;

/// What `pveam update` keeps of the servers that it knows.
const LISTS: [&str; 2] =
    ["/var/lib/pve-manager/apl-info/download.proxmox.com", "/var/lib/pve-manager/apl-info/releases.turnkeylinux.org"];

/// Returns the file names of what can be fetched.
pub(super) fn offer(sys: &dyn System) -> Result<Offer> {
    let mut names = Vec::new();
    for list in LISTS {
        names.extend(parse(&text(sys, list)?.unwrap_or_default()));
    }
    Ok(Offer { by: "pveam", names, renewed_by: "pveam update" })
}

/// Fetches one into the first storage that holds templates.
pub(super) fn fetch(sys: &dyn System, name: &str, timeout: Duration) -> Result<()> {
    let storages = cluster::storages(sys)?;
    let storage = storages.iter().find(|one| one.templates().is_some()).ok_or_else(|| {
        Error::new(format!("fetching the template `{name}`"))
            .reason("no storage of this node holds templates")
            .remedy("allow `vztmpl` in the content of a storage that has a directory")
    })?;
    let command = Command::new(["pveam", "download", &storage.name, name]).timeout(timeout);
    sys.run(&command)?.success(&command).map(drop)
}

/// Reads a list: stanzas as Debian's, of which `Location` ends in the name of a file.
fn parse(text: &str) -> Vec<String> {
    let locations = text.lines().filter_map(|line| line.strip_prefix("Location:"));
    let file = |location: &str| location.trim().rsplit('/').next().unwrap_or_default().to_owned();
    locations.map(file).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_templates_by_where_they_are() {
        let list = "Package: debian-12-standard\nVersion: 12.7-1\nSection: system\n\
                    Location: system/debian-12-standard_12.7-1_amd64.tar.zst\nsha512sum: 00\n\n\
                    Package: turnkey\nLocation: http://mirror.example/x/turnkey_18_amd64.tar.gz\n\nLocation:\n";
        assert_eq!(parse(list), ["debian-12-standard_12.7-1_amd64.tar.zst", "turnkey_18_amd64.tar.gz"]);
    }
}
