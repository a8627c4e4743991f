//! docs/recipes.md is what the code says of itself, and every example in it converges.
use crate::support::contract::{apply, run};
use crate::support::deed::Deed;
use crate::support::example::{items, read};
use crate::support::fake::FakeMachine;
use crate::support::reference::{Row, definition_of, document, example, root};
use provision::engine::Mode;
use provision::resource::{KINDS, Known};
use provision::system::System as _;
use std::collections::BTreeSet;

#[test]
fn the_document_of_the_recipes_is_fresh() {
    let path = root().join("docs/recipes.md");
    if std::env::var_os("RENEW_DOCS").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let fresh = std::fs::read_to_string(&path).unwrap_or_default() == document();
    assert!(fresh, "docs/recipes.md is stale: run `RENEW_DOCS=1 cargo test --test suite documents`");
}

#[test]
fn every_field_is_in_the_document_as_the_kinds_have_it() {
    for kind in KINDS {
        let rows = definition_of(kind).fields;
        let names = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.key.clone()).collect::<BTreeSet<_>>();
        let known = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(names(&mut rows.iter()), known(kind.fields()), "{}", kind.header);
        let required = names(&mut rows.iter().filter(|row| row.required));
        assert_eq!(required, known(kind.required), "{}: what is required", kind.header);
    }
}

#[test]
fn every_example_converges() {
    for kind in KINDS {
        let example = example(&definition_of(kind));
        assert!(example.contains(&format!("[[{}]]", kind.header)), "{} has no example of it", kind.header);
        let items = items(&example);
        let machine = machine(kind.header);
        let mut known = Known { key: "test".to_owned(), ..Known::default() };
        let first = apply(&items, &mut known, &machine).unwrap();
        let bad: Vec<String> = first.ends().into_iter().filter(|end| !end.contains(" remark: ")).collect();
        assert!(bad.is_empty(), "{}: {bad:#?}", kind.header);
        let second = apply(&items, &mut known, &machine).unwrap();
        assert_eq!(second.changes(), [""; 0], "{}: the second apply", kind.header);
    }
}

/// A default that is a value of TOML changes nothing where it is written down.
#[test]
fn every_default_is_what_the_document_says() {
    let mut checked = 0;
    for kind in KINDS {
        let definition = definition_of(kind);
        let example = example(&definition);
        let (first, _) = example.split_once("\n[[").unwrap_or((&example, ""));
        let planned = |text: &str| {
            let machine = machine(kind.header);
            let recorder = run(&read(text).ok()?, Mode::Plan, &Known::default(), &machine).ok()?;
            Some((recorder.changes(), recorder.ends()))
        };
        let without = planned(first).unwrap_or_else(|| panic!("{}: the first table of its example", kind.header));
        for row in &definition.fields {
            let literal = row.default.as_deref().and_then(|default| default.strip_prefix('`')?.strip_suffix('`'));
            let value = literal.filter(|literal| toml::from_str::<toml::Table>(&format!("a = {literal}")).is_ok());
            let (Some(value), false) = (value, first.contains(&format!("\n{} ", row.key))) else { continue };
            let given = format!("{first}\n{} = {value}\n", row.key);
            // Some fields go with another one only: there the example has none.
            if let Some(with) = planned(&given) {
                assert_eq!(with, without, "{}: {} = {value}", kind.header, row.key);
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "only {checked} defaults were looked at");
}

/// The machine on which the example of a kind stands.
fn machine(header: &str) -> FakeMachine {
    let machine = FakeMachine::debian();
    let write = |path: &str, text: &str| Deed::Write(path.to_owned(), text.to_owned());
    let directory = |path: &str| Deed::Dir(path.to_owned());
    let mut world = vec![
        write("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nlilly:x:1201:1201::/home/lilly:/bin/bash\n"),
        write("/etc/group", "root:x:0:\nlilly:x:1201:\nsignals:x:1200:\n"),
        directory("/home/lilly"),
        directory("/var/lib/vz/shared"),
        write("/etc/hostname", "host\n"),
    ];
    let package = |name: &str, version: &str| format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n\n");
    world.extend(match header {
        "container" => vec![
            directory("/sys/class/net/vmbr1"),
            directory("/var/cache/provision/templates"),
            write("/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst", "template"),
        ],
        "package" => vec![
            directory("/srv/apt"),
            write(
                "/srv/apt/Packages",
                &[("git", "1"), ("tmux", "1"), ("python3-venv", "1"), ("nodejs", "22.3-1")]
                    .map(|(name, version)| package(name, version))
                    .concat(),
            ),
        ],
        "user" => vec![
            write("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
            write("/etc/group", "root:x:0:\nsignals:x:1200:\n"),
            Deed::Remove("/home/lilly".to_owned()),
        ],
        "group" => vec![write("/etc/group", "root:x:0:\n")],
        "gate" => vec![
            write("/home/lilly/.claude-credentials", "{}"),
            directory("/home/lilly/.claude"),
            write("/home/lilly/.claude/.credentials.json", "{}"),
            write(
                "/etc/systemd/system/max-agent@.service",
                "[Service]\nExecStart=/usr/bin/agent %i\n[Install]\nWantedBy=multi-user.target\n",
            ),
        ],
        "npm" => vec![
            directory("/srv/fake-npm/@anthropic-ai/claude-code"),
            write("/srv/fake-npm/@anthropic-ai/claude-code/2.1.0", "program claude\nneeds-script\n"),
            directory("/srv/fake-npm/@openai/codex"),
            write("/srv/fake-npm/@openai/codex/0.1.0", "program codex\n"),
        ],
        "git" => vec![
            directory("/srv/git"),
            write(
                "/srv/git/repository.git",
                "commit 1111111111111111111111111111111111111111 0000000000000000000000000000000000000000\n\
                 branch main 1111111111111111111111111111111111111111\n",
            ),
        ],
        _ => Vec::new(),
    });
    for deed in world {
        deed.on(&machine).unwrap();
    }
    machine.web.lock().unwrap().insert("http://localhost:8080/".to_owned(), (200, b"hello".to_vec()));
    machine.facts().forget();
    machine
}
