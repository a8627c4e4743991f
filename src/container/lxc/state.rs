//! What runs, read from files alone: LXC's command sockets, the first process of a container, what is mounted in it.
use super::LXC_PATH;
use super::host::text;
use super::read::unescaped;
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SOCKETS: &str = "/proc/net/unix";

/// Returns what tells this start of a container from every other: the inode of its command socket, and the host's boot.
/// `None`: it doesn't run.
pub(in crate::container) fn instance(sys: &dyn System, id: u32) -> Result<Option<String>> {
    let sockets =
        sys.facts().get("lxc-sockets", || text(sys, SOCKETS).map(|t| parse_sockets(&t.unwrap_or_default())))?;
    let Some(inode) = sockets.get(&id) else { return Ok(None) };
    let boot = sys.facts().get("boot-id", || text(sys, "/proc/sys/kernel/random/boot_id"))?;
    let boot = boot.as_deref().unwrap_or_default().split('-').next().unwrap_or_default().trim();
    Ok(Some(format!("{boot}:{inode}")))
}

/// Returns whether it runs at this moment, whatever was read before.
pub(in crate::container) fn runs_now(sys: &dyn System, id: u32) -> Result<bool> {
    Ok(parse_sockets(&text(sys, SOCKETS)?.unwrap_or_default()).contains_key(&id))
}

/// Returns the containers whose command socket is open, with its inode (proc(5), /proc/net/unix).
fn parse_sockets(text: &str) -> BTreeMap<u32, String> {
    let socket = |line: &str| {
        let mut fields = line.split_whitespace().skip(6);
        let (inode, path) = (fields.next()?, fields.next()?);
        let id = path.strip_prefix('@')?.strip_prefix(LXC_PATH)?.strip_prefix('/')?.strip_suffix("/command")?;
        Some((id.parse().ok()?, inode.to_owned()))
    };
    text.lines().filter_map(socket).collect()
}

/// Returns the host's id of a running container's first process; `None` where that can't be told.
pub(in crate::container) fn first_process(sys: &dyn System, id: u32) -> Result<Option<u32>> {
    let base =
        sys.facts().get("cgroup-base", || text(sys, "/proc/1/cgroup").map(|t| parse_bases(&t.unwrap_or_default())))?;
    for (mount, base) in base.iter() {
        for below in ["/init.scope", ""] {
            let path = format!("/sys/fs/cgroup{mount}{base}/lxc.payload.{id}{below}/cgroup.procs");
            for pid in text(sys, &path)?.unwrap_or_default().lines().take(16).filter_map(|line| line.parse().ok()) {
                if is_first(sys, pid)? {
                    return Ok(Some(pid));
                }
            }
        }
    }
    child_of_monitor(sys, id)
}

/// Returns where LXC puts its cgroups: below that of the first process, by the place of the hierarchy.
fn parse_bases(text: &str) -> Vec<(&'static str, String)> {
    let base = |line: &str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let path = path.strip_suffix("/init.scope").unwrap_or(path).trim_end_matches('/').to_owned();
        match controllers {
            "" => Some(("", path)),
            "name=systemd" => Some(("/systemd", path)),
            "pids" => Some(("/pids", path)),
            _ => None,
        }
    };
    text.lines().filter_map(base).collect()
}

/// Returns whether a process is the first one of its own process namespace, and that is not the host's.
fn is_first(sys: &dyn System, pid: u32) -> Result<bool> {
    let status = text(sys, &format!("/proc/{pid}/status"))?.unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let ids: Vec<&str> = ids.split_whitespace().collect();
    Ok(ids.len() > 1 && ids.last() == Some(&"1"))
}

/// Returns the child of LXC's monitor, which has the container's path in its command line.
fn child_of_monitor(sys: &dyn System, id: u32) -> Result<Option<u32>> {
    let monitors = sys.facts().get("lxc-monitors", || -> Result<BTreeMap<String, u32>> {
        let names = sys.list(Path::new("/proc")).attempt(|| "listing `/proc`".to_owned())?;
        let pids = names.iter().filter_map(|name| name.to_str()?.parse::<u32>().ok());
        let monitor = |pid| {
            let line = text(sys, &format!("/proc/{pid}/cmdline")).ok().flatten()?;
            line.strip_prefix("[lxc monitor] ").map(|rest| (rest.trim_end_matches(['\0', ' ']).to_owned(), pid))
        };
        Ok(pids.filter_map(monitor).collect())
    })?;
    let Some(monitor) = monitors.get(&format!("{LXC_PATH} {id}")) else { return Ok(None) };
    let children = text(sys, &format!("/proc/{monitor}/task/{monitor}/children"))?.unwrap_or_default();
    Ok(children.split_whitespace().next().and_then(|pid| pid.parse().ok()))
}

/// Returns the targets at which something is mounted for a process.
pub(in crate::container) fn mounted(sys: &dyn System, pid: u32) -> Result<Option<BTreeSet<String>>> {
    Ok(text(sys, &format!("/proc/{pid}/mountinfo"))?.map(|text| parse_targets(&text)))
}

/// Returns the mount points of a mountinfo file (proc(5)).
fn parse_targets(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped).collect()
}

/// Returns the addresses that are a process's own, from its `/proc/PID/net/fib_trie`.
pub(super) fn parse_local_addresses(text: &str) -> BTreeSet<String> {
    let mut last = "";
    let mut own = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address;
        } else if line == "/32 host LOCAL" && !last.starts_with("127.") {
            own.insert(last.to_owned());
        }
    }
    own
}

/// Returns whether there is a way out, from `/proc/PID/net/route`.
pub(super) fn has_default_route(text: &str) -> bool {
    text.lines().skip(1).any(|line| line.split_whitespace().nth(1) == Some("00000000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_runs_while_its_command_socket_is_open() {
        let text = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            00000000791ce2f2: 00000002 00000000 00010000 0001 01 66850 @/var/lib/lxc/910/command\n\
            000000001df8dc0a: 00000003 00000000 00000000 0001 03 66851\n\
            000000001df8dc0b: 00000002 00000000 00010000 0001 01 17 /run/systemd/private\n\
            000000001df8dc0c: 00000002 00000000 00010000 0001 01 18 @/home/u/lxc/911/command\n";
        let running: Vec<(u32, String)> = parse_sockets(text).into_iter().collect();
        assert_eq!(running, [(910, "66850".to_owned())]);
    }

    #[test]
    fn containers_are_looked_for_below_the_first_process_cgroup() {
        assert_eq!(parse_bases("0::/init.scope\n"), [("", String::new())]);
        let hybrid = "9:name=systemd:/outer/init.scope\n8:pids:/outer\n7:cpu,cpuacct:/\n0::/\n";
        assert_eq!(
            parse_bases(hybrid),
            [("/systemd", "/outer".into()), ("/pids", "/outer".into()), ("", String::new())]
        );
    }

    #[test]
    fn mount_points_are_unescaped() {
        let text = "109 102 254:0 /srv/share /mnt/my\\040share rw,relatime shared:107 - ext4 /dev/vda rw\n";
        assert_eq!(parse_targets(text).into_iter().collect::<Vec<_>>(), ["/mnt/my share"]);
    }

    #[test]
    fn an_address_is_its_own_where_the_kernel_says_local() {
        let trie = "Main:\n  +-- 0.0.0.0/1 2 0 2\n     |-- 10.91.0.0\n        /24 link UNICAST\n     |-- 10.91.0.10\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        assert_eq!(parse_local_addresses(trie).into_iter().collect::<Vec<_>>(), ["10.91.0.10"]);
    }

    #[test]
    fn the_way_out_is_the_route_to_everything() {
        let head = "Iface\tDestination\tGateway\n";
        assert!(has_default_route(&format!("{head}eth0\t00000000\t01005B0A\n")));
        assert!(!has_default_route(&format!("{head}eth0\t00005B0A\t00000000\n")));
    }
}
