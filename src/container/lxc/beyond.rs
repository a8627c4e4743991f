//! What a configuration file of LXC says beyond what a recipe can say.
use super::config::{Config, ours};
use super::host::Host;
use super::read::{Entry, interfaces, is_fuse, nets};
use super::store::rootfs_path;
use super::write::fresh;
use crate::container::Settings;

/// Returns what no recipe can say, a line each.
pub(super) fn beyond(id: u32, config: &Config, host: &Host) -> Vec<String> {
    let is_known = |key: &str, value: &str| value.is_empty() || is_known(id, config, host, key, value);
    let lines = config.pairs().filter(|(key, value)| !is_known(key, value));
    lines.map(|(key, value)| format!("{key} = {value}")).collect()
}

fn is_known(id: u32, config: &Config, host: &Host, key: &str, value: &str) -> bool {
    let limits = host.limits;
    let of_net = key.strip_prefix("lxc.net.").and_then(|rest| rest.split_once('.'));
    let of_cgroup = key.strip_prefix(limits.prefix);
    match key {
        "lxc.uts.name"
        | "lxc.arch"
        | "lxc.start.auto"
        | "lxc.start.order"
        | "lxc.start.delay"
        | "lxc.apparmor.allow_nesting" => true,
        "lxc.rootfs.path" => value.trim_start_matches("dir:") == rootfs_path(id),
        "lxc.mount.entry" => is_fuse(value) || is_plain(value),
        _ if key.starts_with(&ours("")) => true,
        _ if of_cgroup.is_some_and(|name| [limits.memory, limits.swap, limits.cpus].contains(&name)) => true,
        _ if let Some((n, part)) = of_net => is_known_of_net(config, n, part, value),
        // What every container of ours begins with.
        _ => fresh(id, &Settings::default()).all(key).contains(&value),
    }
}

/// Returns whether a mount entry says what one of ours would.
fn is_plain(entry: &str) -> bool {
    let options = entry.split_whitespace().nth(3).unwrap_or_default();
    let ours = |option: &str| matches!(option, "bind" | "ro" | "rw" | "create=dir" | "create=file" | "defaults");
    Entry::parse(entry).is_some() && options.split(',').all(ours)
}

fn is_known_of_net(config: &Config, n: &str, part: &str, value: &str) -> bool {
    let known = interfaces(config);
    let name = known.iter().find(|(index, _)| index.to_string() == n).map(|(_, name)| name);
    let net = nets(config).into_iter().find(|net| Some(&net.name) == name).unwrap_or_default();
    let is = |said: Option<String>| said.is_some_and(|said| said.eq_ignore_ascii_case(value));
    match part {
        "type" => matches!(value, "veth" | "empty"),
        "name" | "veth.pair" => true,
        "flags" => value == "up",
        "link" => is(net.bridge),
        "hwaddr" => is(net.mac),
        "mtu" => is(net.mtu.map(|mtu| mtu.to_string())),
        "veth.vlan.id" => is(net.vlan.map(|vlan| vlan.to_string())),
        "ipv4.address" | "ipv6.address" => is(net.address.map(|address| address.to_string())),
        "ipv4.gateway" | "ipv6.gateway" => is(net.gateway.map(|gateway| gateway.to_string())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::lxc::host;

    #[test]
    fn what_settings_hold_is_not_named_and_everything_else_is() {
        let host = &host::every_kind()[0];
        let memory = format!("{}{} = 512M\n", host.limits.prefix, host.limits.memory);
        let config = format!(
            "# by hand\nlxc.include = /usr/share/lxc/config/debian.common.conf\nlxc.include = /usr/share/lxc/config/userns.conf\n\
             lxc.idmap = u 0 100000 65536\nlxc.idmap = g 0 200000 65536\nlxc.uts.name = lilly\nlxc.hook.start = /x\n{memory}\
             lxc.rootfs.path = dir:/var/lib/lxc/201/rootfs\nlxc.net.0.type = veth\nlxc.net.0.link = vmbr1\nlxc.net.0.flags = up\n\
             lxc.net.0.ipv4.address = 10.0.0.5/24\nlxc.net.0.ipv4.gateway = auto\nlxc.net.0.ipv6.address = fd00::5/64\n\
             lxc.mount.entry = /srv/a a none bind,create=dir 0 0\nlxc.mount.entry = proc proc proc nodev 0 0\n\
             lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0\n#provision.disk = 8GiB\n"
        );
        assert_eq!(
            beyond(201, &Config::parse(&config), host),
            [
                "lxc.include = /usr/share/lxc/config/debian.common.conf",
                "lxc.idmap = g 0 200000 65536",
                "lxc.hook.start = /x",
                "lxc.net.0.ipv4.gateway = auto",
                "lxc.net.0.ipv6.address = fd00::5/64",
                "lxc.mount.entry = proc proc proc nodev 0 0",
            ]
        );
    }
}
