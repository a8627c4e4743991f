//! The configuration file of an LXC container (lxc.container.conf(5)): lines that keep their order and what is not ours.
//! What LXC has no key for stands in comments of ours, `#provision.disk = 40GiB`, which LXC passes over.
use std::fmt;

/// A configuration file, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Config(Vec<Line>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// A comment, a blank line, or what we can't read.
    Other(String),
    /// `key = value`; the text is kept as it was found.
    Pair { key: String, value: String, text: String },
}

/// What our own comments begin with.
const OURS: &str = "#provision.";

impl Config {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().map(Line::parse).collect())
    }

    /// Returns the last value of a key; an empty one is none.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let (_, value) = self.pairs().filter(|(name, _)| *name == key).last()?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns all values of a key, in order; an empty one clears those before it, as LXC reads it.
    pub(super) fn all(&self, key: &str) -> Vec<&str> {
        let mut values = Vec::new();
        for (_, value) in self.pairs().filter(|(name, _)| *name == key) {
            if value.is_empty() {
                values.clear();
            } else {
                values.push(value);
            }
        }
        values
    }

    /// Returns every key with its value, in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|line| match line {
            Line::Pair { key, value, .. } => Some((key.as_str(), value.as_str())),
            Line::Other(_) => None,
        })
    }

    /// Gives a key one value, in the place where it was first, else at the end. A value that is there already stays as it is
    /// written.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        if self.all(key) == [value] {
            return;
        }
        let place = self.position(key).unwrap_or(self.0.len());
        self.remove(key);
        self.0.insert(place.min(self.0.len()), Line::pair(key, value));
    }

    /// Gives a key a value, or takes it away.
    pub(super) fn put(&mut self, key: &str, value: Option<String>) {
        match value {
            Some(value) => self.set(key, &value),
            None => self.remove(key),
        }
    }

    /// Adds a value to a key that may have several, after the others.
    pub(super) fn push(&mut self, key: &str, value: &str) {
        let last = self.0.iter().rposition(|line| line.is(key));
        self.0.insert(last.map_or(self.0.len(), |last| last + 1), Line::pair(key, value));
    }

    /// Replaces the first value of a key that `which` accepts, takes the others away, and adds the value if there was none.
    pub(super) fn replace(&mut self, key: &str, which: impl Fn(&str) -> bool, value: &str) {
        let accepted = |line: &Line| matches!(line, Line::Pair { key: k, value, .. } if k == key && which(value));
        match self.0.iter().position(accepted) {
            Some(first) => {
                self.0[first] = Line::pair(key, value);
                let mut index = 0;
                self.0.retain(|line| {
                    index += 1;
                    index - 1 <= first || !accepted(line)
                });
            }
            None => self.push(key, value),
        }
    }

    /// Takes a key away.
    pub(super) fn remove(&mut self, key: &str) {
        self.remove_where(key, |_| true);
    }

    /// Takes those values of a key away that `which` accepts.
    pub(super) fn remove_where(&mut self, key: &str, which: impl Fn(&str) -> bool) {
        self.0.retain(|line| !matches!(line, Line::Pair { key: k, value, .. } if k == key && which(value)));
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.0.iter().position(|line| line.is(key))
    }
}

impl Line {
    fn parse(text: &str) -> Self {
        let trimmed = text.trim();
        if trimmed.starts_with('#') && !trimmed.starts_with(OURS) {
            return Self::Other(text.to_owned());
        }
        let Some((key, value)) = trimmed.split_once('=') else { return Self::Other(text.to_owned()) };
        // What is ours is in comments and stands as we wrote it.
        let value = if trimmed.starts_with(OURS) { value.trim() } else { unquoted(value.trim()) };
        Self::Pair { key: key.trim().to_owned(), value: value.to_owned(), text: text.to_owned() }
    }

    fn pair(key: &str, value: &str) -> Self {
        Self::Pair { key: key.to_owned(), value: value.to_owned(), text: format!("{key} = {value}") }
    }

    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Pair { key, .. } if key == name)
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| match line {
            Line::Other(text) | Line::Pair { text, .. } => writeln!(f, "{text}"),
        })
    }
}

/// LXC takes a value without the quotes around it.
fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// Returns the key of a setting for which LXC has none.
pub(super) fn ours(name: &str) -> String {
    format!("{OURS}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# by hand\n\nlxc.include = /usr/share/lxc/config/common.conf\nlxc.uts.name=lilly\n#provision.disk = 40GiB\n\
                        lxc.mount.entry = proc proc proc\n  lxc.mount.entry = /srv srv none bind\nlxc.hook.start = /x\n";

    #[test]
    fn what_is_read_is_written_back_byte_for_byte() {
        assert_eq!(Config::parse(FILE).to_string(), FILE);
    }

    #[test]
    fn values_are_read_whatever_the_blanks_and_ours_stand_in_comments() {
        let config = Config::parse(FILE);
        assert_eq!(config.get("lxc.uts.name"), Some("lilly"));
        assert_eq!(config.get("#provision.disk"), Some("40GiB"));
        assert_eq!(config.all("lxc.mount.entry"), ["proc proc proc", "/srv srv none bind"]);
        assert_eq!(config.get("lxc.arch"), None);
    }

    #[test]
    fn quotes_around_a_value_are_not_part_of_it() {
        let config = Config::parse("a = \"x y\"\nb = 'z'\nc = \"\n#provision.d = \"e\"\n");
        assert_eq!((config.get("a"), config.get("b"), config.get("c")), (Some("x y"), Some("z"), Some("\"")));
        assert_eq!(config.get("#provision.d"), Some("\"e\""), "what is ours stands as it is");
    }

    #[test]
    fn an_empty_value_clears_those_before_it() {
        let config = Config::parse("a = 1\na =\na = 2\nb = 1\nb =\n");
        assert_eq!(config.all("a"), ["2"]);
        assert_eq!(config.get("b"), None);
    }

    #[test]
    fn a_value_is_set_in_its_place_and_the_rest_stays() {
        type Change = fn(&mut Config);
        let cases: &[(&str, Change, &str)] = &[
            ("a = 1\nb = 2\nc = 3\n", |c| c.set("b", "9"), "a = 1\nb = 9\nc = 3\n"),
            ("a = 1\nb=2\n", |c| c.set("b", "2"), "a = 1\nb=2\n"),
            ("b = 1\na = 1\nb = 2\n", |c| c.set("b", "3"), "b = 3\na = 1\n"),
            ("a = 1\n", |c| c.set("b", "2"), "a = 1\nb = 2\n"),
            ("m = 1\na = 1\nm = 2\nz = 1\n", |c| c.push("m", "3"), "m = 1\na = 1\nm = 2\nm = 3\nz = 1\n"),
            ("m = 1\nm = 2\nm = 1\n", |c| c.replace("m", |v| v == "1", "9"), "m = 9\nm = 2\n"),
            ("m = 1\n", |c| c.replace("m", |v| v == "2", "9"), "m = 1\nm = 9\n"),
            ("# m = 1\nm = 1\nx\n", |c| c.put("m", None), "# m = 1\nx\n"),
        ];
        for (before, change, after) in cases {
            let mut config = Config::parse(before);
            change(&mut config);
            assert_eq!(config.to_string(), *after, "{before:?}");
        }
    }
}
