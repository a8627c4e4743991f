//! Every example of docs/recipes.md converges on a real machine: one after another, each on what those before it made.
use crate::lab::{Lab, on_a_furnished_machine};
use crate::support::contract::{apply, run};
use crate::support::example::items;
use crate::support::repository;
use provision::engine::Mode;
use provision::resource::{KINDS, Known};
use provision::system::{Command, Real, System};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

const DOCUMENT: &str = include_str!("../docs/recipes.md");
const NODE: &str = include_str!("../recipes/files/node-from-registry.sh");
const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

/// The kinds in an order in which each finds what it stands on, and what a person has done there before.
const EXAMPLES: &[(&str, &str)] = &[
    ("group", ""),
    ("user", ""),
    ("directory", ""),
    ("file", ""),
    ("unit", ""),
    ("command", ""),
    (
        "git",
        "git init -q -b main /srv/work; cd /srv/work; mkdir -p scripts src/maestro src/other; touch scripts/a src/maestro/b src/other/c
         git add -A; git -c user.name=a -c user.email=a@b commit -qm one; git clone -q --bare . /srv/git/repository.git
         git config --system --add safe.directory /srv/git/repository.git",
    ),
    ("nfs-export", "mkdir -p /var/lib/vz/shared"),
    ("bridge", ""),
    ("container", ""),
    (
        "gate",
        "mkdir -p /home/lilly/.claude; echo {} >/home/lilly/.claude/.credentials.json
         printf '[Service]\\nExecStart=/usr/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/max-agent@.service
         systemctl daemon-reload",
    ),
    ("test", ""),
    ("npm", "npm config --global set cafile /etc/ssl/certs/ca-certificates.crt"),
    ("package", ""),
];

#[test]
fn every_example_converges_on_a_real_machine() {
    let packages =
        ["lxc", "uidmap", "zstd", "git", "nfs-kernel-server", "nftables", "sudo", "tzdata", "curl", "ca-certificates"];
    let furnish = |lab: &Lab| lab.put(Path::new(TEMPLATE), TEMPLATE);
    let test = "e2e_documents::every_example_converges_on_a_real_machine";
    on_a_furnished_machine(test, &packages, furnish, || {
        let (named, all): (BTreeSet<_>, BTreeSet<_>) =
            (EXAMPLES.iter().map(|(kind, _)| *kind).collect(), KINDS.iter().map(|kind| kind.header).collect());
        assert_eq!(named, all, "a kind without an example here");
        let sys = Real::new("/var/lib/provision");
        must(&sys, &format!("set -- 22.23.3 https://registry.npmjs.org ''\n{NODE}"));
        say_hello();
        let mut known = Known { key: "test".to_owned(), ..Known::default() };
        for (kind, before) in EXAMPLES {
            let begun = Instant::now();
            must(&sys, before);
            if *kind == "package" {
                repository::make(&debs(), &[]);
            }
            let items = items(example(kind));
            sys.facts().forget();
            let first = apply(&items, &mut known, &sys).unwrap();
            let bad: Vec<String> = first.ends().into_iter().filter(|end| !end.contains(" remark: ")).collect();
            assert!(bad.is_empty(), "{kind}: {bad:#?}");
            assert_ne!(first.changes().is_empty(), *kind != "test", "{kind}: {:?}", first.changes());
            sys.facts().forget();
            let second = run(&items, Mode::Plan, &known, &sys).unwrap();
            assert_eq!((second.changes(), second.ends()), (Vec::new(), Vec::new()), "{kind}: the second run");
            println!("{kind} {:.1} s", begun.elapsed().as_secs_f64());
        }
    });
}

/// Returns the example in the section of a kind.
fn example(kind: &str) -> &'static str {
    let section = DOCUMENT.split("\n### ").find(|section| section.starts_with(&format!("{kind}\n"))).unwrap();
    section.split_once("```toml\n").and_then(|(_, rest)| rest.split_once("```")).unwrap().0
}

fn must(sys: &dyn System, script: &str) {
    let command = Command::new(["sh", "-e"]).stdin(script);
    sys.run(&command).unwrap().success(&command).unwrap();
}

/// What the example of packages names, in a repository of this machine's own.
fn debs() -> String {
    let deb = |(name, version)| format!("Package: {name}\nVersion: {version}\nArchitecture: amd64\n\n");
    [("tmux", "3"), ("python3-venv", "3.11.2-1+b1"), ("nodejs", "22.3-1")].map(deb).concat()
}

/// Serves the site of the example of tests.
fn say_hello() {
    let listener = TcpListener::bind("127.0.0.1:8080").unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _read = stream.read(&mut [0; 4096]);
            let _written = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
}
