//! Writes docs/recipes.md: the chapters of docs/recipes.in.md, and a section a kind from the doc comments of its struct.
//!
//! A struct's comment is the section: its first paragraph comes before the table, the rest after it. A field's comment is
//! its row; `Default: …` at its beginning goes to a column of its own. What a field takes is said by its type's `EXPECTED`.
use provision::field::{
    AbsPath, AccountNumber, Address, Cidr, ClientHost, ContainerId, ContainerName, Cores, ExportOptions, Field, GitRef,
    GitUrl, HostName, InterfaceName, IpAddress, Mac, Mode, Mtu, NpmName, NpmVersion, PackageName, Period, Principal,
    Size, SparseDirectory, SshKey, Tag, Text, UnitName, UserName, VersionGlob, Vlan,
};
use provision::resource::{KINDS, Kind};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A struct as the source has it: its doc comment and its fields.
pub struct Definition {
    pub doc: Vec<String>,
    pub fields: Vec<Row>,
}

/// A field of a struct.
pub struct Row {
    pub key: String,
    /// As the source has it: `Option<Names<AbsPath>>`.
    pub takes: String,
    /// The default that it documents, or that its type has.
    pub default: Option<String>,
    pub meaning: String,
    pub required: bool,
}

/// Returns the whole document.
pub fn document() -> String {
    let chapters = text("docs/recipes.in.md");
    let note = "<!-- Written from docs/recipes.in.md and the doc comments in src/resource by `just docs`. -->";
    let sections: Vec<String> = KINDS.iter().map(section).collect();
    format!("{note}\n\n{}\n\n{}", chapters.trim_end(), sections.join("\n"))
}

/// Returns the struct of a kind.
pub fn definition_of(kind: &Kind) -> Definition {
    let name: String = kind.header.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
    let found = sources(kind.header).iter().find_map(|source| definition(source, &name));
    found.unwrap_or_else(|| panic!("src/resource has no struct {name} for [[{}]]", kind.header))
}

/// Returns the example of a kind: a recipe without its name.
pub fn example(definition: &Definition) -> String {
    let fenced = definition.doc.iter().skip_while(|line| *line != "```toml").skip(1);
    fenced.take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect()
}

fn section(kind: &Kind) -> String {
    let definition = definition_of(kind);
    let prose: Vec<&str> = definition.doc.iter().map(String::as_str).take_while(|line| *line != "```toml").collect();
    let prose = prose.join("\n");
    let (intro, rest) = prose.trim().split_once("\n\n").unwrap_or((prose.trim(), ""));
    let mut section = format!("### {}\n\n{intro}\n\n", kind.header);
    table(&definition, kind.secrets, &mut section);
    tables_within(kind.header, &definition, &mut section);
    if !rest.is_empty() {
        let _ = write!(section, "{}\n\n", rest.trim());
    }
    let _ = write!(section, "```toml\n{}```\n", example(&definition));
    section
}

fn table(definition: &Definition, secrets: &[&str], to: &mut String) {
    to.push_str("| field | takes | default | |\n|---|---|---|---|\n");
    for row in &definition.fields {
        let key = if row.required { format!("**`{}`**", row.key) } else { format!("`{}`", row.key) };
        let secret = if secrets.contains(&row.key.as_str()) { " May hold a secret." } else { "" };
        let default = row.default.as_deref().unwrap_or_default();
        let cells = [key, takes(&row.takes), default.to_owned(), format!("{}{secret}", row.meaning)];
        let _ = writeln!(to, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    to.push('\n');
}

/// Adds a table for each field that takes tables.
fn tables_within(header: &str, definition: &Definition, to: &mut String) {
    for row in &definition.fields {
        if let Some(within) = within(header, row) {
            let _ = write!(to, "In `{}`:\n\n", row.key);
            table(&within, &[], to);
        }
    }
}

/// Returns the struct of the tables that a field of a kind takes.
pub fn within(header: &str, row: &Row) -> Option<Definition> {
    let name = match innermost(&row.takes) {
        "Template" => "Download",
        "Probe" => "Http",
        name => name,
    };
    sources(header).iter().find_map(|source| definition(source, name))
}

/// A type of field that is read from text or a number.
pub struct ScalarType {
    /// As the source has it.
    pub name: &'static str,
    /// What it takes, in the words of its own errors.
    pub expected: &'static str,
    /// Returns whether it takes this text.
    pub text: fn(&str) -> bool,
    /// Returns whether it takes this number.
    pub number: fn(i64) -> bool,
}

macro_rules! scalars {
    ($($field:ident),+ $(,)?) => { &[$(ScalarType {
        name: stringify!($field),
        expected: <$field as Field>::EXPECTED,
        text: |text| <$field as Field>::from_text(text).is_ok(),
        number: |number| <$field as Field>::from_number(number).is_ok(),
    }),+] };
}

/// Every such type.
pub const SCALARS: &[ScalarType] = scalars!(
    AbsPath,
    AccountNumber,
    Address,
    Cidr,
    ClientHost,
    ContainerId,
    ContainerName,
    Cores,
    ExportOptions,
    GitRef,
    GitUrl,
    HostName,
    InterfaceName,
    IpAddress,
    Mac,
    Mode,
    Mtu,
    NpmName,
    NpmVersion,
    PackageName,
    Period,
    Principal,
    Size,
    SparseDirectory,
    SshKey,
    Tag,
    Text,
    UnitName,
    UserName,
    VersionGlob,
    Vlan,
);

/// Says what a type takes, in the words of its own errors.
fn takes(of: &str) -> String {
    const OTHERS: &[(&str, &str)] = &[
        ("bool", "true or false"),
        ("u16", "a whole number"),
        ("u32", "a whole number"),
        ("Digest<256>", "64 hex digits"),
        ("Digest<512>", "128 hex digits"),
        ("Template", "a string or a table"),
        ("Probe", "a list of strings or a table"),
        ("BTreeMap<String, Text>", "a table of strings"),
        ("Vec<Text>", "a list of strings"),
        ("Features", "a table"),
        ("Startup", "a table"),
        ("Http", "a table"),
        ("Vec<Network>", "a list of tables"),
        ("Vec<MountPoint>", "a list of tables"),
        ("Vec<Client>", "a list of tables"),
    ];
    let scalar = SCALARS.iter().find(|scalar| scalar.name == of).map(|scalar| scalar.expected);
    let other = || OTHERS.iter().find(|(known, _)| *known == of).map(|(_, said)| *said);
    let said = scalar.or_else(other).map(marked);
    match (said, generic(of)) {
        (Some(said), _) => said,
        (None, Some(("Option", inner))) => takes(inner),
        (None, Some(("Names", inner))) => format!("{}, or a list", takes(inner)),
        (None, Some(("Vec", inner))) => format!("a list, each {}", takes(inner)),
        _ => panic!("what does a field of type {of} take? tests/support/reference.rs does not know"),
    }
}

/// Marks what is quoted as code.
fn marked(words: &str) -> String {
    let parts = words.split('"').enumerate();
    parts.map(|(number, part)| if number % 2 == 1 { format!("`\"{part}\"`") } else { part.to_owned() }).collect()
}

/// Returns what is generic, and of what.
pub fn generic(of: &str) -> Option<(&str, &str)> {
    of.strip_suffix('>')?.split_once('<')
}

fn innermost(of: &str) -> &str {
    generic(of).map_or(of, |(_, inner)| innermost(inner))
}

/// Reads a struct out of a source; rustfmt has put every attribute and field on lines of their own.
fn definition(source: &str, name: &str) -> Option<Definition> {
    let lines: Vec<&str> = source.lines().collect();
    let opening = format!("struct {name} {{");
    let at = lines.iter().position(|line| line.ends_with(&opening) && !line.starts_with(' '))?;
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut doc: Vec<String> = above.filter_map(|line| comment(line)).collect();
    doc.reverse();
    let mut fields = Vec::new();
    let (mut words, mut attributes) = (Vec::new(), String::new());
    for line in lines[at + 1..].iter().take_while(|line| **line != "}").map(|line| line.trim()) {
        if let Some(comment) = comment(line) {
            words.push(comment);
        } else if line.starts_with("#[") {
            attributes.push_str(line);
        } else if let Some((before, takes)) = line.strip_suffix(',').and_then(|line| line.split_once(": ")) {
            let identifier = before.rsplit(' ').next().unwrap_or(before);
            fields.push(row(identifier, takes, &attributes, &words.join(" ")));
            words.clear();
            attributes.clear();
        }
    }
    Some(Definition { doc, fields })
}

fn comment(line: &str) -> Option<String> {
    line.strip_prefix("///").map(|text| text.strip_prefix(' ').unwrap_or(text).to_owned())
}

fn row(identifier: &str, takes: &str, attributes: &str, comment: &str) -> Row {
    let renamed = attributes.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
    let key = renamed.map_or_else(|| identifier.replace('_', "-"), str::to_owned);
    assert!(!comment.is_empty(), "`{key}: {takes}` has no doc comment: say what it does");
    let documented = comment.strip_prefix("Default: ").and_then(|rest| rest.split_once(". ").or(rest.split_once('.')));
    let is_bool = takes == "bool" && attributes.contains("serde(default)");
    assert!(
        documented.is_some() || !attributes.contains("default = "),
        "the comment of `{key}: {takes}` begins with no `Default: …. `"
    );
    let required = !attributes.contains("default") && !takes.starts_with("Option<");
    let (default, meaning) = match documented {
        Some((default, meaning)) => (Some(default.to_owned()), meaning),
        None => (is_bool.then(|| "`false`".to_owned()), comment),
    };
    Row { key, takes: takes.to_owned(), default, meaning: meaning.to_owned(), required }
}

/// Returns the sources in which the structs of a kind are.
fn sources(header: &str) -> Vec<String> {
    let directory = root().join("src/resource");
    let name = header.replace('-', "_");
    let mut files = vec![directory.join(format!("{name}.rs")), directory.join("probe.rs")];
    let below = std::fs::read_dir(directory.join(&name)).into_iter().flatten().flatten();
    files.extend(below.map(|entry| entry.path()));
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a source")).collect()
}

/// Returns a file of the checkout.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
