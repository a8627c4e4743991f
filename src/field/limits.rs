//! Numbers with a range or a unit: modes, sizes, periods, digests.
use super::text::{Field, deserialize_field};
use std::fmt;
use std::time::Duration;

/// Permission bits, 0 to 0o7777; written as octal text: `"0644"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl Field for Mode {
    const EXPECTED: &'static str = "a mode as a string, such as \"0644\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let digits = (3..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        match u32::from_str_radix(text, 8) {
            Ok(bits) if digits => Ok(Self(bits)),
            _ => Err(format!("`{text}` is not a mode: expected three or four octal digits, such as \"0644\"")),
        }
    }
    fn from_number(number: i64) -> Result<Self, String> {
        Err(format!("{number} is a number: write the mode as a string, such as \"0644\""))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Bytes; written with a unit: `"512MiB"`, `"40GiB"`; a bare number is bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u32); 5] = [("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];

impl Size {
    /// Returns whole mebibytes.
    pub fn mebibytes(self) -> u64 {
        self.0 >> 20
    }
}

impl Field for Size {
    const EXPECTED: &'static str = "a size such as \"4GiB\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let bad =
            || format!("`{text}` is not a size: expected a whole number and B, KiB, MiB, GiB or TiB, such as \"4GiB\"");
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..split].parse().map_err(|_| bad())?;
        let unit = text[split..].trim_start();
        let shift = UNITS.iter().find(|(name, _)| *name == unit || unit.is_empty()).ok_or_else(bad)?.1;
        number.checked_mul(1 << shift).map(Self).ok_or_else(bad)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |shift: u32| self.0 != 0 && self.0.trailing_zeros() >= shift;
        let (unit, shift) = UNITS.iter().rev().find(|(_, shift)| fits(*shift)).unwrap_or(&UNITS[0]);
        write!(f, "{}{unit}", self.0 >> shift)
    }
}

/// A stretch of time; written with a unit: `"5s"`, `"10m"`, `"1h"`, `"500ms"`; a bare number is seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Field for Period {
    const EXPECTED: &'static str = "a time such as \"10m\"";
    fn from_text(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a time: expected a whole number and ms, s, m, h or d, such as \"10m\"");
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..split].parse().map_err(|_| bad())?;
        let factor = match &text[split..] {
            "ms" => 1,
            "" | "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(bad()),
        };
        number.checked_mul(factor).map(|milliseconds| Self(Duration::from_millis(milliseconds))).ok_or_else(bad)
    }
}

/// A SHA-256 or SHA-512 digest in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest<const BITS: usize>(pub String);

impl<const BITS: usize> Field for Digest<BITS> {
    const EXPECTED: &'static str = "a digest in hex";
    fn from_text(text: &str) -> Result<Self, String> {
        if text.len() == BITS / 4 && text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(format!("not a sha{BITS}: expected {} hex digits, found {} characters", BITS / 4, text.chars().count()))
    }
}

impl<'de, const BITS: usize> serde::Deserialize<'de> for Digest<BITS> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        super::text::read(from)
    }
}

deserialize_field!(Mode, Size, Period);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_three_or_four_octal_digits() {
        assert_eq!(Mode::from_text("0644"), Ok(Mode(0o644)));
        assert_eq!(Mode::from_text("3770").map(|mode| mode.to_string()), Ok("3770".to_owned()));
        for bad in ["644x", "0888", "07777777", "", "u+x", "+644", "64"] {
            assert!(Mode::from_text(bad).is_err(), "{bad}");
        }
        assert!(Mode::from_number(644).is_err(), "an integer 644 is decimal");
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(Size::from_text("4GiB"), Ok(Size(4 << 30)));
        assert_eq!(Size(4 << 30).to_string(), "4GiB");
        assert_eq!(Size(1500 << 20).to_string(), "1500MiB");
        assert_eq!(Size(0).to_string(), "0B");
        for bad in ["4GB", "4 gib", "-1", "", "99999999999TiB", "1.5GiB"] {
            assert!(Size::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_have_units() {
        assert_eq!(Period::from_text("10m"), Ok(Period(Duration::from_mins(10))));
        assert_eq!(Period::from_number(5), Ok(Period(Duration::from_secs(5))));
        assert!(Period::from_text("10 minutes").is_err());
    }

    #[test]
    fn a_digest_has_its_length() {
        assert!(Digest::<256>::from_text(&"a".repeat(64)).is_ok());
        assert!(Digest::<256>::from_text(&"a".repeat(63)).is_err());
        assert!(Digest::<512>::from_text(&"g".repeat(128)).is_err());
    }
}
