//! What bootstrap.sh believes: sums, signatures, versions; and what it refuses.
use crate::support::https::Answer;
use crate::support::release::{Site, VERSION, program, sha256};
use std::fs;
use std::path::Path;

const BINARY: &str = "/1.2.3/provision-1.2.3-x86_64-linux";

fn page(bytes: impl Into<Vec<u8>>) -> Answer {
    Answer::Page(bytes.into())
}

#[test]
fn a_binary_that_is_cut_off_is_not_installed() {
    let site = Site::new();
    let binary = program(VERSION);
    for tenth in 0..10 {
        let cut = binary.len() * tenth / 10;
        site.https.put(BINARY, Answer::Cut(binary.clone(), cut));
        site.bootstrap().fails(&format!("downloading https://localhost:{}{BINARY} failed", site.https.port));
        // The same where the mirror itself has no more of it.
        site.https.put(BINARY, page(&binary[..cut]));
        site.bootstrap()
            .fails("what came as provision-1.2.3-x86_64-linux is not what was released: its SHA-256 differs");
    }
}

#[test]
fn a_binary_with_another_sum_is_not_installed_nor_run() {
    let site = Site::new();
    let evil = format!("#!/bin/sh\ntouch {}\necho provision 1.2.3\n", site.path("evil").display());
    site.https.put(BINARY, page(evil));
    for bootstrap in [site.bootstrap(), site.bootstrap_without_sums()] {
        bootstrap.fails("its SHA-256 differs");
    }
    assert!(!site.path("evil").exists());
}

#[test]
fn sums_that_are_not_signed_with_the_release_key_are_not_believed() {
    let site = Site::new();
    let sums = String::from_utf8(site.https.page("/1.2.3/SHA256SUMS")).unwrap();
    let signature = String::from_utf8(site.https.page("/1.2.3/SHA256SUMS.minisig")).unwrap();
    let line = signature.lines().nth(1).unwrap();
    let flipped = if &line[40..41] == "A" { "B" } else { "A" };
    let flipped = signature.replace(line, &[&line[..40], flipped, &line[41..]].concat());
    let old_form = signature.replace(line, &line.replacen("RU", "RW", 1));
    let (other, older) = (Site::new().key, site.key.sign(b"of something else\n", "provision 1.2.3"));
    let wrong = [
        other.sign(sums.as_bytes(), "provision 1.2.3"),
        older,
        flipped,
        old_form,
        signature[..100].to_owned(),
        String::new(),
    ];
    for signature in wrong {
        site.https.put("/1.2.3/SHA256SUMS.minisig", page(signature));
        for bootstrap in [site.bootstrap(), site.bootstrap_without_sums()] {
            bootstrap.fails("SHA256SUMS of provision 1.2.3 is not signed with the release key (openssl looked)");
        }
    }
    assert!(!site.https.asked().contains(&BINARY.to_owned()), "the binary was not even asked for");
}

#[test]
fn a_signed_list_without_the_binary_or_with_another_sum_than_the_script_has_is_refused() {
    let site = Site::new();
    let bootstrap = site.bootstrap();
    let name = "provision-1.2.3-x86_64-linux";
    site.sums(VERSION, &format!("{}  {name}\n", sha256(b"another")));
    bootstrap.fails("SHA256SUMS has another sum of provision-1.2.3-x86_64-linux than this script");
    for sums in
        [format!("{}  {name}\n", "z".repeat(64)), format!("12  {name}\n"), format!("{}  x{name}\n", sha256(b""))]
    {
        site.sums(VERSION, &sums);
        bootstrap.fails("SHA256SUMS has no provision-1.2.3-x86_64-linux");
    }
    // That of another release, signed for that.
    site.publish("1.2.2", &program("1.2.2"));
    for name in ["SHA256SUMS", "SHA256SUMS.minisig"] {
        site.https.put(&format!("/1.2.3/{name}"), page(site.https.page(&format!("/1.2.2/{name}"))));
    }
    bootstrap.fails("SHA256SUMS has no provision-1.2.3-x86_64-linux");
}

#[test]
fn without_a_program_that_checks_signatures_only_the_sums_in_the_script_are_believed() {
    let site = Site::new();
    site.without(&["openssl"]);
    site.bootstrap_without_sums().set("PROVISION_VERSION", VERSION).fails(
        "there is no program here that can check who signed provision 1.2.3\n\
         bootstrap: install openssl (3 or later) or minisign, or use the bootstrap.sh of just that release",
    );
    site.bootstrap().installs(&program(VERSION));
    site.with("openssl", "echo 'OpenSSL 1.1.1w  11 Sep 2023'");
    site.bootstrap_without_sums().fails("there is no program here that can check who signed provision 1.2.3");
}

#[test]
fn without_a_program_that_checks_sums_nothing_is_downloaded() {
    let site = Site::new();
    site.without(&["sha256sum"]);
    site.bootstrap().installs(&program(VERSION));
    site.https.asked();
    site.without(&["openssl"]);
    site.bootstrap().fails("there is no program here that can check a SHA-256");
    assert_eq!(site.https.asked(), [""; 0]);
}

#[test]
fn the_repositorys_copy_belongs_to_no_release_and_has_the_release_key() {
    let site = Site::new();
    let read = |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let copy = read("bootstrap.sh");
    let key = read("packaging/provision.pub").lines().nth(1).unwrap().to_owned();
    for (name, value) in [("key", key.as_str()), ("version", ""), ("url", ""), ("x86_64", ""), ("aarch64", "")] {
        assert!(copy.contains(&format!("\trelease_{name}='{value}'\n")), "{name}");
    }
    site.bootstrap().script(&copy).fails("this copy of bootstrap.sh belongs to no release");
    let mirrored = site.bootstrap().script(copy).set("PROVISION_BASE_URL", site.https.url());
    mirrored.fails("SHA256SUMS of provision 1.2.3 is not signed with the release key");
}

#[test]
fn the_latest_version_or_the_one_that_is_asked_for_is_installed() {
    let site = Site::new();
    site.publish("1.10.0", &program("1.10.0"));
    site.bootstrap_without_sums().set("PROVISION_VERSION", VERSION).installs(&program(VERSION));
    site.bootstrap_without_sums().installs(&program("1.10.0"));
    fs::remove_file(site.target()).unwrap();
    site.bootstrap().installs(&program(VERSION));
    site.bootstrap().set("PROVISION_VERSION", "latest").installs(&program("1.10.0"));
    for wrong in ["1.2", "v1.2.3", "1.2.3.4", "1.2.x", "../1.2.3", "1..3", "1.2.3 ", "1.2.3333333333333333333"] {
        site.bootstrap().set("PROVISION_VERSION", wrong).fails(&format!("`{wrong}` is no version"));
    }
    site.https.put("/latest", page("<html>"));
    site.bootstrap_without_sums().fails("/latest names no version");
}

#[test]
fn an_older_version_is_installed_only_by_its_number() {
    let site = Site::new();
    site.installed(&program("1.10.0"));
    let older = "provision 1.10.0 is installed, and this would be the older 1.2.3";
    site.bootstrap().fails(older);
    site.bootstrap_without_sums().fails(older);
    site.bootstrap().set("PROVISION_VERSION", "latest").fails(older);
    site.bootstrap().set("PROVISION_VERSION", VERSION).installs(&program(VERSION));
}

#[test]
fn a_binary_of_another_version_or_that_does_not_run_is_not_installed() {
    let site = Site::new();
    site.publish(VERSION, &program("1.2.4"));
    site.bootstrap().fails("provision-1.2.3-x86_64-linux says that it is `provision 1.2.4`");
    site.publish(VERSION, b"#!/bin/sh\necho 'Illegal instruction'\nexit 132\n");
    site.bootstrap().fails("provision-1.2.3-x86_64-linux does not run here: Illegal instruction");
}

#[test]
fn offline_it_takes_what_was_brought_and_checks_it_as_well() {
    let site = Site::new();
    let brought = site.path("home");
    for name in ["provision-1.2.3-x86_64-linux", "SHA256SUMS", "SHA256SUMS.minisig"] {
        fs::write(brought.join(name), site.https.page(&format!("/1.2.3/{name}"))).unwrap();
    }
    site.https.asked();
    let (script, bare) = (site.script(VERSION), site.script_without_sums());
    site.without(&["curl", "wget"]);
    let offline = |file: &str| site.bootstrap().script(&bare).set("PROVISION_OFFLINE_FILE", file);
    for file in ["provision-1.2.3-x86_64-linux", "./provision-1.2.3-x86_64-linux"] {
        offline(file).installs(&program(VERSION));
        fs::remove_file(site.target()).unwrap();
    }
    for wrong in ["provision", "provision-1.2.3-aarch64-linux", "provision--x86_64-linux"] {
        offline(wrong).fails("is not named as a binary for a machine of the kind x86_64");
    }
    offline("nowhere/provision-1.2.3-x86_64-linux").fails("nowhere/provision-1.2.3-x86_64-linux is not there");
    offline("provision-1.2.4-x86_64-linux").fails("SHA256SUMS has no provision-1.2.4-x86_64-linux");
    fs::write(brought.join("provision-1.2.3-x86_64-linux"), "evil").unwrap();
    offline("provision-1.2.3-x86_64-linux").fails("its SHA-256 differs");
    fs::remove_file(brought.join("SHA256SUMS.minisig")).unwrap();
    offline("provision-1.2.3-x86_64-linux").script(script).fails("SHA256SUMS.minisig cannot be read");
    assert_eq!(site.https.asked(), [""; 0]);
}
