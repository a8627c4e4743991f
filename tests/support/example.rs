//! A recipe of one file, as the examples of the documents are: read, and made into items.
use provision::item::Item;
use provision::recipe::{Files, HostFacts, Options, SecretsMode, Stage, Unread, load};
use std::path::{Path, PathBuf};

/// Returns the items of an example, which has no name.
pub fn items(example: &str) -> Vec<Item> {
    read(example).unwrap_or_else(|mistakes| panic!("{example}\n{mistakes}"))
}

/// Returns them, or its mistakes.
pub fn read(example: &str) -> Result<Vec<Item>, String> {
    let files = OneFile(format!("name = \"example\"\n{example}"));
    let recipe = load(Path::new("example.toml"), &files, &options()).map_err(|mistakes| mistakes.to_string())?;
    let items = recipe.stages.into_iter().flat_map(|stage| match stage {
        Stage::Plain(items) => items,
        Stage::Lanes(_) => Vec::new(),
    });
    Ok(items.collect())
}

fn options() -> Options<'static> {
    Options {
        vars: Vec::new(),
        facts: HostFacts::default(),
        env: &|_| None,
        secrets: SecretsMode::AtHand,
        state_dir: PathBuf::from("/nowhere"),
        key: String::new(),
    }
}

/// A recipe with no files beside it.
struct OneFile(String);

impl Files for OneFile {
    fn read(&self, path: &str) -> Result<Vec<u8>, Unread> {
        if path == "example.toml" { Ok(self.0.clone().into_bytes()) } else { Err(Unread::Missing) }
    }

    fn names(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}
