//! A container's file on a Proxmox node, `/etc/pve/lxc/ID.conf`: its keys, what is pending, and its description
//! (pct.conf(5)). It is read here; it is written by `pct` alone.
use std::collections::BTreeMap;

/// What such a file says. Sections of snapshots are passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conf {
    /// What is in effect, or will be at the next start of a container that is stopped.
    pub(super) now: BTreeMap<String, String>,
    /// What is set and waits for the container to stop.
    pub(super) pending: BTreeMap<String, String>,
    /// Keys that go when the container stops.
    pub(super) going: Vec<String>,
    /// The lines at the top, decoded; each ends in a line break.
    pub(super) description: Option<String>,
}

impl Conf {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        let mut section = Section::Now;
        for line in text.lines() {
            // Blanks at the end of a description's line are part of it.
            let line = if line.starts_with('#') { line } else { line.trim_end() };
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = if name == "pve:pending" { Section::Pending } else { Section::Snapshot };
            } else if let Some(words) = line.strip_prefix('#') {
                if section == Section::Now {
                    let description = conf.description.get_or_insert_default();
                    description.push_str(&decoded(words));
                    description.push('\n');
                }
            } else if let Some((key, value)) = line.split_once(':') {
                conf.take(section, key.trim(), value.trim());
            }
        }
        conf
    }

    fn take(&mut self, section: Section, key: &str, value: &str) {
        match section {
            // Raw LXC keys may stand several times; nothing here looks at them.
            Section::Now if !key.starts_with("lxc.") => {
                self.now.insert(key.to_owned(), value.to_owned());
            }
            Section::Pending if key == "delete" => {
                self.going = value.split([',', ' ']).map(|key| key.trim_start_matches('!').to_owned()).collect();
            }
            Section::Pending => {
                self.pending.insert(key.to_owned(), value.to_owned());
            }
            Section::Now | Section::Snapshot => {}
        }
    }

    /// Returns a key as the next start will have it.
    pub(super) fn next(&self, key: &str) -> Option<&str> {
        let going = self.going.iter().any(|gone| gone == key);
        let now = self.now.get(key).filter(|_| !going);
        self.pending.get(key).or(now).map(String::as_str)
    }

    /// Returns the numbers of all keys of a family, such as `net`, in order: as it is now, and as the next start has it.
    pub(super) fn numbers(&self, family: &str) -> Vec<u32> {
        let number = |key: &String| key.strip_prefix(family)?.parse().ok();
        let mut numbers: Vec<u32> = self.now.keys().chain(self.pending.keys()).filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Now,
    Pending,
    Snapshot,
}

/// Returns a list of properties, `first,key=value,…`, in the order given. A first part without a name has the name that a
/// family gives it, such as `volume`.
pub(super) fn properties<'t>(text: &'t str, first: &'t str) -> Vec<(&'t str, &'t str)> {
    let part = |(at, part): (usize, &'t str)| match part.split_once('=') {
        Some((key, value)) => Some((key.trim(), value.trim())),
        None if at == 0 && !part.is_empty() => Some((first, part.trim())),
        None => None,
    };
    text.split(',').enumerate().filter_map(part).collect()
}

/// Returns properties as text; the one named `first` goes without its name.
pub(super) fn joined(properties: &[(String, String)], first: &str) -> String {
    let part = |(key, value): &(String, String)| if key == first { value.clone() } else { format!("{key}={value}") };
    properties.iter().map(part).collect::<Vec<_>>().join(",")
}

/// Returns a text whose bytes are percent-encoded here and there.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.filter(|_| *byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_is_what_the_next_start_has() {
        let conf = Conf::parse(
            "#Line 1\n#Line 2%3A %C3%A9 %2541 # x\narch: amd64\nmemory: 4096\nmp0: /srv/share,mp=/mnt/share\n\
             mp1: local:201/vm-201-disk-1.raw,mp=/vol,size=1G\nlxc.cap.drop: sys_time\nfrob: 1\n\n\
             [pve:pending]\ndelete: mp1\nmp0: /srv/share,mp=/mnt/other,ro=1\nnameserver: 9.9.9.9\n\n\
             [snap1]\nmemory: 1\nsnaptime: 1763633000\n",
        );
        assert_eq!(conf.description.as_deref(), Some("Line 1\nLine 2: é %41 # x\n"));
        assert_eq!(conf.next("memory"), Some("4096"));
        assert_eq!(conf.next("mp0"), Some("/srv/share,mp=/mnt/other,ro=1"));
        assert_eq!((conf.next("mp1"), conf.now["mp1"].starts_with("local:")), (None, true));
        assert_eq!(conf.next("nameserver"), Some("9.9.9.9"));
        assert_eq!(conf.numbers("mp"), [0, 1]);
        assert_eq!(conf.next("lxc.cap.drop"), None);
    }

    #[test]
    fn properties_keep_their_order_and_the_first_may_go_without_a_name() {
        let mount = properties("/srv,mp=/x,backup=0", "volume");
        assert_eq!(mount, [("volume", "/srv"), ("mp", "/x"), ("backup", "0")]);
        let owned: Vec<(String, String)> = mount.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        assert_eq!(joined(&owned, "volume"), "/srv,mp=/x,backup=0");
        assert_eq!(properties("volume=/srv,mp=/x", "volume")[0], ("volume", "/srv"));
        assert_eq!(properties("", "volume"), []);
    }
}
