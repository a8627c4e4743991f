//! Where secrets may go, and that they show nowhere.
use super::Case;
use crate::recipe::SecretsMode;

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
        "a secret in `gate` of [[command]]",
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
