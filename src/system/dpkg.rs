//! The packages that dpkg knows.
mod records;
mod status;

pub use records::{LOCKS, Records};

use status::{is_journal, parse_provides, parse_stanzas};
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
    /// A person said that it stays as it is (`apt-mark hold`).
    pub held: bool,
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
        let mut all = self.of_name(&self.by_name, name).filter(|package| self.fits(package, architecture));
        let first = all.next()?;
        // With `any`, what is installed goes before what was.
        Some(std::iter::once(first).chain(all).find(|package| package.state == State::Installed).unwrap_or(first))
    }

    /// Returns an installed package that provides a virtual one.
    pub fn provider(&self, name: &str, architecture: Option<&str>) -> Option<&Package> {
        self.of_name(&self.providers, name).find(|package| self.fits(package, architecture))
    }

    fn of_name<'a>(&'a self, index: &'a HashMap<String, Vec<usize>>, name: &str) -> impl Iterator<Item = &'a Package> {
        index.get(name).into_iter().flatten().map(|at| &self.known[*at])
    }

    fn fits(&self, package: &Package, architecture: Option<&str>) -> bool {
        match architecture {
            Some("any") => true,
            // As apt has it: what is for all machines is for this one.
            None | Some("native" | "all") => self.is_own(package),
            Some(asked) => {
                package.architecture == asked || (package.architecture == "all" && self.native() == Some(asked))
            }
        }
    }

    fn is_own(&self, package: &Package) -> bool {
        package.architecture == "all" || self.native().is_none_or(|own| own == package.architecture)
    }

    /// Returns the packages at which dpkg was interrupted.
    pub fn halfway(&self) -> impl Iterator<Item = &Package> {
        self.known.iter().filter(|package| matches!(package.state, State::Halfway(_)))
    }

    /// Returns the packages of which a person said that they stay as they are.
    pub fn held(&self) -> impl Iterator<Item = &Package> {
        self.known.iter().filter(|package| package.held)
    }

    /// Returns how apt names a package: with its architecture where that is not the machine's own.
    pub fn apt_name(&self, package: &Package) -> String {
        if self.is_own(package) { package.name.clone() } else { format!("{}:{}", package.name, package.architecture) }
    }

    /// Returns the machine's own architecture: that of dpkg.
    pub fn native(&self) -> Option<&str> {
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

fn key(package: &Package) -> (String, String) {
    (package.name.clone(), package.architecture.clone())
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
        let held: Vec<&str> = packages.held().map(|held| held.name.as_str()).collect();
        assert_eq!(held, ["linux-image-amd64"]);
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
        for own in ["all", "native"] {
            assert_eq!(architecture("mawk", Some(own)), Some("amd64"), "{own}");
            assert_eq!(architecture("nginx", Some(own)), Some("all"), "{own}");
        }
        let apt_name = |name, asked| packages.apt_name(packages.find(name, asked).unwrap());
        assert_eq!([apt_name("libc6", None), apt_name("libc6", Some("i386"))], ["libc6", "libc6:i386"]);
        assert_eq!(apt_name("nginx", None), "nginx", "of any architecture");
    }

    #[test]
    fn a_virtual_package_is_provided_by_an_installed_one() {
        let packages = Packages::parse([STATUS]);
        assert_eq!(packages.provider("awk", None).map(|package| package.name.as_str()), Some("mawk"));
        assert_eq!(packages.provider("libc-any", None).map(|package| package.name.as_str()), Some("libc6"));
        assert_eq!(packages.provider("mail-transport-agent", None), None, "its provider is gone");
        assert_eq!(packages.provider("awk", Some("i386")), None, "its provider is of another architecture");
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
}
