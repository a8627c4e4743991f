//! `[[bridge]]`: a bridge of a plain LXC host, with NAT; it comes back after a reboot through ifupdown.
mod absent;
mod seen;
mod stanza;

use self::seen::{Seen, directory, forwards, hides, hides_anything, text};
use self::stanza::{Stanza, drop_table};
use super::diff::unified;
use super::need::Needs;
use super::{Ask, Change, Mistake, Plan, Resource, Step, Thing, Waiting, Want, kept};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{Cidr, InterfaceName};
use crate::system::network::{configures, reads_directory};
use crate::system::{Command, NewFile, System};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INTERFACES: &str = "/etc/network/interfaces";
const DIRECTORY: &str = "/etc/network/interfaces.d";

/// A bridge of a plain LXC host. It comes back after a reboot through a stanza in `/etc/network/interfaces.d`.
///
/// One that exists and is not ours is only checked; where it differs it waits for `--adopt bridge:NAME`. Absent:
/// taken down if ours and nothing is attached to it.
///
/// ```toml
/// [[bridge]]
/// name    = "vmbr1"
/// address = "10.0.100.1/24"
/// nat     = true
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Bridge {
    /// Its name.
    name: InterfaceName,
    /// Of this machine, on it.
    address: Option<Cidr>,
    /// What comes from its network goes out under this machine's address; packets are forwarded.
    nat: Option<bool>,
}

/// What `check` works on.
struct Look<'l> {
    asked: Stanza<'l>,
    /// What the stanza that is there asks for.
    old: Stanza<'l>,
    /// The stanza's text; empty where there is none.
    written: String,
    seen: Seen,
    /// The bridge, or a stanza for it, is there.
    exists: bool,
}

impl Resource for Bridge {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let written = text(sys, &self.file())?;
        let old = Stanza::read(&self.name, &written);
        let asked =
            Stanza { name: &self.name, address: self.address.or(old.address), nat: self.nat.unwrap_or(old.nat) };
        let seen = Seen::read(sys, &self.name.0)?;
        let exists = seen.exists || !written.is_empty() || self.configured_elsewhere(sys)?.is_some();
        let look = Look { asked, old, written, seen, exists };
        match ask.want {
            Want::Present => self.present(look, ask, sys),
            Want::Absent => self.absent(&look, ask, sys),
        }
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        // It goes into a shell's line of the stanza.
        if !self.name.0.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
            let message = format!("`{}` is not a name for a bridge: letters, digits, `_`, `-` and `.`", self.name);
            mistakes.push(Mistake::at("name", message));
        }
        if self.nat == Some(true) && self.address.is_none() {
            mistakes.push(Mistake::at("nat", "`nat` needs `address`: it says which network is hidden"));
        }
        match self.address {
            Some(address) if address.prefix < 31 && address.network() == address => {
                let message = format!("`{address}` is the network itself: this machine needs an address in it");
                mistakes.push(Mistake::at("address", message));
            }
            _ => {}
        }
        mistakes
    }
}

impl Bridge {
    fn present<'a>(&'a self, look: Look<'a>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let name = &self.name.0;
        let adopted = ask.allows(&ask.known.allowed.adopt, name);
        let managed =
            !look.exists || adopted || ask.claim(name).is_some_and(|claim| claim.made || !claim.last.is_empty());
        let mut changes = self.differences(&look, managed, sys)?;
        if changes.is_empty() && (!managed || look.written == look.asked.text()) {
            return Ok(Plan::in_sync());
        }
        let supplies = vec![Thing::Path(directory(name))];
        let waiting = |because, remedy| {
            let waiting = Waiting { name: name.clone(), because, remedy, supplies: supplies.clone() };
            Ok(Plan { waiting: vec![waiting], ..Plan::default() })
        };
        if !managed {
            let remedy = format!("to take it over, run again with `--adopt {}`", ask.id(name));
            return waiting(format!("exists and is not ours; differs in {}", said(&changes)), Some(remedy));
        }
        if look.seen.exists && !look.seen.is_bridge {
            return Err(Error::new(format!("looking at the interface `{name}`")).reason("it is there, and no bridge"));
        }
        if let Some(file) = self.configured_elsewhere(sys)? {
            let remedy = format!("take `iface {name}` out of `{}`, then run again", file.display());
            return waiting(format!("is configured in `{}`", file.display()), Some(remedy));
        }
        let needs = self.needs(look.asked, ask, sys)?;
        if let Some(waiting) = needs.waiting(name, supplies.clone()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        if !look.exists {
            changes = vec![Change::made(name, look.asked.shown())];
        } else if look.written != look.asked.text() {
            let from = (!look.written.is_empty()).then(|| look.old.shown());
            let diff = unified(look.written.as_bytes(), look.asked.text().as_bytes());
            changes.push(Change::field(name, "at boot", from, Some(look.asked.shown())).diff(diff));
        }
        let changes = changes.into_iter().map(|change| change.after(needs.after.clone())).collect();
        let timeout = ask.timeout;
        let foreign = !ask.ours(name);
        let apply = move |sys: &dyn System| self.bring_up(&look, foreign, timeout, sys);
        Ok(Plan::step(Step::new(changes, apply).supplies(supplies)))
    }

    /// What differs between what runs and what is asked.
    fn differences(&self, look: &Look<'_>, managed: bool, sys: &dyn System) -> Result<Vec<Change>> {
        let (seen, asked) = (&look.seen, look.asked);
        let field =
            |field: &str, from: Option<String>, to: &str| Change::field(&self.name.0, field, from, Some(to.to_owned()));
        let mut changes = Vec::new();
        if !seen.exists {
            changes.push(field("interface", None, "up"));
        } else if !seen.is_bridge {
            changes.push(field("interface", Some("no bridge".to_owned()), "bridge"));
        } else if !seen.is_up {
            changes.push(field("interface", Some("down".to_owned()), "up"));
        }
        let Some(address) = asked.address else { return Ok(changes) };
        // While it is down the kernel lists no network for it, so its address can't be told.
        let can_be_told = seen.is_up || !seen.exists;
        if can_be_told && !seen.addresses.contains(&address) {
            changes.push(field("address", seen.shown_addresses(), &address.to_string()));
        }
        if asked.nat && !forwards(sys, address)? {
            changes.push(field("forwarding", Some("off".to_owned()), "on"));
        }
        let hidden = if managed { hides(sys, &asked, address) } else { hides_anything(sys) };
        if asked.nat && !hidden? {
            changes.push(field("nat", Some("off".to_owned()), "on"));
        }
        Ok(changes)
    }

    fn needs(&self, asked: Stanza<'_>, ask: &Ask<'_>, sys: &dyn System) -> Result<Needs> {
        let mut needs = Needs::default();
        needs.program("ifup", ask, sys).map_err(|error| without_ifupdown(error, sys))?;
        let is_there = needs.met();
        needs.program("ip", ask, sys)?;
        if asked.nat {
            needs.program("nft", ask, sys)?;
        }
        needs.path(Path::new(DIRECTORY), "where ifupdown has its stanzas", ask, sys)?;
        let interfaces = text(sys, Path::new(INTERFACES))?;
        // One that comes with the package reads it.
        if is_there && !reads_directory(&interfaces) {
            return Err(Error::new(format!("looking for `{DIRECTORY}` in `{INTERFACES}`"))
                .reason(format!("it is not read, so `{}` would not come up at boot", self.name))
                .remedy(format!("add the line `source {DIRECTORY}/*` to it")));
        }
        Ok(needs)
    }

    /// `ifup --force` sets right whatever of the stanza is not in place, and takes nothing away.
    fn bring_up(&self, look: &Look<'_>, foreign: bool, timeout: Duration, sys: &dyn System) -> Result<()> {
        self.leave(look.old, look.asked, timeout, sys)?;
        let content = look.asked.text();
        if look.written != content {
            if foreign && !look.written.is_empty() {
                kept::keep(&self.file(), sys)?;
            }
            let file = NewFile { content: content.as_bytes(), uid: 0, gid: 0, mode: 0o644 };
            sys.write(&self.file(), &file, &|_| Ok(()))?;
        }
        ifup(&self.name.0, timeout, sys)
    }

    /// Takes away what the old stanza had and the new one has not.
    fn leave(&self, old: Stanza<'_>, new: Stanza<'_>, timeout: Duration, sys: &dyn System) -> Result<()> {
        let Some(address) = old.address else { return Ok(()) };
        if new.address != Some(address) {
            // Not there any more is as good.
            let argv = ["ip", "address", "delete", &address.to_string(), "dev", &self.name.0];
            sys.run(&Command::new(argv).timeout(timeout))?;
        }
        if old.nat && (!new.nat || new.address != Some(address)) {
            let command = Command::new(["nft", &drop_table(address, &old.table())]).timeout(timeout);
            sys.run(&command)?.success(&command)?;
        }
        Ok(())
    }

    fn file(&self) -> PathBuf {
        Path::new(DIRECTORY).join(&self.name.0)
    }

    /// Returns another file that configures an interface of this name.
    fn configured_elsewhere(&self, sys: &dyn System) -> Result<Option<PathBuf>> {
        let mut files = vec![PathBuf::from(INTERFACES)];
        match sys.list(Path::new(DIRECTORY)) {
            // The shell's `*`, by which they are read, passes over hidden ones.
            Ok(names) => files.extend(
                names
                    .into_iter()
                    .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
                    .map(|name| Path::new(DIRECTORY).join(name)),
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).attempt(|| format!("reading `{DIRECTORY}`")),
        }
        for file in files.into_iter().filter(|file| *file != self.file()) {
            if configures(&text(sys, &file)?, &self.name.0) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }
}

fn ifup(name: &str, timeout: Duration, sys: &dyn System) -> Result<()> {
    let command = Command::new(["ifup", "--force", name]).timeout(timeout);
    sys.run(&command)?.success(&command).map(drop)
}

/// Says who looks after the network of a host that has no ifupdown.
fn without_ifupdown(error: Error, sys: &dyn System) -> Error {
    let others = [("/run/systemd/netif/state", "systemd-networkd"), ("/run/NetworkManager", "NetworkManager")];
    let is_there = |path: &str| matches!(sys.lstat(Path::new(path)), Ok(Some(_)));
    match others.into_iter().find(|(path, _)| is_there(path)) {
        Some((_, other)) => error.reason(format!("{other} looks after this host's network")).remedy(format!(
            "put a [[package]] with name = \"ifupdown\" before it: that looks after this bridge alone, beside {other}"
        )),
        None => error.remedy("put a [[package]] with name = \"ifupdown\" before it"),
    }
}

fn said(changes: &[Change]) -> String {
    let one = |change: &Change| {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        format!("{} ({} instead of {})", change.field, show(&change.from), show(&change.to))
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(fields: &str) -> usize {
        toml::from_str::<Bridge>(fields).unwrap().mistakes().len()
    }

    #[test]
    fn nat_needs_a_network_and_a_machine_an_address_in_it() {
        assert_eq!(mistakes("name = \"vmbr1\"\naddress = \"10.0.100.1/24\"\nnat = true"), 0);
        assert_eq!(mistakes("name = \"vmbr1\""), 0);
        assert_eq!(mistakes("name = \"vmbr1\"\nnat = true"), 1);
        assert_eq!(mistakes("name = \"vmbr1\"\naddress = \"10.0.100.0/24\""), 1);
        assert_eq!(mistakes("name = \"vm'br\""), 1);
    }
}
