//! Packages as they are in life: real apt-get and dpkg, and a repository of our own, in a disposable host.
use crate::lab::on_a_disposable_machine;
use crate::support::contract::{apply, run};
use crate::support::item::job;
use crate::support::recorder::Recorder;
use crate::support::repository::{Server, make};
use provision::engine::Mode;
use provision::event::Event;
use provision::item::Item;
use provision::resource::{Known, Want};
use provision::system::{Command, Real, System as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

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

/// This machine, and what a ledger would know.
struct World {
    sys: Real,
    known: Known,
}

/// What came of an apply.
#[derive(Debug)]
struct Ran {
    changes: Vec<String>,
    ends: Vec<String>,
    said: Vec<String>,
}

impl World {
    fn with(packages: &str) -> Self {
        // Tries that can't help only take time; a machine may have turned the other off.
        let settings = "Acquire { Retries \"0\"; Check-Date \"true\"; Check-Valid-Until \"true\"; };\n";
        std::fs::write("/etc/apt/apt.conf.d/zz-test", settings).unwrap();
        make(packages, &[]);
        Self { sys: Real::new("/var/lib/provision"), known: Known::default() }
    }

    fn item(fields: Value, want: Want) -> Item {
        Item::receive(provision::item::JobItem { want, timeout: Duration::from_secs(4), ..job("package", fields) })
            .unwrap()
    }

    fn apply(&mut self, fields: Value) -> Ran {
        self.of(&Self::item(fields, Want::Present))
    }

    fn absent(&mut self, fields: Value) -> Ran {
        self.of(&Self::item(fields, Want::Absent))
    }

    fn of(&mut self, item: &Item) -> Ran {
        self.sys.facts().forget();
        Ran::of(&apply(std::slice::from_ref(item), &mut self.known, &self.sys).unwrap())
    }

    fn plan(&self, fields: Value) -> Vec<String> {
        self.sys.facts().forget();
        run(&[Self::item(fields, Want::Present)], Mode::Plan, &self.known, &self.sys).unwrap().changes()
    }

    /// Applies what must then be in sync.
    #[track_caller]
    fn holds(&mut self, fields: Value, changes: &[&str]) {
        let ran = self.apply(fields.clone());
        assert_eq!(
            (ran.changes.as_slice(), ran.ends.as_slice()),
            (&changes.iter().map(|c| (*c).to_owned()).collect::<Vec<_>>()[..], &[][..])
        );
        let again = self.apply(fields);
        assert!(again.changes.is_empty() && again.ends.is_empty(), "{again:?}");
    }

    /// Applies what must fail, for these reasons.
    #[track_caller]
    fn fails(&mut self, fields: Value, reasons: &[&str]) -> Ran {
        let ran = self.apply(fields);
        let ends = ran.ends.join("\n");
        assert!(ends.contains(" failed: "), "{ran:#?}");
        assert!(reasons.iter().all(|reason| ends.contains(reason)), "{reasons:?} {ran:#?}");
        ran
    }
}

impl Ran {
    fn of(recorder: &Recorder) -> Self {
        let said = |event| if let Event::Said { text, .. } = event { Some(text) } else { None };
        let said = recorder.events().into_iter().filter_map(said).collect();
        Self { changes: recorder.changes(), ends: recorder.ends(), said }
    }
}

#[track_caller]
fn sh(script: &str) -> String {
    let output = Real::default().run(&Command::new(["sh", "-ec", script])).unwrap();
    assert_eq!(output.code, 0, "{script}\n{}\n{}", output.text(), String::from_utf8_lossy(&output.stderr));
    output.text()
}

fn status(name: &str) -> String {
    sh(&format!("dpkg-query -W -f '${{Version}} ${{Status}}' {name} || true"))
}

/// What dpkg knows of nothing half done.
#[track_caller]
fn is_whole() {
    assert_eq!(sh("dpkg --audit; ls /var/lib/dpkg/updates | grep '^[0-9]' || true"), "");
    assert_eq!(sh("ls /var/lib/provision/downloads 2>/dev/null || true"), "", "no download stays");
}

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
    child.args(["--exact", "e2e_apt::in_a_child"]).env(FIELDS, json!([absent, fields]).to_string());
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
    on_a_disposable_machine("e2e_apt::what_was_killed_in_the_middle_is_brought_to_its_end", &[], || {
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
    Sha256::digest(std::fs::read(file).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_deb_by_url_is_that_very_file() {
    on_a_disposable_machine("e2e_apt::a_deb_by_url_is_that_very_file", &[], || {
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
