//! Keys that may log in by ssh.
use super::text::{Field, deserialize_field};
use crate::system::ssh::{AuthorizedKey, parse_authorized_key};

/// A line of `~/.ssh/authorized_keys`: options, kind, key and comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshKey(String);

impl SshKey {
    /// Returns the line as it is written.
    pub fn line(&self) -> &str {
        &self.0
    }

    /// Returns what it says.
    pub fn parsed(&self) -> Option<AuthorizedKey<'_>> {
        parse_authorized_key(&self.0)
    }
}

impl Field for SshKey {
    const EXPECTED: &'static str = "a public key such as \"ssh-ed25519 AAAA… name\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let line = text.trim();
        if line.contains("PRIVATE KEY") {
            return Err("this is a private key: give the public one, a line such as \"ssh-ed25519 AAAA… name\"".into());
        }
        if line.contains(['\n', '\r', '\0']) || parse_authorized_key(line).is_none() {
            return Err("not a public key: expected one line such as \"ssh-ed25519 AAAA… name\"".into());
        }
        Ok(Self(line.to_owned()))
    }
}

deserialize_field!(SshKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_line_of_its_kind() {
        assert_eq!(SshKey::from_text(" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me\n").unwrap().line().len(), 41);
        for bad in ["", "key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE\nx", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert!(SshKey::from_text(bad).is_err(), "{bad}");
        }
    }
}
