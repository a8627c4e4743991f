//! Settings out of a configuration file of LXC.
use super::config::{Config, ours};
use super::host::{Host, parse_list};
use crate::container::{Features, Mount, Net, Settings, Startup};
use crate::field::{Address, Cidr, Field as _, Size};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Returns what a configuration file says of a container.
pub(super) fn settings(config: &Config, host: &Host) -> Settings {
    let mine = |name: &str| config.get(&ours(name)).map(str::to_owned);
    let (memory, swap) = memory(config, host);
    Settings {
        hostname: config.get("lxc.uts.name").map(str::to_owned),
        unprivileged: Some(config.get("lxc.idmap").is_some()),
        template: mine("template"),
        storage: None,
        disk: mine("disk").and_then(|size| Size::from_text(&size).ok()),
        cores: cores(config, host),
        memory,
        swap,
        nets: nets(config),
        mounts: mounts(config),
        features: features(config),
        onboot: Some(config.get("lxc.start.auto") == Some("1")),
        startup: Startup {
            order: number(config, "lxc.start.order"),
            up: number(config, "lxc.start.delay"),
            down: number(config, &ours("startup.down")),
        },
        nameserver: mine("nameserver").unwrap_or_default().split(' ').filter_map(|one| one.parse().ok()).collect(),
        searchdomain: mine("searchdomain"),
        tags: mine("tags").unwrap_or_default().split(';').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        description: mine("description").and_then(|text| serde_json::from_str(&text).ok()),
        protection: Some(mine("protection").as_deref() == Some("1")),
    }
}

fn number<T: FromStr>(config: &Config, key: &str) -> Option<T> {
    config.get(key)?.parse().ok()
}

fn features(config: &Config) -> Features {
    let mine = |name: &str| config.get(&ours(&format!("features.{name}"))).map(|value| value == "1");
    Features {
        nesting: config.get("lxc.apparmor.allow_nesting").map(|value| value == "1"),
        keyctl: mine("keyctl"),
        fuse: Some(config.all("lxc.mount.entry").iter().any(|entry| is_fuse(entry))),
        mknod: mine("mknod"),
    }
}

/// Returns whether a mount entry brings `/dev/fuse`.
pub(super) fn is_fuse(entry: &str) -> bool {
    entry.split_whitespace().next() == Some("/dev/fuse")
}

fn cores(config: &Config, host: &Host) -> Option<u32> {
    let limits = host.limits;
    let list = parse_list(config.get(&format!("{}{}", limits.prefix, limits.cpus))?);
    let count = u32::try_from(list.len()).ok().filter(|count| *count > 0)?;
    // More than the host has can't be said by a list.
    let beyond = number(config, &ours("cores")).filter(|more| list.len() == host.cpus.len() && *more > count);
    Some(beyond.unwrap_or(count))
}

fn memory(config: &Config, host: &Host) -> (Option<Size>, Option<Size>) {
    let limits = host.limits;
    let limit = |name: &str| config.get(&format!("{}{name}", limits.prefix)).and_then(parse_bytes);
    let memory = limit(limits.memory);
    let swap = if !host.swap {
        config.get(&ours("swap")).and_then(parse_bytes)
    } else if limits.swap_is_total {
        limit(limits.swap).map(|total| total.saturating_sub(memory.unwrap_or(0)))
    } else {
        limit(limits.swap)
    };
    (memory.map(Size), swap.map(Size))
}

/// Reads bytes as cgroups take them: a number, or one with K, M or G.
fn parse_bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let shift = match text[split..].trim() {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        _ => return None,
    };
    text[..split].parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Returns the indices of the interfaces that are tied to something, each with its name.
pub(super) fn interfaces(config: &Config) -> Vec<(u32, String)> {
    let index = |key: &str| key.strip_prefix("lxc.net.")?.split('.').next()?.parse::<u32>().ok();
    let indices: BTreeSet<u32> = config.pairs().filter_map(|(key, _)| index(key)).collect();
    let tied = |n: &u32| !matches!(config.get(&format!("lxc.net.{n}.type")), None | Some("empty" | "none"));
    let name = |n: u32| config.get(&format!("lxc.net.{n}.name")).map_or_else(|| format!("eth{n}"), str::to_owned);
    indices.into_iter().filter(tied).map(|n| (n, name(n))).collect()
}

pub(super) fn nets(config: &Config) -> Vec<Net> {
    let net = |(n, name): (u32, String)| {
        let get = |part: &str| config.get(&format!("lxc.net.{n}.{part}"));
        let mine = |part: &str| config.get(&ours(&format!("net.{name}.{part}")));
        let fixed =
            || get("ipv4.address").or_else(|| get("ipv6.address"))?.split(' ').next().map(Cidr::from_text)?.ok();
        let dhcp = mine("address") == Some("dhcp");
        Net {
            bridge: get("link").map(str::to_owned),
            address: if dhcp { Some(Address::Dhcp) } else { fixed().map(Address::Fixed) },
            gateway: get("ipv4.gateway").or_else(|| get("ipv6.gateway")).and_then(|address| address.parse().ok()),
            other: None,
            vlan: get("veth.vlan.id").and_then(|vlan| vlan.parse().ok()),
            mtu: get("mtu").and_then(|mtu| mtu.parse().ok()),
            firewall: mine("firewall").map(|value| value == "1"),
            mac: get("hwaddr").map(str::to_ascii_uppercase),
            name,
        }
    };
    interfaces(config).into_iter().map(net).collect()
}

fn mounts(config: &Config) -> Vec<Mount> {
    let backups = config.all(&ours("backup"));
    let mount = |entry: &str| {
        let entry = Entry::parse(entry).filter(|entry| entry.source != "/dev/fuse")?;
        Some(Mount { backup: backups.contains(&entry.target.as_str()), ..entry.mount() })
    };
    config.all("lxc.mount.entry").into_iter().filter_map(mount).collect()
}

/// Returns where something is mounted only if it is there to be mounted.
pub(super) fn optional_targets(config: &Config) -> impl Iterator<Item = String> {
    let entries = config.all("lxc.mount.entry").into_iter().filter_map(Entry::parse);
    entries.filter(|entry| entry.optional).map(|entry| entry.target)
}

/// A bind mount among the mount entries.
pub(super) struct Entry {
    source: String,
    pub(super) target: String,
    read_only: bool,
    optional: bool,
}

impl Entry {
    /// Reads a line in the format of fstab(5); `None` where it is no bind mount.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let (source, target, _, options) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let has = |name: &str| options.split(',').any(|option| option == name);
        if !(has("bind") || has("rbind")) {
            return None;
        }
        let target = unescaped(target);
        // Absolute targets lead through the root file system's own path.
        let inside = target.split_once("/rootfs/").map_or(target.as_str(), |(_, inside)| inside);
        let target = format!("/{}", inside.trim_matches('/'));
        Some(Self { source: unescaped(source), target, read_only: has("ro"), optional: has("optional") })
    }

    fn mount(self) -> Mount {
        Mount { source: self.source, target: self.target, read_only: self.read_only, backup: false }
    }
}

/// Undoes the escapes of fstab(5): `\040` is a blank.
pub(super) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
