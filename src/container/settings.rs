//! `Settings`: everything that can be asked of a container, and how each of it is said. What is `None` or empty is not
//! asked, or not set.
use crate::field::{Address, Size};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

/// A container's settings, as a recipe asks for them or as a driver found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Its host name.
    pub hostname: Option<String>,
    /// Root inside is nobody outside. Fixed when it is made.
    pub unprivileged: Option<bool>,
    /// The name of the template from which it was made. Fixed when it is made.
    pub template: Option<String>,
    /// Where its root file system is, where the driver knows several places. Fixed when it is made.
    pub storage: Option<String>,
    /// The size of its root file system; grows only.
    pub disk: Option<Size>,
    /// How many processors it sees.
    pub cores: Option<u32>,
    /// Its memory.
    pub memory: Option<Size>,
    /// Its swap, beyond the memory.
    pub swap: Option<Size>,
    /// Its network interfaces, by name.
    pub nets: Vec<Net>,
    /// What of the host it sees, by target.
    pub mounts: Vec<Mount>,
    /// What it may do.
    pub features: Features,
    /// It starts with the host.
    pub onboot: Option<bool>,
    /// When it starts.
    pub startup: Startup,
    /// Whom it asks for names.
    pub nameserver: Vec<IpAddr>,
    /// The domain in which it looks for names.
    pub searchdomain: Option<String>,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// What it is for.
    pub description: Option<String>,
    /// It may not be destroyed.
    pub protection: Option<bool>,
}

/// A network interface of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Net {
    /// Its name inside: `eth0`.
    pub name: String,
    /// The bridge to which it is tied.
    pub bridge: Option<String>,
    /// How it gets an address.
    pub address: Option<Address>,
    /// The way out.
    pub gateway: Option<IpAddr>,
    /// What was found of the other family, where it has an address of both: that and its way out.
    pub other: Option<(Address, Option<IpAddr>)>,
    /// The VLAN on that bridge.
    pub vlan: Option<u32>,
    /// Its largest packet.
    pub mtu: Option<u32>,
    /// Proxmox's firewall stands before it.
    pub firewall: Option<bool>,
    /// Its MAC address, in upper case. Made once, carried over.
    pub mac: Option<String>,
}

/// A directory or file of the host, seen inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// On the host.
    pub source: String,
    /// Inside.
    pub target: String,
    /// It can't be written inside.
    pub read_only: bool,
    /// Backups take it along.
    pub backup: bool,
}

/// What a container may do beyond the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// Run containers of its own.
    pub nesting: Option<bool>,
    /// Use the kernel's keyrings.
    pub keyctl: Option<bool>,
    /// Mount FUSE file systems.
    pub fuse: Option<bool>,
    /// Make device nodes.
    pub mknod: Option<bool>,
}

/// When a container starts and stops with the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Startup {
    /// Lower ones start earlier.
    pub order: Option<u32>,
    /// Seconds until the next one starts.
    pub up: Option<u32>,
    /// Seconds that it has to shut down.
    pub down: Option<u32>,
}

impl Features {
    /// Returns every feature by name.
    pub fn each(&self) -> [(&'static str, Option<bool>); 4] {
        [("nesting", self.nesting), ("keyctl", self.keyctl), ("fuse", self.fuse), ("mknod", self.mknod)]
    }

    /// Returns these, with what `asked` names in place of them.
    #[must_use]
    pub fn with(self, asked: Self) -> Self {
        Self {
            nesting: asked.nesting.or(self.nesting),
            keyctl: asked.keyctl.or(self.keyctl),
            fuse: asked.fuse.or(self.fuse),
            mknod: asked.mknod.or(self.mknod),
        }
    }
}

impl Startup {
    /// Returns every number by name.
    pub fn each(&self) -> [(&'static str, Option<u32>); 3] {
        [("order", self.order), ("up", self.up), ("down", self.down)]
    }

    /// Returns these, with what `asked` names in place of them.
    #[must_use]
    pub fn with(self, asked: Self) -> Self {
        Self { order: asked.order.or(self.order), up: asked.up.or(self.up), down: asked.down.or(self.down) }
    }
}

impl Net {
    /// Returns every part by name, as it is shown.
    pub fn each(&self) -> [(&'static str, Option<String>); 7] {
        [
            ("bridge", self.bridge.clone()),
            ("address", self.address.map(|address| address.to_string())),
            ("gateway", self.gateway.map(|gateway| gateway.to_string())),
            ("vlan", self.vlan.map(|vlan| vlan.to_string())),
            ("mtu", self.mtu.map(|mtu| mtu.to_string())),
            ("firewall", self.firewall.map(|firewall| firewall.to_string())),
            ("mac", self.mac.clone()),
        ]
    }

    /// Returns it with what `asked` names in place of what is there.
    #[must_use]
    pub fn with(&self, asked: &Self) -> Self {
        Self {
            name: asked.name.clone(),
            bridge: asked.bridge.clone().or_else(|| self.bridge.clone()),
            address: asked.address.or(self.address),
            // Who gets an address by DHCP gets the way out with it.
            gateway: asked.gateway.or(self.gateway.filter(|_| asked.address != Some(Address::Dhcp))),
            other: self.other,
            vlan: asked.vlan.or(self.vlan),
            mtu: asked.mtu.or(self.mtu),
            firewall: asked.firewall.or(self.firewall),
            mac: asked.mac.clone().or_else(|| self.mac.clone()),
        }
    }
}

impl Net {
    /// Returns what was found with the address in front that is of the asked one's family.
    #[must_use]
    pub fn facing(&self, asked: Option<Address>) -> Self {
        let is_six = |address: Address| matches!(address, Address::Fixed(cidr) if cidr.address.is_ipv6());
        match (asked, self.address, self.other) {
            (Some(asked), Some(address), Some((other, gateway))) if is_six(asked) && !is_six(address) => {
                Self { address: Some(other), gateway, other: Some((address, self.gateway)), ..self.clone() }
            }
            _ => self.clone(),
        }
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.bridge.as_deref().unwrap_or("no bridge"))?;
        for (name, value) in self.each().into_iter().skip(1) {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        f.write_str(if self.read_only { ", read-only" } else { "" })?;
        f.write_str(if self.backup { ", backup" } else { "" })
    }
}
