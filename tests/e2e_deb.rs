//! The Debian package on a real machine: installed, upgraded, removed and purged, also where what its scripts call fails.
use crate::lab::{Answer, Lab, binary, manual};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a machine has, but for what dpkg and programs note about themselves.
const FILES: &str = "find /etc /home /opt /root /srv /usr /var \
                     -not -path '/var/lib/dpkg/*' -not -path '/var/log/*' -not -path '/var/cache/*' | LC_ALL=C sort";

const RECIPE: &str = "name = \"try\"\n[[file]]\npath = \"/srv/tried\"\ncontent = \"hello\\n\"\n";

/// Packages of this checkout: what there is now, and the next version of it.
struct Packages(tempfile::TempDir);

impl Packages {
    fn made() -> Self {
        let packages = Self(tempfile::tempdir().expect("a directory"));
        shell(
            "\"$MANUAL\" \"$PLACE/manual\"
             packaging/deb.sh x86_64 \"$BINARY\" \"$PLACE/manual\" \"$PLACE/now.deb\"
             dpkg-deb --raw-extract \"$PLACE/now.deb\" \"$PLACE/next\"
             sed -i 's/^Version: .*/Version: 999.0/' \"$PLACE/next/DEBIAN/control\"
             for recipe in eidolon eidolons; do echo '# of the next version' >>\"$PLACE/next/etc/provision/recipes/$recipe.toml\"; done
             dpkg-deb -Zgzip --build --root-owner-group \"$PLACE/next\" \"$PLACE/next.deb\"",
            packages.0.path(),
        );
        packages
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs a script in the checkout.
fn shell(script: &str, place: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("bash")
        .args(["-euc", script])
        .current_dir(root)
        .env("PLACE", place)
        .env("BINARY", binary())
        .env("MANUAL", manual())
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .stdin(Stdio::null())
        .output()
        .expect("bash starts");
    assert!(output.status.success(), "{script}\n{output:?}");
}

fn dpkg(lab: &Lab, arguments: &str) -> String {
    let Answer { code, stdout, stderr } = lab.run(&["sh", "-c", &format!("dpkg {arguments}")]);
    assert_eq!(code, 0, "dpkg {arguments}\n{stdout}\n{stderr}");
    assert_eq!(lab.sh("dpkg --audit"), "", "after dpkg {arguments}");
    stdout + &stderr
}

#[test]
fn a_package_is_installed_upgraded_and_purged_and_the_state_alone_is_left() {
    let packages = Packages::made();
    let lab = Lab::up(&[]);
    lab.put(&packages.file("now.deb"), "/run/now.deb");
    lab.put(&packages.file("next.deb"), "/run/next.deb");
    let before = lab.sh(FILES);

    dpkg(&lab, "-i /run/now.deb");
    assert_eq!(
        lab.sh("command -v provision; provision --version"),
        format!("/usr/bin/provision\nprovision {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(lab.sh("cd /; provision validate eidolons").contains("/etc/provision/recipes/eidolons.toml"));
    assert_eq!(lab.sh("dpkg --verify provision"), "");
    lab.sh("bash -ec '. /usr/share/bash-completion/completions/provision; complete -p provision'");
    lab.sh("zcat /usr/share/man/man1/provision.1.gz | grep -q '^.TH provision'");
    lab.sh("test -s /usr/share/zsh/vendor-completions/_provision -a -s /usr/share/fish/vendor_completions.d/provision.fish");
    lab.write("/run/try.toml", RECIPE);
    lab.sh("provision apply --yes /run/try.toml");

    // Edited by the user and changed in the next version; edited alone; changed alone.
    lab.sh("cd /etc/provision/recipes; echo '# mine' | tee -a eidolon.toml >>member.toml");
    dpkg(&lab, "--force-confdef --force-confold -i /run/next.deb");
    let last = |file: &str| lab.sh(&format!("tail -n 1 /etc/provision/recipes/{file}"));
    assert_eq!(last("eidolon.toml"), "# mine\n");
    assert_eq!(last("eidolon.toml.dpkg-dist"), "# of the next version\n");
    assert_eq!(last("member.toml"), "# mine\n");
    assert_eq!(last("eidolons.toml"), "# of the next version\n");

    // The package's own units, of a recipe in its directory.
    lab.sh(
        "cp /run/try.toml /etc/provision/recipes/try.toml; rm /srv/tried; systemctl enable --now provision@try.timer",
    );
    lab.sh("systemctl start provision@try; test -e /srv/tried; systemctl is-active provision@try.timer");
    lab.sh("rm /etc/provision/recipes/try.toml");
    lab.sh("provision schedule /run/try.toml --every 30m");
    lab.write("/run/another.toml", "name = \"another\"\n");
    lab.sh("cp /usr/bin/provision /usr/local/bin/copy; copy schedule /run/another.toml --every 30m");
    let said = dpkg(&lab, "-r provision");
    assert!(said.contains("try is not scheduled any more") && !said.contains("another"), "{said}");
    assert!(lab.sh("copy schedule; copy schedule --off; rm /usr/local/bin/copy").starts_with("another "));
    assert_eq!(last("member.toml"), "# mine\n");
    lab.sh("! command -v provision");
    let said = dpkg(&lab, "-P provision");
    assert!(said.contains("/var/lib/provision is left"), "{said}");
    lab.sh("rm /srv/tried; ! systemctl is-active provision@try.timer");
    assert_eq!(without(&lab.sh(FILES), "/var/lib/provision"), before);
    lab.sh("test -s /var/lib/provision/ledger.jsonl");

    failing_scripts_do_not_break_dpkg(&lab);
}

/// Every program that a script may call fails, or is not there.
fn failing_scripts_do_not_break_dpkg(lab: &Lab) {
    for broken in [
        "printf '#!/bin/sh\\nexit 1\\n' >/usr/local/bin/systemctl; chmod +x /usr/local/bin/systemctl",
        "mv /usr/bin/systemctl /usr/bin/systemctl.away; rm /usr/local/bin/systemctl",
    ] {
        lab.sh(broken);
        for arguments in ["-i /run/now.deb", "-i /run/next.deb", "-r provision", "-i /run/now.deb", "-P provision"] {
            dpkg(lab, arguments);
        }
    }
}

/// Returns the lines that are not a path or below it.
fn without(lines: &str, path: &str) -> String {
    let below = format!("{path}/");
    lines.lines().filter(|line| *line != path && !line.starts_with(&below)).flat_map(|line| [line, "\n"]).collect()
}
