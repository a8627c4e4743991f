//! What can be wrong with the fields of a container only together.
use super::super::Mistake;
use super::asked::Container;
use crate::container;
use crate::field::{Address, Cidr, Size};
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Container {
    /// Returns what is wrong with the fields together.
    pub(super) fn all_mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let settings = self.settings();
        let mut names = BTreeSet::new();
        for net in &settings.nets {
            if !names.insert(&net.name) {
                mistakes.push(Mistake::at("network", format!("two interfaces are called `{}`", net.name)));
            }
            mistakes.extend(gateway_mistake(net).map(|message| Mistake::at("network", message)));
        }
        let mut targets = BTreeSet::new();
        for mount in &settings.mounts {
            if mount.target == "/" {
                mistakes.push(Mistake::at("mounts", "`/` is the container's own"));
            } else if !targets.insert(&mount.target) {
                mistakes.push(Mistake::at("mounts", format!("two mounts have the target `{}`", mount.target)));
            }
        }
        if self.clone().is_some_and(|base| base.0 == self.id.to_string() || base.0 == self.hostname.0) {
            mistakes.push(Mistake::at("clone", "it is this very container"));
        }
        if self.base && !self.running {
            mistakes.push(Mistake::at("running", "a base runs until it is done: it stops by itself"));
        }
        if self.memory.is_some_and(|memory| memory.mebibytes() < 16) {
            mistakes.push(Mistake::at("memory", "less than 16MiB"));
        }
        if self.memory.is_some_and(|memory| !memory.0.is_multiple_of(1 << 20)) {
            mistakes.push(Mistake::at("memory", "not whole MiB"));
        }
        if self.swap.is_some_and(|swap| !swap.0.is_multiple_of(1 << 20)) {
            mistakes.push(Mistake::at("swap", "not whole MiB"));
        }
        if self.disk == Some(Size(0)) {
            mistakes.push(Mistake::at("disk", "no disk at all"));
        }
        mistakes
    }
}

/// Returns what is wrong with a gateway.
fn gateway_mistake(net: &container::Net) -> Option<String> {
    let gateway = net.gateway?;
    match net.address {
        Some(Address::Fixed(cidr)) => {
            let same_family = gateway.is_ipv4() == cidr.address.is_ipv4();
            let there = Cidr { address: gateway, prefix: cidr.prefix };
            let local = matches!(gateway, IpAddr::V6(v6) if v6.is_unicast_link_local());
            let reached = local || (same_family && there.network() == cidr.network());
            (!same_family || !reached).then(|| format!("the gateway `{gateway}` is not in the network of `{cidr}`"))
        }
        Some(Address::Dhcp) => Some(format!("the gateway `{gateway}` comes with the address, by DHCP")),
        None => Some(format!("the gateway `{gateway}` needs an `address`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(fields: &str) -> Result<Container, toml::de::Error> {
        toml::from_str(&format!("id = 201\nhostname = \"lilly\"\n{fields}"))
    }

    fn mistakes(fields: &str) -> Vec<String> {
        parse(fields).unwrap().all_mistakes().into_iter().map(|mistake| mistake.message).collect()
    }

    #[test]
    fn what_can_only_be_wrong_together_is_a_mistake() {
        let cases = [
            ("network = [{ bridge = \"a\" }, { name = \"eth0\", bridge = \"b\" }]", "two interfaces are called `eth0`"),
            (
                "network = [{ bridge = \"a\", address = \"10.0.0.5/24\", gateway = \"10.0.1.1\" }]",
                "the gateway `10.0.1.1` is not in the network of `10.0.0.5/24`",
            ),
            (
                "network = [{ bridge = \"a\", address = \"dhcp\", gateway = \"10.0.1.1\" }]",
                "the gateway `10.0.1.1` comes with the address, by DHCP",
            ),
            (
                "mounts = [{ source = \"/a\", target = \"/m\" }, { source = \"/b\", target = \"/m/\" }]",
                "two mounts have the target `/m`",
            ),
            ("mounts = [{ source = \"/a\", target = \"/\" }]", "`/` is the container's own"),
            ("memory = \"1MiB\"", "less than 16MiB"),
        ];
        for (fields, message) in cases {
            assert_eq!(mistakes(fields), [message], "{fields}");
        }
        assert!(
            mistakes("network = [{ bridge = \"a\", address = \"10.0.0.5/24\", gateway = \"10.0.0.1\" }]").is_empty()
        );
    }
}
