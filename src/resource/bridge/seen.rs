//! A bridge as the machine has it now, read from /sys and /proc.
use super::stanza::{Stanza, forwarding, nft_family};
use crate::error::{Attempt as _, Result};
use crate::field::Cidr;
use crate::system::network::{parse_if_inet6, parse_local_addresses, parse_route};
use crate::system::{Command, System};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What an interface is now.
#[derive(Debug)]
pub(super) struct Seen {
    /// There is an interface of that name.
    pub(super) exists: bool,
    /// It is a bridge.
    pub(super) is_bridge: bool,
    /// It is switched on.
    pub(super) is_up: bool,
    /// Its addresses, those of IPv4 first.
    pub(super) addresses: Vec<Cidr>,
    /// The interfaces that are attached to it.
    pub(super) ports: Vec<String>,
}

impl Seen {
    /// Looks at the interface of that name.
    pub(super) fn read(sys: &dyn System, name: &str) -> Result<Self> {
        let at = directory(name);
        let there = |path: &Path| {
            let stat = sys.lstat(path).attempt(|| format!("reading `{}`", path.display()))?;
            Ok::<_, crate::error::Error>(stat.is_some())
        };
        let flags = text(sys, &at.join("flags"))?;
        let flags = u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).unwrap_or(0);
        let ports = sys.list(&at.join("brif")).unwrap_or_default();
        Ok(Self {
            exists: there(&at)?,
            is_bridge: there(&at.join("bridge"))?,
            is_up: flags & 1 == 1,
            addresses: addresses(sys, name)?,
            ports: ports.into_iter().map(|port| port.to_string_lossy().into_owned()).collect(),
        })
    }

    /// Returns its addresses for people.
    pub(super) fn shown_addresses(&self) -> Option<String> {
        let all: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// Returns where the kernel shows an interface.
pub(super) fn directory(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}

/// The kernel lists addresses without interface, and networks with one: an address belongs where its network is.
fn addresses(sys: &dyn System, name: &str) -> Result<Vec<Cidr>> {
    let local = parse_local_addresses(&text(sys, Path::new("/proc/net/fib_trie"))?);
    let connected = parse_route(&text(sys, Path::new("/proc/net/route"))?);
    let mut found: Vec<Cidr> = Vec::new();
    for network in connected.iter().filter(|network| network.interface == name) {
        let with_prefix = local.iter().map(|address| Cidr { address: IpAddr::V4(*address), prefix: network.prefix });
        found.extend(with_prefix.filter(|cidr| cidr.network().address == IpAddr::V4(network.network)));
    }
    for (interface, address, prefix) in parse_if_inet6(&text(sys, Path::new("/proc/net/if_inet6"))?) {
        if interface == name && !address.is_unicast_link_local() {
            found.push(Cidr { address: IpAddr::V6(address), prefix });
        }
    }
    Ok(found)
}

/// Returns whether the kernel forwards packets of that family.
pub(super) fn forwards(sys: &dyn System, address: Cidr) -> Result<bool> {
    Ok(text(sys, Path::new(forwarding(address)))?.trim() == "1")
}

/// Returns whether the table of a bridge of ours is in place. No file tells, so this asks `nft`.
pub(super) fn hides(sys: &dyn System, stanza: &Stanza<'_>, address: Cidr) -> Result<bool> {
    let output = sys.run(&Command::new(["nft", "list", "table", nft_family(address), &stanza.table()]))?;
    let printed = output.text();
    let hooked = printed.lines().any(|line| line.trim().starts_with("type nat hook postrouting"));
    Ok(output.code == 0 && hooked && printed.lines().any(|line| line.trim() == stanza.rule(address)))
}

/// Returns whether anything at all is hidden behind this machine; of a bridge that is not ours no more can be told.
pub(super) fn hides_anything(sys: &dyn System) -> Result<bool> {
    let output = sys.run(&Command::new(["nft", "list", "ruleset"]))?;
    Ok(output.code != 0 || output.text().contains("masquerade") || output.text().contains("snat to"))
}

/// Returns the text of a file; nothing where there is none.
pub(super) fn text(sys: &dyn System, path: &Path) -> Result<String> {
    match sys.read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_going(&error) => Ok(String::new()),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}

/// The kernel has no answer of an interface that is being taken away.
fn is_going(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EINVAL | nix::libc::ENODEV))
}
