//! Every kind of mistake that a recipe can have, as data: a recipe and, beside it, its report.
use provision::recipe::{Directory, HostFacts, Options, SecretsMode, load};
use similar::TextDiff;
use std::path::{Path, PathBuf};

/// Where the recipes are. With `UPDATE=1` the reports are written anew, to be read in the diff.
const RECIPES: &str = "tests/recipes-wrong";

#[test]
fn every_mistake_is_reported_at_its_place_and_all_of_them_at_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECIPES);
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let expected = path.with_extension("txt");
        let report = report(&root, &path);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&expected, &report).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        if report != expected {
            wrong.push(format!("{}\n{}", path.display(), TextDiff::from_lines(&expected, &report).unified_diff()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(count, texts(&root), "each report has its recipe");
}

fn texts(root: &Path) -> usize {
    let paths = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).count()
}

fn report(root: &Path, path: &Path) -> String {
    let facts = HostFacts { hostname: "pve".into(), cores: 2, driver: "lxc".into(), ..HostFacts::default() };
    let options = Options {
        vars: Vec::new(),
        facts,
        env: &|_| Some("hunter2".into()),
        secrets: SecretsMode::AtHand,
        state_dir: PathBuf::from("/nowhere"),
        key: String::new(),
    };
    let name = Path::new(path.file_name().unwrap());
    match load(name, &Directory(root.to_path_buf()), &options) {
        Ok(_) => String::new(),
        Err(mistakes) => mistakes.to_string(),
    }
}
