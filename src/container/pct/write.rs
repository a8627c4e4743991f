//! Settings as arguments of `pct create` and `pct set`. What a recipe does not name of a list of properties stays as it is.
use super::conf::{Conf, joined, properties};
use super::meaning::in_effect;
use super::read;
use crate::container::{Features, Mount, Net, Set, Startup};
use crate::error::{Error, Result};
use crate::field::{Address, Size};
use std::fmt::Display;

type Properties = Vec<(String, String)>;

/// Returns the option and value that make a setting so; `None` for a disk, which is not set but resized.
pub(super) fn argument(conf: &Conf, set: &Set) -> Result<Option<(String, String)>> {
    let plain = |key: &str, value: String| Ok(Some((format!("--{key}"), in_effect(conf, key, value))));
    match set {
        Set::Disk(_) => Ok(None),
        Set::Hostname(name) => plain("hostname", name.clone()),
        Set::Cores(cores) => plain("cores", cores.to_string()),
        Set::Memory(size) => plain("memory", mebibytes("memory", *size)?),
        Set::Swap(size) => plain("swap", mebibytes("swap", *size)?),
        Set::Net(net) => {
            let key = place(conf, "net", |text| read::net(text).name == net.name);
            plain(&key, net_text(conf.next(&key), net))
        }
        Set::Mount(mount) => {
            let same = |text: &str| read::mount(text).is_some_and(|is| is.target == mount.target);
            let key = place(conf, "mp", same);
            plain(&key, mount_text(conf.next(&key), mount)?)
        }
        Set::Features(features) => plain("features", features_text(conf.next("features"), *features)),
        Set::Onboot(on) => plain("onboot", bit(*on)),
        Set::Startup(startup) => plain("startup", startup_text(*startup)),
        Set::Nameserver(servers) => plain("nameserver", list(servers, " ")),
        Set::Searchdomain(domain) => plain("searchdomain", domain.clone()),
        Set::Tags(tags) => plain("tags", list(tags, ";")),
        // An empty value would be kept as a blank.
        Set::Description(text) if text.is_empty() => plain("delete", "description".to_owned()),
        Set::Description(text) => plain("description", text.clone()),
        Set::Protection(on) => plain("protection", bit(*on)),
    }
}

/// Returns the key of a family that holds what `is_same` knows, else the first that is free.
fn place(conf: &Conf, family: &str, is_same: impl Fn(&str) -> bool) -> String {
    let numbers = conf.numbers(family);
    let key = |n: u32| format!("{family}{n}");
    let next = |n: &u32| conf.next(&key(*n)).is_some_and(&is_same);
    // One that goes at the next stop stays once it is set again.
    let going = |n: &u32| conf.next(&key(*n)).is_none() && conf.now.get(&key(*n)).is_some_and(|text| is_same(text));
    let known = numbers.iter().copied().find(next).or_else(|| numbers.iter().copied().find(going));
    let free = || (0..=u32::MAX).find(|n| !numbers.contains(n)).unwrap_or_default();
    key(known.unwrap_or_else(free))
}

pub(super) fn net_text(is: Option<&str>, net: &Net) -> String {
    let mut parts = owned(is, "name");
    put(&mut parts, "name", Some(&net.name));
    put(&mut parts, "bridge", net.bridge.as_ref());
    // Without it `pct` would make a new one.
    let is = parts.iter().find(|(key, _)| key == "hwaddr").map(|(_, mac)| mac.clone());
    // The same one in other letters would be another one to `pct`, which then makes the interface anew.
    let same = |mac: &&String| is.as_ref().is_some_and(|is| is.eq_ignore_ascii_case(mac));
    put(&mut parts, "hwaddr", net.mac.as_ref().filter(|mac| !same(mac)));
    let six = matches!(net.address, Some(Address::Fixed(cidr)) if cidr.address.is_ipv6());
    put(&mut parts, if six { "ip6" } else { "ip" }, net.address.as_ref());
    if net.address == Some(Address::Dhcp) {
        parts.retain(|(key, _)| key != "gw");
    }
    let six = net.gateway.is_some_and(|gateway| gateway.is_ipv6());
    put(&mut parts, if six { "gw6" } else { "gw" }, net.gateway.as_ref());
    put(&mut parts, "tag", net.vlan.as_ref());
    put(&mut parts, "mtu", net.mtu.as_ref());
    put(&mut parts, "firewall", net.firewall.map(bit).as_ref());
    joined(&parts, "")
}

pub(super) fn mount_text(is: Option<&str>, mount: &Mount) -> Result<String> {
    let mut parts = owned(is, "volume");
    let volume = parts.iter().find(|(key, _)| key == "volume").map(|(_, volume)| volume.clone());
    if let Some(volume) = volume.filter(|volume| !volume.starts_with('/') && *volume != mount.source) {
        // `pct` would make another disk, and leave this one unused.
        return Err(Error::new(format!("mounting `{}` at `{}`", mount.source, mount.target))
            .reason(format!("the volume `{volume}` is mounted there"))
            .remedy("choose another target, or take that volume away first"));
    }
    put(&mut parts, "volume", Some(&mount.source));
    put(&mut parts, "mp", Some(&mount.target));
    turn(&mut parts, "ro", mount.read_only);
    turn(&mut parts, "backup", mount.backup);
    parts.retain(|(key, _)| key != "size" || !mount.source.starts_with('/'));
    Ok(joined(&parts, "volume"))
}

pub(super) fn features_text(is: Option<&str>, features: Features) -> String {
    let mut parts = owned(is, "");
    for (name, on) in features.each() {
        put(&mut parts, name, on.map(bit).as_ref());
    }
    joined(&parts, "")
}

pub(super) fn startup_text(startup: Startup) -> String {
    let parts = startup.each().into_iter().filter_map(|(name, number)| Some((name.to_owned(), number?.to_string())));
    joined(&parts.collect::<Properties>(), "")
}

/// Gives a property a value in its place, else at the end; `None` leaves it as it is.
fn put(parts: &mut Properties, key: &str, value: Option<&impl Display>) {
    let Some(value) = value.map(ToString::to_string) else { return };
    match parts.iter_mut().find(|(name, _)| name == key) {
        Some((_, old)) => *old = value,
        None => parts.push((key.to_owned(), value)),
    }
}

/// Turns a property on, or off where it is there.
fn turn(parts: &mut Properties, key: &str, on: bool) {
    if on || parts.iter().any(|(name, _)| name == key) {
        put(parts, key, Some(&bit(on)));
    }
}

fn owned(text: Option<&str>, first: &str) -> Properties {
    let parts = properties(text.unwrap_or_default(), first);
    parts.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn bit(on: bool) -> String {
    u8::from(on).to_string()
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>, by: &str) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(by)
}

/// Returns whole mebibytes, in which Proxmox counts.
pub(super) fn mebibytes(field: &str, size: Size) -> Result<String> {
    if size.0.is_multiple_of(1 << 20) {
        return Ok((size.0 >> 20).to_string());
    }
    Err(Error::new(format!("setting {field} = {size}")).reason("Proxmox counts it in whole MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Field as _;

    fn conf() -> Conf {
        Conf::parse(
            "features: nesting=1,mount=nfs;cifs\nmp0: /srv/share,mp=/mnt/share,shared=1\n\
             mp2: local:201/vm-201-disk-1.raw,mp=/vol,size=1G\n\
             net0: name=eth0,bridge=vmbr1,hwaddr=BC:24:11:50:D6:77,ip=dhcp,ip6=auto,rate=10,type=veth\n",
        )
    }

    fn text(set: &Set) -> String {
        let (key, value) = argument(&conf(), set).unwrap().unwrap();
        format!("{key} {value}")
    }

    #[test]
    fn what_a_recipe_does_not_name_of_an_interface_stays_and_its_mac_is_passed_on() {
        let net = Net {
            name: "eth0".into(),
            bridge: Some("vmbr1".into()),
            address: Address::from_text("10.0.100.201/24").ok(),
            gateway: "10.0.100.1".parse().ok(),
            mac: Some("BC:24:11:50:D6:77".into()),
            ..Net::default()
        };
        assert_eq!(
            text(&Set::Net(net.clone())),
            "--net0 name=eth0,bridge=vmbr1,hwaddr=BC:24:11:50:D6:77,ip=10.0.100.201/24,ip6=auto,rate=10,type=veth,gw=10.0.100.1"
        );
        let new = Net { name: "eth1".into(), mac: None, ..net };
        assert_eq!(text(&Set::Net(new)), "--net1 name=eth1,bridge=vmbr1,ip=10.0.100.201/24,gw=10.0.100.1");
    }

    #[test]
    fn a_mount_is_found_by_its_target_and_a_volume_is_never_replaced() {
        let mount = |source: &str, target: &str| {
            Set::Mount(Mount { source: source.into(), target: target.into(), read_only: true, backup: false })
        };
        assert_eq!(text(&mount("/srv/b", "/mnt/share")), "--mp0 /srv/b,mp=/mnt/share,shared=1,ro=1");
        assert_eq!(text(&mount("/srv/b", "/mnt/b")), "--mp1 /srv/b,mp=/mnt/b,ro=1");
        let refused = argument(&conf(), &mount("/srv/b", "/vol")).unwrap_err();
        assert_eq!(refused.causes, ["the volume `local:201/vm-201-disk-1.raw` is mounted there"]);
    }

    #[test]
    fn features_that_nobody_names_stay() {
        let features = Features { nesting: Some(true), keyctl: Some(true), ..Features::default() };
        assert_eq!(text(&Set::Features(features)), "--features nesting=1,mount=nfs;cifs,keyctl=1");
    }

    #[test]
    fn sizes_are_whole_mebibytes() {
        assert_eq!(text(&Set::Memory(Size(4 << 30))), "--memory 4096");
        assert_eq!(argument(&conf(), &Set::Swap(Size(1))).unwrap_err().causes, ["Proxmox counts it in whole MiB"]);
    }
}
