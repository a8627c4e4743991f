//! A container's file: a description on top, keys in order, raw LXC lines, what is pending.
use crate::options::{is_known, number_of};
use crate::{Done, Refusal, refuse};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;

pub const DIRECTORY: &str = "/etc/pve/lxc";
/// Keys that no option sets.
const OWN: [&str; 4] = ["parent", "snaptime", "template", "delete"];

#[derive(Debug, Clone, Default)]
pub struct Conf {
    pub description: Option<String>,
    pub now: BTreeMap<String, String>,
    pub raw: Vec<String>,
    pub pending: BTreeMap<String, String>,
    pub going: BTreeSet<String>,
}

pub fn path(id: u32) -> PathBuf {
    PathBuf::from(format!("{DIRECTORY}/{id}.conf"))
}

pub fn node() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

impl Conf {
    pub fn read(id: u32) -> Result<Self, Refusal> {
        let Ok(text) = std::fs::read_to_string(path(id)) else {
            return refuse(2, format!("Configuration file 'nodes/{}/lxc/{id}.conf' does not exist", node()));
        };
        let mut conf = Self::default();
        let mut is_pending = false;
        for line in text.lines() {
            if line == "[pve:pending]" {
                is_pending = true;
            } else if let Some(words) = line.strip_prefix('#') {
                let description = conf.description.get_or_insert_default();
                writeln!(description, "{}", decoded(words)).expect("a string takes it");
            } else if line.starts_with("lxc.") {
                conf.raw.push(line.to_owned());
            } else if let Some((key, value)) = line.split_once(": ") {
                if !is_known(key) && !OWN.contains(&key) && number_of(key, "unused").is_none() {
                    eprintln!("vm {id} - unable to parse value of '{key}' - unknown setting '{key}'");
                }
                let value = &read(key, value);
                match (is_pending, key) {
                    (true, "delete") => conf.going = value.split(',').map(str::to_owned).collect(),
                    (true, _) => drop(conf.pending.insert(key.to_owned(), value.to_owned())),
                    (false, _) => _ = conf.now.insert(key.to_owned(), value.to_owned()),
                }
            }
        }
        Ok(conf)
    }

    /// Written beside and renamed, as the cluster file system replaces a file.
    pub fn write(&self, id: u32) -> Done {
        let mut text = String::new();
        for line in self.description.iter().flat_map(|text| text.lines()) {
            let _ = writeln!(text, "#{}", encoded(line));
        }
        self.now.iter().for_each(|(key, value)| writeln!(text, "{key}: {value}").expect("a string takes it"));
        self.raw.iter().for_each(|line| writeln!(text, "{line}").expect("a string takes it"));
        if !self.pending.is_empty() || !self.going.is_empty() {
            text.push_str("\n[pve:pending]\n");
            let mut lines: Vec<String> = self.pending.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            if !self.going.is_empty() {
                lines.push(format!("delete: {}", self.going.iter().cloned().collect::<Vec<_>>().join(",")));
            }
            lines.sort();
            text.push_str(&(lines.join("\n") + "\n"));
        }
        let new = PathBuf::from(format!("{DIRECTORY}/{id}.conf.tmp"));
        let written = std::fs::write(&new, text).and_then(|()| {
            std::fs::set_permissions(&new, Permissions::from_mode(0o640))?;
            chown(&new, None, Some(33))?;
            std::fs::rename(&new, path(id))
        });
        written.or_else(|error| refuse(5, format!("unable to write file: {error}")))
    }

    /// Returns what `pct config` prints: with what is pending in its place, or without.
    pub fn shown(&self, with_pending: bool) -> String {
        let mut keys = self.now.clone();
        if with_pending {
            keys.extend(self.pending.clone());
            self.going.iter().for_each(|key| drop(keys.remove(key)));
        }
        if let Some(description) = &self.description {
            let lines = description.lines().map(|line| format!("{}%0A", encoded(line)));
            keys.insert("description".to_owned(), lines.collect());
        }
        let mut text = String::new();
        for (key, value) in &keys {
            writeln!(text, "{key}: {value}").expect("a string takes it");
        }
        self.raw.iter().for_each(|line| writeln!(text, "{line}").expect("a string takes it"));
        text
    }

    /// What was pending is, once the container does not run.
    pub fn settle(&mut self) {
        for key in std::mem::take(&mut self.going) {
            self.remove(&key);
        }
        for (key, value) in std::mem::take(&mut self.pending) {
            self.put(&key, value);
        }
    }

    /// Sets a key; the volume that it had stays as one that is unused. That of `rootfs` is forgotten.
    pub fn put(&mut self, key: &str, value: String) {
        let volume = |value: &str| value.split(',').next().unwrap_or_default().to_owned();
        let new = volume(&value);
        if let Some(old) = self.now.insert(key.to_owned(), value)
            && key != "rootfs"
            && volume(&old) != new
        {
            self.keep(key, &old);
        }
    }

    /// Removes a key; the volume that it had stays as one that is unused.
    pub fn remove(&mut self, key: &str) {
        if let Some(old) = self.now.remove(key) {
            self.keep(key, &old);
        }
    }

    fn keep(&mut self, key: &str, value: &str) {
        if number_of(key, "mp").is_some() {
            crate::disk::keep(self, value);
        }
    }

    /// Returns each key with its value, the one that is pending, and whether it is about to go.
    pub fn each(&self) -> Vec<(&String, Option<&String>, Option<&String>, bool)> {
        let keys: BTreeSet<&String> = self.now.keys().chain(self.pending.keys()).collect();
        let with = |key| (key, self.now.get(key), self.pending.get(key), self.going.contains(key));
        keys.into_iter().map(with).collect()
    }

    pub fn lock(&self) -> Option<&str> {
        self.now.get("lock").map(String::as_str)
    }

    pub fn refuse_locked(&self) -> Done {
        self.lock().map_or(Ok(()), |lock| refuse(255, format!("CT is locked ({lock})")))
    }
}

/// Returns a value as it is once it was read: an empty one is a blank, a number has no zeros before it.
fn read(key: &str, value: &str) -> String {
    match value.parse::<u64>() {
        Ok(number) if key == "memory" => number.to_string(),
        _ if value.is_empty() => " ".to_owned(),
        _ => value.to_owned(),
    }
}

fn encoded(line: &str) -> String {
    let mut text = String::new();
    for byte in line.bytes() {
        match byte {
            b'%' | b':' | 128.. => drop(write!(text, "%{byte:02X}")),
            _ => text.push(char::from(byte)),
        }
    }
    text
}

fn decoded(line: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = line.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| *first == b'%') {
            Some(byte) => (bytes.push(byte), rest = &after[2..]).1,
            None => (bytes.push(*first), rest = after).1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
