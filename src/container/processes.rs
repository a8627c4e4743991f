//! What runs on this host, by its command lines.
use crate::error::{Attempt as _, Result};
use crate::system::System;
use std::ffi::OsString;
use std::path::Path;

/// Returns the command lines of this host's processes, a list of words each; kernel threads have none.
pub(super) fn command_lines(sys: &dyn System) -> Result<impl Iterator<Item = Vec<String>>> {
    let names = sys.list(Path::new("/proc")).attempt(|| "listing `/proc`".to_owned())?;
    let is_process = |name: &OsString| name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
    Ok(names.into_iter().filter(is_process).filter_map(|name| {
        // One that is gone by now says nothing.
        let line = sys.read(&Path::new("/proc").join(name).join("cmdline")).ok()?;
        let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        (!line.is_empty()).then(|| words.collect())
    }))
}
