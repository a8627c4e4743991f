//! Packages as they are in life: real apt-get and dpkg, and a repository of our own, in a disposable host.
use crate::lab::on_a_disposable_machine;
use crate::support::packages::{World, is_whole, sh, status};
use crate::support::repository::{Server, make};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, SystemTime};

const PACKAGES: &str = "\
Package: tool
Version: 1.0
Architecture: amd64
Conffile: one

Package: tool
Version: 2.0
Architecture: amd64
Conffile: two

Package: good
Version: 1
Architecture: all

Package: bad
Version: 1
Architecture: all
Fails: yes

Package: mail-one
Version: 1
Architecture: all
Provides: mail

Package: mail-two
Version: 1
Architecture: all
Provides: mail

Package: only
Version: 1
Architecture: all
Provides: single

Package: wants-tool
Version: 1
Architecture: all
Depends: tool (>= 2)
";

#[test]
fn what_apt_refuses_is_told_with_what_to_do() {
    on_a_disposable_machine("e2e_apt::what_apt_refuses_is_told_with_what_to_do", &[], || {
        let mut world = World::with(PACKAGES);
        // One that nobody knows holds up none of the others.
        let ran = world.fails(
            json!({ "name": ["good", "goood", "mail", "tool:i386"] }),
            &[
                "package:goood failed: ",
                "apt knows no package `goood`; did you mean `good`?",
                "`mail` is no package itself: `mail-one`, `mail-two` provide or replace it",
                "this machine takes no packages of the architecture `i386`",
            ],
        );
        assert_eq!(ran.changes, ["package:good: nothing -> installed"]);
        assert_eq!(ran.ends.len(), 3, "{ran:#?}");
        // An architecture may be said.
        world.holds(json!({ "name": ["good:all", "good:amd64", "good:any"] }), &[]);
        // A virtual package: what is installed will do, the only one there is is taken, and goes again.
        world.holds(json!({ "name": "single" }), &["package:single: nothing -> installed"]);
        assert_eq!(status("only"), "1 install ok installed");
        let gone = world.absent(json!({ "name": "single" }));
        assert_eq!(gone.changes, ["package:single: 1 -> nothing"]);
        assert_eq!(status("only"), "");
        world.holds(json!({ "name": "mail-two" }), &["package:mail-two: nothing -> installed"]);
        world.holds(json!({ "name": "mail" }), &[]);
        assert!(world.absent(json!({ "name": "mail" })).changes.is_empty(), "it was not installed for that name");
        // Versions.
        world
            .fails(json!({ "name": "tool", "version": "9*" }), &["apt knows no version `9*` of `tool`, only 2.0, 1.0"]);
        world.holds(json!({ "name": "tool", "version": "1.?" }), &["package:tool: nothing -> 1.?"]);
        std::fs::write("/etc/tool.conf", "mine\n").unwrap();
        world.holds(json!({ "name": "tool", "version": "2*" }), &["package:tool version: 1.0 -> 2*"]);
        assert_eq!(sh("cat /etc/tool.conf /etc/tool.conf.dpkg-dist"), "mine\ntwo\n", "an edited file stays");
        world.fails(json!({ "name": "tool", "version": "1.0" }), &["`tool` would become older than it is"]);
        assert_eq!(status("tool"), "2.0 install ok installed");
        // Held.
        sh("apt-mark hold tool good bad");
        world.holds(json!({ "name": "tool", "version": "2*" }), &[]);
        let waits = world.apply(json!({ "name": ["tool", "bad"], "version": "1.0" }));
        assert_eq!(
            waits.ends,
            [
                "package:tool waiting: is held at 2.0, and is to be 1.0 \
                 (if it may change, run `apt-mark unhold tool`, then run again)",
                "package:bad waiting: is held, not installed, and is to be 1.0 \
                 (if it may change, run `apt-mark unhold bad`, then run again)",
            ]
        );
        let waits = world.absent(json!({ "name": "good" }));
        assert!(waits.ends[0].contains("is held at 1, and is to be removed"), "{waits:?}");
        assert_eq!(status("good"), "1 hold ok installed");
        sh("apt-mark unhold tool good bad");
        // A dependency that is held.
        world.absent(json!({ "name": "tool" }));
        sh("apt-get install -qq -o Dpkg::Options::=--force-confold tool=1.0 && apt-mark hold tool");
        world.fails(json!({ "name": "wants-tool" }), &["`tool` is held", "wants-tool"]);
        assert_eq!(status("tool"), "1.0 hold ok installed");
        // There before us.
        let kept = world.absent(json!({ "name": ["dpkg", "not-there"] }));
        assert_eq!(kept.ends, ["package:dpkg remark: kept: it was installed before, not by this recipe"]);
        is_whole();
    });
}

#[test]
fn a_package_whose_script_fails_is_mended_or_goes() {
    on_a_disposable_machine("e2e_apt::a_package_whose_script_fails_is_mended_or_goes", &[], || {
        let mut world = World::with(PACKAGES);
        let ran = world.fails(
            json!({ "name": ["good", "bad"] }),
            &["package:bad failed: ", "dpkg could not bring `bad` to its end", "its script says why"],
        );
        assert_eq!(ran.changes, ["package:good: nothing -> installed"]);
        assert_eq!((ran.ends.len(), status("bad")), (1, "1 install ok half-configured".to_owned()), "{ran:#?}");
        // Again, and it says so again: whatever else is asked, this comes first.
        world.fails(json!({ "name": "tool" }), &["dpkg could not bring `bad` to its end", "its script says why"]);
        world.fails(json!({ "name": ["good", "bad"] }), &["package:bad failed: ", "its script says why"]);
        assert_eq!(world.plan(json!({ "name": "tool" }))[0], "package:tool dpkg: interrupted at bad -> complete");
        // It works now.
        std::fs::write("/run/bad-works", "").unwrap();
        let repaired = "package:bad state: half-configured -> installed";
        world.holds(json!({ "name": ["good", "bad"] }), &[repaired]);
        // One that never works can go.
        std::fs::remove_file("/run/bad-works").unwrap();
        assert_eq!(world.absent(json!({ "name": "bad" })).changes, ["package:bad: 1 -> nothing"]);
        world.fails(json!({ "name": "bad" }), &["its script says why"]);
        assert_eq!(world.absent(json!({ "name": "bad" })).changes, ["package:bad: 1 -> nothing"]);
        is_whole();
    });
}

#[test]
fn a_repository_that_gives_nothing_is_named_where_that_matters() {
    on_a_disposable_machine("e2e_apt::a_repository_that_gives_nothing_is_named_where_that_matters", &["gnupg"], || {
        let mut world = World::with(PACKAGES);
        let server = Server::start();
        let source = |options: &str| format!("deb {options} {} ./", server.url);
        let forget = || sh("rm -rf /var/lib/apt/lists/*");
        let tool = || json!({ "name": "tool" });
        let key = |name: &str| {
            sh(&format!("gpg -q --batch --passphrase '' --quick-gen-key {name} rsa2048 sign never 2>/dev/null"));
            sh(&format!("gpg --export {name} >/etc/apt/keyrings/{name}.gpg"));
        };
        key("ours");
        key("others");
        let signed = |by: &str| source(&format!("[signed-by=/etc/apt/keyrings/{by}.gpg]"));
        // A key that is missing.
        make(PACKAGES, &[("KEY", "ours"), ("HOME", "/root"), ("SOURCE", &signed("others"))]);
        forget();
        world.fails(tool(), &["apt knows no package `tool`", "NO_PUBKEY", "is not signed", &server.url]);
        // Expired.
        let expired = [("KEY", "ours"), ("UNTIL", "Sat, 01 Jan 2022 00:00:00 UTC"), ("SOURCE", &signed("ours"))];
        make(PACKAGES, &expired);
        forget();
        world.fails(tool(), &["Release file for ", "is expired", &server.url]);
        // Down: no matter where nothing is to be installed, nor where another one has it.
        make(PACKAGES, &[("SOURCE", &source("[trusted=yes]"))]);
        server.down(true);
        forget();
        world.fails(tool(), &["apt knows no package `tool`", "`apt-get update` said: Failed to fetch", &server.url]);
        world.holds(json!({ "name": ["dpkg", "apt"] }), &[]);
        let both = format!("deb [trusted=yes] file:/srv/apt/repository ./\n{}", source("[trusted=yes]"));
        make(PACKAGES, &[("SOURCE", &both)]);
        let ran = world.apply(tool());
        assert_eq!(ran.changes, ["package:tool: nothing -> installed"], "{ran:#?}");
        assert!(ran.said[0].contains(&server.url), "{ran:#?}");
        // It goes down between the lists and the packages.
        server.down(false);
        make(PACKAGES, &[("SOURCE", &source("[trusted=yes]"))]);
        sh("apt-get update -qq");
        server.down(true);
        world.fails(json!({ "name": "good" }), &["Failed to fetch", &server.url]);
        server.down(false);
        world.holds(json!({ "name": "good" }), &["package:good: nothing -> installed"]);
        // Lists: fetched where they are older than a day, or than a source, or prove to be old.
        let updated = || Path::new("/var/lib/apt/lists/partial").metadata().unwrap().modified().unwrap();
        let before = updated();
        world.holds(json!({ "name": "mail-one" }), &["package:mail-one: nothing -> installed"]);
        assert_eq!(updated(), before, "they are fresh");
        sh(
            "touch -d '25 hours ago' /var/lib/apt/lists/partial /etc/apt/sources.list.d/* /etc/apt/sources.list.d /etc/apt/keyrings/*",
        );
        let aged = updated();
        world.holds(json!({ "name": "mail-one" }), &[]);
        assert_eq!(updated(), aged, "nothing is missing");
        world.holds(json!({ "name": "mail-two" }), &["package:mail-two: nothing -> installed"]);
        assert!(updated() > SystemTime::now() - Duration::from_mins(5), "they were older than a day");
        std::fs::write("/etc/apt/sources.list.d/none.list", "").unwrap();
        let before = updated();
        world.holds(json!({ "name": "only" }), &["package:only: nothing -> installed"]);
        assert!(updated() > before, "a source was newer");
        make(
            &format!("{PACKAGES}\nPackage: brand-new\nVersion: 1\nArchitecture: all\n"),
            &[("SOURCE", &source("[trusted=yes]"))],
        );
        sh("touch -d '1 hour ago' /etc/apt/sources.list.d/* /etc/apt/sources.list.d");
        world.holds(json!({ "name": "brand-new" }), &["package:brand-new: nothing -> installed"]);
        is_whole();
    });
}
