//! What a value says that waits for the container to stop, whatever its spelling. `pct` drops what is pending only where its text
//! is that of what is in effect: other words for the same would wait there forever and change nothing.
use super::conf::{Conf, properties};
use super::read::{is_on, plain};

/// What `write` turns off; it is off as well where it is not named.
const OFF_UNLESS_NAMED: [&str; 6] = ["nesting", "keyctl", "fuse", "mknod", "ro", "backup"];

/// Returns a value in the words in which it is in effect, where it is.
pub(super) fn in_effect(conf: &Conf, key: &str, value: String) -> String {
    let says_so = |now: &&String| meaning(key, now) == meaning(key, &value);
    conf.now.get(key).filter(says_so).cloned().unwrap_or(value)
}

/// Returns what a value says, in one spelling.
fn meaning<'t>(key: &str, text: &'t str) -> Vec<(&'t str, String)> {
    if key == "nameserver" {
        // Which of them comes first matters.
        return text.split([' ', ',']).map(|server| ("", server.to_owned())).collect();
    }
    let parts = properties(text, "volume").into_iter();
    let mut parts: Vec<(&str, String)> = parts.map(|(name, value)| (name, word(name, value))).collect();
    parts.retain(|(name, value)| value == "1" || !OFF_UNLESS_NAMED.contains(name));
    parts.sort();
    parts
}

/// A value without a name is a path, or a text such as a host's name, and never a switch.
fn word(name: &str, value: &str) -> String {
    if name != "volume" && is_on(value) { "1".to_owned() } else { plain(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_for_what_is_in_effect_are_those_in_effect() {
        let cases = [
            ("features", "keyctl=1,nesting=1", "nesting=1,keyctl=1", true),
            ("features", "keyctl=yes,nesting=1", "nesting=1,keyctl=1,fuse=0", true),
            ("features", "nesting=1", "nesting=1,keyctl=1", false),
            ("features", "nesting=1,mount=nfs;cifs", "nesting=1", false),
            ("mp0", "/srv/a/,mp=/mnt/a", "/srv/a,mp=/mnt/a,ro=0", true),
            ("mp0", "volume=/srv/a,mp=/mnt/a,backup=1", "/srv/a,backup=1,mp=/mnt/a", true),
            ("mp0", "/srv/a,mp=/mnt/a", "/srv/a,mp=/mnt/a,acl=0", false),
            ("mp0", "/srv/a,mp=/mnt/a", "/srv/b,mp=/mnt/a", false),
            ("nameserver", "1.1.1.1,9.9.9.9", "1.1.1.1 9.9.9.9", true),
            ("nameserver", "1.1.1.1 9.9.9.9", "9.9.9.9 1.1.1.1", false),
            ("searchdomain", "a.example", "b.example", false),
            ("hostname", "on", "yes", false),
        ];
        for (key, now, value, is_same) in cases {
            let conf = Conf::parse(&format!("{key}: {now}\n"));
            let expected = if is_same { now } else { value };
            assert_eq!(in_effect(&conf, key, value.to_owned()), expected, "{now} and {value}");
        }
    }
}
