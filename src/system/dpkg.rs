//! What dpkg has recorded: `/var/lib/dpkg/status` and its journal below `updates/`, both in the format of deb-control(5).
use std::collections::HashMap;

/// The packages of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages {
    known: Vec<Package>,
    by_name: HashMap<String, Vec<usize>>,
    providers: HashMap<String, Vec<usize>>,
}

/// A package that dpkg knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Without the architecture.
    pub name: String,
    /// With epoch and revision.
    pub version: String,
    /// Such as `amd64` or `all`.
    pub architecture: String,
    /// The third word of `Status`.
    pub state: State,
    /// dpkg will do nothing with it before it was unpacked again (`reinstreq`).
    pub broken: bool,
    provides: String,
}

/// How far a package is installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// Unpacked and configured.
    Installed,
    /// Not there, but perhaps its configuration is.
    #[default]
    Gone,
    /// dpkg was interrupted at it: `unpacked`, `half-configured`, `triggers-pending`, …
    Halfway(String),
}

impl Packages {
    /// Reads the status file and, after it, the journal's files in their order, which outdo it.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known: Vec<Package> = Vec::new();
        let mut place: HashMap<(String, String), usize> = HashMap::new();
        for (at, text) in texts.into_iter().enumerate() {
            for package in parse_stanzas(text) {
                if at == 0 {
                    known.push(package);
                    continue;
                }
                if place.is_empty() {
                    place = (known.iter().enumerate()).map(|(at, known)| (key(known), at)).collect();
                }
                if let Some(at) = place.get(&key(&package)) {
                    known[*at] = package;
                } else {
                    place.insert(key(&package), known.len());
                    known.push(package);
                }
            }
        }
        Self::indexed(known)
    }

    fn indexed(known: Vec<Package>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::with_capacity(known.len());
        let mut providers: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, package) in known.iter().enumerate() {
            by_name.entry(package.name.clone()).or_default().push(at);
            if package.state == State::Installed {
                for name in parse_provides(&package.provides) {
                    providers.entry(name.to_owned()).or_default().push(at);
                }
            }
        }
        Self { known, by_name, providers }
    }

    /// Returns the package of that name for an architecture; the machine's own (or `all`) where none is given.
    pub fn find(&self, name: &str, architecture: Option<&str>) -> Option<&Package> {
        let fits = |package: &&Package| match architecture {
            Some("any") => true,
            None | Some("native") => {
                package.architecture == "all" || self.native().is_none_or(|own| own == package.architecture)
            }
            Some(asked) => {
                package.architecture == asked || (package.architecture == "all" && self.native() == Some(asked))
            }
        };
        let mut all = self.by_name.get(name)?.iter().map(|at| &self.known[*at]).filter(fits);
        let first = all.next()?;
        // With `any`, what is installed goes before what was.
        Some(std::iter::once(first).chain(all).find(|package| package.state == State::Installed).unwrap_or(first))
    }

    /// Returns an installed package that provides a virtual one.
    pub fn provider(&self, name: &str) -> Option<&Package> {
        self.providers.get(name)?.first().map(|at| &self.known[*at])
    }

    /// Returns the packages at which dpkg was interrupted.
    pub fn halfway(&self) -> impl Iterator<Item = &Package> {
        self.known.iter().filter(|package| matches!(package.state, State::Halfway(_)))
    }

    fn native(&self) -> Option<&str> {
        self.by_name.get("dpkg").and_then(|at| at.first()).map(|at| self.known[*at].architecture.as_str())
    }
}

impl State {
    /// Returns the word that dpkg uses.
    pub fn word(&self) -> &str {
        match self {
            Self::Installed => "installed",
            Self::Gone => "not-installed",
            Self::Halfway(word) => word,
        }
    }
}

/// Returns whether a file below `updates/` is one of dpkg's journal: its name is all digits.
pub fn is_journal(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the names of `Provides: a, b (= 1.2)`, without versions.
pub fn parse_provides(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter_map(|item| item.split_whitespace().next()).map(|name| name.split(':').next().unwrap_or(name))
}

/// Returns the packages marked as installed automatically in apt's `extended_states`.
pub fn parse_automatic(text: &str) -> Vec<String> {
    let mut automatic = Vec::new();
    for stanza in text.split("\n\n") {
        let value = |key: &str| stanza.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        if let (Some(name), Some("1")) = (value("Package:"), value("Auto-Installed:")) {
            automatic.push(name.to_owned());
        }
    }
    automatic
}

fn key(package: &Package) -> (String, String) {
    (package.name.clone(), package.architecture.clone())
}

fn parse_stanzas(text: &str) -> Vec<Package> {
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
                package.state = parse_state(value);
                package.broken = value.contains(" reinstreq ");
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

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: dpkg
Essential: yes
Status: install ok installed
Architecture: amd64
Version: 1.21.22
Description: Debian package management system
 Package: this line is of the description
 .
 Status: and so is this

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3.4.20200120-3.1
Provides: awk

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9+deb12u10
Provides: libc6-2.36, libc-any (= 2)

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.36-9+deb12u10

Package: linux-image-amd64
Status: hold ok installed
Architecture: amd64
Version: 6.1.140-1

Package: exim4-base
Status: deinstall ok config-files
Architecture: amd64
Version: 4.96-15
Provides: mail-transport-agent

Package: man-db
Status: install ok triggers-pending
Architecture: amd64
Version: 2.11.2-2

Package: nginx
Status: install reinstreq half-installed
Architecture: all
Version: 1.22.1-9

Package: python3
Status: install ok half-configured
Architecture: amd64
Version: 3.11.2-1
";

    #[test]
    fn installed_is_what_ends_in_installed_whatever_was_asked_before_it() {
        let packages = Packages::parse([STATUS]);
        let state = |name| packages.find(name, None).map(|package| package.state.clone());
        assert_eq!(state("mawk"), Some(State::Installed));
        assert_eq!(state("linux-image-amd64"), Some(State::Installed), "held");
        assert_eq!(state("exim4-base"), Some(State::Gone), "only its configuration is there");
        assert_eq!(state("python3"), Some(State::Halfway("half-configured".into())));
        assert_eq!(state("git"), None);
        assert_eq!(packages.find("dpkg", None).unwrap().version, "1.21.22");
    }

    #[test]
    fn an_architecture_picks_among_packages_of_one_name() {
        let packages = Packages::parse([STATUS]);
        let architecture = |name, asked| packages.find(name, asked).map(|package| package.architecture.as_str());
        assert_eq!(architecture("libc6", None), Some("amd64"));
        assert_eq!(architecture("libc6", Some("i386")), Some("i386"));
        assert_eq!(architecture("libc6", Some("arm64")), None);
        assert_eq!(architecture("mawk", Some("any")), Some("amd64"));
        assert_eq!(architecture("nginx", Some("amd64")), Some("all"));
        assert_eq!(architecture("nginx", Some("i386")), None);
    }

    #[test]
    fn a_virtual_package_is_provided_by_an_installed_one() {
        let packages = Packages::parse([STATUS]);
        assert_eq!(packages.provider("awk").map(|package| package.name.as_str()), Some("mawk"));
        assert_eq!(packages.provider("libc-any").map(|package| package.name.as_str()), Some("libc6"));
        assert_eq!(packages.provider("mail-transport-agent"), None, "its provider is gone");
    }

    #[test]
    fn what_dpkg_was_interrupted_at_is_found() {
        let packages = Packages::parse([STATUS]);
        let halfway: Vec<_> = packages.halfway().map(|package| (package.name.as_str(), package.broken)).collect();
        assert_eq!(halfway, [("man-db", false), ("nginx", true), ("python3", false)]);
    }

    #[test]
    fn the_journal_outdoes_the_status_file() {
        let journal = "Package: mawk\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: 2\n";
        let added = "Package: git\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: 1\n";
        let packages = Packages::parse([STATUS, journal, added]);
        assert_eq!(packages.find("mawk", None).unwrap().version, "2");
        assert_eq!(packages.find("git", None).unwrap().state.word(), "unpacked");
        assert!(is_journal("0000") && !is_journal("tmp.i") && !is_journal(""));
    }

    #[test]
    fn an_empty_or_torn_file_is_no_packages() {
        assert_eq!(Packages::parse([""]), Packages::default());
        assert_eq!(Packages::parse([] as [&str; 0]), Packages::default());
        assert!(Packages::parse(["Package: git\nStatus: inst"]).find("git", None).is_some());
    }

    #[test]
    fn automatic_marks_are_those_set_to_one() {
        let text = "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n";
        assert_eq!(parse_automatic(text), ["a"]);
    }
}
