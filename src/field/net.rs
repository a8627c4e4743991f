//! Network fields: addresses with their prefix, gateways, MAC addresses.
use super::text::{Field, deserialize_field};
use std::fmt;
use std::net::IpAddr;

/// An address with its prefix length: `10.0.100.201/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The address itself, host bits and all.
    pub address: IpAddr,
    /// 0 to 32, or to 128 for IPv6.
    pub prefix: u8,
}

impl Cidr {
    /// Returns the network: the address with its host bits cleared.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V4((v4.to_bits() & mask).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                IpAddr::V6((v6.to_bits() & mask).into())
            }
        };
        Self { address, prefix: self.prefix }
    }
}

impl Field for Cidr {
    const EXPECTED: &'static str = "an address with prefix, such as \"10.0.100.201/24\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not an address with prefix: expected one such as \"10.0.100.201/24\"");
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let prefix: u8 = prefix.parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix > most {
            return Err(format!("`{text}`: the prefix of this address is at most {most}"));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// How a container gets an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// From a DHCP server; not known at load.
    Dhcp,
    /// This one.
    Fixed(Cidr),
}

impl Field for Address {
    const EXPECTED: &'static str = "\"dhcp\" or an address with prefix";
    fn from_text(text: &str) -> Result<Self, String> {
        if text == "dhcp" { Ok(Self::Dhcp) } else { Cidr::from_text(text).map(Self::Fixed) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dhcp => f.write_str("dhcp"),
            Self::Fixed(cidr) => cidr.fmt(f),
        }
    }
}

/// A unicast MAC address, in upper case: `BC:24:11:00:02:01`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac(pub String);

impl Field for Mac {
    const EXPECTED: &'static str = "a MAC address";
    fn from_text(text: &str) -> Result<Self, String> {
        let bytes: Option<Vec<u8>> = text
            .split(':')
            .map(|part| match part.as_bytes() {
                [a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => u8::from_str_radix(part, 16).ok(),
                _ => None,
            })
            .collect();
        match bytes {
            Some(bytes) if bytes.len() == 6 && bytes[0] & 1 == 0 => Ok(Self(text.to_ascii_uppercase())),
            _ => Err(format!("`{text}` is not a unicast MAC address: expected one such as \"BC:24:11:00:02:01\"")),
        }
    }
}

deserialize_field!(Cidr, Address, Mac);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_prefix_that_fits() {
        assert_eq!(Cidr::from_text("10.0.100.201/24").unwrap().network().to_string(), "10.0.100.0/24");
        assert_eq!(Cidr::from_text("0.0.0.0/0").unwrap().network().to_string(), "0.0.0.0/0");
        assert_eq!(Cidr::from_text("fd00::5/64").unwrap().network().to_string(), "fd00::/64");
        for bad in ["10.0.100.201", "10.0.100.201/33", "10.0.100/24", "x/24", "10.0.100.300/24"] {
            assert!(Cidr::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mac_is_unicast_and_has_one_spelling() {
        assert_eq!(Mac::from_text("bc:24:11:00:02:01").unwrap().0, "BC:24:11:00:02:01");
        for bad in ["01:00:00:00:00:00", "bc:24:11:00:02", "bc-24-11-00-02-01", "+1:24:11:00:02:01"] {
            assert!(Mac::from_text(bad).is_err(), "{bad}");
        }
    }
}
