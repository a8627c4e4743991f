//! A disk that is full, and one that is read-only.
use super::{apply, converges, on_a_machine, says};
use crate::support::packages::sh;
use crate::support::place::{Place, Ran};
use crate::support::repository::make;
use std::fs;
use std::path::Path;
use std::process::Command;

/// One of each kind that writes, all of them below /etc.
const KINDS: &str = r#"
name = "web"
[[file]]
path = "/etc/there.conf"
content = "ours\n"
[[file]]
path = "/etc/new.conf"
content = "ours\n"
[[file]]
path = "/etc/link.conf"
link = "/etc/there.conf"
[[directory]]
path = "/etc/new"
[[group]]
name = "crew"
[[user]]
name = "lilly"
home = "/etc/lilly"
[[unit]]
name = "lilly.service"
content = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
enabled = true
[[package]]
name = "tool"
[[command]]
name = "stamp"
argv = ["cp", "-T", "/usr/bin/env", "/etc/stamp"]
unless = ["cmp", "/usr/bin/env", "/etc/stamp"]
"#;

const IDS: [&str; 9] = [
    "file:/etc/there.conf",
    "file:/etc/new.conf",
    "file:/etc/link.conf",
    "directory:/etc/new",
    "group:crew",
    "user:lilly",
    "unit:lilly.service",
    "package:tool",
    "command:stamp",
];

fn machine() {
    make("Package: tool\nVersion: 1\nArchitecture: all\nConffile: one\n", &[]);
    sh("apt-get update -qq");
    fs::write("/etc/there.conf", "theirs\n").unwrap();
}

/// Every path below /etc with owner, mode and content, but for what fills it and what a command leaves.
fn etc() -> String {
    let ours = "-not -path './ballast*' -not -name .pwd.lock -not -name stamp";
    sh(&format!(
        "cd /etc; find . {ours} -printf '%p %M %u %g %l\\n' | sort; find . -type f {ours} -exec sha256sum {{}} + | sort -k 2"
    ))
}

/// Nothing fits any more: no byte, and no name.
fn fill() {
    sh("mkdir /etc/ballast; cat /dev/zero >/etc/ballast/0 2>/dev/null || true");
    let mut number = 1;
    while fs::write(format!("/etc/ballast/{number}"), "").is_ok() {
        number += 1;
    }
}

#[test]
fn a_full_disk_fails_each_kind_with_what_to_do_and_leaves_nothing_half_written() {
    on_a_machine("disk::a_full_disk_fails_each_kind_with_what_to_do_and_leaves_nothing_half_written", || {
        machine();
        let place = Place::new(KINDS);
        sh("cp -a /etc /run/etc; mount -t tmpfs -o size=8m,nr_inodes=3000,mode=0755 none /etc; cp -a /run/etc/. /etc/");
        sh("systemctl daemon-reload");
        let before = etc();
        fill();
        for id in IDS {
            let ran = apply(&place, id);
            says(&ran, "No space left on device", "\nFree some space, then run again.\n");
            assert_eq!(etc(), before, "{id}");
        }
        sh("rm -r /etc/ballast");
        converges(&place);
    });
}

#[test]
fn what_no_copy_can_be_kept_of_is_not_written_over() {
    on_a_machine("disk::what_no_copy_can_be_kept_of_is_not_written_over", || {
        let place = Place::new("name = \"web\"\n[[file]]\npath = \"/srv/large\"\ncontent = \"ours\\n\"\n");
        sh("yes theirs | head -c 3000000 >/srv/large; cp /srv/large /run/large");
        let state = place.root().join("state").display().to_string();
        sh(&format!("mkdir -m 0700 {state}; mount -t tmpfs -o size=2m,mode=0700 none {state}"));
        let ran = apply(&place, "*");
        says(&ran, "keeping a copy of `/srv/large`", "\nFree some space, then run again.\n");
        sh(&format!("cmp /srv/large /run/large; test -z \"$(ls -A {state}/kept)\""));
        sh(&format!("mount -o remount,size=8m {state}"));
        converges(&place);
        assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
        sh("cmp /srv/large /run/large");
    });
}

/// Runs it where the root, but not /run, is read-only.
fn on_a_read_only_root(place: &Place, arguments: &[&str]) -> Ran {
    let command = place.command(arguments);
    let mut read_only = Command::new("unshare");
    let script = "mount -o remount,bind,ro / && exec \"$@\"";
    read_only.args(["--mount", "sh", "-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    Ran::of(&read_only.current_dir(place.root()).output().unwrap(), place.root())
}

#[test]
fn a_read_only_root_fails_each_kind_with_what_to_do_and_leaves_all_as_it_was() {
    on_a_machine("disk::a_read_only_root_fails_each_kind_with_what_to_do_and_leaves_all_as_it_was", || {
        machine();
        let before = etc();
        let place = Place::new(KINDS);
        let ran = on_a_read_only_root(&place, &["plan", "web.toml"]);
        assert!(
            ran.code == 0 && ran.stdout.contains("\nplanned: 9 to change"),
            "who only looks writes nothing: {ran:#?}"
        );
        let ran = on_a_read_only_root(&place, &["apply", "web.toml"]);
        says(&ran, "making the state directory `ROOT/state`\n  Read-only file system", "\nMount ");
        // The ledger can be written.
        let place = Place::below(Path::new("/run"), KINDS);
        for id in IDS {
            let ran = on_a_read_only_root(&place, &["apply", "web.toml", "--only", id]);
            let why = if id.ends_with("group:crew") || id.ends_with("user:lilly") {
                [
                    "nobody holds that lock, so it could not be made",
                    "\nSee to it that `/etc` can be written, then run again.\n",
                ]
            } else {
                ["Read-only file system", "\nMount that file system read-write, then run again.\n"]
            };
            says(&ran, why[0], why[1]);
        }
        assert_eq!(etc(), before);
        converges(&place);
    });
}
