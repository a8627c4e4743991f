//! The kernel's network tables in /proc/net, and interfaces(5).
use std::net::{Ipv4Addr, Ipv6Addr};

/// A network that is reached directly on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The interface.
    pub interface: String,
    /// The network.
    pub network: Ipv4Addr,
    /// The length of its prefix.
    pub prefix: u8,
}

/// Returns the networks of /proc/net/route that have no gateway.
pub fn parse_route(text: &str) -> Vec<Connected> {
    let hex = |field: Option<&str>| u32::from_str_radix(field?, 16).ok().map(u32::from_be);
    let one = |line: &str| {
        let mut fields = line.split_whitespace();
        let interface = fields.next()?.to_owned();
        let (network, gateway, mask) = (hex(fields.next())?, hex(fields.next())?, hex(fields.nth(4))?);
        let prefix = u8::try_from(mask.count_ones()).ok()?;
        (gateway == 0).then(|| Connected { interface, network: Ipv4Addr::from(network), prefix })
    };
    text.lines().filter_map(one).collect()
}

/// Returns this machine's own addresses in `/proc/net/fib_trie`.
pub fn parse_local_addresses(text: &str) -> Vec<Ipv4Addr> {
    let mut last = None;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.filter(|address| !found.contains(address)));
        }
    }
    found
}

/// Returns interface, address and prefix length of each line in `/proc/net/if_inet6`.
pub fn parse_if_inet6(text: &str) -> Vec<(String, Ipv6Addr, u8)> {
    let one = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _, prefix, _, _, interface] = fields[..] else { return None };
        let address = u128::from_str_radix(address, 16).ok()?;
        Some((interface.to_owned(), Ipv6Addr::from(address), u8::from_str_radix(prefix, 16).ok()?))
    };
    text.lines().filter_map(one).collect()
}

/// Returns whether a file of interfaces(5) configures an interface.
pub fn configures(text: &str, interface: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("iface") && words.next() == Some(interface)
    })
}

/// Returns whether a file of interfaces(5) reads all of /etc/network/interfaces.d.
pub fn reads_directory(text: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        let what = words.next();
        words.next().is_some_and(|path| {
            let path = path.trim_start_matches("/etc/network/").trim_end_matches('/');
            match what {
                Some("source") => path == "interfaces.d/*",
                Some("source-directory") => path == "interfaces.d" || path == "interfaces.d/*",
                _ => false,
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
vmbr1\t00640A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
";
    const FIB_TRIE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.10.100.0
        /24 link UNICAST
     |-- 10.10.100.1
        /32 host LOCAL
Local:
     |-- 10.10.100.1
        /32 host LOCAL
     |-- 10.10.100.255
        /32 link BROADCAST
     |-- 127.0.0.0
        /31 link UNICAST
        /8 host LOCAL
";

    #[test]
    fn a_connected_network_has_no_gateway() {
        let expected = Connected { interface: "vmbr1".into(), network: Ipv4Addr::new(10, 10, 100, 0), prefix: 24 };
        assert_eq!(parse_route(ROUTE), [expected]);
        assert_eq!(parse_route("x\ny 1 2\n"), []);
    }

    #[test]
    fn local_addresses_are_those_of_this_machine() {
        assert_eq!(parse_local_addresses(FIB_TRIE), [Ipv4Addr::new(10, 10, 100, 1)]);
    }

    #[test]
    fn inet6_addresses_have_their_interface() {
        let text = "fd930000000000000000000000000001 72 40 00 80   vmbr93\nbroken\n";
        assert_eq!(parse_if_inet6(text), [("vmbr93".to_owned(), "fd93::1".parse().unwrap(), 64)]);
    }

    #[test]
    fn interfaces_say_what_they_configure_and_read() {
        assert!(configures("auto vmbr1\n  iface vmbr1 inet static\n", "vmbr1"));
        assert!(!configures("# iface vmbr1\niface vmbr10 inet manual\n", "vmbr1"));
        for good in ["source /etc/network/interfaces.d/*", "source-directory interfaces.d", "source interfaces.d/*"] {
            assert!(reads_directory(good), "{good}");
        }
        for bad in ["# source /etc/network/interfaces.d/*", "source /etc/network/interfaces.d/eth0", "auto lo", ""] {
            assert!(!reads_directory(bad), "{bad}");
        }
    }
}
