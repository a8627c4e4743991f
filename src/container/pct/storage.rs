//! The storages of a Proxmox node, from `/etc/pve/storage.cfg`: `TYPE: NAME` and indented properties.
use std::path::{Path, PathBuf};

/// A storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Storage {
    /// Its name.
    pub(super) name: String,
    /// What it may hold: `rootdir`, `vztmpl`, …
    content: Vec<String>,
    kind: String,
    path: Option<PathBuf>,
    nodes: Vec<String>,
    disabled: bool,
}

/// What `local` is where the file does not say (storage.cfg(5)).
const LOCAL: &str = "dir: local\n\tpath /var/lib/vz\n\tcontent backup,iso,vztmpl,rootdir,images\n";

/// Returns the storages that a node can use, in the order of the file.
pub(super) fn parse(text: Option<&str>, node: &str) -> Vec<Storage> {
    let mut storages: Vec<Storage> = Vec::new();
    for line in text.unwrap_or(LOCAL).lines() {
        let words = line.trim();
        let indented = line.starts_with([' ', '\t']);
        if words.is_empty() || words.starts_with('#') {
        } else if !indented {
            let (kind, name) = words.split_once(':').unwrap_or((words, ""));
            let (kind, name) = (kind.trim().to_owned(), name.trim().to_owned());
            storages.push(Storage { name, kind, ..Storage::default() });
        } else if let Some(last) = storages.last_mut() {
            let (key, value) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
            let list = || value.split(',').map(|item| item.trim().to_owned()).collect();
            match key {
                "content" => last.content = list(),
                "path" => last.path = Some(PathBuf::from(value.trim())),
                "nodes" => last.nodes = list(),
                "disable" => last.disabled = true,
                _ => {}
            }
        }
    }
    storages.retain(|one| !one.disabled && (one.nodes.is_empty() || one.nodes.iter().any(|name| name == node)));
    storages
}

impl Storage {
    /// Returns whether it may hold such content.
    pub(super) fn holds(&self, content: &str) -> bool {
        self.content.iter().any(|held| held == content)
    }

    /// Returns whether the root file system of a clone can share what it has not written with that of its base.
    pub(super) fn links(&self) -> bool {
        matches!(self.kind.as_str(), "btrfs" | "lvmthin" | "rbd" | "zfspool")
    }

    /// Returns the directory of its templates; `None` where it has none.
    pub(super) fn templates(&self) -> Option<PathBuf> {
        self.path.as_ref().filter(|_| self.holds("vztmpl")).map(|path| path.join("template/cache"))
    }
}

/// Returns a template as `pct` names it: `local:vztmpl/NAME` where a storage has it, else its path.
pub(super) fn template_name(storages: &[Storage], path: &Path) -> String {
    let within = storages.iter().find(|one| one.templates().is_some_and(|dir| path.parent() == Some(&dir)));
    match (within, path.file_name()) {
        (Some(storage), Some(name)) => format!("{}:vztmpl/{}", storage.name, name.to_string_lossy()),
        _ => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CFG: &str = "dir: local\n\tpath /var/lib/vz\n\tcontent iso,vztmpl,backup\n\nlvmthin: local-lvm\n\tthinpool data\n\
        \tvgname pve\n\tcontent rootdir,images\n\nzfspool: other\n\tpool tank\n\tcontent rootdir\n\tnodes pve2\n\n\
        dir: off\n\tpath /off\n\tcontent rootdir\n\tdisable\n";

    #[test]
    fn a_storage_is_one_that_this_node_can_use_for_such_content() {
        let names = |node: &str| {
            let storages = parse(Some(CFG), node);
            storages.into_iter().filter(|one| one.holds("rootdir")).map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names("pve1"), ["local-lvm"]);
        assert_eq!(names("pve2"), ["local-lvm", "other"]);
        assert_eq!(parse(None, "pve1")[0].name, "local");
    }

    #[test]
    fn clones_are_linked_where_the_storage_can() {
        let storages = parse(Some(CFG), "pve2");
        let names: Vec<&str> = storages.iter().filter(|one| one.links()).map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["local-lvm", "other"]);
    }

    #[test]
    fn a_template_is_named_by_its_storage() {
        let storages = parse(Some(CFG), "pve1");
        let name = |path: &str| template_name(&storages, Path::new(path));
        assert_eq!(name("/var/lib/vz/template/cache/debian.tar.zst"), "local:vztmpl/debian.tar.zst");
        assert_eq!(name("/srv/debian.tar.zst"), "/srv/debian.tar.zst");
    }
}
