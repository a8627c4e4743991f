//! The recipes in the binary: what lies in `recipes/`, by its path there.

/// Every file of `recipes/`.
pub const SHIPPED: &[(&str, &[u8])] = &[];

#[cfg(test)]
mod tests {
    use super::SHIPPED;
    use std::path::Path;

    /// Adds the files below a directory by their paths beneath `root`.
    #[expect(clippy::disallowed_methods, reason = "the test looks at the checkout")]
    fn files(directory: &Path, root: &Path, found: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(directory) else { return };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn the_binary_has_every_file_of_the_recipes() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let mut there = Vec::new();
        files(&root, &root, &mut there);
        let mut listed: Vec<String> = SHIPPED.iter().map(|(path, _)| (*path).to_owned()).collect();
        there.sort();
        listed.sort();
        assert_eq!(listed, there);
    }
}
