//! The recipes in the binary: what lies in `recipes/`, by its path there.

/// Every file of `recipes/`; the schema, which each recipe names in its first line, is for the editor of a copy.
pub const SHIPPED: &[(&str, &[u8])] = &[
    ("eidolon-base.toml", include_bytes!("../../recipes/eidolon-base.toml")),
    ("eidolon-common.toml", include_bytes!("../../recipes/eidolon-common.toml")),
    ("eidolon.toml", include_bytes!("../../recipes/eidolon.toml")),
    ("eidolons.toml", include_bytes!("../../recipes/eidolons.toml")),
    ("files/build-template.sh", include_bytes!("../../recipes/files/build-template.sh")),
    ("files/max-agent-run.sh", include_bytes!("../../recipes/files/max-agent-run.sh")),
    ("files/max-agent@.service", include_bytes!("../../recipes/files/max-agent@.service")),
    ("files/node-from-registry.sh", include_bytes!("../../recipes/files/node-from-registry.sh")),
    ("files/nodesource.asc", include_bytes!("../../recipes/files/nodesource.asc")),
    ("lxc-host.toml", include_bytes!("../../recipes/lxc-host.toml")),
    ("member.toml", include_bytes!("../../recipes/member.toml")),
    ("recipe.schema.json", include_bytes!("../../recipes/recipe.schema.json")),
    ("signal-receive.toml", include_bytes!("../../recipes/signal-receive.toml")),
    ("signal-send.toml", include_bytes!("../../recipes/signal-send.toml")),
];

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
