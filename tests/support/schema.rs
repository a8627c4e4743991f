//! Writes recipes/recipe.schema.json: what editors know of the recipe language, from the same source as docs/recipes.md.
//!
//! It is of draft 7 and means the same under draft 4. What only the whole recipe tells (names, ids, what goes with what) is
//! left to `provision validate`.
use super::reference::{Definition, Row, SCALARS, definition_of, generic, text, within};
use provision::recipe::{COMMON, INCLUDE, KEYS};
use provision::resource::{KINDS, Kind};
use serde_json::{Map, Value, json};

/// Where it is checked in.
pub const SCHEMA: &str = "recipes/recipe.schema.json";
/// What begins an expression may become anything.
const EXPRESSION: &str = r"\{\{";
const VARIABLE: &str = "^[a-z][a-z0-9_]*$";

/// What text must look like, where a pattern can say so. It never refuses what the type takes.
const PATTERNS: &[(&str, &str)] = &[
    ("AbsPath", "^/"),
    ("AccountNumber", "^\\+?[0-9]+$"),
    ("Address", "^dhcp$|/[0-9]+$"),
    ("Cidr", "/[0-9]+$"),
    ("ContainerId", "^\\+?[0-9]+$"),
    ("Cores", "^\\+?[0-9]+$"),
    ("HostName", "^[A-Za-z0-9.-]+$"),
    ("IpAddress", "^[0-9A-Fa-f:.]+$"),
    ("Mac", "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"),
    ("Mode", "^[0-7]{3,4}$"),
    ("Mtu", "^\\+?[0-9]+$"),
    ("Period", "^[0-9]+(ms|s|m|h|d)?$"),
    ("Principal", "^\\+?[0-9]+$|^[a-z_][a-z0-9_-]*$"),
    ("Size", "^[0-9]+\\s*(B|KiB|MiB|GiB|TiB)?$"),
    ("UnitName", "\\.[a-z]+$"),
    ("UserName", "^[a-z_][a-z0-9_-]*$"),
    ("Vlan", "^\\+?[0-9]+$"),
];

/// The least and the most of a number.
const LIMITS: &[(&str, i64, i64)] = &[
    ("AccountNumber", 0, 4_294_967_294),
    ("ContainerId", 100, 999_999_999),
    ("Cores", 1, 8192),
    ("Mtu", 576, 65535),
    ("Principal", 0, 4_294_967_295),
    ("Size", 0, i64::MAX),
    ("Period", 0, i64::MAX),
    ("Vlan", 1, 4094),
];

/// Returns the whole schema.
pub fn schema() -> String {
    let mut properties = file();
    let mut definitions = Map::new();
    definitions.insert("expression".into(), json!({ "type": "string", "pattern": EXPRESSION }));
    let described = described("### Keys that every resource has", 2);
    for key in COMMON {
        definitions.insert(format!("common-{key}"), with(common(key), &described(key)));
    }
    definitions.insert("include".into(), include());
    for kind in KINDS {
        definitions.insert(kind.header.into(), resource(kind));
    }
    for header in KINDS.iter().map(|kind| kind.header).chain(["include"]) {
        let table = format!("#/definitions/{header}");
        properties.insert(header.into(), json!({ "type": "array", "items": { "$ref": table } }));
    }
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A recipe of provision",
        "description": "Written from the code by `just docs`; docs/recipes.md says the same for people.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": definitions,
    });
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

/// Returns the keys of a file.
fn file() -> Map<String, Value> {
    let described = described("### A file", 2);
    let of = |key: &str| match key {
        "name" => json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$" }),
        "title" => json!({ "type": "string" }),
        "phases" => json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true }),
        "phase" => scalar("Text"),
        "needs" => json!({ "type": "array", "items": { "type": "string", "pattern": VARIABLE }, "uniqueItems": true }),
        "vars" => json!({ "type": "object", "patternProperties": { VARIABLE: {} }, "additionalProperties": false }),
        "secrets" => {
            json!({ "type": "object", "patternProperties": { VARIABLE: secret() }, "additionalProperties": false })
        }
        _ => panic!("what does `{key}` of a file take?"),
    };
    KEYS.iter().map(|key| ((*key).to_owned(), with(of(key), &described(key)))).collect()
}

fn secret() -> Value {
    let only = |key: &str, value: Value| json!({ "type": "object", "properties": { key: value }, "required": [key], "additionalProperties": false });
    json!({ "oneOf": [
        only("env", json!({ "type": "string", "minLength": 1 })),
        only("file", json!({ "type": "string", "pattern": "^/" })),
        only("generate", json!({ "type": "integer", "minimum": 8, "maximum": 1024 })),
    ] })
}

/// Returns a key that every resource has, or one of an include.
fn common(key: &str) -> Value {
    match key {
        "phase" | "gate" | "lane" | "recipe" => scalar("Text"),
        "when" => or_expression(&json!({ "type": "boolean" })),
        "for-each" => json!({
            "type": "object",
            "patternProperties": { VARIABLE: or_expression(&json!({ "type": "array" })) },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        }),
        "state" => or_expression(&json!({ "enum": ["present", "absent"] })),
        "timeout" => scalar("Period"),
        "retries" => {
            json!({ "type": ["string", "integer"], "pattern": pattern("^[0-9]+$"), "minimum": 0, "maximum": 100 })
        }
        "in" => scalar("ContainerId"),
        "vars" => or_expression(&json!({ "type": "object" })),
        _ => panic!("what does `{key}` take?"),
    }
}

fn include() -> Value {
    let described = described("### Include", 1);
    let of = |key: &str| if COMMON.contains(&key) { shared(key) } else { with(common(key), &described(key)) };
    let properties: Map<String, Value> = INCLUDE.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    object(&properties, &["recipe".to_owned()])
}

/// Returns a key that every resource has, written once.
fn shared(key: &str) -> Value {
    json!({ "$ref": format!("#/definitions/common-{key}") })
}

fn resource(kind: &Kind) -> Value {
    let definition = definition_of(kind);
    let mut table = table(kind.header, &definition);
    let properties = table["properties"].as_object_mut().unwrap();
    for key in COMMON {
        properties.insert(key.to_owned(), shared(key));
    }
    let intro: Vec<&str> = definition.doc.iter().map(String::as_str).take_while(|line| !line.is_empty()).collect();
    with(table, &intro.join(" "))
}

fn table(header: &str, definition: &Definition) -> Value {
    let properties = definition.fields.iter().map(|row| {
        let default = row.default.as_deref();
        let said = default.map(|default| format!("Default: {default}.")).into_iter().chain([row.meaning.clone()]);
        let said: Vec<String> = said.filter(|sentence| !sentence.is_empty()).collect();
        let mut value = with(value(header, row, &row.takes), &said.join(" "));
        if let Some(default) = default.and_then(literal) {
            value["default"] = default;
        }
        (row.key.clone(), value)
    });
    let required = definition.fields.iter().filter(|row| row.required).map(|row| row.key.clone());
    object(&properties.collect(), &required.collect::<Vec<_>>())
}

/// Returns what a field of that type takes.
fn value(header: &str, row: &Row, of: &str) -> Value {
    let table = || table(header, &within(header, row).unwrap_or_else(|| panic!("no struct for {of}")));
    match (of, generic(of)) {
        ("bool", _) => or_expression(&json!({ "type": "boolean" })),
        ("u16" | "u32", _) => or_expression(
            &json!({ "type": "integer", "minimum": 0, "maximum": if of == "u16" { 65535 } else { u32::MAX } }),
        ),
        ("Digest<256>", _) => json!({ "type": "string", "pattern": pattern("^[0-9A-Fa-f]{64}$") }),
        ("Digest<512>", _) => json!({ "type": "string", "pattern": pattern("^[0-9A-Fa-f]{128}$") }),
        ("Template", _) => json!({ "anyOf": [scalar("Text"), table()] }),
        ("Probe", _) => or_expression(&json!({ "anyOf": [list(&scalar("Text")), table()] })),
        ("BTreeMap<String, Text>", _) => {
            or_expression(&json!({ "type": "object", "additionalProperties": scalar("Text") }))
        }
        (_, Some(("Option", inner))) => value(header, row, inner),
        (_, Some(("Names", inner))) => {
            let mut names = list(&scalar(inner));
            names["minItems"] = json!(1);
            json!({ "anyOf": [scalar(inner), names] })
        }
        (_, Some(("Vec", inner))) => or_expression(&list(&value(header, row, inner))),
        _ if SCALARS.iter().any(|scalar| scalar.name == of) => scalar(of),
        _ => or_expression(&table()),
    }
}

/// Returns what a type that is read from text or a number takes, or an expression.
pub fn scalar(of: &str) -> Value {
    let known = SCALARS.iter().find(|scalar| scalar.name == of).unwrap_or_else(|| panic!("{of} is no scalar"));
    let takes_numbers = [0, 1, 100, 1000].into_iter().any(known.number);
    let mut scalar = json!({ "type": if takes_numbers { json!(["string", "integer"]) } else { json!("string") } });
    if let Some((_, wanted)) = PATTERNS.iter().find(|(name, _)| *name == of) {
        scalar["pattern"] = json!(pattern(wanted));
    }
    if let Some((_, least, most)) = LIMITS.iter().find(|(name, ..)| *name == of) {
        scalar["minimum"] = json!(least);
        if *most < i64::MAX {
            scalar["maximum"] = json!(most);
        }
    }
    scalar
}

/// Returns a pattern that an expression fits as well.
fn pattern(wanted: &str) -> String {
    format!("{wanted}|{EXPRESSION}")
}

fn or_expression(value: &Value) -> Value {
    json!({ "anyOf": [value, { "$ref": "#/definitions/expression" }] })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn object(properties: &Map<String, Value>, required: &[String]) -> Value {
    let mut object = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    // Draft 4 knows no empty list here.
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn with(mut value: Value, description: &str) -> Value {
    value["description"] = json!(description);
    value
}

/// Returns a default that is a value of TOML.
fn literal(default: &str) -> Option<Value> {
    let literal = default.strip_prefix('`')?.strip_suffix('`')?;
    let table: toml::Table = toml::from_str(&format!("a = {literal}")).ok()?;
    serde_json::to_value(&table["a"]).ok()
}

/// Returns what a table of docs/recipes.in.md says of each key, in that column, first of all under this heading.
fn described(heading: &str, column: usize) -> impl Fn(&str) -> String {
    let chapters = text("docs/recipes.in.md");
    let (_, chapter) = chapters.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let (chapter, _) = chapter.split_once("\n### ").unwrap_or((chapter, ""));
    let rows = chapter.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let rows: Vec<(String, String)> = rows
        .map(|row| {
            let row = row.replace(" | | ", " |  | ");
            let cells: Vec<&str> = row.split(" | ").collect();
            (cells[0].to_owned(), cells[column..].join(" | "))
        })
        .collect();
    let heading = heading.to_owned();
    move |key| {
        let row = rows.iter().find(|(keys, _)| keys.split(", ").any(|named| named.trim_matches('`') == key));
        row.map_or_else(|| panic!("docs/recipes.in.md says nothing of `{key}` in {heading}"), |(_, said)| said.clone())
    }
}
