//! Growing a disk, also one that a call which was cut off has grown already.
use super::CALL;
use super::tool::pct;
use super::write::mebibytes;
use crate::error::Result;
use crate::field::Size;
use crate::system::System;

/// Grows the disk of a container to a size.
pub(super) fn grow(sys: &dyn System, id: u32, size: Size) -> Result<()> {
    let resize = |size: String| pct(sys, ["resize".to_owned(), id.to_string(), "rootfs".to_owned(), size], CALL);
    resize(format!("{}M", mebibytes("disk", size)?)).or_else(|error| {
        if !error.output.iter().any(|line| line.contains("disk is already at specified size")) {
            return Err(error);
        }
        // A call was cut off after the disk and before its file system and the container's file, in which the old size
        // stands: both come along only when the disk grows once more.
        resize("+1M".to_owned())
    })
}
