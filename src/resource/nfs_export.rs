//! `[[nfs-export]]`: a directory that NFS clients may mount, in a file of its own below /etc/exports.d.
mod absent;
mod exported;

use self::exported::{Exported, missing, says_the_same, surplus};
use super::need::Needs;
use super::{Ask, Change, Mistake, Plan, Resource, Step, Want, kept};
use crate::error::{Attempt as _, Error, Result};
use crate::field::{AbsPath, ClientHost, ExportOptions, Names};
use crate::system::exports::{Export, escaped, parse_exports};
use crate::system::{Command, NewFile, Stat, System};
use serde::Deserialize;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DIRECTORY: &str = "/etc/exports.d";
const HEAD: &str = "# Written by provision; see exports(5).\n";

/// A directory that NFS clients may mount. It gets a file of its own in `/etc/exports.d`, and the server's own
/// table is what is compared.
///
/// Absent: no longer exported, if ours.
///
/// ```toml
/// [[nfs-export]]
/// path    = "/var/lib/vz/shared"
/// clients = [{ host = "10.0.100.0/24", options = ["rw", "sync", "root_squash"] }]
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NfsExport {
    /// The directory.
    path: AbsPath,
    /// Each a **`host`** (a name, an address, a network, `@netgroup`, a pattern) and `options` as in exports(5),
    /// `"rw,sync"` or a list.
    clients: Vec<Client>,
    /// Allows `no_root_squash`: root at the client is then root over these files.
    #[serde(default)]
    allow_root: bool,
}

/// Who may mount it, and how.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Client {
    /// A host, an address, a network, a netgroup, a pattern.
    host: ClientHost,
    /// As in exports(5), `"rw"` or `["rw", "sync"]`; read-only, sync and `root_squash` are in place without a word.
    options: Option<Names<ExportOptions>>,
}

impl Client {
    fn options(&self) -> Vec<&str> {
        let given = self.options.iter().flat_map(|options| &options.0).flat_map(|options| &options.0);
        let mut options: Vec<&str> = given.map(String::as_str).collect();
        // The default, said so that exportfs does not warn.
        if !options.contains(&"subtree_check") && !options.contains(&"no_subtree_check") {
            options.push("no_subtree_check");
        }
        options
    }
}

impl Resource for NfsExport {
    fn names(&self) -> Vec<String> {
        vec![self.path.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let file = self.file();
        let is = sys.lstat(&file).attempt(|| format!("reading `{}`", file.display()))?;
        let written = match is {
            Some(_) => Some(text(sys, &file)?),
            None => None,
        };
        match ask.want {
            Want::Present => self.present(is.zip(written).as_ref(), ask, sys),
            Want::Absent => self.absent(written.as_deref(), ask, sys),
        }
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.clients.is_empty() {
            mistakes.push(Mistake::at("clients", "`clients` is empty: nobody could mount it"));
        }
        for (index, client) in self.clients.iter().enumerate() {
            if self.clients[..index].iter().any(|other| other.host == client.host) {
                mistakes.push(Mistake::at("clients", format!("`{}` is there twice", client.host)));
            }
            if client.options().contains(&"no_root_squash") && !self.allow_root {
                let message = format!(
                    "`no_root_squash` makes root at `{}` root over these files: it needs `allow-root = true`",
                    client.host
                );
                mistakes.push(Mistake::at("clients", message));
            }
        }
        mistakes
    }
}

impl NfsExport {
    fn present<'a>(&'a self, is: Option<&(Stat, String)>, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let (asked, content) = (self.asked(), self.content());
        let others = others(sys, &self.file(), &self.path.0)?;
        contradiction(&asked, &others)?;
        let others: Vec<Export> = others.into_iter().map(|(_, export)| export).collect();
        let mut changes = Vec::new();
        let name = &self.path.0;
        match is {
            None => changes.push(Change::made(name, shown(&asked))),
            Some((_, written)) if *written != content => {
                let from = parse_exports(written);
                changes.push(Change::field(name, "clients", Some(shown(&from)), Some(shown(&asked))));
            }
            Some((stat, _)) if (stat.uid, stat.mode & 0o022) != (0, 0) => {
                let from = format!("writable by others than root ({:04o}, uid {})", stat.mode, stat.uid);
                changes.push(Change::field(name, "file", Some(from), Some("0644, root".to_owned())));
            }
            Some(_) => {
                let exported = Exported::read(sys, name)?;
                let (missing, surplus) = (missing(&asked, &exported), surplus(&asked, &others, &exported));
                if !missing.is_empty() || !surplus.is_empty() {
                    changes.push(Change::field(name, "exported", Some(shown(&exported.0)), Some(shown(&asked))));
                }
            }
        }
        let mut needs = Needs::default();
        needs.path(self.path.path(), "the directory to export", ask, sys)?;
        if changes.is_empty() {
            return Ok(Plan::in_sync());
        }
        needs
            .program("exportfs", ask, sys)
            .map_err(|error| error.remedy("put a [[package]] with name = \"nfs-kernel-server\" before it"))?;
        if let Some(waiting) = needs.waiting(name, Vec::new()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let changes = changes.into_iter().map(|change| change.after(needs.after.clone())).collect();
        let timeout = ask.timeout;
        let foreign = is.is_some() && !ask.ours(name);
        let apply = move |sys: &dyn System| {
            make_directory(sys)?;
            if foreign {
                kept::keep(&self.file(), sys)?;
            }
            let new = NewFile { content: content.as_bytes(), uid: 0, gid: 0, mode: 0o644 };
            sys.write(&self.file(), &new, &|_| Ok(()))?;
            self.export(sys, timeout, &asked, &others)
        };
        Ok(Plan::step(Step::new(changes, apply)))
    }

    /// Lets the server read the files again. A mistake in somebody else's file is theirs, if ours holds all the same.
    fn export(&self, sys: &dyn System, timeout: Duration, asked: &[Export], others: &[Export]) -> Result<()> {
        let command = Command::new(["exportfs", "-ra"]).timeout(timeout);
        let output = sys.run(&command)?;
        let exported = Exported::read(sys, &self.path.0)?;
        if missing(asked, &exported).is_empty() && surplus(asked, others, &exported).is_empty() {
            return Ok(());
        }
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        output.success(&command)?;
        Err(Error::new("running `exportfs -ra`")
            .reason(format!("it succeeded, but /var/lib/nfs/etab has {} for this path", shown(&exported.0)))
            .output(&printed))
    }

    fn asked(&self) -> Vec<Export> {
        let one = |client: &Client| Export {
            path: self.path.0.clone(),
            client: client.host.to_string(),
            options: client.options().into_iter().map(str::to_owned).collect(),
        };
        self.clients.iter().map(one).collect()
    }

    fn content(&self) -> String {
        let clients = self.clients.iter().map(|client| format!(" {}({})", client.host, client.options().join(",")));
        format!("{HEAD}{}{}\n", escaped(&self.path.0), clients.collect::<String>())
    }

    /// Each path has a file of its own: `-` stands for `/`, and what stands for itself is told from it by its number.
    fn file(&self) -> PathBuf {
        let mut name = String::new();
        for byte in self.path.0.trim_start_matches('/').bytes() {
            match byte {
                b'/' => name.push('-'),
                byte if byte.is_ascii_alphanumeric() || b"_+@:".contains(&byte) => name.push(char::from(byte)),
                b'.' if !name.is_empty() => name.push('.'),
                // Writing to a string does not fail.
                byte => drop(write!(name, "%{byte:02x}")),
            }
        }
        let name = if name.is_empty() { "%2f".to_owned() } else { name };
        Path::new(DIRECTORY).join(format!("{name}.exports"))
    }
}

/// Returns what other files export of a path, each with its file.
fn others(sys: &dyn System, ours: &Path, path: &str) -> Result<Vec<(PathBuf, Export)>> {
    let mut files = vec![PathBuf::from("/etc/exports")];
    if let Ok(names) = sys.list(Path::new(DIRECTORY)) {
        let read = |name: &OsString| {
            name.as_encoded_bytes().ends_with(b".exports") && !name.as_encoded_bytes().starts_with(b".")
        };
        let exports = names.iter().filter(|name| read(name));
        files.extend(exports.map(|name| Path::new(DIRECTORY).join(name)).filter(|file| file != ours));
    }
    let mut found = Vec::new();
    for file in files {
        let exports = parse_exports(&text(sys, &file)?);
        found.extend(exports.into_iter().filter(|export| export.path == path).map(|export| (file.clone(), export)));
    }
    Ok(found)
}

/// Of two lines for one client the server takes the first, wherever that is.
fn contradiction(asked: &[Export], others: &[(PathBuf, Export)]) -> Result<()> {
    for (file, other) in others {
        let Some(ask) = asked.iter().find(|ask| ask.client == other.client) else { continue };
        if !says_the_same(ask, other) {
            return Err(Error::new(format!("exporting `{}` to `{}`", ask.path, ask.client))
                .reason(format!(
                    "`{}` does so already, with other options: {} and not {}",
                    file.display(),
                    other.options.join(","),
                    ask.options.join(",")
                ))
                .remedy(format!("take it out of `{}`, or out of `clients`", file.display())));
        }
    }
    Ok(())
}

fn text(sys: &dyn System, path: &Path) -> Result<String> {
    match sys.read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).attempt(|| format!("reading `{}`", path.display())),
    }
}

fn make_directory(sys: &dyn System) -> Result<()> {
    let path = Path::new(DIRECTORY);
    match sys.lstat(path).attempt(|| format!("reading `{DIRECTORY}`"))? {
        Some(_) => Ok(()),
        None => sys.make_dir(path, 0, 0, 0o755),
    }
}

fn shown(exports: &[Export]) -> String {
    let clients = exports.iter().map(|export| format!("{}({})", export.client, export.options.join(",")));
    let shown = clients.collect::<Vec<_>>().join(" ");
    if shown.is_empty() { "nobody".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(path: &str, rest: &str) -> NfsExport {
        toml::from_str(&format!("path = \"{path}\"\n{rest}")).unwrap()
    }

    #[test]
    fn root_stays_squashed_unless_it_is_allowed() {
        let clients = "clients = [{ host = \"10.0.0.0/8\", options = [\"rw\", \"no_root_squash\"] }]";
        assert!(export("/srv", clients).mistakes()[0].message.contains("allow-root"));
        assert!(export("/srv", &format!("{clients}\nallow-root = true")).mistakes().is_empty());
    }

    #[test]
    fn a_client_twice_and_no_client_are_mistakes() {
        assert_eq!(export("/srv", "clients = []").mistakes().len(), 1);
        assert_eq!(export("/srv", "clients = [{ host = \"a\" }, { host = \"a\" }]").mistakes().len(), 1);
    }

    #[test]
    fn each_path_has_a_file_of_its_own() {
        let file = |path: &str| export(path, "clients = []").file().display().to_string();
        assert_eq!(file("/var/lib/vz/shared"), "/etc/exports.d/var-lib-vz-shared.exports");
        assert_eq!(file("/a-b/.c d"), "/etc/exports.d/a%2db-.c%20d.exports");
        assert_eq!(file("/.hidden"), "/etc/exports.d/%2ehidden.exports");
        assert_eq!(file("/"), "/etc/exports.d/%2f.exports");
    }

    #[test]
    fn options_are_one_string_or_a_list() {
        for options in ["\"rw,sync\"", "[\"rw\", \"sync\"]"] {
            let export = export("/srv/a b", &format!("clients = [{{ host = \"h\", options = {options} }}]"));
            assert_eq!(export.content(), format!("{HEAD}/srv/a\\040b h(rw,sync,no_subtree_check)\n"));
        }
        assert!(toml::from_str::<NfsExport>("path = \"/a\"\nclients = [{ host = \"h\", options = \"rwx\" }]").is_err());
        assert!(toml::from_str::<NfsExport>("path = \"/a\"\nclients = [{ host = \"-ro\" }]").is_err());
    }
}
