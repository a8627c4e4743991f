//! What a killed `pct create` leaves: a file that says `lock: create` and nothing else, a disk, and what is mounted of it. And
//! what a clone is that was not made its own.
use super::clone::is_unfinished;
use super::tool::pct;
use super::{CALL, conf_path, known_conf};
use crate::error::{Error, Result};
use crate::system::{Command, System};
use std::path::Path;

/// One mount over another; more than any create makes.
const MOUNTS: u32 = 16;

/// Takes away what a killed create or clone left.
pub(super) fn recover(sys: &dyn System, id: u32) -> Result<()> {
    let conf = known_conf(sys, id)?;
    let lock = conf.now.get("lock").map(String::as_str);
    if lock != Some("create") && !is_unfinished(&conf) {
        return Err(Error::new(format!("making container {id}")).reason("somebody else made it meanwhile"));
    }
    let rootfs = format!("/var/lib/lxc/{id}/rootfs");
    for _ in 0..MOUNTS {
        // Until there is nothing mounted any more.
        if sys.run(&Command::new(["umount", "-R", &rootfs]).timeout(CALL))?.code != 0 {
            break;
        }
    }
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
