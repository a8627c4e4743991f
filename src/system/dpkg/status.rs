//! The form of dpkg's records, deb-control(5): stanzas of fields, a package each.
use super::{Package, State};

/// Returns the packages of a status file or of a file of its journal.
pub(super) fn parse_stanzas(text: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut package = Package::default();
    for line in text.lines().chain([""]) {
        if line.is_empty() {
            if !package.name.is_empty() {
                packages.push(std::mem::take(&mut package));
            }
            continue;
        }
        // The first byte rules out nearly every line.
        if !matches!(line.as_bytes()[0], b'P' | b'S' | b'A' | b'V') {
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match key {
            "Package" => value.clone_into(&mut package.name),
            "Version" => value.clone_into(&mut package.version),
            "Architecture" => value.clone_into(&mut package.architecture),
            "Provides" => value.clone_into(&mut package.provides),
            "Status" => {
                package.held = value.starts_with("hold ");
                package.broken = value.contains(" reinstreq ");
                package.state = parse_state(value);
            }
            _ => {}
        }
    }
    packages
}

fn parse_state(status: &str) -> State {
    match status.rsplit(' ').next().unwrap_or_default() {
        "installed" => State::Installed,
        "not-installed" | "config-files" | "" => State::Gone,
        word => State::Halfway(word.to_owned()),
    }
}

/// Returns the names of `Provides: a, b (= 1.2)`, without versions.
pub(super) fn parse_provides(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter_map(|item| item.split_whitespace().next()).map(|name| name.split(':').next().unwrap_or(name))
}

/// Returns whether a file below `updates/` is one of dpkg's journal: its name is all digits.
pub(super) fn is_journal(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}
