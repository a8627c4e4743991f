//! The container kind on this machine's own LXC.
use crate::support::real_container::{Lab, all};

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

#[test]
fn a_container_keeps_to_every_field_and_is_only_touched_as_far_as_it_was_said() {
    let number: u32 = std::env::var("HOST_NUMBER").ok().and_then(|number| number.parse().ok()).unwrap_or(0);
    let bridge = format!("provtest{number}");
    let net = format!("10.9{}.0", number % 10);
    let lab = Lab { id: 99_000 + number, bridge: &bridge, net: &net, template: TEMPLATE.into() };
    if let Err(why) = all(&lab, &|done| println!("{done}")) {
        panic!("{why}");
    }
}
