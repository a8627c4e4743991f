//! The stanza of a bridge for ifupdown, and the nftables table that goes with it.
use crate::field::{Cidr, Field as _, InterfaceName};
use std::net::IpAddr;

/// A bridge as it comes up at boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stanza<'a> {
    /// The bridge.
    pub(super) name: &'a InterfaceName,
    /// This machine's address on it.
    pub(super) address: Option<Cidr>,
    /// Whether what comes from it goes out under this machine's address.
    pub(super) nat: bool,
}

impl<'a> Stanza<'a> {
    /// Returns what a stanza asks for; nothing where there is none.
    pub(super) fn read(name: &'a InterfaceName, text: &str) -> Self {
        let address = text.lines().find_map(|line| line.trim().strip_prefix("address "));
        let address = address.and_then(|address| Cidr::from_text(address.trim()).ok());
        Self { name, address, nat: text.contains(" masquerade;") }
    }

    /// Returns it as interfaces(5) has it.
    pub(super) fn text(&self) -> String {
        let name = self.name;
        let family = match self.address {
            None => "inet manual",
            Some(Cidr { address: IpAddr::V4(_), .. }) => "inet static",
            Some(Cidr { address: IpAddr::V6(_), .. }) => "inet6 static",
        };
        let mut lines = vec![
            "# Written by provision; see interfaces(5).".to_owned(),
            format!("auto {name}"),
            format!("iface {name} {family}"),
        ];
        lines.extend(self.address.map(|address| format!("\taddress {address}")));
        lines
            .push("\tpre-up ip link show dev $IFACE >/dev/null 2>&1 || ip link add name $IFACE type bridge".to_owned());
        // All before the address: where that is there already, ifup goes no further.
        lines.push("\tpre-up ip link set dev $IFACE up".to_owned());
        if let (true, Some(address)) = (self.nat, self.address) {
            lines.push(format!("\tpre-up echo 1 >{}", forwarding(address)));
            let rule = self.rule(address);
            let (family, table) = (nft_family(address), self.table());
            lines.push(format!(
                "\tpre-up nft '{}; table {family} {table} {{ chain postrouting {{ \
                 type nat hook postrouting priority srcnat; policy accept; {rule}; }}; }}'",
                drop_table(address, &table)
            ));
            lines.push(format!("\tdown nft '{}'", drop_table(address, &table)));
        }
        lines.push("\tpost-down ip link delete dev $IFACE".to_owned());
        lines.join("\n") + "\n"
    }

    /// Returns the rule that hides what comes from the bridge behind this machine, as `nft` prints it.
    pub(super) fn rule(&self, address: Cidr) -> String {
        let protocol = if address.address.is_ipv4() { "ip" } else { "ip6" };
        format!("{protocol} saddr {} oifname != \"{}\" masquerade", address.network(), self.name)
    }

    /// Returns the name of its table.
    pub(super) fn table(&self) -> String {
        format!("provision_{}", self.name)
    }

    /// Says it in few words.
    pub(super) fn shown(&self) -> String {
        let address = self.address.map_or_else(|| "no address".to_owned(), |address| address.to_string());
        if self.nat { format!("{address}, NAT") } else { address }
    }
}

/// Returns the file that lets this machine forward packets.
pub(super) fn forwarding(address: Cidr) -> &'static str {
    if address.address.is_ipv4() { "/proc/sys/net/ipv4/ip_forward" } else { "/proc/sys/net/ipv6/conf/all/forwarding" }
}

/// Returns nftables' name for the family of an address.
pub(super) fn nft_family(address: Cidr) -> &'static str {
    if address.address.is_ipv4() { "ip" } else { "ip6" }
}

/// Returns the nft commands that leave no such table, whether there is one or not.
pub(super) fn drop_table(address: Cidr, table: &str) -> String {
    let family = nft_family(address);
    format!("table {family} {table}; delete table {family} {table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::from_text(text).unwrap()
    }

    #[test]
    fn a_stanza_is_read_back_as_it_was_written() {
        let name = InterfaceName("vmbr1".into());
        for (address, nat) in [(None, false), (Some(cidr("10.0.100.1/24")), true), (Some(cidr("fd00::1/64")), false)] {
            let stanza = Stanza { name: &name, address, nat };
            assert_eq!(Stanza::read(&name, &stanza.text()), stanza);
        }
        assert_eq!(Stanza::read(&name, ""), Stanza { name: &name, address: None, nat: false });
    }

    #[test]
    fn nat_hides_the_network_and_not_what_stays_in_it() {
        let name = InterfaceName("vmbr1".into());
        let text = Stanza { name: &name, address: Some(cidr("10.0.100.1/24")), nat: true }.text();
        assert!(text.contains("ip saddr 10.0.100.0/24 oifname != \"vmbr1\" masquerade;"), "{text}");
        assert!(text.contains("\tpre-up echo 1 >/proc/sys/net/ipv4/ip_forward\n"), "{text}");
    }
}
