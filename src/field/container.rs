//! Fields of containers: cores, network interfaces, VLANs, MTUs, tags, addresses.
use super::text::{Field, deserialize_field};
use std::fmt;
use std::net::IpAddr;

/// How many processors a container sees, 1 to 8192.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cores(pub u32);

impl Field for Cores {
    const EXPECTED: &'static str = "a number of cores";
    fn from_text(text: &str) -> Result<Self, String> {
        within(text, 1..=8192, "a number of cores").map(Self)
    }
}

/// An 802.1Q VLAN, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan(pub u32);

impl Field for Vlan {
    const EXPECTED: &'static str = "a VLAN";
    fn from_text(text: &str) -> Result<Self, String> {
        within(text, 1..=4094, "a VLAN").map(Self)
    }
}

/// The largest packet of an interface in bytes, 576 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mtu(pub u32);

impl Field for Mtu {
    const EXPECTED: &'static str = "an MTU in bytes";
    fn from_text(text: &str) -> Result<Self, String> {
        within(text, 576..=65535, "an MTU").map(Self)
    }
}

/// The name of a network interface or bridge, as Linux takes it: at most 15 bytes, no `/`, `:` or blank.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceName(pub String);

impl Field for InterfaceName {
    const EXPECTED: &'static str = "the name of a network interface";
    fn from_text(text: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_graphic() && !"/:,=".contains(c);
        if (1..=15).contains(&text.len()) && text.chars().all(allowed) && text != "." && text != ".." {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is not the name of a network interface: at most 15 characters, no `/`, `:`, `,`, `=` or blank"
        ))
    }
}

/// A tag of a container as Proxmox keeps it: lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub String);

impl Field for Tag {
    const EXPECTED: &'static str = "a tag";
    fn from_text(text: &str) -> Result<Self, String> {
        let first = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if first && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-+.".contains(c)) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(format!("`{text}` is not a tag: letters, digits and `_-+.`, a letter, digit or `_` first"))
    }
}

/// An IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpAddress(pub IpAddr);

impl Field for IpAddress {
    const EXPECTED: &'static str = "an IP address";
    fn from_text(text: &str) -> Result<Self, String> {
        let bad = |_| format!("`{text}` is not an IP address");
        text.parse().map(Self).map_err(bad)
    }
}

fn within(text: &str, range: std::ops::RangeInclusive<u32>, what: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is not {what}: expected {} to {}", range.start(), range.end())),
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

deserialize_field!(Cores, Vlan, Mtu, InterfaceName, Tag, IpAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_range() {
        assert_eq!(Cores::from_number(2), Ok(Cores(2)));
        assert!(Cores::from_number(0).is_err() && Cores::from_number(-1).is_err());
        assert!(Vlan::from_text("4094").is_ok() && Vlan::from_text("4095").is_err());
        assert!(Mtu::from_text("1500").is_ok() && Mtu::from_text("100").is_err());
    }

    #[test]
    fn an_interface_has_a_name_that_linux_takes() {
        assert!(InterfaceName::from_text("vmbr1").is_ok());
        for bad in ["", "..", "a b", "a/b", "eth0:1", "abcdefghijklmnop"] {
            assert!(InterfaceName::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_are_lower_case_and_an_address_is_one() {
        assert_eq!(Tag::from_text("Prod").unwrap().0, "prod");
        assert!(Tag::from_text("a;b").is_err() && Tag::from_text("").is_err());
        assert!(IpAddress::from_text("9.9.9.9").is_ok() && IpAddress::from_text("9.9.9.9 1.1.1.1").is_err());
    }
}
