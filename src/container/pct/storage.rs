//! The storages of a Proxmox cluster, from `/etc/pve/storage.cfg`: `TYPE: NAME` and indented properties.
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
    pool: Option<String>,
    nodes: Vec<String>,
    disabled: bool,
}

/// What stands first where the file does not name `local`.
const LOCAL: &str = "dir: local\n\tpath /var/lib/vz\n\tcontent backup,iso,snippets,vztmpl,rootdir,images\n";

/// Returns every storage of the cluster, usable on a node or not, in the order in which Proxmox has them.
pub(super) fn parse(text: &str) -> Vec<Storage> {
    let mut storages = sections(text);
    if !storages.iter().any(|one| one.name == "local") {
        storages.splice(0..0, sections(LOCAL));
    }
    for one in storages.iter_mut().filter(|one| one.content.is_empty()) {
        one.content = one.usual_content().iter().map(|held| (*held).to_owned()).collect();
    }
    storages
}

fn sections(text: &str) -> Vec<Storage> {
    let mut storages: Vec<Storage> = Vec::new();
    for line in text.lines() {
        let words = line.trim();
        let indented = line.starts_with([' ', '\t']);
        if words.is_empty() || words.starts_with('#') {
        } else if !indented {
            let (kind, name) = words.split_once(':').unwrap_or((words, ""));
            let (kind, name) = (kind.trim().to_owned(), name.trim().to_owned());
            storages.push(Storage { name, kind, ..Storage::default() });
        } else if let Some(last) = storages.last_mut() {
            let (key, value) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
            let value = value.trim();
            let list = || value.split(',').map(|item| item.trim().to_owned()).collect();
            match key {
                "content" => last.content = list(),
                "path" => last.path = Some(PathBuf::from(value)),
                "pool" => last.pool = Some(value.to_owned()),
                "nodes" => last.nodes = list(),
                "disable" => last.disabled = value != "0",
                _ => {}
            }
        }
    }
    storages
}

impl Storage {
    /// Returns why a node can't use it.
    pub(super) fn unusable(&self, node: &str) -> Option<String> {
        if self.disabled {
            return Some("it is disabled".to_owned());
        }
        // `local` is every node's.
        let here = self.name == "local" || self.nodes.is_empty() || self.nodes.iter().any(|name| name == node);
        (!here).then(|| format!("it is of the nodes {} alone", self.nodes.join(", ")))
    }

    /// Returns whether it may hold such content.
    pub(super) fn holds(&self, content: &str) -> bool {
        self.content.iter().any(|held| held == content)
    }

    /// Returns what it may hold, in words.
    pub(super) fn contents(&self) -> String {
        self.content.join(", ")
    }

    /// Returns what it may hold where the file does not say.
    fn usual_content(&self) -> &'static [&'static str] {
        match self.kind.as_str() {
            "dir" | "btrfs" | "lvmthin" | "zfspool" => &["images", "rootdir"],
            "pbs" | "cephfs" => &["backup"],
            _ => &["images"],
        }
    }

    /// Returns whether the root file system of a clone can share what it has not written with that of its base.
    pub(super) fn links(&self) -> bool {
        matches!(self.kind.as_str(), "btrfs" | "lvmthin" | "rbd" | "zfspool")
    }

    /// Returns a directory that has as much free as it has, given the mounts of the node; `None` where no directory tells.
    /// A server's is not asked: it may not answer.
    pub(super) fn measured_at(&self, mounts: &str) -> Option<PathBuf> {
        match self.kind.as_str() {
            "dir" | "btrfs" => self.path.clone(),
            "zfspool" => mounted(mounts, self.pool.as_deref()?),
            _ => None,
        }
    }

    /// Returns the directory of its templates; `None` where it has none.
    pub(super) fn templates(&self) -> Option<PathBuf> {
        self.path.as_ref().filter(|_| self.holds("vztmpl")).map(|path| path.join("template/cache"))
    }
}

/// Returns where a data set of ZFS is mounted, by the lines of `/proc/self/mounts`.
fn mounted(mounts: &str, pool: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [source, target, "zfs", ..] if source == pool => Some(PathBuf::from(target)),
        _ => None,
    })
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

    fn named(name: &str) -> Storage {
        parse(CFG).into_iter().find(|one| one.name == name).unwrap()
    }

    #[test]
    fn a_storage_that_a_node_cannot_use_says_why() {
        assert_eq!(named("local-lvm").unusable("pve1"), None);
        assert_eq!(named("other").unusable("pve1").as_deref(), Some("it is of the nodes pve2 alone"));
        assert_eq!(named("other").unusable("pve2"), None);
        assert_eq!(named("off").unusable("pve1").as_deref(), Some("it is disabled"));
        assert_eq!(parse("dir: local\n\tpath /var/lib/vz\n\tnodes pve2\n")[0].unusable("pve1"), None);
    }

    #[test]
    fn what_the_file_does_not_say_is_as_proxmox_takes_it() {
        let all = parse(
            "nfs: far\n\tserver nas\n\nzfspool: tank\n\tpool rpool/data\n\tdisable 0\n\nlvm: thick\n\tvgname pve\n\tcontent none\n",
        );
        let shown: Vec<String> = all.iter().map(|one| format!("{}: {}", one.name, one.contents())).collect();
        let local = "local: backup, iso, snippets, vztmpl, rootdir, images";
        assert_eq!(shown, [local, "far: images", "tank: images, rootdir", "thick: none"]);
        assert!(all.iter().all(|one| one.unusable("pve1").is_none()));
        assert_eq!(parse("")[0].name, "local");
    }

    #[test]
    fn what_is_free_is_told_by_a_directory_of_the_node() {
        let mounts = "proc /proc proc rw 0 0\ntank /mnt/tank zfs rw,xattr 0 0\n";
        let at = |name: &str| named(name).measured_at(mounts).map(|path| path.display().to_string());
        assert_eq!(at("off").as_deref(), Some("/off"));
        assert_eq!(at("other").as_deref(), Some("/mnt/tank"));
        assert_eq!(at("local-lvm"), None);
        assert_eq!(named("other").measured_at("tank /mnt/tank ext4 rw 0 0\n"), None);
    }

    #[test]
    fn clones_are_linked_where_the_storage_can() {
        let names: Vec<String> = parse(CFG).into_iter().filter(Storage::links).map(|one| one.name).collect();
        assert_eq!(names, ["local-lvm", "other"]);
    }

    #[test]
    fn a_template_is_named_by_its_storage() {
        let storages = parse(CFG);
        let name = |path: &str| template_name(&storages, Path::new(path));
        assert_eq!(name("/var/lib/vz/template/cache/debian.tar.zst"), "local:vztmpl/debian.tar.zst");
        assert_eq!(name("/srv/debian.tar.zst"), "/srv/debian.tar.zst");
    }
}
