//! Taking packages away, with their configuration kept, and what else would go with them.
use super::{Apt, apt_get, quiet};
use crate::error::{Attempt as _, Result};
use crate::system::{Output, System};
use std::io;
use std::path::Path;

const EXTENDED: &str = "/var/lib/apt/extended_states";

impl Apt<'_> {
    /// Removes packages, and what depends on them.
    ///
    /// # Errors
    /// Where one of them stays, with what apt-get said.
    pub fn remove(&self, names: &[String]) -> Result<()> {
        let command = apt_get(["remove"].into_iter().chain(names.iter().map(String::as_str)));
        self.locked(&command)?.success(&command).map(drop)
    }

    /// Removes packages where something is half done, which apt-get would want completed first: nothing that depends on them
    /// goes, and nothing is configured.
    ///
    /// # Errors
    /// Where one of them stays, with what dpkg said.
    pub fn remove_alone(&self, names: &[String]) -> Result<()> {
        let options = ["dpkg", "--force-remove-reinstreq", "--remove"].into_iter();
        let command = quiet(options.chain(names.iter().map(String::as_str)));
        self.locked(&command)?.success(&command).map(drop)
    }
}

/// Returns what would go with these besides themselves and what apt installed on its own account.
///
/// # Errors
/// Where apt-get can't say.
pub fn others_that_go(sys: &dyn System, names: &[&str]) -> Result<Vec<String>> {
    let command = apt_get(["--simulate", "remove"].into_iter().chain(names.iter().copied()));
    let Output { stdout, .. } = sys.run(&command)?.success(&command)?;
    let automatic = match sys.read(Path::new(EXTENDED)) {
        Ok(bytes) => parse_automatic(&String::from_utf8_lossy(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).attempt(|| format!("reading `{EXTENDED}`")),
    };
    let output = String::from_utf8_lossy(&stdout);
    let others = parse_removals(&output).into_iter().filter(|other| {
        let bare = other.split(':').next().unwrap_or(other);
        !names.contains(other) && !automatic.iter().any(|name| name == bare)
    });
    Ok(others.map(str::to_owned).collect())
}

/// Returns the packages that `apt-get --simulate remove` would remove, with the architecture where apt says one.
fn parse_removals(output: &str) -> Vec<&str> {
    output.lines().filter_map(|line| line.strip_prefix("Remv ")?.split(' ').next()).collect()
}

/// Returns the packages marked as installed automatically in apt's `extended_states`.
fn parse_automatic(text: &str) -> Vec<String> {
    let mut automatic = Vec::new();
    for stanza in text.split("\n\n") {
        let value = |key: &str| stanza.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        if let (Some(name), Some("1")) = (value("Package:"), value("Auto-Installed:")) {
            automatic.push(name.to_owned());
        }
    }
    automatic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removals_are_read_from_a_simulation() {
        let output = "The following packages will be REMOVED:\n  git git-man\nRemv git [1:2.39.5-0+deb12u2]\nRemv git-man:i386 [1]\n";
        assert_eq!(parse_removals(output), ["git", "git-man:i386"]);
    }

    #[test]
    fn automatic_marks_are_those_set_to_one() {
        let text = "Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\nAuto-Installed: 0\n";
        assert_eq!(parse_automatic(text), ["a"]);
    }
}
