//! How mistakes are found and shown; every kind of them is data in `tests/recipes-wrong`.
use super::Case;

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
fn a_kind_that_nobody_can_have_meant_is_answered_with_all_of_them() {
    let report = Case::new("[[quantum]]\nname = \"x\"\n").report();
    let expected = "\
error: unknown kind `quantum`
  ┌─ recipes/web.toml:2:1
2 │ [[quantum]]
  │ ^^^^^^^^^^^ the kinds are `file`, `package`, `command`, `gate`, `container`, `include`
";
    assert_eq!(report, expected);
}

/// A recipe with a little of everything, to be broken.
const WHOLE: &str = r#"
phases = ["One", "Two"]
[vars]
members = [{ id = 201, role = "lilly" }, { id = 202, role = "mike" }]
text = """
several {{ host.cores }}
lines"""
[secrets]
token = { env = "TOKEN" }
[[gate]]
name = "g"
[[container]]
for-each = { m = "{{ members }}" }
phase = "One"
id = "{{ m.id }}"
hostname = '{{ m.role }}'
mounts = [{ source = "/a", target = "/b", read-only = true }]
[[command]]
when = "{{ not (host.cores < 2) and members[0].id == 201 }}"
name = "c"
argv = ["echo", "{{ members | tojson }}"]
creates = "/x"
env = { TOKEN = "{{ token }}" }
gate = "g"
[[include]]
in = 201
lane = "A"
recipe = "part.toml"
vars = { role = "{{ text }}" }
"#;

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_that_can_be_typed_brings_the_loader_down(
        cuts in proptest::collection::vec((0..WHOLE.len(), 0..12_usize, "[\\[\\]{}\"'=.,|\n#a0é ]{0,4}"), 1..4)
    ) {
        let mut text = WHOLE.to_owned();
        for (at, length, inserted) in cuts {
            let at = at.min(text.len());
            let end = (at + length).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, &inserted);
            }
        }
        let case = Case::new(&text).file("part.toml", "needs = [\"role\"]\n[[file]]\npath = \"/a\"\ncontent = \"{{ role }}\"\n");
        if let Err(mistakes) = case.load() {
            proptest::prop_assert!(!mistakes.0.is_empty());
            let report = mistakes.to_string();
            proptest::prop_assert!(report.starts_with("error: "), "{report}");
        }
    }
}

#[test]
fn nesting_without_end_is_a_mistake_and_no_stack_runs_out() {
    for open in ["[", "{ a = "] {
        let titles = Case::new(&format!("[vars]\nx = {}\n", open.repeat(50_000))).titles();
        assert!(titles[0].starts_with("not TOML"), "{titles:?}");
    }
    let _ = Case::new(&format!("[vars]\nx = {}1{}\n", "[".repeat(5000), "]".repeat(5000))).load();
    let dotted = Case::new(&format!("[vars]\nx{} = 1\n", ".a".repeat(5000)));
    let _ = dotted.load();
}
