//! Whether a container has booted.
use super::host::text;
use super::{attach, state};
use crate::container::Net;
use crate::error::{Error, Result};
use crate::field::Address;
use crate::system::{Command, System};
use std::time::Duration;

/// Returns what a container that boots still lacks.
pub(in crate::container) fn not_ready(sys: &dyn System, id: u32, nets: &[Net]) -> Result<Option<String>> {
    if !state::runs_now(sys, id)? {
        return Err(Error::new(format!("waiting for container {id} to boot")).reason("it does not run"));
    }
    let command = Command::new(attach(id, &["systemctl", "is-system-running"])).timeout(Duration::from_secs(10));
    let output = sys.run(&command)?;
    let answer = output.text().trim().to_owned();
    if output.code != 127 && !matches!(answer.as_str(), "running" | "degraded") {
        return Ok(Some(format!("systemd says `{answer}`")));
    }
    sys.facts().forget();
    let Some(pid) = state::first_process(sys, id)? else { return Ok(Some("its first process can't be found".into())) };
    let own = state::parse_local_addresses(&text(sys, &format!("/proc/{pid}/net/fib_trie"))?.unwrap_or_default());
    let lacking = nets.iter().find(|net| match net.address {
        Some(Address::Fixed(cidr)) if cidr.address.is_ipv4() => !own.contains(&cidr.address.to_string()),
        Some(Address::Dhcp) => own.is_empty(),
        _ => false,
    });
    if let Some(net) = lacking {
        return Ok(Some(format!("{} has no address yet", net.name)));
    }
    let leads_out =
        |net: &Net| net.address == Some(Address::Dhcp) || net.gateway.is_some_and(|gateway| gateway.is_ipv4());
    let route = text(sys, &format!("/proc/{pid}/net/route"))?.unwrap_or_default();
    let lost = nets.iter().any(leads_out) && !state::has_default_route(&route);
    Ok(lost.then(|| "it has no default route yet".to_owned()))
}
