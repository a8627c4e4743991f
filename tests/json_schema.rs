//! recipes/recipe.schema.json is what the code says of itself, takes every recipe that is right, and refuses what it can tell.
use crate::support::case;
use crate::support::reference::{SCALARS, definition_of, example, root, text};
use crate::support::schema::{SCHEMA, scalar, schema};
use jsonschema::{Draft, Validator};
use provision::resource::KINDS;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The schema under the drafts that editors know.
struct Drafts([(&'static str, Validator); 2]);

impl Drafts {
    fn of(schema: &Value) -> Self {
        let drafts = [("draft 4", Draft::Draft4), ("draft 7", Draft::Draft7)];
        Self(drafts.map(|(name, draft)| {
            let mut schema = schema.clone();
            if schema.get("$schema").is_some() {
                let number = if draft == Draft::Draft4 { "04" } else { "07" };
                schema["$schema"] = json!(format!("http://json-schema.org/draft-{number}/schema#"));
            }
            (name, jsonschema::options().with_draft(draft).build(&schema).unwrap())
        }))
    }

    fn checked_in() -> Self {
        Self::of(&serde_json::from_str(&text(SCHEMA)).unwrap())
    }

    #[track_caller]
    fn takes(&self, recipe: &Value, name: &str) {
        for (draft, validator) in &self.0 {
            let errors: Vec<String> =
                validator.iter_errors(recipe).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(errors.is_empty(), "{name}, {draft}: {errors:#?}");
        }
    }

    #[track_caller]
    fn refuses(&self, recipe: &Value, name: &str) {
        for (draft, validator) in &self.0 {
            assert!(!validator.is_valid(recipe), "{name}, {draft}: taken");
        }
    }
}

fn read(recipe: &str) -> Option<Value> {
    Some(serde_json::to_value(toml::from_str::<toml::Table>(recipe).ok()?).unwrap())
}

fn recipes(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn the_schema_is_fresh() {
    let path = root().join(SCHEMA);
    if std::env::var_os("RENEW_DOCS").is_some() {
        fs::write(&path, schema()).unwrap();
    }
    let fresh = fs::read_to_string(&path).unwrap_or_default() == schema();
    assert!(fresh, "{SCHEMA} is stale: run `RENEW_DOCS=1 cargo test --test suite schema`");
}

/// Gathers the words of a schema, without what it says of.
fn words(schema: &Value, to: &mut Vec<String>) {
    let Some(object) = schema.as_object() else { return };
    for (word, value) in object {
        to.push(word.clone());
        match word.as_str() {
            "properties" | "patternProperties" | "definitions" => {
                value.as_object().unwrap().values().for_each(|schema| words(schema, to));
            }
            "anyOf" | "oneOf" => value.as_array().unwrap().iter().for_each(|schema| words(schema, to)),
            "items" | "additionalProperties" => words(value, to),
            _ => {}
        }
    }
}

#[test]
fn it_is_a_schema_under_both_drafts_and_has_no_word_that_draft_4_does_not_know() {
    let schema: Value = serde_json::from_str(&text(SCHEMA)).unwrap();
    assert!(jsonschema::draft7::meta::is_valid(&schema));
    let mut older = schema.clone();
    older["$schema"] = json!("http://json-schema.org/draft-04/schema#");
    assert!(jsonschema::draft4::meta::is_valid(&older));
    let mut used = Vec::new();
    words(&schema, &mut used);
    used.sort();
    used.dedup();
    let known = [
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "default",
        "definitions",
        "description",
        "enum",
        "items",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "oneOf",
        "pattern",
        "patternProperties",
        "properties",
        "required",
        "title",
        "type",
        "uniqueItems",
    ];
    let unknown: Vec<&String> = used.iter().filter(|word| !known.contains(&word.as_str())).collect();
    assert!(unknown.is_empty(), "both drafts know {known:?}; of these I am not sure: {unknown:?}");
}

#[test]
fn every_shipped_recipe_names_it_and_fits() {
    let drafts = Drafts::checked_in();
    let shipped = recipes("recipes");
    assert!(shipped.len() >= 8);
    for path in shipped {
        let recipe = fs::read_to_string(&path).unwrap();
        assert!(recipe.starts_with("#:schema ./recipe.schema.json\n"), "{}", path.display());
        drafts.takes(&read(&recipe).unwrap(), &path.display().to_string());
    }
    drafts.takes(&read(&text("src/cli/init.toml").replace("NAME", "hello")).unwrap(), "what `provision init` writes");
}

#[test]
fn every_case_fits() {
    let drafts = Drafts::checked_in();
    for case in case::all() {
        let edits = case.edit.iter().filter_map(|edit| edit.resource.as_ref());
        for asked in case.resource.iter().chain(edits.flatten()) {
            let mut fields = asked.fields.clone();
            let keys = fields.as_object_mut().unwrap();
            keys.retain(|_, value| !value.is_null());
            if asked.absent {
                keys.insert("state".to_owned(), json!("absent"));
            }
            drafts.takes(&json!({ asked.kind.clone(): [fields] }), &case.name);
        }
    }
}

#[test]
fn every_example_in_the_documents_fits() {
    let drafts = Drafts::checked_in();
    for kind in KINDS {
        drafts.takes(&read(&example(&definition_of(kind))).unwrap(), kind.header);
    }
    let mut count = 0;
    for document in ["README.md", "docs/recipes.md"] {
        let text = text(document);
        for block in text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            // What has no table is part of one.
            if block.lines().any(|line| line.starts_with('[')) {
                let recipe = read(block).unwrap_or_else(|| panic!("{document}: {block}"));
                drafts.takes(&recipe, &format!("{document}\n{block}"));
                count += 1;
            }
        }
    }
    assert!(count >= 15, "only {count} examples were looked at");
}

/// Wrong recipes in which only the whole tells, or the machine, or TOML itself, and so no schema.
const BEYOND: &[(&str, &str)] = &[
    ("gates.toml", "a gate that nobody defines, or only further down"),
    ("in-the-way.toml", "two tables whose paths can't both be there"),
    ("lanes.toml", "lanes, phases and variables of several tables together"),
    ("latin1.toml", "it is not UTF-8"),
    ("nameless.toml", "a part of a recipe has no name and is right; the root file must have one"),
    ("numbers.toml", "two tables with one uid or gid"),
    ("one-path.toml", "two tables of different kinds that write one file"),
    ("seven.toml", "its mistakes are in `parts/member.toml`, which is refused"),
    ("sources.toml", "files beside the recipe, and what is in them"),
    ("syntax.toml", "it is not TOML"),
    ("together.toml", "which fields go together: `provision validate` says it better than `anyOf` could"),
    ("too-late.toml", "the order of two tables"),
    ("twice.toml", "the same id twice"),
    ("unseen.toml", "characters that are not seen, in a name"),
];

#[test]
fn every_wrong_recipe_in_which_a_schema_can_tell_is_refused() {
    let drafts = Drafts::checked_in();
    drafts.refuses(&read(&text("tests/recipes-wrong/parts/member.toml")).unwrap(), "parts/member.toml");
    let mut beyond = Vec::new();
    for path in recipes("tests/recipes-wrong") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        // A number that TOML does not have would hide what else is wrong.
        let recipe = text.and_then(|text| read(&text.replace("99999999999999999999", "9")));
        match recipe {
            Some(recipe) if !BEYOND.iter().any(|(beyond, _)| *beyond == name) => drafts.refuses(&recipe, &name),
            Some(recipe) => {
                drafts.takes(&recipe, &name);
                beyond.push(name);
            }
            None => beyond.push(name),
        }
    }
    beyond.sort();
    assert_eq!(beyond, BEYOND.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn a_key_that_no_kind_has_and_one_that_is_missing_are_refused() {
    let drafts = Drafts::checked_in();
    for kind in KINDS {
        let mut tables = read(&example(&definition_of(kind))).unwrap()[kind.header].take();
        let table = tables[0].take();
        let of = |table: &Value| json!({ kind.header: [table] });
        drafts.takes(&of(&table), kind.header);
        let mut more = table.clone();
        more["moed"] = json!("0644");
        drafts.refuses(&of(&more), kind.header);
        for required in kind.required {
            let mut less = table.clone();
            less.as_object_mut().unwrap().remove(*required);
            drafts.refuses(&of(&less), &format!("{} without {required}", kind.header));
        }
        drafts.refuses(&json!({ kind.header: table }), &format!("[{}]", kind.header));
    }
}

#[test]
fn each_of_these_mistakes_is_refused_by_itself() {
    let drafts = Drafts::checked_in();
    let file = "[[file]]\npath = \"/a\"\ncontent = \"a\"\n";
    let container = "[[container]]\nid = 201\nhostname = \"a\"\n";
    drafts.takes(&read(file).unwrap(), "a file");
    drafts.takes(&read(container).unwrap(), "a container");
    for (table, wrong) in [
        (file, "mode = 644"),
        (file, "mode = \"0999\""),
        (file, "owner = true"),
        (file, "owner = \"Lilly\""),
        (file, "once = \"yes\""),
        (file, "sha256 = \"abc\""),
        (file, "when = 1"),
        (file, "state = \"gone\""),
        (file, "timeout = \"10x\""),
        (file, "retries = 101"),
        (file, "for-each = { a = [1], b = [2] }"),
        (file, "for-each = [1]"),
        (file, "for-each = { A = [1] }"),
        (file, "validate = \"visudo\""),
        (container, "cores = 0"),
        (container, "memory = \"4 gigabytes\""),
        (container, "network = { bridge = \"vmbr1\" }"),
        (container, "network = [{ address = \"dhcp\" }]"),
        (container, "network = [{ bridge = \"vmbr1\", address = \"10.0.0.1\" }]"),
        (container, "network = [{ bridge = \"vmbr1\", mac = \"aa:bb\" }]"),
        (container, "features = { nestign = true }"),
        (container, "mounts = [{ source = \"srv\", target = \"/srv\" }]"),
        (container, "tags = \"a\""),
        ("", "name = \"Bad Name\""),
        ("", "phases = [\"a\", \"a\"]"),
        ("", "needs = [\"A\"]"),
        ("", "[vars]\nA = 1"),
        ("", "[secrets]\na = { generate = 7 }"),
        ("", "[secrets]\na = { env = \"A\", file = \"/a\" }"),
        ("", "[[fil]]\npath = \"/a\""),
        ("", "[[package]]\nname = []"),
        ("", "[[include]]\nlane = \"A\""),
        ("", "[[include]]\nrecipe = \"a.toml\"\nin = 7"),
        ("", "[[test]]\nname = \"a\"\nhttp = { url = \"http://a\", status = \"ok\" }"),
    ] {
        drafts.refuses(&read(&format!("{table}{wrong}")).unwrap(), wrong);
    }
}

/// Whatever the code takes, the schema takes: on words and numbers that some type takes and others don't.
#[test]
fn no_pattern_and_no_limit_refuses_what_the_code_takes() {
    let hex = "0123456789abcdef".repeat(4);
    let words = [
        "",
        "0",
        "1",
        "7",
        "100",
        "+201",
        "644",
        "0644",
        "4094",
        "8192",
        "65535",
        "4294967295",
        "-1",
        " 1",
        "4GiB",
        "4 GiB",
        "0B",
        "10m",
        "500ms",
        "1d",
        "/",
        "/srv/a b",
        "/./a",
        "a",
        "_a-1",
        "Ab",
        "a.b",
        "A-b.example.org",
        "a/b",
        "a:b",
        "lilly",
        "10.0.0.1/24",
        "fd00::5/64",
        "dhcp",
        "10.0.0.1",
        "fd00::5",
        "::1",
        "::ffff:10.0.0.1",
        "bc:24:11:00:02:01",
        "BC:24:11:00:02:01",
        "nginx.service",
        "a@b.timer",
        "a@.service",
        "-.mount",
        "srv-a.mount",
        "latest",
        "^2.1",
        "22.*",
        "git",
        "libc6:i386",
        "@scope/name",
        "https://example.org/a.git",
        "git@host:a/b",
        "rw,sync",
        "*.example.org",
        "ssh-ed25519 AAAA",
        "main",
        hex.as_str(),
    ];
    let mut taken = 0;
    for of in SCALARS {
        let drafts = Drafts::of(&scalar(of.name));
        for word in words.iter().filter(|word| (of.text)(word)) {
            drafts.takes(&json!(word), &format!("{} {word:?}", of.name));
            taken += 1;
        }
        for number in [0, 1, 99, 100, 201, 576, 644, 4094, 8192, 65535, 999_999_999, 4_294_967_294, i64::MAX] {
            if (of.number)(number) {
                drafts.takes(&json!(number), &format!("{} {number}", of.name));
                taken += 1;
            }
        }
        drafts.takes(&json!("{{ a }}"), of.name);
        drafts.takes(&json!("x{{ a }}y"), of.name);
        drafts.refuses(&json!(true), of.name);
        drafts.refuses(&json!(["a"]), of.name);
    }
    assert!(taken > 300, "only {taken} words were looked at");
}
