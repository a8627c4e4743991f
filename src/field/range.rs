//! Versions and ranges as npm has them (node-semver): `1.2.3`, `^22`, `~1.4`, `>=1.2 <2`, `1.x || 3.x`, `1.2 - 1.4`; or a tag.
use super::text::{Field, deserialize_field};
use std::cmp::Ordering;
use std::fmt;

/// What version of an npm package is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NpmVersion {
    /// Whatever the registry has under that tag: `latest`.
    Tag(String),
    /// Any version that fits.
    Range(Range),
}

impl Field for NpmVersion {
    const EXPECTED: &'static str = "a version, a range or a tag, such as \"^2.1\" or \"latest\"";
    fn from_text(text: &str) -> Result<Self, String> {
        if let Some(range) = Some(text).filter(|text| !text.trim().is_empty()).and_then(Range::parse) {
            return Ok(Self::Range(range));
        }
        let tag = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if tag {
            return Ok(Self::Tag(text.to_owned()));
        }
        Err(format!("`{text}` is neither a version, a range nor a tag, such as \"^2.1\" or \"latest\""))
    }
}

impl fmt::Display for NpmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tag(tag) => tag,
            Self::Range(range) => &range.text,
        })
    }
}

/// A range of versions: alternatives, each a list of bounds that hold together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    text: String,
    alternatives: Vec<Vec<Bound>>,
}

/// One bound.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Exactly,
    AtLeast,
    More,
}

/// A version: three numbers, and what comes before their release.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    numbers: [u64; 3],
    prerelease: Vec<String>,
}

/// A version of which the tail may be missing or `x`.
struct Partial {
    numbers: Vec<u64>,
    prerelease: Vec<String>,
}

impl Range {
    /// Returns whether a version is in the range; one before a release only where the range names one of that release.
    pub fn holds(&self, version: &str) -> bool {
        let Some(version) = Version::parse(version) else { return false };
        self.alternatives.iter().any(|bounds| {
            let named =
                |bound: &Bound| !bound.version.prerelease.is_empty() && bound.version.numbers == version.numbers;
            let released = version.prerelease.is_empty() || bounds.iter().any(named);
            released && bounds.iter().all(|bound| bound.holds(&version))
        })
    }

    /// Returns whether one version is newer than another; one that is no version is not.
    pub fn is_newer(version: &str, than: &str) -> bool {
        let (version, than) = (Version::parse(version), Version::parse(than));
        version.zip(than).is_some_and(|(version, than)| version.order(&than).is_gt())
    }

    fn parse(text: &str) -> Option<Self> {
        let alternatives = text.split("||").map(parse_bounds).collect::<Option<_>>()?;
        Some(Self { text: text.to_owned(), alternatives })
    }
}

impl Bound {
    fn holds(&self, version: &Version) -> bool {
        let order = version.order(&self.version);
        match self.operator {
            Operator::Less => order.is_lt(),
            Operator::AtMost => order.is_le(),
            Operator::Exactly => order.is_eq(),
            Operator::AtLeast => order.is_ge(),
            Operator::More => order.is_gt(),
        }
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let partial = Partial::parse(text)?;
        let numbers = partial.numbers.try_into().ok()?;
        Some(Self { numbers, prerelease: partial.prerelease })
    }

    fn order(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => order_of_prereleases(&self.prerelease, &other.prerelease),
        })
    }
}

fn order_of_prereleases(one: &[String], other: &[String]) -> Ordering {
    let each = one.iter().zip(other).map(|(a, b)| match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    });
    each.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| one.len().cmp(&other.len()))
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(['v', '=']).unwrap_or(text);
        let text = text.split('+').next().unwrap_or_default();
        let (core, prerelease) = text.split_once('-').map_or((text, None), |(core, rest)| (core, Some(rest)));
        let parts: Vec<&str> = core.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        let known = parts.iter().take_while(|part| !matches!(**part, "x" | "X" | "*"));
        let numbers: Vec<u64> = known.map(|part| part.parse().ok()).collect::<Option<_>>()?;
        if parts[numbers.len()..].iter().any(|part| !matches!(*part, "x" | "X" | "*")) {
            return None;
        }
        let fits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let prerelease: Vec<String> =
            prerelease.map_or(Vec::new(), |rest| rest.split('.').map(str::to_owned).collect());
        (prerelease.iter().all(|part| fits(part))).then_some(Self { numbers, prerelease })
    }

    fn lowest(&self) -> Version {
        let number = |at: usize| self.numbers.get(at).copied().unwrap_or(0);
        Version { numbers: [number(0), number(1), number(2)], prerelease: self.prerelease.clone() }
    }

    /// Returns the lowest version whose number at a place is one higher, before any of its prereleases.
    fn above(&self, place: usize) -> Version {
        let mut numbers = [0; 3];
        for (at, number) in self.numbers.iter().enumerate().take(place + 1) {
            numbers[at] = *number;
        }
        numbers[place] += 1;
        Version { numbers, prerelease: vec!["0".to_owned()] }
    }
}

fn parse_bounds(text: &str) -> Option<Vec<Bound>> {
    if let Some((low, high)) = text.trim().split_once(" - ") {
        let mut bounds = bounds_of(">=", low.trim())?;
        bounds.extend(bounds_of("<=", high.trim())?);
        return Some(bounds);
    }
    let mut bounds = Vec::new();
    let mut operator = "";
    for word in text.split_whitespace() {
        let split = word.find(|c: char| !"<>=^~".contains(c)).unwrap_or(word.len());
        let (own, version) = word.split_at(split);
        operator = if own.is_empty() { operator } else { own };
        if version.is_empty() {
            continue;
        }
        bounds.extend(bounds_of(operator, version)?);
        operator = "";
    }
    operator.is_empty().then_some(bounds)
}

fn bounds_of(operator: &str, version: &str) -> Option<Vec<Bound>> {
    let partial = Partial::parse(version)?;
    let known = partial.numbers.len();
    let bound = |operator, version| Bound { operator, version };
    let from =
        |place: usize| vec![bound(Operator::AtLeast, partial.lowest()), bound(Operator::Less, partial.above(place))];
    if known == 0 {
        // Any version; below or above any there is none.
        let none = matches!(operator, "<" | ">");
        let zero = Version { numbers: [0; 3], prerelease: vec!["0".to_owned()] };
        return Some(if none { vec![bound(Operator::Less, zero)] } else { Vec::new() });
    }
    Some(match (operator, known) {
        ("" | "=", 3) => vec![bound(Operator::Exactly, partial.lowest())],
        ("" | "=", _) => from(known - 1),
        (">=", _) => vec![bound(Operator::AtLeast, partial.lowest())],
        (">", 3) => vec![bound(Operator::More, partial.lowest())],
        (">", _) => vec![bound(Operator::AtLeast, Version { prerelease: Vec::new(), ..partial.above(known - 1) })],
        ("<", 3) => vec![bound(Operator::Less, partial.lowest())],
        ("<", _) => vec![bound(Operator::Less, Version { prerelease: vec!["0".to_owned()], ..partial.lowest() })],
        ("<=", 3) => vec![bound(Operator::AtMost, partial.lowest())],
        ("<=", _) => vec![bound(Operator::Less, partial.above(known - 1))],
        ("~" | "~>", _) => from((known - 1).min(1)),
        // The first number that is not 0 stays.
        ("^", _) => from(partial.numbers.iter().position(|number| *number > 0).unwrap_or(known - 1)),
        _ => return None,
    })
}

deserialize_field!(NpmVersion);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_what_npm_says_they_hold() {
        let cases: [(&str, &[&str], &[&str]); 17] = [
            ("1.2.3", &["1.2.3", "v1.2.3", "1.2.3+build"], &["1.2.4", "1.2.3-beta"]),
            ("^1.2.3", &["1.2.3", "1.9.0"], &["1.2.2", "2.0.0", "2.0.0-beta", "1.3.0-beta"]),
            ("^0.2.3", &["0.2.3", "0.2.9"], &["0.3.0"]),
            ("^0.0.3", &["0.0.3"], &["0.0.4"]),
            ("^0", &["0.0.1", "0.9.9"], &["1.0.0"]),
            ("^22", &["22.0.0", "22.21.1"], &["23.0.0", "21.9.9"]),
            ("~1.2.3", &["1.2.9"], &["1.3.0", "1.2.2"]),
            ("~1", &["1.9.9"], &["2.0.0"]),
            ("1.x", &["1.0.0", "1.9.9"], &["2.0.0", "0.9.0"]),
            ("1", &["1.9.9"], &["2.0.0"]),
            ("*", &["0.0.1", "99.0.0"], &["1.0.0-beta"]),
            (">=1.2 <2", &["1.2.0", "1.9.9"], &["1.1.9", "2.0.0", "2.0.0-0"]),
            (">= 1.2 < 2", &["1.2.0"], &["2.0.0"]),
            ("1.x || >=3.1", &["1.5.0", "3.1.0", "4.0.0"], &["2.0.0", "3.0.9"]),
            ("1.2 - 1.4", &["1.2.0", "1.4.9"], &["1.5.0", "1.1.9"]),
            (">1.2", &["1.3.0"], &["1.2.9"]),
            ("^1.2.3-beta.2", &["1.2.3-beta.2", "1.2.3-beta.11", "1.2.3", "1.4.0"], &["1.2.3-beta.1", "1.4.0-beta.3"]),
        ];
        for (range, inside, outside) in cases {
            let Ok(NpmVersion::Range(range)) = NpmVersion::from_text(range) else { panic!("{range}") };
            for version in inside {
                assert!(range.holds(version), "{version} is in {}", range.text);
            }
            for version in outside {
                assert!(!range.holds(version), "{version} is not in {}", range.text);
            }
        }
    }

    #[test]
    fn what_is_no_range_is_a_tag_or_a_mistake() {
        assert_eq!(NpmVersion::from_text("latest"), Ok(NpmVersion::Tag("latest".into())));
        assert_eq!(NpmVersion::from_text("next-11"), Ok(NpmVersion::Tag("next-11".into())));
        for bad in ["1.2.3.4", "http://x", "file:x", "", "^", ">=", "1..2", "--force", "a b", "1.2.3-"] {
            assert!(NpmVersion::from_text(bad).is_err(), "{bad}");
        }
    }
}
