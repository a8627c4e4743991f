//! The machine-id of the host: by it a ledger knows its machine, and what is ours there.
use crate::error::{Attempt as _, Error, Result};
use crate::system::System;
use std::path::Path;

/// Returns the machine-id; empty where there is none. One that is lost is an error, since with another nothing counts as ours.
pub(super) fn read(known: Option<&str>, sys: &dyn System) -> Result<String> {
    let read = sys.read(Path::new("/etc/machine-id")).attempt(|| "reading `/etc/machine-id`".to_owned());
    let id = read.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()).unwrap_or_default();
    match known.filter(|known| id.is_empty() && !known.is_empty()) {
        None => Ok(id),
        Some(known) => {
            let error = Error::new("reading `/etc/machine-id`")
                .reason(format!("it is missing or empty, and the ledger is of the machine {known}"));
            Err(error.remedy(
                "put it back; `systemd-machine-id-setup` makes a new one, with which nothing here counts as ours",
            ))
        }
    }
}

/// Returns what is to be said where the ledger is of another machine.
pub(super) fn changed(known: Option<&str>, id: &str) -> Option<String> {
    let known = known.filter(|known| *known != id)?;
    let of = if known.is_empty() { "a machine without one".to_owned() } else { format!("the machine {known}") };
    let back = if known.is_empty() { "take that away".to_owned() } else { format!("put {known} there") };
    Some(format!(
        "`/etc/machine-id` is {id} and the ledger is of {of}: nothing that it knows counts as ours here, so nothing of it is \
         ever taken away or put back. Where this disk is a copy, that is as it should be; where it is still that machine, {back} \
         before an apply"
    ))
}
