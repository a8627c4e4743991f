//! Options: which there are, what they may be, and how the real tool writes them down.
use crate::{Refusal, refuse, wrong};
use std::collections::BTreeMap;

pub type Options = BTreeMap<String, String>;

const NAMES: [&str; 36] = [
    "arch",
    "bwlimit",
    "cmode",
    "console",
    "cores",
    "cpulimit",
    "cpuunits",
    "current",
    "debug",
    "delete",
    "description",
    "digest",
    "features",
    "force",
    "full",
    "hookscript",
    "hostname",
    "ignore-unpack-errors",
    "lock",
    "memory",
    "nameserver",
    "onboot",
    "ostype",
    "password",
    "protection",
    "revert",
    "rootfs",
    "searchdomain",
    "ssh-public-keys",
    "start",
    "startup",
    "storage",
    "swap",
    "tags",
    "timezone",
    "tty",
];

/// Reads `--option value` pairs and writes each value down as the real tool would.
pub fn parse(arguments: &[String], usage: &str) -> Result<Options, Refusal> {
    let mut options = Options::new();
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let name = option.trim_start_matches('-');
        if !option.starts_with("--") || !is_known(name) {
            return refuse(2, format!("Unknown option: {name}\n400 unable to parse option\n{usage}"));
        }
        options.insert(name.to_owned(), rest.next().cloned().unwrap_or_default());
    }
    let mut problems = String::new();
    for (name, value) in &mut options {
        match normalised(name, value) {
            Ok(text) => *value = text,
            Err(problem) => problems.extend([name.as_str(), &problem, "\n"]),
        }
    }
    if problems.is_empty() { Ok(options) } else { wrong(2, &problems, usage) }
}

pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
        || name == "unprivileged"
        || ["net", "mp"].iter().any(|family| number_of(name, family).is_some())
}

/// Takes an option with its value out of the arguments.
pub fn take(arguments: &mut Vec<String>, option: &str) -> Option<String> {
    let at = arguments.iter().position(|word| word == option)?;
    let value = arguments.get(at + 1).cloned();
    arguments.drain(at..(at + 2).min(arguments.len()));
    value
}

pub fn number_of(name: &str, family: &str) -> Option<u32> {
    name.strip_prefix(family)?.parse().ok()
}

fn normalised(name: &str, value: &str) -> Result<String, String> {
    match name {
        "onboot" | "protection" | "unprivileged" | "console" | "force" | "start" | "ignore-unpack-errors" | "full" => {
            match value {
                "1" | "yes" | "true" | "on" => Ok("1".to_owned()),
                "0" | "no" | "false" | "off" => Ok("0".to_owned()),
                _ => Err(format!(": type check ('boolean') failed - got '{value}'")),
            }
        }
        "memory" => integer(value, 16, u64::MAX).map(|_| value.to_owned()),
        "swap" => integer(value, 0, u64::MAX).map(|_| value.to_owned()),
        "cores" => integer(value, 1, 8192).map(|_| value.to_owned()),
        "hostname" => {
            let label = |label: &str| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            };
            if value.split('.').all(label) {
                Ok(value.to_owned())
            } else {
                Err(": invalid format - value does not look like a valid DNS name\n".to_owned())
            }
        }
        // An empty one is stored as a blank.
        "nameserver" | "tags" if value.is_empty() => Ok(" ".to_owned()),
        "nameserver" => Ok(value.split([',', ' ', ';']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")),
        "tags" => {
            let mut tags: Vec<String> =
                value.split([',', ' ', ';']).filter(|tag| !tag.is_empty()).map(str::to_lowercase).collect();
            tags.sort();
            tags.dedup();
            Ok(tags.join(";"))
        }
        "features" => match pairs(value, "").into_iter().find(|(key, _)| !FEATURES.contains(&key.as_str())) {
            Some((key, _)) => Err(format!(
                ": invalid format - format error\nfeatures.{key}: property is not defined in schema and the schema does \
                 not allow additional properties\n"
            )),
            None => Ok(value.to_owned()),
        },
        _ if number_of(name, "net").is_some() => net(name, value),
        _ if number_of(name, "mp").is_some() => Ok(ordered(&pairs(value, "volume"), &["volume", "mp"], "volume")),
        _ => Ok(value.to_owned()),
    }
}

const FEATURES: [&str; 6] = ["nesting", "keyctl", "fuse", "mknod", "mount", "force_rw_sys"];

/// Returns a network interface as the real tool writes it down, with a new MAC where it names none.
pub fn net(name: &str, value: &str) -> Result<String, String> {
    let mut parts = pairs(value, "");
    let given = parts.clone();
    let get = |key: &str| given.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
    let failed = |what: String| Err(format!(": invalid format - format error\n{name}.{what}\n"));
    if get("name").is_none() {
        return failed("name: property is missing and it is not optional".to_owned());
    }
    let is_network = |text: &str| {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        address.parse::<std::net::Ipv4Addr>().is_ok() && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= 32)
    };
    if get("ip").is_some_and(|ip| !matches!(ip.as_str(), "dhcp" | "manual") && !is_network(&ip)) {
        return failed("ip: invalid format - value does not look like a valid ipv4 network configuration\n".to_owned());
    }
    if get("hwaddr").is_none() {
        // A new one each time.
        let mut random = [0; 3];
        getrandom(&mut random);
        parts.push(("hwaddr".to_owned(), format!("BC:24:11:{:02X}:{:02X}:{:02X}", random[0], random[1], random[2])));
    }
    if get("type").is_none() {
        parts.push(("type".to_owned(), "veth".to_owned()));
    }
    Ok(ordered(&parts, &["name", "bridge"], ""))
}

fn getrandom(bytes: &mut [u8]) {
    use std::io::Read as _;
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes)).expect("it is there");
}

fn integer(value: &str, least: u64, most: u64) -> Result<u64, String> {
    match value.parse::<u64>() {
        Err(_) => Err(format!(": type check ('integer') failed - got '{value}'")),
        Ok(number) if number < least => Err(format!(": value must have a minimum value of {least}")),
        Ok(number) if number > most => Err(format!(": value must have a maximum value of {most}")),
        Ok(number) => Ok(number),
    }
}

/// Returns `first,key=value,…` as pairs.
pub fn pairs(text: &str, first: &str) -> Vec<(String, String)> {
    let pair = |part: &str| match part.split_once('=') {
        Some((key, value)) => (key.to_owned(), value.to_owned()),
        None => (first.to_owned(), part.to_owned()),
    };
    text.split(',').filter(|part| !part.is_empty()).map(pair).collect()
}

/// Writes pairs down: those of `head` first, the others by name; the one called `bare` without its name.
fn ordered(pairs: &[(String, String)], head: &[&str], bare: &str) -> String {
    let mut pairs = pairs.to_vec();
    pairs.sort_by_key(|(key, _)| (head.iter().position(|name| name == key).unwrap_or(head.len()), key.clone()));
    let part = |(key, value): &(String, String)| if key == bare { value.clone() } else { format!("{key}={value}") };
    pairs.iter().map(part).collect::<Vec<_>>().join(",")
}
