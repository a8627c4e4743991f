//! A bundle: a recipe and its files as one tar, the same bytes wherever it is made.
//!
//! The recipe comes first, the rest follows sorted. It is read into memory and never unpacked: what is in a tar can name no
//! place on this machine.
use crate::error::{Attempt as _, Error, Result};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use tar::{EntryType, Header};

/// A bundle has at most so many bytes; it is not compressed, so what is in it is less.
pub const MOST: u64 = 64 << 20;
/// And so many files,
const FILES: usize = 4096;
/// which lie at most so deep.
const DEPTH: usize = 16;

/// A recipe with its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The name of the recipe in `files`.
    pub recipe: String,
    /// All files, by their paths.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Bundle {
    /// Reads a tar, which an error calls `what`. One that this program would not have made is refused.
    pub fn read(what: &str, bytes: &[u8]) -> Result<Self> {
        let attempt = || format!("reading the bundle `{what}`");
        let refused =
            |why: String| Error::new(attempt()).reason(why).remedy("make it with `provision bundle` and use that");
        if bytes.len() as u64 > MOST {
            return Err(refused(format!("it is longer than {MOST} bytes")));
        }
        if bytes.len() < 1024 || bytes.get(257..262) != Some(b"ustar") {
            return Err(refused("it is no tar: a bundle is one, and not compressed".to_owned()));
        }
        let mut bundle = Self { recipe: String::new(), files: BTreeMap::new() };
        let mut archive = tar::Archive::new(bytes);
        for entry in archive.entries().attempt(attempt)?.raw(true) {
            let mut entry = entry.map_err(|error| refused(format!("it is damaged: {error}")))?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if let Some(why) = wrong_type(entry.header().entry_type()).or_else(|| wrong_path(&path)) {
                return Err(refused(format!("`{}` {why}", path.escape_debug())));
            }
            let (mut content, size) = (Vec::new(), entry.size());
            entry.read_to_end(&mut content).attempt(attempt)?;
            if content.len() as u64 != size {
                return Err(refused(format!("it is cut off in `{path}`")));
            }
            if bundle.files.is_empty() {
                bundle.recipe.clone_from(&path);
            }
            if let Some(_twice) = bundle.files.insert(path.clone(), content) {
                return Err(refused(format!("`{path}` is in it twice")));
            }
            if bundle.files.len() > FILES {
                return Err(refused(format!("it has more than {FILES} files")));
            }
        }
        let is_recipe = Path::new(&bundle.recipe).extension().is_some_and(|extension| extension == "toml");
        if bundle.recipe.contains('/') || !is_recipe {
            return Err(refused(match bundle.recipe.as_str() {
                "" => "it is empty".to_owned(),
                first => format!("it begins with `{first}`: its recipe comes first"),
            }));
        }
        Ok(bundle)
    }

    /// Returns it as a tar.
    pub fn tar(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let first = self.files.get_key_value(&self.recipe);
        let others = self.files.iter().filter(|(path, _)| **path != self.recipe);
        for (path, content) in first.into_iter().chain(others) {
            let mut header = Header::new_ustar();
            header.set_path(path).attempt(|| format!("putting `{path}` into the bundle"))?;
            header.set_entry_type(EntryType::Regular);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_cksum();
            tar.append(&header, content.as_slice()).attempt(|| format!("putting `{path}` into the bundle"))?;
        }
        let bytes = tar.into_inner().attempt(|| "ending the bundle".to_owned())?;
        // What would be refused is not made.
        Self::read(&self.recipe, &bytes).map(|_| bytes)
    }
}

/// Returns why such an entry has no place in a bundle.
fn wrong_type(kind: EntryType) -> Option<String> {
    let what = match kind {
        EntryType::Regular => return None,
        EntryType::Directory => "a directory",
        EntryType::Symlink | EntryType::Link => "a link",
        EntryType::Char | EntryType::Block | EntryType::Fifo => "a device or a pipe",
        EntryType::GNUSparse => "a file with holes",
        _ => "no plain file",
    };
    Some(format!("is {what}: a bundle has plain files alone"))
}

/// Returns why a file of a bundle is not called that.
fn wrong_path(path: &str) -> Option<String> {
    let why = if path.starts_with('/') {
        "is an absolute path"
    } else if path.split('/').any(|part| part == "..") {
        "leads out of it by `..`"
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        "is not a path as a bundle has it"
    } else if path.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        "is not text that can be shown"
    } else if path.split('/').count() > DEPTH {
        "lies too deep"
    } else {
        return None;
    };
    Some(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        let content = |(path, text): &(&str, &str)| ((*path).to_owned(), text.as_bytes().to_vec());
        Bundle { recipe: files[0].0.to_owned(), files: files.iter().map(content).collect() }
    }

    /// Returns a tar with these entries, whatever they are called.
    fn tar_of(entries: &[(&[u8], EntryType, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_ustar();
            header.as_old_mut().name[..path.len()].copy_from_slice(path);
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, *content).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn refusal(bytes: &[u8]) -> String {
        Bundle::read("web.tar", bytes).unwrap_err().causes.join("; ")
    }

    #[test]
    fn a_bundle_is_read_as_it_was_made_and_always_the_same_bytes() {
        let made = bundle(&[("web.toml", "name = \"web\"\n"), ("files/b", ""), ("files/a", "a"), ("a.toml", "")]);
        let tar = made.tar().unwrap();
        assert_eq!(Bundle::read("web.tar", &tar).unwrap(), made);
        assert_eq!(made.tar().unwrap(), tar);
        let names: Vec<_> = tar::Archive::new(tar.as_slice())
            .entries()
            .unwrap()
            .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap())
            .collect();
        assert_eq!(names, ["web.toml", "a.toml", "files/a", "files/b"]);
    }

    #[test]
    fn what_could_lead_out_of_a_bundle_is_refused() {
        let wrong: [(&[u8], &str); 8] = [
            (b"/etc/passwd", "`/etc/passwd` is an absolute path"),
            (b"../web.toml", "`../web.toml` leads out of it by `..`"),
            (b"files/../../x", "`files/../../x` leads out of it by `..`"),
            (b"./web.toml", "`./web.toml` is not a path as a bundle has it"),
            (b"files//x", "`files//x` is not a path as a bundle has it"),
            (b"a\nb", "`a\\nb` is not text that can be shown"),
            (b"\xff.toml", "`\u{fffd}.toml` is not text that can be shown"),
            (b"1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7", "`1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7` lies too deep"),
        ];
        for (path, why) in wrong {
            let tar = tar_of(&[(b"web.toml", EntryType::Regular, b""), (path, EntryType::Regular, b"")]);
            assert_eq!(refusal(&tar), why);
        }
    }

    #[test]
    fn what_is_no_plain_file_is_refused() {
        for (kind, what) in [
            (EntryType::Directory, "a directory"),
            (EntryType::Symlink, "a link"),
            (EntryType::Link, "a link"),
            (EntryType::Char, "a device or a pipe"),
            (EntryType::Block, "a device or a pipe"),
            (EntryType::Fifo, "a device or a pipe"),
            (EntryType::GNUSparse, "a file with holes"),
            (EntryType::GNULongName, "no plain file"),
            (EntryType::GNULongLink, "no plain file"),
            (EntryType::XHeader, "no plain file"),
            (EntryType::XGlobalHeader, "no plain file"),
            (EntryType::Continuous, "no plain file"),
        ] {
            let tar = tar_of(&[(b"web.toml", EntryType::Regular, b""), (b"x", kind, b"")]);
            assert_eq!(refusal(&tar), format!("`x` is {what}: a bundle has plain files alone"));
        }
    }

    #[test]
    fn what_is_twice_too_much_or_no_bundle_at_all_is_refused() {
        let file = |path: &'static str| (path.as_bytes(), EntryType::Regular, &b"x"[..]);
        assert_eq!(refusal(&tar_of(&[file("web.toml"), file("a"), file("a")])), "`a` is in it twice");
        assert_eq!(refusal(&tar_of(&[file("a"), file("web.toml")])), "it begins with `a`: its recipe comes first");
        assert_eq!(refusal(&tar_of(&[file("a/web.toml")])), "it begins with `a/web.toml`: its recipe comes first");
        let names: Vec<String> = (0..=FILES).map(|number| format!("{number}.toml")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_bytes(), EntryType::Regular, &b""[..])).collect();
        assert_eq!(refusal(&tar_of(&many)), "it has more than 4096 files");
        let no_tar = "it is no tar: a bundle is one, and not compressed";
        for bytes in [&b""[..], b"hello", &[0; 2048], &[0x1f; 2048]] {
            assert_eq!(refusal(bytes), no_tar);
        }
    }

    #[test]
    fn one_that_says_it_is_larger_than_it_is_or_is_cut_off_is_refused() {
        let mut tar = tar_of(&[(b"web.toml", EntryType::Regular, b"x")]);
        assert!(refusal(&tar[..1024 - 1]).contains("no tar"));
        let mut header = Header::new_ustar();
        header.set_path("web.toml").unwrap();
        header.set_size(7 << 30);
        header.set_entry_type(EntryType::Regular);
        header.set_cksum();
        tar[..512].copy_from_slice(header.as_bytes());
        assert_eq!(refusal(&tar), "it is cut off in `web.toml`");
        tar[0] = b'W';
        assert!(refusal(&tar).starts_with("it is damaged: "), "{}", refusal(&tar));
    }

    #[test]
    fn what_would_be_refused_is_not_made() {
        let deep = "1/".repeat(16) + "x";
        assert!(bundle(&[("web.toml", ""), (&deep, "")]).tar().is_err());
        assert!(bundle(&[("web.toml", ""), (&"x".repeat(300), "")]).tar().is_err());
    }
}
