//! docs/recipes.md says what the code does: every kind and field is there, and every example is a recipe that is right.
use provision::recipe::{Files, HostFacts, Options, SecretsMode, Unread, load};
use provision::resource::KINDS;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The sections on kinds, by header.
fn sections() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, kinds) = text.split_once("\n## Kinds\n").expect("there is a chapter on kinds");
    let section = |text: &str| text.split_once('\n').map(|(head, body)| (head.to_owned(), body.to_owned()));
    kinds.split("\n### ").skip(1).filter_map(section).collect()
}

/// The fields in the first column of a section's table, and whether they are bold.
fn fields(section: &str) -> BTreeMap<&str, bool> {
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    let field = |cell| {
        let bare = str::trim_matches(cell, '*');
        Some((bare.strip_prefix('`')?.strip_suffix('`')?, bare.len() < cell.len()))
    };
    cells.filter_map(field).collect()
}

#[test]
fn every_kind_is_documented_with_all_its_fields_and_no_others() {
    let sections = sections();
    let documented: BTreeSet<&str> = sections.keys().map(String::as_str).collect();
    assert_eq!(documented, KINDS.iter().map(|kind| kind.header).collect());
    for kind in KINDS {
        let fields = fields(&sections[kind.header]);
        let names: BTreeSet<&str> = fields.keys().copied().collect();
        assert_eq!(names, kind.fields().iter().copied().collect(), "{}", kind.header);
        let bold: BTreeSet<&str> = fields.iter().filter(|(_, bold)| **bold).map(|(name, _)| *name).collect();
        assert_eq!(bold, kind.required.iter().copied().collect(), "{}: what is required", kind.header);
    }
}

#[test]
fn every_example_of_a_kind_is_a_recipe_that_is_right() {
    for (header, section) in sections() {
        let examples: Vec<&str> =
            section.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!examples.is_empty(), "{header} has no example");
        for example in examples {
            assert!(example.contains(&format!("[[{header}]]")), "{header}: an example of something else:\n{example}");
            let recipe = OneFile(format!("name = \"example\"\n{example}"));
            if let Err(mistakes) = load(Path::new("example.toml"), &recipe, &options()) {
                panic!("{header}: {mistakes}");
            }
        }
    }
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
