//! Units of one recipe that can't all be as asked: those that exclude each other, and one that is asked for by two names.
use super::Unit;
use crate::error::{Error, Result};
use crate::field::UnitName;
use crate::resource::{Ask, Peer};
use crate::system::systemctl::Units;
use crate::system::unit_file;
use std::sync::Arc;

impl Unit {
    /// Fails where what another unit of the recipe is to be takes away what this one is to be: each run would change both.
    pub(super) fn has_no_rival(
        &self,
        name: &UnitName,
        units: &Units,
        bytes: Option<&[u8]>,
        ask: &Ask<'_>,
    ) -> Result<()> {
        let found = units.get(&name.0);
        let text = bytes.map(String::from_utf8_lossy).unwrap_or_default();
        let aliases = unit_file::aliases(&text);
        // What systemd has read is what the file said before, where the recipe brings it.
        let read = found.filter(|_| bytes.is_none()).map_or(&[][..], |unit| &unit.conflicts);
        let excluded: Vec<&str> =
            unit_file::conflicts(&text).into_iter().chain(read.iter().map(String::as_str)).collect();
        for peer in ask.peers.iter().filter(|peer| peer.name != name.0) {
            let its = units.get(&peer.name);
            let is_same = found.zip(its).is_some_and(|(one, other)| Arc::ptr_eq(one, other));
            let is_excluded = || {
                let known_as = its.and_then(|unit| unit.names.first()).unwrap_or(&peer.name);
                [&peer.name, known_as].iter().any(|name| excluded.contains(&name.as_str()))
            };
            if is_same || aliases.contains(&peer.name.as_str()) {
                self.agrees(name, peer)?;
            } else if self.active == Some(true) && is_excluded() && peer.asks("active") == Some(true) {
                let other = &peer.name;
                return Err(Error::new(format!("keeping `{name}` and `{other}` active"))
                    .reason(format!("`{name}` has `Conflicts={other}`: starting one of them stops the other"))
                    .remedy("say `active = false` of one of them, or leave it out"));
            }
        }
        Ok(())
    }

    /// Fails where another name of the same unit is to be what this one is not to be.
    fn agrees(&self, name: &UnitName, peer: &Peer<'_>) -> Result<()> {
        for (field, asked) in [("enabled", self.enabled), ("active", self.active), ("masked", self.masked)] {
            if let (Some(asked), Some(other)) = (asked, peer.asks(field))
                && asked != other
            {
                let peer = &peer.name;
                return Err(Error::new(format!("looking at `{name}`"))
                    .reason(format!("it is the same unit as `{peer}`, of which the recipe says `{field} = {other}`"))
                    .remedy("name it once, or ask for the same by both names"));
            }
        }
        Ok(())
    }
}
