//! What a container's file on a Proxmox node says, as settings.
use super::conf::{Conf, properties};
use crate::container::{Features, Mount, Net, Owed, Settings, Startup};
use crate::field::{Address, Field as _, Size};
use std::collections::BTreeMap;

/// Returns the settings that the next start will have. What a file leaves out has the value that Proxmox gives it.
pub(super) fn settings(conf: &Conf) -> Settings {
    let get = |key: &str| conf.next(key);
    let on = |key: &str| Some(get(key).is_some_and(is_on));
    let mebibytes = |key: &str| get(key).map_or(Some(512), |text| text.parse().ok()).map(|mib: u64| Size(mib << 20));
    let rootfs = get("rootfs").map(|text| properties(text, "volume")).unwrap_or_default();
    let part = |name: &str| rootfs.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let list = |key: &str| get(key).unwrap_or_default();
    Settings {
        hostname: get("hostname").map(str::to_owned),
        unprivileged: on("unprivileged"),
        template: None,
        storage: part("volume").and_then(|volume| volume.split_once(':')).map(|(storage, _)| storage.to_owned()),
        // A directory without a limit has `size=0T`.
        disk: part("size").and_then(size).filter(|size| size.0 > 0),
        cores: get("cores").and_then(|cores| cores.parse().ok()),
        memory: mebibytes("memory"),
        swap: mebibytes("swap"),
        nets: conf.numbers("net").iter().filter_map(|n| get(&format!("net{n}"))).map(net).collect(),
        mounts: conf.numbers("mp").iter().filter_map(|n| get(&format!("mp{n}"))).filter_map(mount).collect(),
        features: features(list("features")),
        onboot: on("onboot"),
        startup: startup(list("startup")),
        nameserver: list("nameserver").split([' ', ',']).filter_map(|server| server.parse().ok()).collect(),
        searchdomain: get("searchdomain").map(str::to_owned),
        tags: list("tags").split([';', ',', ' ']).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        description: conf.description.as_ref().map(|text| text.trim_end_matches('\n').to_owned()),
        protection: on("protection"),
    }
}

/// Returns what is set and takes effect at the next start only, field by field as edits name them.
pub(super) fn owed(conf: &Conf) -> Vec<Owed> {
    let next = shown(&settings(conf));
    let now = shown(&settings(&Conf { pending: BTreeMap::new(), going: Vec::new(), ..conf.clone() }));
    let fields = next.iter().filter(|(field, value)| now.get(*field) != Some(*value));
    fields.map(|(field, _)| Owed { field: field.clone(), active: now.get(field).cloned() }).collect()
}

/// Returns the fields that can be pending, by the names that edits give them.
fn shown(settings: &Settings) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, on) in settings.features.each() {
        fields.insert(format!("features.{name}"), on.unwrap_or(false).to_string());
    }
    for mount in &settings.mounts {
        fields.insert(format!("mounts.{}", mount.target), mount.to_string());
    }
    let servers: Vec<String> = settings.nameserver.iter().map(ToString::to_string).collect();
    if !servers.is_empty() {
        fields.insert("nameserver".to_owned(), servers.join(" "));
    }
    fields.extend(settings.searchdomain.clone().map(|domain| ("searchdomain".to_owned(), domain)));
    fields
}

/// Reads a `netN`.
pub(super) fn net(text: &str) -> Net {
    let mut net = Net::default();
    let (mut four, mut six) = ((None, None), (None, None));
    for (key, value) in properties(text, "name") {
        match key {
            "name" => value.clone_into(&mut net.name),
            "bridge" => net.bridge = Some(value.to_owned()),
            "ip" => four.0 = Address::from_text(value).ok(),
            "gw" => four.1 = value.parse().ok(),
            "ip6" => six.0 = Address::from_text(value).ok(),
            "gw6" => six.1 = value.parse().ok(),
            "tag" => net.vlan = value.parse().ok(),
            "mtu" => net.mtu = value.parse().ok(),
            "firewall" => net.firewall = Some(is_on(value)),
            "hwaddr" => net.mac = Some(value.to_ascii_uppercase()),
            _ => {}
        }
    }
    let (first, second) = if four.0.is_some() { (four, six) } else { (six, four) };
    (net.address, net.gateway) = first;
    net.other = second.0.map(|address| (address, second.1));
    net
}

/// Reads a `mpN`; `None` where it names no target.
pub(super) fn mount(text: &str) -> Option<Mount> {
    let parts: BTreeMap<&str, &str> = properties(text, "volume").into_iter().collect();
    Some(Mount {
        source: plain(parts.get("volume")?),
        target: plain(parts.get("mp")?),
        read_only: parts.get("ro").is_some_and(|on| is_on(on)),
        backup: parts.get("backup").is_some_and(|on| is_on(on)),
    })
}

/// Returns a path as recipes have it, without the slashes that say nothing; the name of a volume as it is.
pub(super) fn plain(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

fn features(text: &str) -> Features {
    let parts: BTreeMap<&str, &str> = properties(text, "").into_iter().collect();
    let on = |name: &str| parts.get(name).map(|value| is_on(value));
    Features { nesting: on("nesting"), keyctl: on("keyctl"), fuse: on("fuse"), mknod: on("mknod") }
}

fn startup(text: &str) -> Startup {
    let parts: BTreeMap<&str, &str> = properties(text, "order").into_iter().collect();
    let number = |name: &str| parts.get(name).and_then(|value| value.parse().ok());
    Startup { order: number("order"), up: number("up"), down: number("down") }
}

pub(super) fn is_on(text: &str) -> bool {
    ["1", "yes", "true", "on"].iter().any(|on| text.eq_ignore_ascii_case(on))
}

/// Returns a size as Proxmox writes it: a number with K, M, G or T, or bytes.
fn size(text: &str) -> Option<Size> {
    let (number, shift) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 10),
        (at, 'M') => (&text[..at], 20),
        (at, 'G') => (&text[..at], 30),
        (at, 'T') => (&text[..at], 40),
        _ => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    // More digits than these are less than a byte.
    let digits = fraction.get(..fraction.len().min(12))?;
    let part = if digits.is_empty() { 0 } else { digits.parse::<u64>().ok()? };
    let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
    let part = u64::try_from(u128::from(part) * (1_u128 << shift) / scale).ok()?;
    Some(Size(whole + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RICH: &str = "#first line\n#second%3A line\narch: amd64\ncores: 1\nfeatures: nesting=1,keyctl=1,fuse=1\n\
        hostname: rich.lab.example\nmemory: 0512\nmp0: local:202/vm-202-disk-1.raw,mp=/data,backup=1,size=1G\n\
        mp1: /srv,mp=/host-srv,ro=1\nnameserver: 1.1.1.1 9.9.9.9\n\
        net0: name=eth0,bridge=vmbr1,firewall=1,hwaddr=bc:24:11:06:38:F2,ip=dhcp,ip6=auto,mtu=1400,rate=10,tag=5,type=veth\n\
        net1: name=eth1,bridge=vmbr0,gw=10.9.9.1,hwaddr=02:00:00:00:00:01,ip=10.9.9.9/24,link_down=1,type=veth\n\
        onboot: 1\nostype: debian\nrootfs: local:202/vm-202-disk-0.raw,mountoptions=noatime,size=1G\n\
        searchdomain: lab.example\nstartup: order=3,up=10,down=20\nswap: 256\ntags: prod;web\nunprivileged: 1\n";

    #[test]
    fn every_field_is_read_from_a_recorded_file() {
        let is = settings(&Conf::parse(RICH));
        assert_eq!(is.hostname.as_deref(), Some("rich.lab.example"));
        assert_eq!((is.unprivileged, is.onboot, is.protection), (Some(true), Some(true), Some(false)));
        assert_eq!((is.storage.as_deref(), is.disk), (Some("local"), Some(Size(1 << 30))));
        assert_eq!((is.cores, is.memory, is.swap), (Some(1), Some(Size(512 << 20)), Some(Size(256 << 20))));
        let [first, second] = &is.nets[..] else { panic!("{:?}", is.nets) };
        assert_eq!((first.vlan, first.mtu, first.firewall), (Some(5), Some(1400), Some(true)));
        assert_eq!(first.mac.as_deref(), Some("BC:24:11:06:38:F2"));
        assert_eq!(second.to_string(), "vmbr0, address 10.9.9.9/24, gateway 10.9.9.1, mac 02:00:00:00:00:01");
        assert_eq!(is.mounts[1].to_string(), "/srv, read-only");
        assert_eq!(is.mounts[0].target, "/data");
        assert_eq!(is.features.each().map(|(_, on)| on), [Some(true), Some(true), Some(true), None]);
        assert_eq!(is.startup.each().map(|(_, n)| n), [Some(3), Some(10), Some(20)]);
        assert_eq!(is.nameserver.len(), 2);
        assert_eq!(is.tags.into_iter().collect::<Vec<_>>(), ["prod", "web"]);
        assert_eq!(is.description.as_deref(), Some("first line\nsecond: line"));
    }

    #[test]
    fn what_a_file_leaves_out_has_the_value_that_proxmox_gives_it() {
        let is = settings(&Conf::parse("arch: amd64\nrootfs: local:1/a.raw,size=4G\n"));
        assert_eq!((is.memory, is.swap), (Some(Size(512 << 20)), Some(Size(512 << 20))));
        assert_eq!((is.unprivileged, is.onboot, is.protection), (Some(false), Some(false), Some(false)));
    }

    #[test]
    fn what_is_pending_is_owed_with_what_is_in_effect() {
        let conf = Conf::parse(
            "features: nesting=1\nmp0: /srv/a,mp=/mnt/a\nnameserver: 1.1.1.1\n\
             [pve:pending]\nfeatures: nesting=1,fuse=1\nmp0: /srv/b,mp=/mnt/a\nsearchdomain: example.org\n",
        );
        let owed: Vec<(String, Option<String>)> = owed(&conf).into_iter().map(|o| (o.field, o.active)).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            owed,
            [
                ("features.fuse".to_owned(), some("false")),
                ("mounts./mnt/a".to_owned(), some("/srv/a")),
                ("searchdomain".to_owned(), None),
            ]
        );
    }
}
