//! Unit files: where systemd looks for them, and the few words in them that matter before it has read them.
use super::fingerprint::{followed, listed};
use super::{FileKind, System};
use crate::field::template_of;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where a person's unit files are.
pub const UNIT_DIRECTORY: &str = "/etc/systemd/system";

/// Where unit files are looked for, in order; the last two are one directory on a merged /usr (systemd.unit(5)).
const SEARCH_PATH: [&str; 5] = [
    UNIT_DIRECTORY,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// Those before the distribution's own.
const BEFORE_VENDOR: usize = 3;

/// Returns the unit file of a name, or that of its template, where systemd would find it.
pub fn find(sys: &dyn System, name: &str) -> io::Result<Option<PathBuf>> {
    first(sys, &names_of(name), &SEARCH_PATH)
}

/// Returns whether a unit has a file besides its mask.
pub fn is_behind_mask(sys: &dyn System, name: &str) -> io::Result<bool> {
    for name in names_of(name) {
        for directory in SEARCH_PATH {
            let file = followed(sys, &Path::new(directory).join(&name))?;
            if file.is_some_and(|file| file != Path::new("/dev/null")) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Returns whether systemd would read something else for a unit than this file and these drop-ins, where it does not say so
/// itself (`NeedDaemonReload=`): a file that goes before, or the first drop-in in a directory that it had not seen.
pub fn is_redefined(sys: &dyn System, names: &[String], fragment: &Path, read: &[PathBuf]) -> io::Result<bool> {
    let Some(name) = names.first() else { return Ok(false) };
    if shadow(sys, name, fragment)?.is_some() {
        return Ok(true);
    }
    let unread = |path: &PathBuf| !read.contains(path);
    if !confs(sys, names, &SEARCH_PATH[..BEFORE_VENDOR])?.iter().any(unread) {
        return Ok(false);
    }
    // Another directory may have a file of the same name that goes before it.
    Ok(drop_ins(sys, names)?.iter().any(unread))
}

/// Returns the file that systemd would read for a unit instead of `fragment`, which it has read: one in a directory that
/// goes before.
pub fn shadow(sys: &dyn System, name: &str, fragment: &Path) -> io::Result<Option<PathBuf>> {
    let directory = fragment.parent().unwrap_or(Path::new("/"));
    let rank = SEARCH_PATH.iter().take(BEFORE_VENDOR).position(|known| directory == Path::new(known));
    let of_vendor = ["/lib", "/usr/lib", "/run/systemd/generator", "/run/systemd/generator.late"];
    let rank = match rank {
        Some(rank) => rank,
        None if of_vendor.iter().any(|start| directory.starts_with(start)) => BEFORE_VENDOR,
        // Transient, or put there by `systemctl set-property` or a generator: nothing goes before it.
        None => return Ok(None),
    };
    let is_of = |name: &String| fragment.file_name().is_some_and(|file| file == name.as_str());
    let names = names_of(name);
    let last = names.iter().position(is_of).unwrap_or(0);
    for name in &names[..=last] {
        // The file of an instance goes before that of its template, wherever it is.
        let before = if is_of(name) { rank } else { BEFORE_VENDOR };
        let found = first(sys, std::slice::from_ref(name), &SEARCH_PATH[..before])?;
        if let Some(path) = found.filter(|path| path != fragment)
            && let Some(target) = followed(sys, &path)?
            && sys.lstat(&target)?.is_some_and(|is| is.kind == FileKind::File)
            && followed(sys, fragment)?.as_ref() != Some(&target)
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Returns the drop-ins that systemd would read for a unit now: of each file name the one in the first directory, in the
/// order of these. Those of a name go before those of its template, of its prefixes and of its type.
pub fn drop_ins(sys: &dyn System, names: &[String]) -> io::Result<Vec<PathBuf>> {
    confs(sys, names, &SEARCH_PATH)
}

fn confs(sys: &dyn System, names: &[String], directories: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for of_name in names.iter().flat_map(|name| drop_in_directories(name)) {
        for directory in directories {
            let directory = Path::new(directory).join(&of_name);
            for file in listed(sys, &directory)? {
                if Path::new(&file).extension().is_some_and(|is| is == "conf") {
                    found.entry(file.clone()).or_insert_with(|| directory.join(file));
                }
            }
        }
    }
    Ok(found.into_values().collect())
}

fn first(sys: &dyn System, names: &[String], directories: &[&str]) -> io::Result<Option<PathBuf>> {
    for name in names {
        for directory in directories {
            let path = Path::new(directory).join(name);
            if sys.lstat(&path)?.is_some() {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Returns the names of the directories of a unit's drop-ins.
pub fn drop_in_directories(name: &str) -> impl Iterator<Item = String> {
    owners_of(name).into_iter().map(|owner| format!("{owner}.d"))
}

fn names_of(name: &str) -> Vec<String> {
    [Some(name.to_owned()), template_of(name)].into_iter().flatten().collect()
}

/// Returns whose drop-ins a unit has: of `a-b@c.service` those of itself, `a-b@.service`, `a-.service`, `service`.
fn owners_of(name: &str) -> Vec<String> {
    let mut owners = names_of(name);
    let Some((stem, suffix)) = name.rsplit_once('.') else { return owners };
    let prefix = stem.split_once('@').map_or(stem, |(prefix, _)| prefix);
    let dashes = prefix.trim_end_matches('-').rmatch_indices('-');
    owners.extend(dashes.map(|(at, _)| format!("{}.{suffix}", &prefix[..=at])));
    owners.push(suffix.to_owned());
    owners
}

/// Returns every value of a key in a section of a unit file, in order; an empty one takes back those before it.
fn settings<'a>(file: &'a str, section: &str, key: &str) -> Vec<&'a str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in file.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name == section;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside)
            && name.trim_end() == key
        {
            match value.trim_start() {
                "" => found.clear(),
                value => found.push(value),
            }
        }
    }
    found
}

/// Returns the words of a key in the `[Install]` section.
pub fn install_words<'a>(file: &'a str, key: &str) -> Vec<&'a str> {
    settings(file, "Install", key).into_iter().flat_map(str::split_whitespace).collect()
}

/// Returns whether a unit file says of what else enabling it makes it a part; without, it can't be enabled.
pub fn can_be_enabled(file: &str) -> bool {
    ["WantedBy", "RequiredBy", "UpheldBy", "Alias"].iter().any(|key| !install_words(file, key).is_empty())
}

/// Returns whether `UpheldBy=` is all that says so, which systemd knows from 254 on.
pub fn is_only_upheld(file: &str) -> bool {
    ["WantedBy", "RequiredBy", "Alias"].iter().all(|key| install_words(file, key).is_empty())
        && !install_words(file, "UpheldBy").is_empty()
}

/// Returns the units that enabling this one enables as well.
pub fn enabled_along(file: &str) -> Vec<&str> {
    install_words(file, "Also")
}

/// Returns the other names that enabling this unit gives it.
pub fn aliases(file: &str) -> Vec<&str> {
    install_words(file, "Alias")
}

/// Returns the units that can't run beside this one; those whose names systemd has yet to complete as they are written.
pub fn conflicts(file: &str) -> Vec<&str> {
    settings(file, "Unit", "Conflicts").into_iter().flat_map(str::split_whitespace).collect()
}

/// Returns whether a unit file's service is done once its command ends.
pub fn ends_by_itself(file: &str) -> bool {
    let setting = |key| settings(file, "Service", key).last().copied();
    let remains = setting("RemainAfterExit").is_some_and(|value| matches!(value, "yes" | "true" | "on" | "1"));
    setting("Type") == Some("oneshot") && !remains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_ends_by_itself_is_known_from_its_file() {
        assert!(ends_by_itself("[Service]\nType=oneshot\nExecStart=/bin/true\n"));
        assert!(!ends_by_itself("[Service]\nType=oneshot\nRemainAfterExit=yes\n"));
        assert!(!ends_by_itself("[Service]\nType=oneshot\nType=simple\n"));
        assert!(!ends_by_itself("[Unit]\nType=oneshot\n[Service]\n# Type=oneshot\nExecStart=/bin/true\n"));
    }

    #[test]
    fn an_install_section_says_whether_a_unit_can_be_enabled() {
        assert!(can_be_enabled("[Unit]\n\n[Install]\nWantedBy = multi-user.target\n"));
        assert!(can_be_enabled("[Install]\nAlias=b.service c.service\n"));
        assert!(can_be_enabled("[Install]\nUpheldBy=a\n") && is_only_upheld("[Install]\nUpheldBy=a\n"));
        assert!(!is_only_upheld("[Install]\nUpheldBy=a\nWantedBy=b\n") && !is_only_upheld("[Install]\n"));
        for bad in ["[Unit]\n", "[Install]\n", "[Install]\nAlso=a.socket\n", "[Install]\nWantedBy=a\nWantedBy=\n"] {
            assert!(!can_be_enabled(bad), "{bad}");
        }
        assert_eq!(enabled_along("[Install]\nAlso=a.socket b.timer\n"), ["a.socket", "b.timer"]);
        assert_eq!(aliases("[Install]\nAlias=b.service\nAlias=c.service\n"), ["b.service", "c.service"]);
    }

    #[test]
    fn the_drop_ins_of_a_unit_are_its_own_its_prefixes_and_its_types() {
        assert_eq!(
            owners_of("a-b-c@d.service"),
            ["a-b-c@d.service", "a-b-c@.service", "a-b-.service", "a-.service", "service"]
        );
        assert_eq!(owners_of("a.timer"), ["a.timer", "timer"]);
    }
}
