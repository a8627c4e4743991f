//! A release made elsewhere (packaging/release.sh): the same bytes as what is built here, and whole, signed, or not there.
use crate::lab::{binary, manual};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const DATE: &str = "1700000000";
/// With which tests/run has built.
const URL: &str = "https://example.org/provision";

/// A copy of this checkout below a directory of another name, and a home of cargo's of another name.
struct Elsewhere(tempfile::TempDir);

impl Elsewhere {
    fn new() -> Self {
        let elsewhere = Self(tempfile::tempdir().expect("a directory"));
        fs::create_dir(elsewhere.path("a checkout")).expect("written");
        elsewhere.sh(
            Path::new(env!("CARGO_MANIFEST_DIR")),
            "tar --exclude=./target --exclude=./.git --create . | tar --extract -C \"$PLACE/a checkout\"",
        );
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("set")).join(".cargo"));
        symlink(home, elsewhere.path("cargo")).expect("linked");
        elsewhere.sh(&elsewhere.path("."), "minisign -G -W -s key -p key.pub");
        let made = Command::new(manual()).arg(elsewhere.path("manual")).status().expect("it starts");
        assert!(made.success(), "the man pages were not made");
        elsewhere
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, directory: &Path, script: &str) -> Output {
        let mut command = Command::new("bash");
        command.args(["-euc", script]).current_dir(directory).stdin(Stdio::null());
        command.env("PLACE", self.0.path()).env("SOURCE_DATE_EPOCH", DATE).output().expect("bash starts")
    }

    fn sh(&self, directory: &Path, script: &str) -> String {
        let output = self.run(directory, script);
        assert!(output.status.success(), "{script}\n{}", said(&output));
        said(&output)
    }

    fn release(&self, arguments: &str) -> Output {
        let options = "--machines x86_64 --manual \"$PLACE/manual\" --output \"$PLACE/dist\" --key \"$PLACE/key\"";
        let release = format!("packaging/release.sh {options} --url {URL} {arguments}");
        self.run(&self.path("a checkout"), &format!("umask 027; CARGO_HOME=$PLACE/cargo TZ=Asia/Tokyo {release}"))
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("readable").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_release_made_elsewhere_has_the_same_bytes_and_is_whole_or_not_there() {
    let elsewhere = Elsewhere::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    elsewhere
        .sh(here, &format!("packaging/deb.sh x86_64 '{}' \"$PLACE/manual\" \"$PLACE/here.deb\"", binary().display()));

    // The key that those who install have is another one.
    let output = elsewhere.release("");
    assert!(!output.status.success() && said(&output).contains("is not the public half"), "{}", said(&output));
    assert_eq!(names(&elsewhere.path("dist")), BTreeSet::new());

    let output = elsewhere.release(&format!("--public-key \"$PLACE/key.pub\" {VERSION}"));
    assert!(output.status.success(), "{}", said(&output));
    let release = elsewhere.path("dist").join(VERSION);
    let (bare, deb) = (format!("provision-{VERSION}-x86_64-linux"), format!("provision_{VERSION}_amd64.deb"));
    let all = [&bare, &deb, "SHA256SUMS", "SHA256SUMS.minisig", "bootstrap.sh"].map(str::to_owned);
    assert_eq!(names(&release), BTreeSet::from(all));
    assert_eq!(fs::read_to_string(elsewhere.path("dist/latest")).expect("readable"), format!("{VERSION}\n"));
    let binaries_are_same = fs::read(release.join(bare)).unwrap() == fs::read(binary()).unwrap();
    assert!(
        binaries_are_same,
        "it differs from what `PROVISION_RELEASE_URL={URL} packaging/build.sh` should have made here"
    );
    assert!(
        fs::read(release.join(deb)).unwrap() == fs::read(elsewhere.path("here.deb")).unwrap(),
        "the package made elsewhere differs"
    );
    elsewhere.sh(&release, "sha256sum --check --strict SHA256SUMS; minisign -V -q -p \"$PLACE/key.pub\" -m SHA256SUMS");
    assert_eq!(elsewhere.sh(&release, "wc -l <SHA256SUMS"), "3\n");

    let output = elsewhere.release("--public-key \"$PLACE/key.pub\"");
    assert!(!output.status.success() && said(&output).contains("is there already"), "{}", said(&output));
}
