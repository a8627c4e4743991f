//! `self`: the real program updates itself from a real HTTPS server, uninstalls itself, and checks signatures.
use crate::support::https::Answer;
use crate::support::place::Ran;
use crate::support::pty::{On, Pty};
use crate::support::release::{Site, VERSION, names, program};
use provision::ledger::Lock;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

const BINARY: &str = "/1.2.3/provision-1.2.3-x86_64-linux";

/// Installs the real program, built anew for another key: that of the site's release.
fn with_the_key_of(site: &Site) -> Vec<u8> {
    let built = site.with_own_key(fs::read(env!("CARGO_BIN_EXE_provision")).unwrap());
    site.installed(&built);
    built
}

/// Runs what is installed.
fn run(site: &Site, arguments: &[&str]) -> Ran {
    Ran::of(&command(site, arguments).stdin(Stdio::null()).output().unwrap(), site.root())
}

fn command(site: &Site, arguments: &[&str]) -> Command {
    let mut command = Command::new(site.target());
    command.args(arguments).arg("--state-dir").arg(site.path("state")).current_dir(site.path("home"));
    command.env("SSL_CERT_FILE", site.path("ca.pem")).env("PROVISION_BASE_URL", site.https.url());
    command.env("NO_PROXY", "localhost");
    command
}

#[test]
fn it_updates_itself_to_the_latest_or_to_the_version_that_is_asked_for() {
    let site = Site::new();
    let built = with_the_key_of(&site);
    site.publish("1.10.0", &program("1.10.0"));
    for (arguments, version) in [(vec![], "1.10.0"), (vec!["--version", VERSION], VERSION)] {
        site.installed(&built);
        let ran = run(&site, &[vec!["self", "update"], arguments].concat());
        let says = format!("provision {} -> {version}: ROOT/target/provision\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((ran.code, ran.stdout, ran.stderr.as_str()), (0, says, ""));
        assert_eq!(fs::read(site.target()).unwrap(), program(version));
        assert_eq!(site.left(), ["provision"]);
        assert_eq!(run(&site, &["--version"]).stdout, format!("provision {version}\n"));
    }
}

#[test]
fn a_server_that_is_busy_for_a_moment_is_asked_again() {
    let site = Site::new();
    with_the_key_of(&site);
    site.publish(VERSION, &program(VERSION));
    let binary = site.https.page(BINARY);
    site.https.put(BINARY, Answer::Busy(binary));
    assert_eq!(run(&site, &["self", "update"]).code, 0);
    assert_eq!(fs::read(site.target()).unwrap(), program(VERSION));
}

#[test]
fn it_says_that_it_is_the_latest_and_never_becomes_older() {
    let site = Site::new();
    let built = with_the_key_of(&site);
    let own = env!("CARGO_PKG_VERSION");
    site.publish(own, &program(own));
    assert_eq!(run(&site, &["self", "update"]).stdout, format!("provision {own} is the latest\n"));
    site.publish("0.0.9", &program("0.0.9"));
    for arguments in [vec!["self", "update"], vec!["self", "update", "--version", "0.0.9"]] {
        let ran = run(&site, &arguments);
        assert_eq!(ran.code, 1);
        let says = format!(
            "error: updating provision {own} to 0.0.9\n  that is older\n\
             To have it all the same, run bootstrap.sh with PROVISION_VERSION=0.0.9.\n"
        );
        assert_eq!(ran.stderr, says);
    }
    assert!(fs::read(site.target()).unwrap() == built);
}

#[test]
fn what_is_not_signed_not_whole_or_not_that_version_does_not_take_its_place() {
    let site = Site::new();
    let built = with_the_key_of(&site);
    let refuses = |words: &str| {
        let ran = run(&site, &["self", "update"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
        assert!(fs::read(site.target()).unwrap() == built, "{words}");
        assert_eq!(site.left(), ["provision"], "{words}");
    };
    let page = |text: &str| Answer::Page(text.as_bytes().to_vec());
    site.https.put("/latest", page("<html>"));
    refuses("it names no version");
    site.https.remove("/latest");
    refuses("the server answered 404");
    site.https.put("/latest", page(VERSION));
    site.https.put(BINARY, page("#!/bin/sh\necho evil\n"));
    refuses("the signed list says");
    site.https.put(BINARY, Answer::Cut(program(VERSION), 20));
    refuses("the server hung up before all had come");
    site.publish(VERSION, &program("1.2.4"));
    refuses("it says `provision 1.2.4`");
    site.sums(VERSION, "");
    refuses("looking for `provision-1.2.3-x86_64-linux`");
    site.https.put("/1.2.3/SHA256SUMS", page("changed"));
    refuses("and not of these bytes");
    site.publish(VERSION, &program(VERSION));
    let sums = site.https.page("/1.2.3/SHA256SUMS");
    let stranger = Site::new().key.sign(&sums, "provision 1.2.3");
    site.https.put("/1.2.3/SHA256SUMS.minisig", page(&stranger));
    refuses("and not of these bytes");
    site.https.remove("/1.2.3/SHA256SUMS.minisig");
    refuses("the server answered 404");
}

#[test]
fn the_program_as_it_is_built_believes_the_release_key_alone() {
    let site = Site::new();
    site.installed(&fs::read(env!("CARGO_BIN_EXE_provision")).unwrap());
    let ran = run(&site, &["self", "update"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("it is by none of the keys that are trusted (trusted: `release`)"), "{ran:?}");
}

#[test]
fn it_is_told_where_releases_are_and_takes_no_other_than_https() {
    let site = Site::new();
    site.installed(&fs::read(env!("CARGO_BIN_EXE_provision")).unwrap());
    let plain = run(&site, &["self", "update", "--url", "http://localhost"]);
    assert_eq!(plain.code, 2);
    assert!(plain.stderr.contains("it is no https:// address"), "{plain:?}");
    let nowhere = command(&site, &["self", "update"]).env("PROVISION_BASE_URL", "").output().unwrap();
    let nowhere = Ran::of(&nowhere, site.root());
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.stderr.contains("this build does not say where releases are"), "{nowhere:?}");
    assert_eq!(site.https.asked(), [""; 0]);
}

#[test]
fn what_the_package_system_installed_is_left_to_it() {
    let site = Site::new();
    let built = with_the_key_of(&site);
    let script = format!(
        "mount -t tmpfs none /var/lib/dpkg/info; echo {} >/var/lib/dpkg/info/provision.list; exec \"$@\"",
        site.target().display()
    );
    for (arguments, instead) in [
        (["self", "update", "--version", VERSION], "apt-get update && apt-get install provision"),
        (["self", "uninstall", "--yes", "--verbose"], "apt-get remove provision"),
    ] {
        let itself = command(&site, &arguments);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", &script, "sh"]).arg(itself.get_program()).args(itself.get_args());
        let ran = Ran::of(&command.output().unwrap(), site.root());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(
            ran.stderr.contains(&format!("run `{instead}`")) || ran.stderr.contains(&format!("Run `{instead}`")),
            "{ran:?}"
        );
        assert!(fs::read(site.target()).unwrap() == built);
    }
}

#[test]
fn it_uninstalls_itself_and_says_what_it_leaves() {
    let site = Site::new();
    with_the_key_of(&site);
    let recipe =
        format!("name = \"web\"\n[[file]]\npath = \"{}\"\ncontent = \"hello\\n\"\n", site.path("home/motd").display());
    fs::write(site.path("home/web.toml"), recipe).unwrap();
    assert_eq!(run(&site, &["apply", "web.toml", "--yes"]).code, 0);
    let unasked = run(&site, &["self", "uninstall"]);
    assert_eq!(unasked.code, 2);
    assert!(unasked.stderr.contains("nobody can be asked"), "{unasked:?}");
    let lock = Lock::take(&site.path("state"), "apply web.toml", SystemTime::now()).unwrap();
    assert_eq!(run(&site, &["self", "uninstall", "--yes"]).code, 5);
    drop(lock);
    assert_eq!(site.left(), ["provision"]);
    let before = names(&site.path("state"));
    let ran = run(&site, &["self", "uninstall", "--yes"]);
    let settings = if Path::new("/etc/provision").exists() { "leaves /etc/provision\n" } else { "" };
    let says = format!(
        "takes away ROOT/target/provision\n\
         leaves ROOT/state: the ledger, secrets and copies of what was there before\n\
         leaves what `web` made; `provision destroy web` would take that away\n\
         {settings}provision is uninstalled\n"
    );
    assert_eq!((ran.code, ran.stdout, ran.stderr.as_str()), (0, says, ""));
    assert_eq!(site.left(), [""; 0]);
    assert_eq!(names(&site.path("state")), before);
    assert!(site.path("home/motd").exists());
}

#[test]
fn it_asks_before_it_uninstalls_itself() {
    let site = Site::new();
    with_the_key_of(&site);
    for (answer, left) in [("n\n", vec!["provision"]), ("y\n", vec![])] {
        let mut pty = Pty::start(&command(&site, &["self", "uninstall"]), 200, 24, On::Both);
        pty.until(|screen| screen.contents().contains("uninstall provision? [y/N]"));
        pty.types(answer);
        assert_eq!(pty.end().0, 0);
        assert_eq!(site.left(), left);
    }
    assert!(!site.path("state").exists(), "nothing is made in order to look");
}

#[test]
fn where_nothing_else_checks_signatures_the_version_that_is_installed_does() {
    let site = Site::new();
    with_the_key_of(&site);
    site.without(&["openssl"]);
    let sums = site.https.page("/1.2.3/SHA256SUMS");
    let stranger = Site::new().key.sign(&sums, "provision 1.2.3");
    let signature = site.https.page("/1.2.3/SHA256SUMS.minisig");
    site.https.put("/1.2.3/SHA256SUMS.minisig", Answer::Page(stranger.into_bytes()));
    site.bootstrap_without_sums().fails("is not signed with the release key (predecessor looked)");
    let built = fs::read(site.target()).unwrap();
    site.installed(b"#!/bin/sh\nexit 0\n");
    site.bootstrap_without_sums().fails("is not signed with the release key (predecessor looked)");
    site.installed(&built);
    site.https.put("/1.2.3/SHA256SUMS.minisig", Answer::Page(signature));
    site.bootstrap_without_sums().installs(&program(VERSION));
}

#[test]
fn a_file_is_verified_by_the_signature_beside_it() {
    let site = Site::new();
    with_the_key_of(&site);
    let file = site.path("home/SHA256SUMS");
    fs::write(&file, "sums\n").unwrap();
    let missing = run(&site, &["self", "verify", "SHA256SUMS"]);
    assert!(missing.code == 1 && missing.stderr.contains("reading `SHA256SUMS.minisig`"), "{missing:?}");
    fs::write(site.path("home/SHA256SUMS.minisig"), site.key.sign(b"sums\n", "provision 1.2.3")).unwrap();
    let right = run(&site, &["self", "verify", "SHA256SUMS"]);
    assert_eq!((right.code, right.stdout.as_str()), (0, "SHA256SUMS is signed: provision 1.2.3\n"), "{right:?}");
    let other = Site::new().key.public();
    assert_eq!(run(&site, &["self", "verify", "SHA256SUMS", "--key", &other]).code, 1);
    assert_eq!(run(&site, &["self", "verify", "SHA256SUMS", "--key", "x"]).code, 2);
    fs::write(&file, "other sums\n").unwrap();
    assert_eq!(run(&site, &["self", "verify", "SHA256SUMS"]).code, 1);
}
