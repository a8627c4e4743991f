//! Order, includes, lanes, variables, ids, gates.
use super::Case;
use crate::recipe::Stage;
use crate::resource::Want;

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
    assert_eq!(
        Case::new(&format!("{waits}mode = \"9\"\n")).titles().len(),
        2,
        "also where its table has another mistake"
    );
    let mistaken = format!("[[gate]]\nname = \"login\"\ncache = 5\nuser = \"A B\"\n{waits}");
    assert!(!Case::new(&mistaken).titles().iter().any(|title| title.contains("nobody")), "a wrong gate is one");
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
