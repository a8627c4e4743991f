//! Releases of this program: which is the latest, and the binary of one, believed for its signature. bootstrap.sh does the same.
mod version;

pub use version::Version;

use crate::error::{Attempt as _, Error, Result};
use crate::signature::{self, Key};
use crate::system::fingerprint::sha256;
use crate::system::{Command, Fetch, NewFile, System, download};
use std::path::Path;
use std::time::Duration;

/// The key that releases are signed with.
pub const KEY: &str = include_str!("../packaging/provision.pub");

/// Where they are, if whoever built this said so.
pub const URL: Option<&str> = option_env!("PROVISION_RELEASE_URL");

const PATIENCE: Duration = Duration::from_mins(5);
/// A list of sums, its signature and what says which version is the latest are not longer.
const TEXT: u64 = 64 << 10;
/// Nor is a binary.
const BINARY: u64 = 256 << 20;

/// Where releases are, and whose.
#[derive(Debug, Clone)]
pub struct Source {
    url: String,
    key: Key,
}

/// What an update came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// This is the version that is wanted.
    Already,
    /// It was replaced by this one.
    To(Version),
}

impl Source {
    /// Returns a place from which nothing comes but over HTTPS, and a key in minisign's form.
    pub fn new(url: &str, key: &str) -> Result<Self> {
        let host = url.strip_prefix("https://").filter(|rest| !rest.is_empty());
        if host.is_none() || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let error = Error::new(format!("looking for releases at `{}`", url.escape_debug()));
            return Err(error.reason("it is no https:// address").remedy("give one by `--url`"));
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), key: Key::parse("release", key)? })
    }

    /// Returns which version is the latest. That is not signed.
    pub fn latest(&self, sys: &dyn System) -> Result<Version> {
        let (url, text) = self.text(sys, "latest")?;
        text.trim_end().parse().map_err(|()| {
            let error = Error::new(format!("reading `{url}`")).reason("it names no version, such as 0.1.0");
            error.remedy("see whether releases are at that address; `--url` gives another")
        })
    }

    /// Returns the binary of a version for this machine, as it was signed.
    pub fn binary(&self, sys: &dyn System, version: Version) -> Result<Vec<u8>> {
        let (url, sums) = self.text(sys, &format!("{version}/SHA256SUMS"))?;
        let (_, signature) = self.text(sys, &format!("{version}/SHA256SUMS{}", signature::SUFFIX))?;
        signature::verify(std::slice::from_ref(&self.key), &url, sums.as_bytes(), &signature)?;
        let name = format!("provision-{version}-{}-linux", std::env::consts::ARCH);
        let sum = sum_of(&sums, &name).ok_or_else(|| {
            let error = Error::new(format!("looking for `{name}` in `{url}`")).reason("it is not there");
            error.remedy("see for which machines that version was released")
        })?;
        let (url, binary) = self.get(sys, &format!("{version}/{name}"), BINARY)?;
        let is = sha256(&binary);
        if is != sum {
            let error = Error::new(format!("downloading `{url}`")).reason(format!("its SHA-256 is {is}"));
            let error = error.reason(format!("the signed list says {sum}"));
            return Err(error.remedy("run again; if it stays so, take another mirror by `--url`"));
        }
        Ok(binary)
    }

    /// Puts another version in place of the program at `path`, which is of version `is`: the latest, or the one that is wanted.
    pub fn update(&self, sys: &dyn System, path: &Path, is: Version, wanted: Option<Version>) -> Result<Updated> {
        let to = wanted.map_or_else(|| self.latest(sys), Ok)?;
        if to == is {
            return Ok(Updated::Already);
        }
        if to < is {
            let error = Error::new(format!("updating provision {is} to {to}")).reason("that is older");
            return Err(error.remedy(format!("to have it all the same, run bootstrap.sh with PROVISION_VERSION={to}")));
        }
        let binary = self.binary(sys, to)?;
        replace(sys, path, &binary, to)?;
        Ok(Updated::To(to))
    }

    fn text(&self, sys: &dyn System, name: &str) -> Result<(String, String)> {
        let (url, bytes) = self.get(sys, name, TEXT)?;
        let text = String::from_utf8(bytes).attempt(|| format!("reading `{url}`"))?;
        Ok((url, text))
    }

    fn get(&self, sys: &dyn System, name: &str, limit: u64) -> Result<(String, Vec<u8>)> {
        let url = format!("{}/{name}", self.url);
        let request = Fetch { url: &url, timeout: PATIENCE, limit, whole: true, follow: true };
        let fetched = download(sys, &request)?;
        if fetched.status != 200 {
            let error = Error::new(format!("downloading `{url}`"));
            let error = error.reason(format!("the server answered {}", fetched.status));
            return Err(error.remedy("see whether releases are at that address; `--url` gives another"));
        }
        Ok((url, fetched.body))
    }
}

/// Returns the sum of a file in what `sha256sum` printed.
fn sum_of<'s>(sums: &'s str, name: &str) -> Option<&'s str> {
    let mut lines = sums.lines().filter_map(|line| line.split_once(' '));
    let (sum, _) = lines.find(|(_, of)| of.strip_prefix([' ', '*']) == Some(name))?;
    let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    (sum.len() == 64 && sum.chars().all(is_digit)).then_some(sum)
}

/// Puts a program in place of another in one step, once it has said that it is the version that it should be. bootstrap.sh
/// takes away what a killed one leaves under that name.
fn replace(sys: &dyn System, path: &Path, binary: &[u8], version: Version) -> Result<()> {
    let attempt = || format!("replacing `{}`", path.display());
    let is = sys.look(path)?.ok_or_else(|| Error::new(attempt()).reason("it is gone"))?;
    let new = path.with_file_name(".provision.new.update");
    sys.write(&new, &NewFile { content: binary, uid: is.uid, gid: is.gid, mode: is.mode }, &|_| Ok(()))?;
    let tried = tried(sys, &new, version).and_then(|()| sys.rename(&new, path));
    tried.map_err(|error| {
        // What went wrong is told, whether or not this goes.
        drop(sys.remove_file(&new));
        error.during(attempt()).otherwise("the old one is still there; run again, or take another version")
    })
}

fn tried(sys: &dyn System, new: &Path, version: Version) -> Result<()> {
    let command = Command::new([new.display().to_string(), "--version".to_owned()]).timeout(Duration::from_mins(1));
    let answer = sys.run(&command)?.success(&command)?.text();
    if answer.trim_end() != format!("provision {version}") {
        return Err(Error::new(format!("trying provision {version}"))
            .reason(format!("it says `{}`", answer.trim_end().escape_debug())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_that_of_the_whole_name_and_a_whole_one() {
        let sum = "0123456789abcdef".repeat(4);
        let sums = format!("{sum}  a.deb\n{sum} *b\n12  c\n{}  d\nnonsense\n", sum.to_uppercase());
        assert_eq!(sum_of(&sums, "a.deb"), Some(sum.as_str()));
        assert_eq!(sum_of(&sums, "b"), Some(sum.as_str()));
        for name in ["a", "deb", "c", "d", "", "nonsense"] {
            assert_eq!(sum_of(&sums, name), None, "{name}");
        }
    }

    #[test]
    fn only_https_is_a_place_for_releases() {
        assert!(Source::new("https://example.org/provision/", KEY).is_ok());
        for wrong in ["http://example.org", "example.org", "", "https://", "https://a b", "file:///srv", "https://a\n"]
        {
            let error = Source::new(wrong, KEY).unwrap_err();
            assert_eq!(error.causes, ["it is no https:// address"], "{wrong}");
        }
    }
}
