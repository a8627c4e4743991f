//! What a container's file on a Proxmox node says beyond what a recipe can say. Of a list of properties that is what would not
//! be in it if the settings were written anew.
use super::conf::{Conf, joined, properties};
use super::read::{self, is_on};
use super::write::{features_text, mount_text, net_text, startup_text};
use std::net::IpAddr;

/// Keys that settings hold whole, and those that say how a container was made or what is done with it.
const KNOWN: [&str; 15] = [
    "arch",
    "hostname",
    "lock",
    "onboot",
    "ostype",
    "parent",
    "protection",
    "searchdomain",
    "tags",
    "template",
    "unprivileged",
    "cores",
    "memory",
    "swap",
    "description",
];

/// Returns what no recipe can say, a line each: keys, properties, raw lines, snapshots.
pub(super) fn beyond(text: &str, conf: &Conf) -> Vec<String> {
    let mut keys: Vec<&String> = conf.now.keys().chain(conf.pending.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let of_keys = keys.into_iter().filter_map(|key| Some((key, conf.next(key)?)));
    let mut lines: Vec<String> = of_keys.filter_map(|(key, value)| of_key(key, value)).collect();
    let main = text.lines().map(str::trim_end).take_while(|line| section(line).is_none());
    lines.extend(main.filter(|line| line.starts_with("lxc.")).map(str::to_owned));
    let snapshots = text.lines().filter_map(|line| section(line.trim_end())).filter(|name| !name.starts_with("pve:"));
    lines.extend(snapshots.map(|name| format!("the snapshot `{name}`")));
    lines
}

fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']')
}

fn of_key(key: &str, value: &str) -> Option<String> {
    let family = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let rest = match (key, family) {
        ("cores" | "memory" | "swap", _) if value.parse::<u64>().is_err() => value.to_owned(),
        ("nameserver", _) => {
            let others = value.split([' ', ',']).filter(|one| !one.is_empty() && one.parse::<IpAddr>().is_err());
            others.collect::<Vec<_>>().join(" ")
        }
        ("features", _) => left(value, "", &features_text(None, read::settings(&only(key, value)).features)),
        ("startup", _) => left(value, "order", &startup_text(read::settings(&only(key, value)).startup)),
        ("rootfs", _) => {
            let known = read::settings(&only(key, value));
            let is_known = |part: &str| (part == "volume" && known.storage.is_some()) || part == "size";
            let parts = properties(value, "volume").into_iter().filter(|(part, _)| !is_known(part));
            text(parts)
        }
        (_, "net") => left(value, "name", &net_text(None, &read::net(value))),
        (_, "mp") => match read::mount(value) {
            Some(mount) if mount.source.starts_with('/') && !mount.source.starts_with("/dev/") => {
                left(value, "volume", &mount_text(None, &mount).unwrap_or_default())
            }
            _ => value.to_owned(),
        },
        (known, _) if KNOWN.contains(&known) => String::new(),
        _ => value.to_owned(),
    };
    (!rest.is_empty()).then(|| format!("{key}: {rest}"))
}

fn only(key: &str, value: &str) -> Conf {
    Conf { now: [(key.to_owned(), value.to_owned())].into(), ..Conf::default() }
}

/// Returns the properties that are not in `again`, which says the same of those that settings hold.
fn left(value: &str, first: &str, again: &str) -> String {
    let again = properties(again, first);
    let holds = |(key, value): &(&str, &str)| {
        let same = |(name, said): &(&str, &str)| {
            name == key
                && (said.eq_ignore_ascii_case(value) || *said == read::plain(value) || is_on(said) && is_on(value))
        };
        let unset =
            matches!(*key, "ro" | "backup" | "firewall" | "link_down" | "fuse" | "keyctl" | "mknod" | "nesting");
        again.iter().any(same)
            || (unset && !is_on(value))
            || (*key, *value) == ("type", "veth")
            || same_number(&again, key, value)
    };
    text(properties(value, first).into_iter().filter(|part| !holds(part)))
}

/// `05` is 5.
fn same_number(again: &[(&str, &str)], key: &str, value: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    again.iter().any(|(name, said)| *name == key && number(said).is_some() && number(said) == number(value))
}

fn text<'p>(parts: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    joined(&parts.map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>(), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_settings_hold_is_not_named_and_everything_else_is() {
        let conf = "#for lilly\narch: amd64\ncores: 2\ncpulimit: 0.5\ndev0: /dev/fuse,mode=0666\n\
            features: keyctl=1,mount=nfs;cifs,nesting=1,fuse=0\nfrob: 1\nhostname: lilly\nlock: backup\nmemory: 0512\n\
            mp0: /srv/a/,mp=/a/,ro=1,shared=1\nmp1: local:201/vm-201-disk-1.raw,mp=/data,size=1G\nmp2: /dev/sdb1,mp=/b\n\
            nameserver: 9.9.9.9 host\n\
            net0: name=eth0,bridge=vmbr1,gw=10.0.0.1,hwaddr=bc:24:11:50:d6:77,ip=10.0.0.5/24,ip6=auto,rate=10,tag=5,type=veth\n\
            net1: name=eth1,bridge=vmbr1,ip=manual,link_down=1,firewall=0\n\
            onboot: 1\nostype: debian\nparent: before\nrootfs: local:201/vm-201-disk-0.raw,mountoptions=noatime,size=40G\n\
            startup: 3,up=5\nswap: 0\ntags: a;b\nunprivileged: 1\nunused0: local:201/vm-201-disk-2.raw\n\
            lxc.cap.drop: sys_time\nlxc.cap.drop: sys_boot\n\n[pve:pending]\ntty: 3\n\n[before]\nfrobnicate: 1\nlxc.x: 1\n";
        assert_eq!(
            beyond(conf, &Conf::parse(conf)),
            [
                "cpulimit: 0.5",
                "dev0: /dev/fuse,mode=0666",
                "features: mount=nfs;cifs",
                "frob: 1",
                "mp0: shared=1",
                "mp1: local:201/vm-201-disk-1.raw,mp=/data,size=1G",
                "mp2: /dev/sdb1,mp=/b",
                "nameserver: host",
                "net0: ip6=auto,rate=10",
                "net1: ip=manual,link_down=1",
                "rootfs: mountoptions=noatime",
                "tty: 3",
                "unused0: local:201/vm-201-disk-2.raw",
                "lxc.cap.drop: sys_time",
                "lxc.cap.drop: sys_boot",
                "the snapshot `before`",
            ]
        );
    }
}
