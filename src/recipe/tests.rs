//! The language as a whole, on kinds of its own that are small.
use super::value::Value;
use super::{HostFacts, Mistakes, Options, Recipe, SecretsMode, Stage, evaluate, load};
use crate::error::Result;
use crate::field::{AbsPath, ContainerId, Mode, Names, Text, UserName};
use crate::resource::{Ask, Kind, Mistake, Plan, Resource, Want};
use crate::system::System;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

macro_rules! kinds {
    ($($kind:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? } names($this:ident) $names:expr; mistakes $mistakes:expr;)+) => { $(
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        #[allow(dead_code, reason = "these are read, and nothing is done with most of them")]
        struct $kind { $($(#[$attribute])* $field: $type),* }
        impl Resource for $kind {
            fn names(&self) -> Vec<String> {
                let $this = self;
                $names
            }
            fn check<'a>(&'a self, _: &Ask<'_>, _: &dyn System) -> Result<Plan<'a>> {
                Ok(Plan::in_sync())
            }
            fn mistakes(&self) -> Vec<Mistake> {
                let check: fn(&Self) -> Vec<Mistake> = $mistakes;
                check(self)
            }
        }
    )+ };
}

kinds! {
    Paper {
        path: AbsPath,
        content: Option<Text>,
        source: Option<Text>,
        #[serde(default)]
        template: bool,
        mode: Option<Mode>,
        owner: Option<UserName>,
    } names(this) vec![this.path.0.clone()]; mistakes |this| {
        let both = this.content.is_some() && this.source.is_some();
        both.then(|| Mistake::at("source", "`content` and `source` exclude each other")).into_iter().collect()
    };
    Bag { name: Names<Text>, version: Option<Text> } names(this) this.name.0.iter().map(|name| name.0.clone()).collect(); mistakes |_| Vec::new();
    Order {
        name: Text,
        argv: Vec<Text>,
        env: Option<BTreeMap<String, Text>>,
        creates: Option<AbsPath>,
        user: Option<UserName>,
        count: Option<u32>,
    } names(this) vec![this.name.0.clone()]; mistakes |this| {
        this.creates.is_none().then(|| Mistake::new("a command without a guard")).into_iter().collect()
    };
    Gate { name: Text } names(this) vec![this.name.0.clone()]; mistakes |_| Vec::new();
    Box_ { id: ContainerId, hostname: Text, network: Option<Vec<Card>>, mounts: Option<Vec<Mount>> } names(this) vec![this.id.to_string()]; mistakes |_| Vec::new();
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "these are read, and nothing is done with them")]
struct Card {
    address: Text,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "these are read, and nothing is done with them")]
struct Mount {
    source: AbsPath,
    target: AbsPath,
    read_only: Option<bool>,
}

const KINDS: &[Kind] = &[
    Kind::of::<Paper>("file", "path").required(&["path"]).secrets(&["content"]),
    Kind::of::<Bag>("package", "name").required(&["name"]),
    Kind::of::<Order>("command", "name").required(&["name", "argv"]).secrets(&["env"]),
    Kind::of::<Gate>("gate", "name").required(&["name"]),
    Kind::of::<Box_>("container", "id").required(&["id", "hostname"]),
];

/// Files of a recipe, the first of which is its root; what is not said is at rest.
struct Case {
    files: BTreeMap<String, Vec<u8>>,
    vars: Vec<(String, String)>,
    env: BTreeMap<String, String>,
    secrets: SecretsMode,
    state: PathBuf,
}

impl Case {
    fn new(root: &str) -> Self {
        let files = BTreeMap::from([("web.toml".to_owned(), format!("name = \"web\"\n{root}").into_bytes())]);
        let (vars, env) = (Vec::new(), BTreeMap::new());
        Self { files, vars, env, secrets: SecretsMode::AtHand, state: PathBuf::from("/nowhere") }
    }

    fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.insert(path.to_owned(), content.as_ref().to_vec());
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<Recipe, Mistakes> {
        let env = |name: &str| self.env.get(name).cloned();
        let facts = HostFacts { hostname: "pve".into(), cores: 8, driver: "lxc".into(), ..HostFacts::default() };
        let options = Options {
            vars: self.vars.clone(),
            facts,
            env: &env,
            secrets: self.secrets,
            state_dir: self.state.clone(),
            key: "key".to_owned(),
        };
        load::load(Path::new("recipes/web.toml"), &self.files, &options, KINDS)
    }

    /// Loads what is right and shows it, a line an item, indented in lanes.
    #[track_caller]
    fn shown(&self) -> String {
        let recipe = self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let mut shown = String::new();
        let mut line = |indent: &str, item: &crate::item::Item| {
            for id in item.ids() {
                shown.extend([indent, &id.to_string(), "\n"]);
            }
        };
        for stage in &recipe.stages {
            match stage {
                Stage::Plain(items) => items.iter().for_each(|item| line("", item)),
                Stage::Lanes(lanes) => {
                    for lane in lanes {
                        for item in &lane.items {
                            line(&format!("{}: ", lane.name), item);
                        }
                    }
                }
            }
        }
        shown
    }

    /// Loads what is wrong and returns the report.
    #[track_caller]
    fn report(&self) -> String {
        match self.load() {
            Ok(recipe) => panic!("no mistake was found: {recipe:?}"),
            Err(mistakes) => mistakes.to_string(),
        }
    }

    /// Loads what is wrong and returns the titles, a line each.
    #[track_caller]
    fn titles(&self) -> Vec<String> {
        match self.load() {
            Ok(recipe) => panic!("no mistake was found: {recipe:?}"),
            Err(mistakes) => mistakes.0.into_iter().map(|mistake| mistake.title).collect(),
        }
    }

    /// Loads what is right and returns its only item.
    #[track_caller]
    fn item(&self) -> crate::item::JobItem {
        let recipe = self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
        match recipe.stages.into_iter().next() {
            Some(Stage::Plain(mut items)) => items.remove(0).job,
            other => panic!("not a plain stage: {other:?}"),
        }
    }
}

#[test]
fn a_mistake_looks_as_it_does_in_the_design() {
    let report = Case::new("\n\n\n\n[[file]]\nmoed = \"0644\"\npath = \"/a\"\n").report();
    let expected = "\
error: unknown key `moed` in [[file]]
  ┌─ recipes/web.toml:7:1
7 │ moed = \"0644\"
  │ ^^^^ did you mean `mode`?
";
    assert_eq!(report, expected);
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let mistakes = Case::new("[[file]]\nmoed = 1\npath = \"x\"\n[[fil]]\n").load().unwrap_err();
    let colored = mistakes.render(true);
    assert!(colored.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, mistakes.render(false));
}

#[test]
fn resources_stand_in_the_order_written_whatever_their_kind() {
    let root = "[[package]]\nname = [\"b\", \"a\"]\n[[file]]\npath = \"/z\"\n[[package]]\nname = \"c\"\n[[file]]\npath = \"/y\"\n";
    let expected = "host/package:b\nhost/package:a\nhost/file:/z\nhost/package:c\nhost/file:/y\n";
    assert_eq!(Case::new(root).shown(), expected);
}

#[test]
fn includes_with_lanes_are_stages_and_the_same_lanes_go_on() {
    let root = r#"
[vars]
members = [{ id = 201, role = "lilly" }, { id = 202, role = "mike" }]
[[package]]
name = "first"
[[include]]
for-each = { member = "{{ members }}" }
lane = "CT{{ member.id }}"
recipe = "parts/member.toml"
vars = { id = "{{ member.id }}", role = "{{ member.role }}" }
[[include]]
for-each = { member = "{{ members }}" }
lane = "CT{{ member.id }}"
in = "{{ member.id }}"
recipe = "parts/after.toml"
[[package]]
name = "last"
"#;
    let member = r#"
needs = ["id", "role"]
[[container]]
id = "{{ id }}"
hostname = "{{ role }}"
network = [{ address = "10.0.100.{{ id }}/24" }]
[[include]]
in = "{{ id }}"
recipe = "inside.toml"
"#;
    let inside = "[[file]]\npath = \"/{{ target.id }}-{{ target.hostname }}-{{ target.address }}\"\n";
    let after = "[[file]]\npath = \"/after-{{ target.hostname }}\"\n";
    let case = Case::new(root)
        .file("parts/member.toml", member)
        .file("parts/inside.toml", inside)
        .file("parts/after.toml", after);
    let expected = "\
host/package:first
CT201: host/container:201
CT201: 201/file:/201-lilly-10.0.100.201
CT202: host/container:202
CT202: 202/file:/202-mike-10.0.100.202
CT201: 201/file:/after-lilly
CT202: 202/file:/after-mike
host/package:last
";
    assert_eq!(case.shown(), expected);
    let recipe = case.load().unwrap();
    let shape: Vec<&str> =
        recipe.stages.iter().map(|stage| if matches!(stage, Stage::Plain(_)) { "plain" } else { "lanes" }).collect();
    assert_eq!(shape, ["plain", "lanes", "lanes", "plain"]);
}

#[test]
fn a_mistake_in_a_file_that_is_included_twice_is_reported_once() {
    let root = r#"
[[include]]
for-each = { role = ["lilly smith", "mike smith"] }
lane = "{{ role }}"
recipe = "member.toml"
vars = { role = "{{ role }}" }
"#;
    let member = "needs = [\"role\"]\n[[file]]\npath = \"/a/{{ role }}\"\nowner = \"{{ role }}\"\nmode = \"0999\"\n";
    let report = Case::new(root).file("member.toml", member).report();
    let expected = "\
error: wrong value for `owner` in [[file]]
  ┌─ recipes/member.toml:4:9
4 │ owner = \"{{ role }}\"
  │         ^^^^^^^^^^^^ `lilly smith` is not a user or group name: lower-case letters, digits, `_` and `-`, at most 32, no digit first

error: wrong value for `mode` in [[file]]
  ┌─ recipes/member.toml:5:8
5 │ mode = \"0999\"
  │        ^^^^^^ `0999` is not a mode: expected three or four octal digits, such as \"0644\"
";
    assert_eq!(report, expected);
}

#[test]
fn every_mistake_of_a_table_is_found_whatever_stops_the_parser_first() {
    let root = r#"
[[command]]
argv = "ls"
env = { A = 1, B = [], C = true }
count = -1
user = "Root"
timeuot = "5m"
retries = "many"
state = "gone"
"#;
    let titles = Case::new(root).titles();
    let expected = [
        "missing key `name` in [[command]]",
        "a command without a guard",
        "wrong type for `argv` in [[command]]",
        "wrong type for `B` in `env` of [[command]]",
        "wrong type for `C` in `env` of [[command]]",
        "value out of range for `count` in [[command]]",
        "wrong value for `user` in [[command]]",
        "unknown key `timeuot` in [[command]]",
        "wrong value for `retries` in [[command]]",
        "wrong value for `state` in [[command]]",
    ];
    assert_eq!(titles, expected);
}

#[test]
fn what_a_nested_table_misses_is_found_beside_what_is_wrong_in_it() {
    let root = r#"
[[container]]
id = 99
hostname = "a"
mounts = [{ source = "here", reda-only = true }, { target = "/b" }]
"#;
    let titles = Case::new(root).titles();
    let expected = [
        "wrong value for `id` in [[container]]",
        "missing key `target` in `mounts` of [[container]]",
        "wrong value for `source` in `mounts` of [[container]]",
        "unknown key `reda-only` in `mounts` of [[container]]",
        "missing key `source` in `mounts` of [[container]]",
    ];
    assert_eq!(titles, expected);
}

#[test]
fn a_mistake_about_a_key_that_was_wrong_itself_is_not_made_up() {
    let titles = Case::new("[[file]]\npath = \"/a\"\ncontent = []\nsource = \"x\"\n").file("x", "").titles();
    assert_eq!(titles, ["wrong type for `content` in [[file]]"]);
}

#[test]
fn when_it_does_not_stand_nothing_else_is_evaluated() {
    let root = "[[file]]\nwhen = false\npath = \"{{ host.nothing }}\"\n[[file]]\nwhen = \"{{ host.cores > 7 }}\"\npath = \"/a\"\n";
    assert_eq!(Case::new(root).shown(), "host/file:/a\n");
    let root = "[[file]]\nfor-each = { n = [1, 2, 3] }\nwhen = \"{{ n != 2 }}\"\npath = \"/{{ n }}\"\n";
    assert_eq!(Case::new(root).shown(), "host/file:/1\nhost/file:/3\n");
}

#[test]
fn variables_are_evaluated_in_order_and_overridden_by_type() {
    let root = "[vars]\nn = 2\nnames = [\"a\"]\ndouble = \"{{ n * 2 }}\"\n[[package]]\nname = \"{{ names }}\"\nversion = \"{{ double }}\"\n";
    let item = Case::new(root).var("n", "21").var("names", "['x', 'y']").item();
    assert_eq!(item.fields.to_string(), r#"{"name":["x","y"],"version":42}"#);
    let titles = Case::new(root).var("n", "many").var("nmaes", "x").titles();
    assert_eq!(titles, ["`--var nmaes=x`: no variable `nmaes` in `recipes/web.toml`", "`--var n=many`: wrong type"]);
}

#[test]
fn the_same_resource_twice_is_one_at_its_first_place() {
    let root = "[[package]]\nname = [\"a\", \"b\"]\n[[file]]\npath = \"/x\"\n[[package]]\nname = [\"c\", \"b\"]\n[[package]]\nname = \"a\"\n";
    let expected = "host/package:a\nhost/package:b\nhost/file:/x\nhost/package:c\n";
    assert_eq!(Case::new(root).shown(), expected);
    let recipe = Case::new(root).load().unwrap();
    let [Stage::Plain(items)] = recipe.stages.as_slice() else { panic!("one plain stage") };
    assert_eq!(items[2].job.fields.to_string(), r#"{"name":["c"]}"#, "what crosses the pipe as well");
}

#[test]
fn lanes_share_nothing_with_each_other_and_all_with_what_is_in_none() {
    let part = "[[package]]\nname = \"curl\"\n";
    let include = |lane: &str| format!("[[include]]\nlane = \"{lane}\"\nrecipe = \"part.toml\"\n");
    let parent = Case::new(&format!("{part}{}", include("a"))).file("part.toml", part);
    assert_eq!(parent.shown(), "host/package:curl\n");
    let going_on = Case::new(&format!("{}{}", include("a"), include("a"))).file("part.toml", part);
    assert_eq!(going_on.shown(), "a: host/package:curl\n");
    let apart = Case::new(&format!("{}{}", include("a"), include("b"))).file("part.toml", part);
    assert_eq!(apart.titles(), ["`host/package:curl` is defined twice"]);
}

#[test]
fn a_secret_goes_where_it_may_and_is_marked() {
    let root = r#"
[secrets]
token = { env = "TOKEN" }
[vars]
header = "Bearer {{ token }}"
[[command]]
name = "a"
argv = ["true"]
creates = "/x"
env = { PLAIN = "1", HEADER = "{{ header }}" }
"#;
    let mut case = Case::new(root);
    let item = case.item();
    assert_eq!(item.secret.into_iter().collect::<Vec<_>>(), ["env.HEADER"]);
    assert_eq!(item.unknown.into_iter().collect::<Vec<_>>(), ["env.HEADER"], "a plan does without");
    case.secrets = SecretsMode::Required;
    let report = case.report();
    assert!(report.contains("the environment variable `TOKEN` is not set"), "{report}");
    case.env.insert("TOKEN".into(), "hunter2".into());
    let item = case.item();
    assert!(item.unknown.is_empty());
    assert_eq!(item.fields["env"]["HEADER"], "Bearer hunter2");
    assert_eq!(case.load().unwrap().secrets, ["hunter2"]);
}

#[test]
fn a_secret_that_no_resource_uses_need_not_be_at_hand() {
    let root = "[secrets]\ntoken = { env = \"TOKEN\" }\n[[include]]\nrecipe = \"part.toml\"\nvars = { token = \"{{ token }}\" }\n";
    let part = "needs = [\"token\"]\n[[file]]\nwhen = false\npath = \"/a\"\ncontent = \"{{ token }}\"\n[[package]]\nname = \"b\"\n";
    let mut case = Case::new(root).file("part.toml", part);
    case.secrets = SecretsMode::Required;
    assert_eq!(case.shown(), "host/package:b\n");
    let used = part.replace("when = false\n", "");
    let report = case.file("part.toml", used).report();
    assert!(report.contains("recipes/part.toml:4:11"), "{report}");
}

#[test]
fn a_report_never_shows_a_secret() {
    let root = r#"
[secrets]
token = { env = "TOKEN" }
[[command]]
name = "a"
argv = ["curl", "{{ token }}"]
creates = "/x"
user = "{{ token }}"
gate = "{{ token }}"
env = { A = "{{ token }}" }
[[file]]
when = "{{ token == 'hunter2' }}"
path = "/{{ token }}"
"#;
    let mut case = Case::new(root);
    case.env.insert("TOKEN".into(), "hunter3".into());
    let report = case.report();
    assert!(!report.contains("hunter3"), "{report}");
    let expected = [
        "a secret in `argv` of [[command]]",
        "a secret in `user` of [[command]]",
        "a secret in `gate` in [[command]]",
        "a secret in `when`",
        "a secret in `path` of [[file]]",
    ];
    assert_eq!(case.titles(), expected);
}

#[test]
fn a_generated_secret_is_unknown_until_an_apply_and_then_stays() {
    let state = tempfile::tempdir().unwrap();
    let root = "[secrets]\npassword = { generate = 32 }\n[[file]]\npath = \"/a\"\ncontent = \"{{ password }}\"\n";
    let mut case = Case::new(root);
    case.state = state.path().to_path_buf();
    assert_eq!(case.item().unknown.len(), 1);
    assert!(!state.path().join("secrets").exists(), "a plan generates nothing");
    case.secrets = SecretsMode::Required;
    let wrong = Case { files: case.files.clone(), state: case.state.clone(), ..Case::new("") };
    let wrong = wrong.file("web.toml", format!("name = \"web\"\n{root}[[file]]\n"));
    assert_eq!(wrong.titles(), ["missing key `path` in [[file]]"]);
    assert!(!state.path().join("secrets").exists(), "a recipe that is wrong generates nothing");
    let first = case.item();
    assert!(first.unknown.is_empty());
    assert_eq!(first.fields["content"].as_str().unwrap().len(), 32);
    case.secrets = SecretsMode::AtHand;
    assert_eq!(case.item().fields, first.fields);
}

#[test]
fn a_template_beside_the_recipe_is_rendered_and_keeps_its_secrets() {
    let root =
        "[secrets]\ntoken = { env = \"TOKEN\" }\n[[file]]\npath = \"/a\"\nsource = \"files/a\"\ntemplate = true\n";
    let mut case = Case::new(root).file("files/a", "cores {{ host.cores }}\ntoken {{ token }}\n");
    case.env.insert("TOKEN".into(), "t".into());
    let item = case.item();
    assert_eq!(String::from_utf8(item.source.unwrap()).unwrap(), "cores 8\ntoken t\n");
    assert!(item.secret.contains("source"));
    let plain = Case::new("[[file]]\npath = \"/a\"\nsource = \"a\"\n").file("a", b"\xff{{ .X }}");
    assert_eq!(plain.item().source.as_deref(), Some(&b"\xff{{ .X }}"[..]));
}

#[test]
fn a_mistake_in_a_template_is_shown_in_its_file() {
    let root = "[[file]]\npath = \"/a\"\nsource = \"files/a\"\ntemplate = true\n";
    let report = Case::new(root).file("files/a", "one\n  {{ hots.cores }} {{ .X }}\n").report();
    let expected = "\
error: unknown variable `hots`
  ┌─ recipes/files/a:2:6
2 │   {{ hots.cores }} {{ .X }}
  │      ^^^^ did you mean `host`?

error: `{{ .X }}` is not an expression
  ┌─ recipes/files/a:2:23
2 │   {{ hots.cores }} {{ .X }}
  │                       ^ expected a value
  = note: text with such braces of its own belongs in a file that `source` names
";
    assert_eq!(report, expected);
}

#[test]
fn the_digest_is_that_of_the_fields_without_the_name() {
    let digest = |root: &str| Case::new(root).item().digest;
    let first = digest("[[file]]\npath = \"/a\"\nmode = \"0644\"\ncontent = \"x\"\n");
    assert_eq!(digest("[[file]]\ncontent = \"x\"\nmode = \"0644\"\npath = \"/b\"\nphase = \"P\"\n"), first);
    assert_ne!(digest("[[file]]\npath = \"/a\"\nmode = \"0600\"\ncontent = \"x\"\n"), first);
    assert_ne!(digest("[[file]]\npath = \"/a\"\nmode = \"0644\"\ncontent = \"x\"\nstate = \"absent\"\n"), first);
}

#[test]
fn common_keys_are_taken_out_of_the_fields() {
    let root = "phases = [\"One\", \"Two\"]\nphase = \"One\"\n[[gate]]\nname = \"g\"\nstate = \"absent\"\ntimeout = \"5s\"\nretries = 3\n";
    let item = Case::new(root).item();
    assert_eq!(
        (item.phase.as_deref(), item.want, item.timeout.as_secs(), item.retries),
        (Some("One"), Want::Absent, 5, 3)
    );
    assert_eq!(item.fields.to_string(), r#"{"name":"g"}"#);
    assert_eq!(item.place, "recipes/web.toml:4");
}

#[test]
fn a_gate_must_be_there_and_come_first() {
    let waits = "[[file]]\npath = \"/a\"\ngate = \"login\"\n";
    let gate = "[[gate]]\nname = \"login\"\n";
    assert_eq!(Case::new(&format!("{gate}{waits}")).item().kind, "gate");
    assert_eq!(Case::new(&format!("{waits}{gate}")).titles(), ["gate `login` comes after what waits for it"]);
    assert_eq!(Case::new(waits).titles(), ["nobody defines the gate `login`"]);
    let inside = format!("{gate}[[include]]\nin = 201\nrecipe = \"part.toml\"\n");
    assert_eq!(Case::new(&inside).file("part.toml", waits).item().kind, "gate");
}

#[test]
fn an_address_that_comes_by_dhcp_cannot_be_used() {
    let root = "[[container]]\nid = 201\nhostname = \"a\"\nnetwork = [{ address = \"dhcp\" }]\n[[include]]\nin = 201\nrecipe = \"part.toml\"\n";
    let case = Case::new(root).file("part.toml", "[[file]]\npath = \"/{{ target.address }}\"\n");
    let report = case.report();
    assert!(report.contains("container 201 gets its address by DHCP"), "{report}");
    let other = case.file("part.toml", "[[file]]\npath = \"/{{ target.address | default('none') }}\"\n");
    assert!(other.shown().ends_with("201/file:/none\n"));
}

#[test]
fn expressions_have_the_values_that_the_language_gives_them() {
    let mut scope = evaluate::Scope::default();
    let json = r#"{ a = 1, name = "lilly", list = ["x", "y"], nested = [{ id = 201 }], flag = true }"#;
    let parsed = toml::de::DeValue::parse(json).unwrap();
    scope.set("v", Value::from_toml(parsed.get_ref(), super::Span::default()));
    for (text, expected) in [
        ("{{ 1 + 2 * 3 }}", "7"),
        ("{{ (1 + 2) * 3 }}", "9"),
        ("{{ 7 / 2 }}", "3"),
        ("{{ -7 % 3 }}", "2"),
        ("{{ 1 + 0.5 }}", "1.5"),
        ("{{ 10 - 2 - 3 }}", "5"),
        ("{{ v.a }}", "1"),
        ("{{ 1000 + v.nested[0].id }}", "1201"),
        ("{{ v['name'] }}", "\"lilly\""),
        ("x{{ v.a }}y{{ v.name }}", "\"x1ylilly\""),
        ("{{ v.a }} ", "\"1 \""),
        ("{{ v.list }}", "[\"x\",\"y\"]"),
        ("{{ v.list | join(', ') }}", "\"x, y\""),
        ("{{ v.nested | tojson }}", "\"[{\\\"id\\\":201}]\""),
        ("{{ v.none | default('d') }}", "\"d\""),
        ("{{ v.list[9] | default(v.a) }}", "1"),
        ("{{ v.name | default('d') }}", "\"lilly\""),
        ("{{ not v.flag or v.a == 1 }}", "true"),
        ("{{ not v.a == 2 and v.name < 'm' }}", "true"),
        ("{{ v.list == ['x', 'y'] }}", "true"),
        ("{{ 1 == 1.0 }}", "true"),
        ("{{ 9007199254740993 == 9007199254740992 }}", "false"),
        ("{{ '{{' }}", "\"{{\""),
        ("{{ \"a\\\"}}b\" }}", "\"a\\\"}}b\""),
        ("{{ false and v.name }}", "false"),
        ("{{v.a}}", "1"),
        ("no braces } here {", "\"no braces } here {\""),
    ] {
        let value = evaluate::render(text, &scope).unwrap_or_else(|failures| panic!("{text}: {failures:?}"));
        assert_eq!(value.to_json().to_string(), expected, "{text}");
    }
}

#[test]
fn expressions_that_are_wrong_say_where_and_why() {
    let mut scope = evaluate::Scope::default();
    scope.set("name", Value::text("lilly"));
    scope.set("n", Value::of(super::value::Data::Integer(i64::MAX)));
    for (text, title, at) in [
        ("{{ nmae }}", "unknown variable `nmae`", "nmae"),
        ("{{ name + 1 }}", "arithmetic with a string and an integer", "name + 1"),
        ("{{ name == 1 }}", "a string and an integer cannot be compared", "name == 1"),
        ("{{ n + 1 }}", "the result is too large", "n + 1"),
        ("{{ n / 0 }}", "division by zero", "n / 0"),
        ("{{ name.first }}", "a string has no field `first`", "name.first"),
        ("{{ [1][1] }}", "no element 1", "[1][1]"),
        ("{{ not name }}", "`not` takes a boolean", "name"),
        ("{{ name | join(',') }}", "`join` takes a list", "name"),
        ("a{{ [1] }}", "a list cannot stand inside text", "[1]"),
        ("{{ -name }}", "`-` takes a number", "name"),
    ] {
        let failures = evaluate::render(text, &scope).expect_err(text);
        let [evaluate::Failure::Wrong(wrong) | evaluate::Failure::Undefined(wrong)] = failures.as_slice() else {
            panic!("{text}: {failures:?}")
        };
        assert_eq!((wrong.title.as_str(), &text[wrong.span.start..wrong.span.end]), (title, at), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_found_however_odd_it_is() {
    for text in [
        "{{ .X }}",
        "{{ }}",
        "{{ a b }}",
        "{{ a",
        "{{ a | upper }}",
        "{{ 1 < 2 < 3 }}",
        "{{ a.1 }}",
        "{{ 'a }}",
        "{{ $x }}",
        "{{ a = 1 }}",
        "{{ range .Items }}",
        "{{- x -}}",
        "{{ ((((( }}",
        "{{ 99999999999999999999 }}",
        "{{ ü }}",
        "{{ a[ }}",
        "{{",
        "{{{ a }}}",
    ] {
        let (_, wrongs) = super::template::parse(text);
        assert_eq!(wrongs.len(), 1, "{text}: {wrongs:?}");
        let span = wrongs[0].span;
        assert!(span.start < span.end.max(1) && text.get(span.start..span.end).is_some(), "{text}: {span:?}");
    }
    let deep = format!("{{{{ {}1 }}}}", "(".repeat(100_000));
    assert_eq!(super::template::parse(&deep).1.len(), 1, "no stack is deep enough for what a file may hold");
    let deep = format!("{{{{ {}1 }}}}", "not ".repeat(100_000));
    assert_eq!(super::template::parse(&deep).1.len(), 1);
}
