//! npm's global packages, read from its files: no npm is started to know what is there.
use super::System;
use super::fingerprint::followed;
use std::io;
use std::path::{Path, PathBuf};

/// Where a person's own npm would look for its packages where nothing says otherwise.
const PREFIX: &str = "/usr/local";

/// Where npm asks for packages where nothing says otherwise.
pub const REGISTRY: &str = "https://registry.npmjs.org";

/// A package as its `package.json` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its version.
    pub version: String,
    /// The programs that it says it brings.
    pub programs: Vec<Program>,
}

/// A program of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name in `bin`.
    pub name: String,
    /// Its file, relative to the package.
    pub file: PathBuf,
}

/// What npm's configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Global packages are in `lib/node_modules` below it, their programs in `bin`.
    pub prefix: PathBuf,
    /// Where packages come from, without a slash at its end.
    pub registry: String,
    /// The files that say so, in the order in which they count.
    files: [String; 3],
}

impl Settings {
    /// Returns the registry of a scope (`@acme`), where one is set: it goes before any other.
    pub fn registry_of_scope(&self, scope: &str) -> Option<&str> {
        let key = format!("{scope}:registry");
        self.files.iter().find_map(|file| parse_npmrc(file, &key)).map(|registry| registry.trim_end_matches('/'))
    }
}

/// Parses a `package.json`; `None` where it is broken.
pub fn parse_manifest(json: &[u8]) -> Option<Manifest> {
    let json: serde_json::Value = serde_json::from_slice(json).ok()?;
    let name = json.get("name")?.as_str()?;
    let programs = match json.get("bin") {
        Some(serde_json::Value::Object(programs)) => {
            programs.iter().filter_map(|(name, file)| Some((name.as_str(), file.as_str()?))).collect()
        }
        Some(serde_json::Value::String(file)) => vec![(name.rsplit('/').next().unwrap_or(name), file.as_str())],
        _ => Vec::new(),
    };
    // What comes with a slash is no program of `bin`; npm takes the last part of it, which is not worth the risk.
    let programs = programs.into_iter().filter(|(name, _)| !name.contains('/') && !matches!(*name, "" | "." | ".."));
    let programs =
        programs.map(|(name, file)| Program { name: name.to_owned(), file: plain(Path::new(file)) }).collect();
    Some(Manifest { version: json.get("version")?.as_str()?.to_owned(), programs })
}

/// Returns the value of a key in an `.npmrc`: `key = value`, comments with `;` or `#`.
pub fn parse_npmrc<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with([';', '#']));
    let values = lines.filter_map(|line| line.split_once('=')).filter(|(name, _)| name.trim() == key);
    values.map(|(_, value)| value.trim().trim_matches('"')).next_back().filter(|value| !value.is_empty())
}

/// Returns npm's settings as `npm config get` would: the user's file (root's), the global one, npm's own (Debian's npm has
/// its prefix there), else the prefix is where node is.
pub fn settings(sys: &dyn System, user: &Path) -> io::Result<Settings> {
    let node = program(sys, "node")?;
    let beside_node = node.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_owned);
    let beside_node = beside_node.unwrap_or_else(|| PREFIX.into());
    let npm = program(sys, "npm")?;
    let own = npm.as_deref().and_then(Path::parent).and_then(Path::parent).map(|directory| directory.join("npmrc"));
    let own = own.map_or(Ok(String::new()), |path| text(sys, &path))?;
    let global = parse_npmrc(&own, "globalconfig").map_or_else(|| beside_node.join("etc/npmrc"), PathBuf::from);
    let files = [text(sys, user)?, text(sys, &global)?, own];
    let setting = |key| files.iter().find_map(|file| parse_npmrc(file, key));
    let prefix = setting("prefix").filter(|prefix| prefix.starts_with('/')).map_or(beside_node, PathBuf::from);
    let registry = setting("registry").unwrap_or(REGISTRY).trim_end_matches('/').to_owned();
    Ok(Settings { prefix, registry, files })
}

/// Returns where a program really is, behind its links.
fn program(sys: &dyn System, name: &str) -> io::Result<Option<PathBuf>> {
    for directory in ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
        if let Some(path) = followed(sys, &Path::new(directory).join(name))? {
            return Ok(Some(plain(&path)));
        }
    }
    Ok(None)
}

/// Returns a path without its `..`, as links to programs have them.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

fn text(sys: &dyn System, path: &Path) -> io::Result<String> {
    match sys.read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_has_a_version_and_programs() {
        let cases = [
            (r#"{"name":"@a/claude","version":"2.1.329","bin":{"claude":"bin/claude.exe"}}"#, "2.1.329 claude"),
            (r#"{"name":"@a/tool","version":"1.0.0","bin":"cli.js"}"#, "1.0.0 tool"),
            (r#"{"name":"lib","version":"1.0.0"}"#, "1.0.0"),
            (r#"{"name":"lib","version":"1.0.0","bin":{"../../etc/x":"a","y":"./b.js"}}"#, "1.0.0 y"),
            (r#"{"name":"lib"}"#, "broken"),
            (r#"{"name":"lib","ver"#, "broken"),
        ];
        for (json, expected) in cases {
            let found = parse_manifest(json.as_bytes());
            let programs = |found: &Manifest| found.programs.iter().map(|program| program.name.clone()).collect();
            let shown = found.map(|found| [vec![found.version.clone()], programs(&found)].concat().join(" "));
            assert_eq!(shown.as_deref().unwrap_or("broken"), expected, "{json}");
        }
    }

    #[test]
    fn debians_own_npmrc_has_a_prefix() {
        let own = "# DO NOT MODIFY THIS FILE - use /etc/npmrc instead.\nglobalconfig=/etc/npmrc\nprefix=/usr/local\n";
        assert_eq!(parse_npmrc(own, "prefix"), Some("/usr/local"));
        assert_eq!(parse_npmrc(own, "globalconfig"), Some("/etc/npmrc"));
        assert_eq!(parse_npmrc("; prefix=/x\n prefix = \"/opt\" \n", "prefix"), Some("/opt"));
        assert_eq!(parse_npmrc("//host/:_authToken=a=b\nprefix=\n", "prefix"), None);
    }

    #[test]
    fn a_scope_has_a_registry_of_its_own() {
        let files = [String::new(), "@acme:registry=https://npm.acme.example/\n".to_owned(), String::new()];
        let settings = Settings { prefix: "/usr".into(), registry: REGISTRY.to_owned(), files };
        assert_eq!(settings.registry_of_scope("@acme"), Some("https://npm.acme.example"));
        assert_eq!(settings.registry_of_scope("@other"), None);
    }

    #[test]
    fn a_link_to_npm_is_followed_to_its_directory() {
        assert_eq!(
            plain(Path::new("/usr/bin/../lib/node_modules/npm/bin/npm-cli.js")),
            Path::new("/usr/lib/node_modules/npm/bin/npm-cli.js")
        );
    }
}
