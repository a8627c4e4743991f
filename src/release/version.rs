//! The number of a release: three numbers, compared from the left.
use std::fmt;
use std::str::FromStr;

/// Three numbers: `0.1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u32; 3]);

impl Version {
    /// Returns that of this program; none where it is no release.
    pub fn own() -> Option<Self> {
        env!("CARGO_PKG_VERSION").parse().ok()
    }
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.').map(|part| {
            let is_plain = part.chars().all(|c| c.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
            if is_plain { part.parse().map_err(drop) } else { Err(()) }
        });
        let mut next = || parts.next().unwrap_or(Err(()));
        let version = Self([next()?, next()?, next()?]);
        if parts.next().is_some() { Err(()) } else { Ok(version) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_three_numbers_and_no_text_is_read_as_another() {
        for text in ["0.1.0", "10.20.30", "4294967295.0.0"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        for wrong in
            ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3-rc1", "01.2.3", "1..3", "1.2.+3", "1.2.4294967296", "1.2.3 "]
        {
            assert_eq!(wrong.parse::<Version>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers_from_the_left() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        for (older, newer) in [("0.9.9", "0.10.0"), ("1.2.3", "2.0.0"), ("1.2.3", "1.2.10")] {
            assert!(version(older) < version(newer), "{older} {newer}");
        }
    }
}
