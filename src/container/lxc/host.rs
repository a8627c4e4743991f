//! What of the host decides how a container is written down: its cgroups, its processors, its swap.
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::io;
use std::path::Path;

/// What of the host decides how a container is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// How its limits are called.
    pub(super) limits: &'static Limits,
    /// It accounts for swap, so that it can be limited.
    pub(super) swap: bool,
    /// The processors that it has; empty where that can't be told.
    pub(super) cpus: Vec<u32>,
}

/// How the limits of a container are called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// What stands before the name of a cgroup's file in a configuration.
    pub(super) prefix: &'static str,
    /// Memory in bytes.
    pub(super) memory: &'static str,
    /// Swap in bytes.
    pub(super) swap: &'static str,
    /// The memory is part of that number.
    pub(super) swap_is_total: bool,
    /// The list of processors.
    pub(super) cpus: &'static str,
}

const V1: Limits = Limits {
    prefix: "lxc.cgroup.",
    memory: "memory.limit_in_bytes",
    swap: "memory.memsw.limit_in_bytes",
    swap_is_total: true,
    cpus: "cpuset.cpus",
};

const V2: Limits = Limits {
    prefix: "lxc.cgroup2.",
    memory: "memory.max",
    swap: "memory.swap.max",
    swap_is_total: false,
    cpus: "cpuset.cpus",
};

const CGROUPS: &str = "/sys/fs/cgroup";

impl Host {
    /// Reads it.
    pub(super) fn of(sys: &dyn System) -> Result<std::sync::Arc<Self>> {
        sys.facts().get("lxc-host", || {
            let there = |path: &str| {
                sys.lstat(Path::new(path)).map(|stat| stat.is_some()).attempt(|| format!("reading `{path}`"))
            };
            let first = there(&format!("{CGROUPS}/memory"))? && !there(&format!("{CGROUPS}/cgroup.controllers"))?;
            let (limits, swap, cpus) = if first {
                (&V1, there(&format!("{CGROUPS}/memory/{}", V1.swap))?, "cpuset/cpuset.effective_cpus")
            } else {
                (&V2, there("/proc/swaps")?, "cpuset.cpus.effective")
            };
            let lists = [format!("{CGROUPS}/{cpus}"), "/sys/devices/system/cpu/online".to_owned()];
            let cpus = lists.iter().find_map(|path| text(sys, path).ok().flatten()).unwrap_or_default();
            Ok(Self { limits, swap, cpus: parse_list(&cpus) })
        })
    }

    /// Returns the processors for a container that asks for so many: its own share where there are enough, else all.
    pub(super) fn cpus_for(&self, id: u32, cores: u32) -> Vec<u32> {
        let all = if self.cpus.is_empty() { (0..cores).collect() } else { self.cpus.clone() };
        let (count, wanted) = (all.len(), cores as usize);
        if wanted >= count {
            return all;
        }
        let from = (id as usize).wrapping_mul(wanted) % count;
        let mut mine: Vec<u32> = (0..wanted).map(|n| all[(from + n) % count]).collect();
        mine.sort_unstable();
        mine
    }
}

/// Returns the text of a file, `None` where it is not there.
pub(in crate::container) fn text(sys: &dyn System, path: &str) -> Result<Option<String>> {
    match sys.read(Path::new(path)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error).attempt(|| format!("reading `{path}`")),
    }
}

/// Reads a list of numbers as the kernel writes it: `0-3,5`.
pub(super) fn parse_list(text: &str) -> Vec<u32> {
    let ranges = text.trim().split(',').filter_map(|part| match part.trim().split_once('-') {
        Some((from, to)) => Some(from.parse().ok()?..=to.parse().ok()?),
        None => part.trim().parse().ok().map(|one| one..=one),
    });
    ranges.flatten().take(8192).collect()
}

/// Writes a list of numbers as the kernel reads it.
pub(super) fn show_list(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// Hosts of every kind, for tests.
#[cfg(test)]
pub(super) fn every_kind() -> Vec<Host> {
    let cpus: Vec<u32> = (0..2).collect();
    let host = |limits, swap| Host { limits, swap, cpus: cpus.clone() };
    vec![host(&V1, true), host(&V1, false), host(&V2, true), host(&V2, false)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors_are_read_as_the_kernel_writes_them() {
        for (text, numbers) in [("0-1\n", &[0, 1][..]), ("0-2,5", &[0, 1, 2, 5]), ("3", &[3]), ("", &[]), ("x", &[])] {
            assert_eq!(parse_list(text), numbers, "{text:?}");
        }
    }

    #[test]
    fn containers_with_fewer_cores_than_the_host_are_spread_over_it() {
        let host = Host { limits: &V1, swap: true, cpus: vec![0, 1, 2, 3] };
        assert_eq!(host.cpus_for(200, 2), [0, 1]);
        assert_eq!(host.cpus_for(201, 2), [2, 3]);
        assert_eq!(host.cpus_for(201, 3), [0, 1, 3]);
        assert_eq!(host.cpus_for(201, 9), [0, 1, 2, 3]);
    }
}
