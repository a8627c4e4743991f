//! What is free in storages of which no file tells (LVM, a server's): `pvesm status` is asked, once for all of them.
use crate::error::{Error, Result};
use crate::system::{Command, System};
use std::time::Duration;

const PVESM: &str = "/usr/sbin/pvesm";
/// How long it may take: Proxmox itself waits a few seconds for a server that does not answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the bytes that are free in each of these storages, or why that is not known.
pub(super) fn ask_free(sys: &dyn System, names: &[&str]) -> Vec<Result<u64>> {
    // Of those that hold no root file systems none is woken.
    let command = Command { tied: true, ..Command::new([PVESM, "status", "--content", "rootdir"]).timeout(TIMEOUT) };
    let printed = sys.run(&command).and_then(|output| output.success(&command)).map(|output| output.text());
    let attempt = || format!("reading what `{}` says", command.shown());
    let one = |name: &&str| match &printed {
        Ok(text) => parse_free(text, name).map_err(|reason| Error::new(attempt()).reason(reason)),
        Err(error) => Err(error.clone()),
    };
    names.iter().map(one).collect()
}

/// Returns the free bytes of a storage, from the table of `pvesm status`: name, type, status, and KiB in all, used and free.
fn parse_free(table: &str, name: &str) -> Result<u64, String> {
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    match rows.into_iter().find(|row| row.first() == Some(&name)).as_deref() {
        Some([_, _, "active", _, _, free, ..]) => free
            .parse::<u64>()
            .ok()
            .and_then(|kibibytes| kibibytes.checked_mul(1024))
            .ok_or_else(|| format!("`{free}` is no number of KiB")),
        Some([_, _, status, ..]) => Err(format!("the storage is {status}")),
        _ => Err("the storage is not in it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
Name         Type     Status           Total            Used       Available        %
fast      lvmthin     active        20971520            5920        20429824    0.03%
local         dir     active       264212084        32944080        62341808   12.47%
nas           nfs   inactive               0               0               0    0.00%
old           lvm   disabled               0               0               0      N/A
torn          lvm     active               x               y               z    0.00%
";

    #[test]
    fn a_storage_that_is_active_tells_what_is_free_in_it_and_any_other_why_not() {
        let free = |name: &str| parse_free(TABLE, name);
        assert_eq!(free("fast"), Ok(20_429_824 << 10));
        assert_eq!(free("nas").unwrap_err(), "the storage is inactive");
        assert_eq!(free("old").unwrap_err(), "the storage is disabled");
        assert_eq!(free("torn").unwrap_err(), "`z` is no number of KiB");
        for absent in ["fas", "Name", ""] {
            assert_eq!(free(absent).unwrap_err(), "the storage is not in it", "{absent}");
        }
    }
}
