//! MAC addresses: made once, carried over, and the first of them tells a container from others of the same id.
use super::config::{Config, ours};
use super::read::interfaces;
use crate::container::{Edit, Set};
use crate::system::System;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::SystemTime;

pub(super) fn first_mac(config: &Config) -> Option<String> {
    let mut macs = interfaces(config).into_iter().map(|(n, _)| config.get(&format!("lxc.net.{n}.hwaddr")));
    macs.find_map(|mac| mac.map(str::to_ascii_uppercase))
}

/// Keeps the MAC that it has now as what tells it from others, whatever becomes of its interfaces.
pub(super) fn keep_identity(config: &mut Config) {
    if config.get(&ours("identity")).is_none() {
        config.put(&ours("identity"), first_mac(config));
    }
}

/// Returns a new MAC with Proxmox's prefix. Another one for each container ever made: claims hang on it.
pub(super) fn new_mac(sys: &dyn System, id: u32, n: usize) -> String {
    let random = sys.read(Path::new("/proc/sys/kernel/random/uuid")).unwrap_or_default();
    let now = sys.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let seed =
        Sha256::new().chain_update(random).chain_update(now.to_be_bytes()).chain_update(format!("{id} {n}")).finalize();
    format!("BC:24:11:{:02X}:{:02X}:{:02X}", seed[0], seed[1], seed[2])
}

/// Gives an interface that has no MAC yet one of its own.
pub(super) fn with_macs(sys: &dyn System, id: u32, config: &Config, edit: &Edit) -> Edit {
    let mut edit = edit.clone();
    if let Set::Net(net) = &mut edit.set {
        net.mac.get_or_insert_with(|| new_mac(sys, id, interfaces(config).len()));
    }
    edit
}
