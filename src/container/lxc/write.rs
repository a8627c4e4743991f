//! Settings into a configuration file of LXC.
use super::config::{Config, ours};
use super::host::{Host, show_list};
use super::read::{Entry, interfaces, is_fuse};
use super::store::rootfs_path;
use crate::container::{Features, MAPPED, Mount, Net, Set, Settings, Startup};
use crate::field::{Address, Size};
use std::net::IpAddr;

/// The first id on the host of an unprivileged container's ids, and how many there are, as Proxmox has them.
pub(super) const SHIFT: u32 = MAPPED.start;
pub(super) const IDS: u32 = MAPPED.end - MAPPED.start;

/// Returns the configuration of a new container, before its settings.
pub(super) fn fresh(id: u32, settings: &Settings) -> Config {
    let mut config = Config::default();
    config.push("lxc.include", "/usr/share/lxc/config/common.conf");
    if settings.unprivileged != Some(false) {
        config.push("lxc.include", "/usr/share/lxc/config/userns.conf");
        config.push("lxc.idmap", &format!("u 0 {SHIFT} {IDS}"));
        config.push("lxc.idmap", &format!("g 0 {SHIFT} {IDS}"));
    }
    config.push("lxc.apparmor.profile", "generated");
    config.push("lxc.apparmor.allow_nesting", "0");
    config.push("lxc.rootfs.path", &format!("dir:{}", rootfs_path(id)));
    // Without any network of its own a container shares the host's.
    config.push("lxc.net.0.type", "empty");
    config.put(&ours("template"), settings.template.clone());
    config
}

/// What decides how settings are written, besides the settings.
pub(super) struct Pen<'a> {
    /// The container.
    pub(super) id: u32,
    /// The host.
    pub(super) host: &'a Host,
    /// Whether what stands at a path of the host is a file rather than a directory.
    pub(super) is_file: &'a dyn Fn(&str) -> bool,
}

/// Writes one setting.
pub(super) fn write(config: &mut Config, pen: &Pen<'_>, set: &Set) {
    let Pen { id, host, is_file } = *pen;
    let flag = |on: bool| Some(u8::from(on).to_string());
    match set {
        Set::Hostname(name) => config.set("lxc.uts.name", name),
        Set::Disk(size) => config.set(&ours("disk"), &size.to_string()),
        Set::Cores(cores) => write_cores(config, id, host, *cores),
        Set::Memory(size) => write_memory(config, host, *size),
        Set::Swap(size) => write_swap(config, host, *size),
        Set::Net(net) => write_net(config, id, net),
        Set::Mount(mount) => write_mount(config, mount, is_file(&mount.source)),
        Set::Features(features) => write_features(config, *features),
        Set::Onboot(on) => config.put("lxc.start.auto", flag(*on)),
        Set::Startup(Startup { order, up, down }) => {
            config.put("lxc.start.order", order.map(|n| n.to_string()));
            config.put("lxc.start.delay", up.map(|n| n.to_string()));
            config.put(&ours("startup.down"), down.map(|n| n.to_string()));
        }
        Set::Nameserver(servers) => {
            let servers: Vec<String> = servers.iter().map(IpAddr::to_string).collect();
            config.set(&ours("nameserver"), &servers.join(" "));
        }
        Set::Searchdomain(domain) => config.set(&ours("searchdomain"), domain),
        Set::Tags(tags) => config.set(&ours("tags"), &tags.iter().cloned().collect::<Vec<_>>().join(";")),
        // As JSON it is one line whatever is in it.
        Set::Description(text) => config.set(&ours("description"), &serde_json::Value::from(text.as_str()).to_string()),
        Set::Protection(on) => config.put(&ours("protection"), flag(*on)),
    }
}

fn write_cores(config: &mut Config, id: u32, host: &Host, cores: u32) {
    let cpus = host.cpus_for(id, cores);
    config.set(&format!("{}{}", host.limits.prefix, host.limits.cpus), &show_list(&cpus));
    let beyond = cores as usize > cpus.len();
    config.put(&ours("cores"), beyond.then(|| cores.to_string()));
}

fn write_memory(config: &mut Config, host: &Host, memory: Size) {
    let swap = super::read::settings(config, host).swap;
    let key = |name: &str| format!("{}{name}", host.limits.prefix);
    config.set(&key(host.limits.memory), &memory.0.to_string());
    // Where swap is counted together with memory, it moves along.
    if let Some(swap) = swap {
        write_swap(config, host, swap);
    }
}

fn write_swap(config: &mut Config, host: &Host, swap: Size) {
    let limits = host.limits;
    let key = format!("{}{}", limits.prefix, limits.swap);
    if !host.swap {
        config.set(&ours("swap"), &swap.0.to_string());
    } else if limits.swap_is_total {
        let memory = super::read::settings(config, host).memory.map_or(0, |memory| memory.0);
        config.set(&key, &memory.saturating_add(swap.0).to_string());
    } else {
        config.set(&key, &swap.0.to_string());
    }
}

fn write_features(config: &mut Config, features: Features) {
    for (name, on) in [("keyctl", features.keyctl), ("mknod", features.mknod)] {
        config.put(&ours(&format!("features.{name}")), on.map(|on| u8::from(on).to_string()));
    }
    config.put("lxc.apparmor.allow_nesting", features.nesting.map(|on| u8::from(on).to_string()));
    if features.fuse == Some(true) {
        config.replace("lxc.mount.entry", is_fuse, "/dev/fuse dev/fuse none bind,create=file,optional 0 0");
    } else {
        config.remove_where("lxc.mount.entry", is_fuse);
    }
}

fn write_mount(config: &mut Config, mount: &Mount, is_file: bool) {
    let access = if mount.read_only { ",ro" } else { "" };
    let (source, target) = (escaped(&mount.source), escaped(mount.target.trim_start_matches('/')));
    let create = if is_file { "file" } else { "dir" };
    let value = format!("{source} {target} none bind,create={create}{access} 0 0");
    let same = |entry: &str| Entry::parse(entry).is_some_and(|entry| entry.target == mount.target);
    config.replace("lxc.mount.entry", same, &value);
    let (key, same) = (ours("backup"), |target: &str| target == mount.target);
    if mount.backup {
        config.replace(&key, same, &mount.target);
    } else {
        config.remove_where(&key, same);
    }
}

/// Escapes a path as fstab(5) wants it.
pub(super) fn escaped(path: &str) -> String {
    path.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('#', "\\043")
}

fn write_net(config: &mut Config, id: u32, net: &Net) {
    let known = interfaces(config);
    let n = known.iter().find(|(_, name)| *name == net.name).map(|(n, _)| *n);
    let n = n.unwrap_or_else(|| free_index(&known, &net.name));
    let key = |part: &str| format!("lxc.net.{n}.{part}");
    config.set(&key("type"), "veth");
    config.put(&key("link"), net.bridge.clone());
    config.set(&key("flags"), "up");
    config.set(&key("name"), &net.name);
    config.put(&key("hwaddr"), net.mac.clone());
    if config.get(&key("veth.pair")).is_none() {
        config.put(&key("veth.pair"), host_side(id, n));
    }
    config.put(&key("veth.vlan.id"), net.vlan.map(|vlan| vlan.to_string()));
    config.put(&key("mtu"), net.mtu.map(|mtu| mtu.to_string()));
    config.put(&ours(&format!("net.{}.firewall", net.name)), net.firewall.map(|on| u8::from(on).to_string()));
    let dhcp = matches!(net.address, Some(Address::Dhcp));
    config.put(&ours(&format!("net.{}.address", net.name)), dhcp.then(|| "dhcp".to_owned()));
    match net.address {
        Some(Address::Fixed(cidr)) if cidr.address.is_ipv4() => config.set(&key("ipv4.address"), &cidr.to_string()),
        Some(Address::Fixed(cidr)) => {
            config.remove(&key("ipv4.address"));
            config.set(&key("ipv6.address"), &cidr.to_string());
        }
        _ => config.remove(&key("ipv4.address")),
    }
    match net.gateway {
        Some(gateway) if gateway.is_ipv4() => config.set(&key("ipv4.gateway"), &gateway.to_string()),
        Some(gateway) => {
            config.remove(&key("ipv4.gateway"));
            config.set(&key("ipv6.gateway"), &gateway.to_string());
        }
        None => config.remove(&key("ipv4.gateway")),
    }
}

/// Returns the index for a new interface: its number where it is called `ethN`, else the first free one.
fn free_index(known: &[(u32, String)], name: &str) -> u32 {
    let taken = |n: &u32| known.iter().any(|(index, _)| index == n);
    let own = name.strip_prefix("eth").and_then(|n| n.parse().ok()).filter(|n| !taken(n));
    own.or_else(|| (0..=u32::MAX).find(|n| !taken(n))).unwrap_or_default()
}

/// Returns the name of an interface's end on the host, as Proxmox calls it; none where it would be too long.
fn host_side(id: u32, n: u32) -> Option<String> {
    Some(format!("veth{id}i{n}")).filter(|name| name.len() <= 15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::lxc::{host, read};
    use crate::container::{Found, edits};
    use crate::field::{Cidr, Field as _};

    fn asked() -> Settings {
        let net = |name: &str, address: &str| Net {
            name: name.into(),
            bridge: Some("vmbr1".into()),
            address: Some(Address::from_text(address).unwrap()),
            vlan: Some(5),
            mtu: Some(1400),
            firewall: Some(true),
            mac: Some("BC:24:11:00:00:01".into()),
            ..Net::default()
        };
        let v6 = Some("fd00::1".parse().unwrap());
        Settings {
            hostname: Some("lilly".into()),
            unprivileged: Some(true),
            template: Some("debian.tar.zst".into()),
            storage: None,
            disk: Some(Size(40 << 30)),
            cores: Some(3),
            memory: Some(Size(1 << 30)),
            swap: Some(Size(256 << 20)),
            nets: vec![
                net("eth0", "10.0.0.5/24"),
                Net { gateway: v6, ..net("lan", "fd00::5/64") },
                net("eth2", "dhcp"),
            ],
            mounts: vec![Mount {
                source: "/srv/a b#".into(),
                target: "/mnt/a\\b".into(),
                read_only: true,
                backup: true,
            }],
            features: Features { nesting: Some(true), keyctl: Some(true), fuse: Some(true), mknod: Some(true) },
            onboot: Some(false),
            startup: Startup { order: Some(1), up: Some(2), down: Some(3) },
            nameserver: vec!["9.9.9.9".parse().unwrap(), "fd00::53".parse().unwrap()],
            searchdomain: Some("lab.example".into()),
            tags: ["a".to_owned(), "b".to_owned()].into(),
            description: Some("two \"lines\"\n# ü = 1".into()),
            protection: Some(true),
        }
    }

    fn written(host: &Host) -> Config {
        let mut config = fresh(201, &asked());
        for edit in edits(&asked(), &Found::default()) {
            write(&mut config, &Pen { id: 201, host, is_file: &|_| false }, &edit.set);
        }
        config
    }

    #[test]
    fn every_setting_is_read_back_as_it_was_written_whatever_the_cgroups() {
        for host in host::every_kind() {
            let again = Config::parse(&written(&host).to_string());
            assert_eq!(read::settings(&again, &host), asked(), "{host:?}:\n{again}");
        }
    }

    #[test]
    fn writing_the_same_again_changes_no_byte() {
        for host in host::every_kind() {
            let (once, mut twice) = (written(&host), written(&host));
            for edit in edits(&asked(), &Found::default()) {
                write(&mut twice, &Pen { id: 201, host: &host, is_file: &|_| false }, &edit.set);
            }
            assert_eq!(twice.to_string(), once.to_string());
        }
    }

    #[test]
    fn an_interface_keeps_what_is_not_asked_of_it() {
        let host = &host::every_kind()[0];
        let mut config = written(host);
        config.push("lxc.net.0.script.up", "/usr/local/bin/mine");
        let is = read::settings(&config, host).nets[0].clone();
        let cidr = Cidr::from_text("10.0.0.9/24").unwrap();
        let net = is.with(&Net { name: "eth0".into(), address: Some(Address::Fixed(cidr)), ..Net::default() });
        write(&mut config, &Pen { id: 201, host, is_file: &|_| false }, &Set::Net(net.clone()));
        assert_eq!(read::settings(&config, host).nets[0], net);
        assert_eq!(config.get("lxc.net.0.script.up"), Some("/usr/local/bin/mine"));
        assert_eq!(
            (config.get("lxc.net.0.hwaddr"), config.get("lxc.net.0.mtu")),
            (Some("BC:24:11:00:00:01"), Some("1400"))
        );
    }
}
