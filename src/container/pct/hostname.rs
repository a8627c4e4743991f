//! A changed host name: what of it waits for a restart is in no file of Proxmox.
use super::read_conf;
use crate::container::lxc::state;
use crate::container::{Edit, Owed};
use crate::error::Result;
use crate::system::{System, state as stamps};

/// A new host name is in the file at once and in effect after a restart: the stamp keeps the old one and the start that has it.
pub(super) fn owe_hostname(sys: &dyn System, id: u32, edit: &Edit) -> Result<()> {
    let Some(instance) = state::instance(sys, id)? else { return Ok(()) };
    if owed_hostname(sys, id, &instance)?.is_some() {
        return Ok(());
    }
    let old = edit.changes.first().and_then(|change| change.from.clone()).unwrap_or_default();
    stamps::set_stamp(sys, "container", &id.to_string(), &format!("{instance} hostname {old}"))
}

pub(super) fn owed_hostname(sys: &dyn System, id: u32, instance: &str) -> Result<Option<Owed>> {
    let Some(stamp) = stamps::stamp(sys, "container", &id.to_string())? else { return Ok(None) };
    let noted = stamp.strip_prefix(instance).and_then(|rest| rest.strip_prefix(" hostname "));
    let is = read_conf(sys, id)?.and_then(|conf| conf.next("hostname").map(str::to_owned));
    let active = noted.filter(|active| is.as_deref() != Some(*active));
    Ok(active.map(|active| Owed { field: "hostname".to_owned(), active: Some(active.to_owned()) }))
}
