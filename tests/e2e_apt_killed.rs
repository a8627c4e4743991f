//! Packages whose installation or removal is killed in the middle, and those that no repository has: real apt-get and dpkg.
use crate::lab::on_a_disposable_machine;
use crate::support::contract::apply;
use crate::support::packages::{World, is_whole, sh, status};
use crate::support::repository::{Server, make};
use provision::resource::{Known, Want};
use provision::system::Real;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

const SLOW: &str = "\
Package: unpacks
Version: 1
Architecture: amd64
Preinst: until [ -e /run/quick ]; do touch /run/middle; sleep 0.2; done

Package: configures
Version: 1
Architecture: amd64
Postinst: until [ -e /run/quick ]; do touch /run/middle; sleep 0.2; done

Package: removes
Version: 1
Architecture: amd64
Prerm: until [ -e /run/quick ]; do touch /run/middle; sleep 0.2; done

Package: tool
Version: 1
Architecture: all
";

/// Tells a child what to apply.
const FIELDS: &str = "PROVISION_E2E_APT";

/// No test by itself: an apply in a process of its own, to be killed.
#[test]
fn in_a_child() {
    let Ok(fields) = std::env::var(FIELDS) else { return };
    let (absent, fields): (bool, Value) = serde_json::from_str(&fields).unwrap();
    let want = if absent { Want::Absent } else { Want::Present };
    let (name, sys) = (fields["name"].as_str().unwrap().to_owned(), Real::new("/var/lib/provision"));
    apply(&[World::item(fields, want)], &mut ours(&name), &sys).unwrap();
}

/// What a ledger knows of a run that was to make it.
fn ours(name: &str) -> Known {
    let id = format!("host/package:{name}").parse().unwrap();
    let claim = provision::resource::Claim { made: true, ..Default::default() };
    Known { claims: [(id, claim)].into(), ..Known::default() }
}

/// Starts an apply and returns once a script of the package is at work.
fn started(absent: bool, fields: &Value) -> Child {
    for path in ["/run/quick", "/run/middle"] {
        let _none = std::fs::remove_file(path);
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "e2e_apt_killed::in_a_child"]).env(FIELDS, json!([absent, fields]).to_string());
    let child = child.stdout(std::process::Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while !Path::new("/run/middle").exists() {
        assert!(Instant::now() < end, "no script of it was started");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// Kills it with all that it started.
fn kill_all(mut child: Child) {
    // apt-get and what it starts is in a session of its own.
    let mut family = vec![child.id().to_string()];
    let mut at = 0;
    while at < family.len() {
        let children = sh(&format!("cat /proc/{}/task/*/children 2>/dev/null || true", family[at]));
        family.extend(children.split_whitespace().map(str::to_owned));
        at += 1;
    }
    assert!(family.len() >= 4, "the test, apt-get, dpkg and its script: {family:?}");
    sh(&format!("kill -KILL {}", family.join(" ")));
    child.wait().unwrap();
    std::fs::write("/run/quick", "").unwrap();
}

#[test]
fn what_was_killed_in_the_middle_is_brought_to_its_end() {
    on_a_disposable_machine("e2e_apt_killed::what_was_killed_in_the_middle_is_brought_to_its_end", &[], || {
        let mut world = World::with(SLOW);
        sh("apt-get update -qq");
        // While it configured, and while it unpacked: what else is asked finds a step of its own.
        for (name, state) in [("configures", "half-configured"), ("unpacks", "half-installed")] {
            kill_all(started(false, &json!({ "name": name })));
            assert!(status(name).ends_with(state), "{}", status(name));
            assert_eq!(world.plan(json!({ "name": name })), [format!("package:{name} state: {state} -> installed")]);
            let repaired = format!("package:tool dpkg: interrupted at {name} -> complete");
            assert_eq!(world.plan(json!({ "name": "tool" }))[0], repaired);
            world.known = ours(name);
            world.holds(json!({ "name": name }), &[&format!("package:{name} state: {state} -> installed")]);
            is_whole();
            // And once more, so that it goes instead.
            world.absent(json!({ "name": name }));
            kill_all(started(false, &json!({ "name": name })));
            world.known = ours(name);
            assert_eq!(world.absent(json!({ "name": name })).changes, [format!("package:{name}: 1 -> nothing")]);
            is_whole();
        }
        // While it was removed.
        world.holds(json!({ "name": "removes" }), &["package:removes: nothing -> installed"]);
        kill_all(started(true, &json!({ "name": "removes" })));
        assert_eq!(world.absent(json!({ "name": "removes" })).changes, ["package:removes: 1 -> nothing"]);
        is_whole();
        // Only we were killed: what we started goes on, and is waited for by name.
        let mut child = started(false, &json!({ "name": "configures" }));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            world.plan(json!({ "name": "tool" })),
            ["package:tool: nothing -> installed"],
            "nothing is interrupted"
        );
        let pid = sh("pgrep -x apt-get").trim().to_owned();
        let ran =
            world.fails(json!({ "name": "tool" }), &["it was waited for 4 s", &format!("`apt-get` (pid {pid}) holds")]);
        assert_eq!(ran.said, [format!("waits for `apt-get` (pid {pid}), which holds `/var/lib/dpkg/lock-frontend`")]);
        std::fs::write("/run/quick", "").unwrap();
        world.holds(json!({ "name": "configures" }), &["package:configures state: half-configured -> installed"]);
        // For whom we wait is killed.
        world.known = ours("configures");
        world.absent(json!({ "name": "configures" }));
        let child = started(false, &json!({ "name": "configures" }));
        let killer = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(1500));
            kill_all(child);
        });
        let ran = world.apply(json!({ "name": "tool" }));
        killer.join().unwrap();
        assert_eq!(ran.changes, ["package:tool: nothing -> installed"], "{ran:#?}");
        assert_eq!(ran.said[1], "completes first what another dpkg was interrupted at");
        assert_eq!(
            (status("configures").as_str(), status("tool").as_str()),
            ("1 install ok installed", "1 install ok installed")
        );
        is_whole();
    });
}

fn digest(file: &str) -> String {
    let sum = Sha256::digest(std::fs::read(file).unwrap());
    sum.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[test]
fn a_deb_by_url_is_that_very_file() {
    on_a_disposable_machine("e2e_apt_killed::a_deb_by_url_is_that_very_file", &[], || {
        let packages = format!("{SLOW}Depends: good\n\nPackage: good\nVersion: 1\nArchitecture: all\n");
        let mut world = World::with(&packages);
        let server = Server::start();
        let kept = "/srv/apt/repository";
        let of = |name: &str, file: &str| json!({ "name": name, "url": format!("{}/{file}", server.url), "sha256": digest(&format!("{kept}/{file}")) });
        let mut wrong = of("tool", "tool_1_all.deb");
        wrong["sha256"] = "0".repeat(64).into();
        world.fails(wrong, &["its sha256 is ", "not 0000"]);
        world.fails(of("good", "tool_1_all.deb"), &["the .deb holds the package `tool`"]);
        let mut newer = of("tool", "tool_1_all.deb");
        newer["version"] = "2.*".into();
        world.fails(newer, &["the .deb is version 1, and `version` is 2.*"]);
        world.fails(
            json!({ "name": "tool", "url": format!("{}/none.deb", server.url), "sha256": "0".repeat(64) }),
            &["the server answered 404"],
        );
        world.fails(of("tool", "Packages"), &["dpkg-deb", "not a Debian format archive"]);
        assert_eq!(status("tool") + &status("good"), "", "nothing was installed");
        is_whole();
        let first = of("tool", "tool_1_all.deb");
        world.holds(first.clone(), &["package:tool: nothing -> installed"]);
        assert_eq!(status("good"), "1 install ok installed", "it depends on that");
        // The same version with another content is another package.
        make(&packages.replace("Package: tool\n", "Package: tool\nConffile: new\n"), &[]);
        let second = of("tool", "tool_1_all.deb");
        let short = |fields: &Value| fields["sha256"].as_str().unwrap()[..12].to_owned();
        world.holds(second.clone(), &[&format!("package:tool sha256: {} -> {}", short(&first), short(&second))]);
        assert_eq!(sh("cat /etc/tool.conf"), "new\n");
        // A repository has that version, too, with a content of its own: it is the file that counts.
        sh("cp /srv/apt/repository/tool_1_all.deb /srv/apt/kept");
        make(&packages.replace("Package: tool\n", "Package: tool\nConffile: of the repository\n"), &[]);
        sh("apt-get update -qq; mv /srv/apt/kept /srv/apt/repository/other.deb");
        world.absent(first);
        sh("dpkg --purge tool");
        world.holds(of("tool", "other.deb"), &["package:tool: nothing -> installed"]);
        assert_eq!(sh("cat /etc/tool.conf"), "new\n");
        // An older one is refused, a held one waits.
        make(&packages.replace("Package: tool\nVersion: 1", "Package: tool\nVersion: 0.9"), &[]);
        world.fails(of("tool", "tool_0.9_all.deb"), &["`tool` would become older than it is"]);
        sh("apt-mark hold tool");
        let waits = world.apply(of("tool", "tool_0.9_all.deb"));
        assert!(waits.ends[0].contains("is held at 1"), "{waits:#?}");
        sh("apt-mark unhold tool");
        make(&packages, &[]);
        // Killed while it is unpacked; no repository has it, and apt-get would do nothing more before it is there again.
        let killed = of("unpacks", "unpacks_1_amd64.deb");
        sh("cp /srv/apt/repository/unpacks_1_amd64.deb /srv/apt/kept");
        let state = "package:unpacks state: half-installed -> installed";
        for (again, found) in [(json!({ "name": "configures" }), "interrupted at unpacks"), (killed.clone(), state)] {
            sh("cp /srv/apt/kept /srv/apt/repository/unpacks_1_amd64.deb");
            kill_all(started(false, &killed));
            let without = packages.replace("Package: unpacks\n", "Package: unpacks-no-more\n");
            make(&without, &[]);
            sh("apt-get update -qq; cp /srv/apt/kept /srv/apt/repository/unpacks_1_amd64.deb");
            world.known = ours("unpacks");
            let ran = world.apply(again);
            assert!(ran.ends.is_empty() && ran.changes[0].contains(found), "{ran:#?}");
            world.apply(killed.clone());
            assert!(world.plan(killed.clone()).is_empty());
            is_whole();
            let gone = world.absent(killed.clone());
            assert_eq!(gone.changes, ["package:unpacks: 1 -> nothing"]);
            assert!(!Path::new("/var/lib/provision/stamps/package/unpacks").exists());
            make(&packages, &[]);
        }
    });
}
