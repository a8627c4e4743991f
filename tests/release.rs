//! packaging/release.sh where it cannot release: it says why before it builds, and writes nothing.
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a script where a checkout of version 1.2.3 is, then the release with these arguments; returns what it said.
fn refused(before: &str, arguments: &str) -> String {
    let place = tempfile::tempdir().expect("a directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/release.sh");
    fs::create_dir_all(place.path().join("checkout/packaging")).expect("written");
    fs::create_dir(place.path().join("bin")).expect("written");
    fs::copy(script, place.path().join("checkout/packaging/release.sh")).expect("copied");
    fs::write(place.path().join("checkout/Cargo.toml"), "[package]\nversion = \"1.2.3\"\n[dependencies]\n")
        .expect("written");
    fs::write(place.path().join("checkout/packaging/provision.pub"), "").expect("written");
    fs::write(place.path().join("key"), "").expect("written");
    let output = Command::new("bash")
        .args([
            "-euc",
            &format!("{TOOLS}\ncd checkout; {before}\npackaging/release.sh --output \"$PLACE/dist\" {arguments}"),
        ])
        .current_dir(place.path())
        .env("PLACE", place.path())
        .env_remove("PROVISION_SIGNING_KEY")
        .env_remove("PROVISION_BASE_URL")
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
    assert!(!said.contains("building"), "{arguments}: {said}");
    let dist = place.path().join("dist");
    let written = fs::read_dir(dist).map(|entries| entries.flatten().map(|entry| entry.file_name()).collect());
    let written: Vec<_> = written.unwrap_or_default();
    assert!(written.is_empty() || written == ["1.2.3"], "{arguments}: {written:?}");
    said.replace(&place.path().display().to_string(), "PLACE")
}

/// The release looks for these and comes to run none of them.
const TOOLS: &str = "PATH=$PLACE/bin:$PATH
    for tool in cargo minisign readelf dpkg-deb; do printf '#!/bin/sh\\nexit 9\\n' >bin/$tool; chmod +x bin/$tool; done";

const DATED: &str = "export SOURCE_DATE_EPOCH=1700000000 PROVISION_BASE_URL=https://example.org/provision";

#[test]
fn a_release_that_cannot_be_is_refused_before_anything_is_built() {
    let cases = [
        (DATED, "9.9.9", "Cargo.toml has version 1.2.3, and 9.9.9 is to be released"),
        (DATED, "1.2.3 1.2.4", "one VERSION can be released, not 1.2.3 and 1.2.4"),
        (DATED, "--speed 3", "there is no option --speed"),
        (DATED, "--key", "--key wants a value"),
        (DATED, "", "there is no key to sign with: --key FILE"),
        (DATED, "--key \"$PLACE/key\" --url http://example.org", "bootstrap.sh has to know where the releases are"),
        (DATED, "--key \"$PLACE/none\"", "the key PLACE/none cannot be read"),
        (DATED, "--key \"$PLACE/key\" --public-key none", "the public key PLACE/checkout/none cannot be read"),
        (DATED, "--key \"$PLACE/key\" --machines 'sparc9 vax'", "no compiler here builds for sparc9"),
        (DATED, "--key \"$PLACE/key\" --machines 'sparc9 vax'", "no compiler here builds for vax"),
        ("", "--key \"$PLACE/key\"", "SOURCE_DATE_EPOCH has to say its date"),
        ("git init -q", "--key \"$PLACE/key\"", "there are changes that are not committed"),
        (
            "mkdir -p \"$PLACE/dist/1.2.3\"",
            "--key \"$PLACE/key\"",
            "PLACE/dist/1.2.3 is there already: no release is written over",
        ),
    ];
    for (before, arguments, expected) in cases {
        let said = refused(before, arguments);
        assert!(said.contains(expected), "{arguments}: {said}");
    }
}
