//! The fields of a container as a recipe gives them.
use super::template::Template;
use crate::container::{self, Settings};
use crate::field::{
    AbsPath, Address, ContainerId, ContainerName, Cores, HostName, InterfaceName, IpAddress, Mac, Mtu, Names,
};
use crate::field::{Size, Tag, Text, Vlan};
use serde::{Deserialize, Serialize};

/// An LXC container of this host. It is made, started, changed and destroyed through the host's driver; inside an
/// include with `in` its own resources follow.
///
/// Most changes are made while it runs. What takes effect at a restart only (host name, features, a changed mount,
/// a VLAN) is written at once and waits for `--restart ID`; what only a new container can have (template,
/// `unprivileged`, storage, a smaller disk) waits for `--replace ID`. A container that exists and is not ours is
/// not touched at all before `--adopt ID`. Absent: shut down and destroyed, if ours, not protected, and named by
/// `--data ID`.
///
/// Where several containers have much in common, make a base (`base = true`) with an include of what they have in
/// common, and let each of them `clone` it. The base is built once; each clone begins with a copy of its files and
/// has its own host name, addresses, MACs, machine-id and SSH host keys. Each is then converged by its own resources,
/// of which most are in sync at once; what we made in the base is ours in the clone. What else must differ from one
/// to the next (a TLS key that a package made) belongs in the include of the clones, not of the base. A plan names the
/// end of a base, when it is stopped, as `base:ID`. An edit of what is in it then waits for `--replace ID`, and changes
/// no clone. A base may be destroyed before its clones, except where the storage of a Proxmox node ties them (ZFS, RBD).
///
/// On Proxmox `pct` is run as root, who is `root@pam`: bind mounts and features, which only that user may set, need no
/// further right.
///
/// Plain LXC cannot hold to a disk size, a storage, a firewall or `startup.down`; the plan says so where one is
/// asked.
///
/// ```toml
/// [[container]]
/// id       = 200
/// hostname = "member"
/// template = "debian-12-standard_12.7-1_amd64.tar.zst"
/// base     = true
///
/// [[container]]
/// id       = 201
/// hostname = "lilly"
/// clone    = "member"
/// cores    = 2
/// memory   = "4GiB"
/// disk     = "40GiB"
/// network  = [{ bridge = "vmbr1", address = "10.0.100.201/24", gateway = "10.0.100.1" }]
/// mounts   = [{ source = "/var/lib/vz/shared", target = "/mnt/shared" }]
/// features = { nesting = true, keyctl = true }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of a recipe")]
pub(in crate::resource) struct Container {
    /// Its number on this host.
    pub(super) id: ContainerId,
    /// What it is called.
    pub(super) hostname: HostName,
    /// The archive of its root file system: a name in `/var/cache/provision/templates` or `/var/lib/vz/template/cache`, on
    /// Proxmox in the storages that hold templates or one that `pveam` can fetch; a path; or where to download it. Needed
    /// to make one; fixed then.
    pub(super) template: Option<Template>,
    /// In place of a template, and before it where both are given: the id or host name of a container with `base = true`;
    /// `0` or `""` is none. A new container begins with a copy of what is in that one, and with nothing else of it; one
    /// that is there already stays as it is.
    clone: Option<ContainerName>,
    /// Others are cloned from it: once what is in it has converged it is stopped, and stays as it is. It does not start
    /// with the host.
    #[serde(default)]
    pub(super) base: bool,
    /// Default: `true`. Root inside is nobody on the host (ids are shifted by 100000). Fixed when it is made.
    #[serde(default = "yes")]
    unprivileged: bool,
    /// Where its root file system is; Proxmox only, and there by default the first storage that can hold one. Fixed when it
    /// is made.
    storage: Option<Text>,
    /// Default: `"8GiB"`, or whatever more it has. The size of its root file system; grows, never shrinks.
    pub(super) disk: Option<Size>,
    /// Default: all. How many processors it sees.
    cores: Option<Cores>,
    /// Default: `"512MiB"`, or no limit where it was made by hand without one. How much it may use: whole MiB, at least 16.
    pub(super) memory: Option<Size>,
    /// Default: `"0B"`, or no limit where it was made by hand without one. How much of it may be swapped out, beyond the
    /// memory.
    pub(super) swap: Option<Size>,
    /// Its network interfaces, by `name`.
    #[serde(default)]
    network: Vec<Network>,
    /// What of this host it sees, by `target`.
    #[serde(default)]
    mounts: Vec<MountPoint>,
    /// What it may do beyond the usual.
    #[serde(default)]
    features: Features,
    /// Default: `true`. It starts with the host; a base never does.
    #[serde(default = "yes")]
    onboot: bool,
    /// When it starts with the host.
    #[serde(default)]
    startup: Startup,
    /// The name servers that it asks.
    nameserver: Option<Names<IpAddress>>,
    /// The domain in which it looks names up.
    searchdomain: Option<HostName>,
    /// At least these.
    #[serde(default)]
    tags: Vec<Tag>,
    /// A note on it, for people.
    description: Option<Text>,
    /// May not be destroyed.
    protection: Option<bool>,
    /// Default: `true`. It runs; a base does until it is done.
    #[serde(default = "yes")]
    pub(super) running: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    /// Default: `eth0`, `eth1`, … in order. What it is called inside.
    name: Option<InterfaceName>,
    /// The bridge of this host to which it is attached.
    bridge: InterfaceName,
    /// `"dhcp"`, or an address with its prefix.
    address: Option<Address>,
    /// The way out of its network.
    gateway: Option<IpAddress>,
    /// The VLAN of its packets on the bridge.
    vlan: Option<Vlan>,
    /// The largest packet, in bytes.
    mtu: Option<Mtu>,
    /// Proxmox filters its packets; Proxmox only.
    firewall: Option<bool>,
    /// Default: made once and kept. Its hardware address.
    mac: Option<Mac>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MountPoint {
    /// A directory or file of this host.
    source: AbsPath,
    /// Where it is seen inside.
    target: AbsPath,
    /// Nothing can be written there.
    #[serde(default)]
    read_only: bool,
    /// A backup of the container has it as well; Proxmox only.
    #[serde(default)]
    backup: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Features {
    /// It may run containers of its own.
    nesting: Option<bool>,
    /// It may use the kernel's keyrings.
    keyctl: Option<bool>,
    /// It may mount file systems of its own making.
    fuse: Option<bool>,
    /// It may make device files.
    mknod: Option<bool>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Startup {
    /// Those with a lower number start earlier and stop later.
    order: Option<u32>,
    /// Seconds until the next one starts.
    up: Option<u32>,
    /// Seconds that it is given to shut down; Proxmox only.
    down: Option<u32>,
}

/// What a container has at least whose recipe says nothing of it.
const LEAST_DISK: Size = Size(8 << 30);
const SOME_MEMORY: Size = Size(512 << 20);
const NO_SWAP: Size = Size(0);

fn yes() -> bool {
    true
}

impl Container {
    /// Returns what is asked, in the driver's terms.
    pub(super) fn settings(&self) -> Settings {
        let Features { nesting, keyctl, fuse, mknod } = self.features;
        let Startup { order, up, down } = self.startup;
        Settings {
            hostname: Some(self.hostname.0.clone()),
            unprivileged: Some(self.unprivileged),
            template: self.template.as_ref().map(|template| template.file_name().to_owned()),
            storage: self.storage.as_ref().map(|storage| storage.0.clone()),
            disk: Some(self.disk.unwrap_or(LEAST_DISK)),
            cores: self.cores.map(|cores| cores.0),
            memory: Some(self.memory.unwrap_or(SOME_MEMORY)),
            swap: Some(self.swap.unwrap_or(NO_SWAP)),
            nets: self.network.iter().enumerate().map(|(n, net)| net.settings(n)).collect(),
            mounts: self.mounts.iter().map(MountPoint::settings).collect(),
            features: container::Features { nesting, keyctl, fuse, mknod },
            onboot: Some(self.onboot && !self.base),
            startup: container::Startup { order, up, down },
            nameserver: self.nameserver.iter().flat_map(|servers| &servers.0).map(|server| server.0).collect(),
            searchdomain: self.searchdomain.as_ref().map(|domain| domain.0.clone()),
            tags: self.tags.iter().map(|tag| tag.0.clone()).collect(),
            description: self.description.as_ref().map(|text| text.0.trim_end_matches('\n').to_owned()),
            protection: self.protection,
        }
    }

    /// Returns what is asked of a container that is there: one that somebody made without a limit keeps none unasked.
    pub(super) fn settings_beside(&self, is: &Settings) -> Settings {
        let all = self.settings();
        Settings {
            disk: all.disk.filter(|_| self.disk.is_some() || is.disk.is_some()),
            memory: all.memory.filter(|_| self.memory.is_some() || is.memory.is_some()),
            swap: all.swap.filter(|_| self.swap.is_some() || is.swap.is_some()),
            ..all
        }
    }

    /// Returns what it is a clone of.
    pub(super) fn clone(&self) -> Option<&ContainerName> {
        self.clone.as_ref().filter(|base| !base.0.is_empty())
    }
}

impl Network {
    /// The nth interface is `ethN` unless it has a name.
    fn settings(&self, n: usize) -> container::Net {
        container::Net {
            name: self.name.as_ref().map_or_else(|| format!("eth{n}"), |name| name.0.clone()),
            bridge: Some(self.bridge.0.clone()),
            address: self.address,
            gateway: self.gateway.map(|gateway| gateway.0),
            other: None,
            vlan: self.vlan.map(|vlan| vlan.0),
            mtu: self.mtu.map(|mtu| mtu.0),
            firewall: self.firewall,
            mac: self.mac.as_ref().map(|mac| mac.0.clone()),
        }
    }
}

impl MountPoint {
    fn settings(&self) -> container::Mount {
        let (source, target) = (self.source.0.clone(), self.target.0.clone());
        container::Mount { source, target, read_only: self.read_only, backup: self.backup }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &str) -> Result<Container, toml::de::Error> {
        toml::from_str(&format!("id = 201\nhostname = \"lilly\"\n{fields}"))
    }

    #[test]
    fn what_is_not_named_has_the_documents_defaults() {
        let settings = parse("").unwrap().settings();
        assert_eq!(settings.memory, Some(Size(512 << 20)));
        assert_eq!((settings.swap, settings.disk), (Some(Size(0)), Some(Size(8 << 30))));
        assert_eq!((settings.unprivileged, settings.onboot, settings.cores), (Some(true), Some(true), None));
    }

    #[test]
    fn interfaces_are_numbered_unless_they_have_a_name() {
        let container =
            parse("network = [{ bridge = \"a\" }, { name = \"lan\", bridge = \"b\" }, { bridge = \"c\" }]").unwrap();
        let names: Vec<String> = container.settings().nets.into_iter().map(|net| net.name).collect();
        assert_eq!(names, ["eth0", "lan", "eth2"]);
    }

    #[test]
    fn a_template_is_a_name_a_path_or_a_download() {
        assert_eq!(parse("template = \"/srv/a.tar.zst\"").unwrap().settings().template.as_deref(), Some("a.tar.zst"));
        let table =
            format!("template = {{ name = \"a.tar\", url = \"https://x/a.tar\", sha512 = \"{}\" }}", "0".repeat(128));
        assert_eq!(parse(&table).unwrap().template.unwrap().name(), "a.tar");
        for bad in
            ["\"a/b\"", "\"\"", "\"/srv/..\"", "1", "{ name = \"a\" }", "{ name = \"a\", url = \"b\", sha512 = \"c\" }"]
        {
            assert!(parse(&format!("template = {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_keys_are_refused_at_every_depth() {
        for bad in ["core = 2", "network = [{ brige = \"a\" }]", "features = { nest = true }", "startup = { ordr = 1 }"]
        {
            assert!(parse(bad).unwrap_err().to_string().contains("unknown field"), "{bad}");
        }
    }
}
