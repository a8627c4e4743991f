//! bootstrap.sh with the release binary, signed and checked by the real minisign.
use crate::lab::binary;
use crate::support::https::Answer;
use crate::support::release::{Site, which};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

#[test]
fn a_release_that_minisign_signed_is_installed_by_minisign_or_openssl_and_a_changed_one_by_neither() {
    let site = Site::new();
    let minisign = |arguments: &[&str]| {
        let mut command = Command::new(which("minisign"));
        let ran = command.args(arguments).current_dir(site.path("home")).stdin(Stdio::null()).output().unwrap();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    minisign(&["-G", "-W", "-f", "-s", "release.key", "-p", "release.pub"]);
    let version = env!("CARGO_PKG_VERSION");
    let sums = format!("/{version}/SHA256SUMS");
    site.publish(version, &fs::read(binary()).unwrap());
    fs::write(site.path("home/SHA256SUMS"), site.https.page(&sums)).unwrap();
    minisign(&["-S", "-W", "-s", "release.key", "-m", "SHA256SUMS", "-t", "provision"]);
    let signature = fs::read(site.path("home/SHA256SUMS.minisig")).unwrap();
    let public = fs::read_to_string(site.path("home/release.pub")).unwrap();
    let public = public.lines().nth(1).unwrap();
    let script = site.script(version).replace(&site.key.public(), public);
    let bootstrap = || site.bootstrap().script(&script);
    let mut changed = signature.clone();
    changed[100] = if changed[100] == b'A' { b'B' } else { b'A' };
    for verifier in ["openssl", "minisign"] {
        if verifier == "minisign" {
            symlink(which(verifier), site.path("bin").join(verifier)).unwrap();
        }
        site.https.put(&format!("{sums}.minisig"), Answer::Page(changed.clone()));
        bootstrap().fails(&format!("is not signed with the release key ({verifier} looked)"));
        site.https.put(&format!("{sums}.minisig"), Answer::Page(signature.clone()));
        let ran = bootstrap().run(&["--version"]);
        assert_eq!((ran.code, ran.stdout), (0, format!("provision {version}\n")), "{}", ran.stderr);
        assert_eq!(fs::read(site.target()).unwrap(), fs::read(binary()).unwrap());
        fs::remove_file(site.target()).unwrap();
    }
}
