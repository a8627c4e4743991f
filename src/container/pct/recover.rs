//! What a killed `pct create` leaves: a file that says `lock: create` and nothing else, a disk, and what is mounted of it. And
//! what a clone is that was not made its own.
use super::clone::is_unfinished;
use super::tool::pct;
use super::{CALL, conf_path, known_conf};
use crate::container::lxc::host::text;
use crate::error::{Error, Result};
use crate::system::{Command, System};
use std::path::Path;
use std::time::Duration;

/// How often what is mounted is taken away: one mount may lie over another, and what a killed call started goes on for a
/// moment.
const TRIES: u32 = 150;

/// Takes away what a killed create or clone left.
pub(super) fn recover(sys: &dyn System, id: u32) -> Result<()> {
    let conf = known_conf(sys, id)?;
    let lock = conf.now.get("lock").map(String::as_str);
    if lock != Some("create") && !is_unfinished(&conf) {
        return Err(Error::new(format!("making container {id}")).reason("somebody else made it meanwhile"));
    }
    unmount(sys, id)?;
    if lock.is_some() {
        pct(sys, ["unlock".to_owned(), id.to_string()], CALL)?;
    }
    let argv = ["destroy", &id.to_string(), "--destroy-unreferenced-disks", "1"].map(str::to_owned);
    pct(sys, argv, CALL)?;
    match sys.lstat(Path::new(&conf_path(id))) {
        Ok(None) => Ok(()),
        _ => Err(Error::new(format!("taking away what a killed `pct create {id}` left"))
            .reason(format!("`{}` is still there", conf_path(id)))
            .remedy("see `pct config`, `pct unlock` and `pct destroy`")),
    }
}

/// Unmounts its root file system until nothing is mounted there any more.
fn unmount(sys: &dyn System, id: u32) -> Result<()> {
    let rootfs = format!("/var/lib/lxc/{id}/rootfs");
    let is_there = |mounts: Option<String>| mounts.unwrap_or_default().contains(&format!(" {rootfs} "));
    let command = Command::new(["umount", "-R", &rootfs]).timeout(CALL);
    let mut failed = Ok(());
    for _ in 0..TRIES {
        if !is_there(text(sys, "/proc/mounts")?) {
            return Ok(());
        }
        failed = sys.run(&command)?.success(&command).map(drop);
        if failed.is_err() {
            sys.sleep(Duration::from_millis(200));
        }
    }
    failed.map_err(|error| error.remedy(format!("end what works in `{rootfs}`, then run again")))
}
