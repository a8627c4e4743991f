//! Names with rules of their own: users, hosts, units, containers.
use super::text::{Field, deserialize_field};
use std::fmt;

/// A user or group name as `useradd` takes it: a lower-case letter or `_`, then lower-case letters, digits, `_` and `-`; at most 32.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(pub String);

impl Field for UserName {
    const EXPECTED: &'static str = "a user or group name";
    fn from_text(text: &str) -> Result<Self, String> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        let rest = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if first && rest && text.len() <= 32 {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is not a user or group name: lower-case letters, digits, `_` and `-`, at most 32, no digit first"
        ))
    }
    fn from_number(number: i64) -> Result<Self, String> {
        Err(format!("{number} is a number, not a name"))
    }
}

/// An owner or group of a file: a name, or a number that needs no such user on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Looked up on the machine.
    Name(String),
    /// A uid or gid.
    Number(u32),
}

impl Field for Principal {
    const EXPECTED: &'static str = "a user or group name, or its number";
    fn from_text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) => UserName::from_text(text).map(|name| Self::Name(name.0)),
        }
    }
    fn from_number(number: i64) -> Result<Self, String> {
        u32::try_from(number).map(Self::Number).map_err(|_| format!("{number} is not a uid or gid"))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// A uid or gid; 4294967295 means "unchanged" to the kernel and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber(pub u32);

impl Field for AccountNumber {
    const EXPECTED: &'static str = "a uid or gid";
    fn from_text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(number) if number != u32::MAX => Ok(Self(number)),
            _ => Err(format!("`{text}` is not a uid or gid: expected a number from 0 to 4294967294")),
        }
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A host name as RFC 1123 has it: labels of letters, digits and `-`, at most 63 each and 253 in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(pub String);

impl Field for HostName {
    const EXPECTED: &'static str = "a host name";
    fn from_text(text: &str) -> Result<Self, String> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() <= 253 && text.split('.').all(label) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not a host name: letters, digits and `-`, in labels of at most 63"))
    }
}

/// A systemd unit with its suffix, as systemd.unit(5) has it: `nginx.service`, `max-agent@claude.service`, `max-agent@.service`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName(pub String);

/// The types of which there are templates and instances, then the others.
const SUFFIXES: [&str; 9] = ["service", "socket", "timer", "path", "target", "mount", "automount", "slice", "swap"];
const WITH_INSTANCES: &[&str] = SUFFIXES.split_at(5).0;

impl UnitName {
    /// Returns whether it is a template, `name@.suffix`, that cannot run itself.
    pub fn is_template(&self) -> bool {
        is_template(&self.0)
    }

    /// Returns the template of an instance: `max-agent@.service` of `max-agent@claude.service`.
    pub fn template(&self) -> Option<String> {
        template_of(&self.0)
    }
}

/// Returns whether a name is that of a template, `name@.suffix`, which has instances and never runs itself.
pub fn is_template(name: &str) -> bool {
    name.split_once('@').and_then(|(_, tail)| tail.strip_prefix('.')).is_some_and(|suffix| !suffix.contains('.'))
}

/// Returns the template of an instance: `max-agent@.service` of `max-agent@claude.service`.
pub fn template_of(name: &str) -> Option<String> {
    let (head, tail) = name.split_once('@')?;
    let suffix = tail.rsplit_once('.')?.1;
    Some(format!("{head}@.{suffix}"))
}

impl Field for UnitName {
    const EXPECTED: &'static str = "a unit name such as \"nginx.service\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("`{text}` is not a unit name: {why}"));
        let Some((stem, suffix)) = text.rsplit_once('.') else {
            return bad("it has no suffix, such as `.service`");
        };
        if matches!(suffix, "scope" | "device") {
            return bad(&format!("a {suffix} has no unit file, and nobody starts it"));
        }
        if !SUFFIXES.contains(&suffix) {
            return bad(&format!("unknown suffix `.{suffix}`"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        if stem.is_empty() || stem.starts_with('@') || text.len() > 255 || !stem.chars().all(allowed) {
            return bad("letters, digits and `:-_.\\@`, at most 255; `systemd-escape` makes one of anything else");
        }
        if stem.contains('@') && !WITH_INSTANCES.contains(&suffix) {
            return bad(&format!("a {suffix} has no instances, so no `@`"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A container's id on its host (Proxmox: VMID), 100 to 999999999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub u32);

impl Field for ContainerId {
    const EXPECTED: &'static str = "a container id, 100 or above";
    fn from_text(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(id @ 100..=999_999_999) => Ok(Self(id)),
            Ok(_) => Err(format!("{text} is not a container id: ids are 100 to 999999999")),
            Err(_) => Err(format!("`{text}` is not a container id")),
        }
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A container, by its id or by its host name; empty, or 0, is none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerName(pub String);

impl Field for ContainerName {
    const EXPECTED: &'static str = "a container's id or host name";
    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() || text == "0" {
            return Ok(Self(String::new()));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return ContainerId::from_text(text).map(|id| Self(id.to_string()));
        }
        HostName::from_text(text).map(|name| Self(name.0))
    }
}

impl fmt::Display for ContainerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

deserialize_field!(UserName, Principal, AccountNumber, HostName, UnitName, ContainerId, ContainerName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_named_by_id_or_host_name_or_not_at_all() {
        for (text, name) in [("200", "200"), ("member.lab", "member.lab"), ("", ""), ("0", "")] {
            assert_eq!(ContainerName::from_text(text).map(|name| name.0), Ok(name.to_owned()), "{text}");
        }
        assert!(ContainerName::from_text("99").is_err() && ContainerName::from_text("a b").is_err());
        assert_eq!(ContainerName::from_number(200).map(|name| name.0), Ok("200".to_owned()));
    }

    #[test]
    fn names_follow_the_rules_of_their_tools() {
        assert!(UserName::from_text("lilly").is_ok() && UserName::from_text("_apt").is_ok());
        for bad in ["Lilly", "1st", "", "a b", "a:b", "-x", &"a".repeat(33)] {
            assert!(UserName::from_text(bad).is_err(), "{bad}");
        }
        assert!(HostName::from_text("ct-201.lan").is_ok());
        for bad in ["", "a_b", "-a", "a..b", &"a".repeat(64)] {
            assert!(HostName::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_principal_is_a_name_or_a_number() {
        assert_eq!(Principal::from_text("101000"), Ok(Principal::Number(101_000)));
        assert_eq!(Principal::from_text("lilly"), Ok(Principal::Name("lilly".into())));
        assert!(Principal::from_number(-1).is_err());
    }

    #[test]
    fn an_account_has_a_number_that_the_kernel_takes() {
        assert_eq!(AccountNumber::from_number(1201), Ok(AccountNumber(1201)));
        for bad in ["-1", "4294967295", "lilly", ""] {
            assert!(AccountNumber::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_unit_has_a_suffix_and_an_instance_its_template() {
        let unit = UnitName::from_text("max-agent@claude.service").unwrap();
        assert_eq!(unit.template().as_deref(), Some("max-agent@.service"));
        assert!(!unit.is_template() && UnitName::from_text("max-agent@.service").unwrap().is_template());
        assert!(!is_template("a@.b.service"), "its instance is `.b`");
        assert_eq!(template_of("a@b@c.service").as_deref(), Some("a@.service"));
        assert!(UnitName::from_text("-.mount").is_ok() && UnitName::from_text("a@b@c.service").is_ok());
        for bad in ["nginx", "a b.service", "a/b.mount", ".service", "x.servce", "@x.service", "x.scope", "a@b.slice"] {
            assert!(UnitName::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_container_id_is_at_least_100() {
        assert_eq!(ContainerId::from_number(201), Ok(ContainerId(201)));
        assert!(ContainerId::from_number(99).is_err() && ContainerId::from_number(-1).is_err());
    }
}
