//! Recipes from elsewhere: packed into a bundle, fetched by digest or signature, and everything else refused.
use crate::support::place::{Place, Ran};
use crate::support::web;
use provision::system::fingerprint::hex;
use sha2::{Digest as _, Sha256};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use tar::{EntryType, Header};

const RECIPE: &str = "name = \"web\"\n\
    [vars]\ncolor = \"red\"\n\
    [[include]]\nrecipe = \"parts/motd.toml\"\n\
    [[file]]\npath = \"ROOT/color\"\nsource = \"files/{{ color }}\"\n\
    [[file]]\nwhen = false\npath = \"ROOT/never\"\nsource = \"files/never\"\n";
const PART: &str = "[[file]]\npath = \"ROOT/motd\"\nsource = \"motd\"\n";

// A key that minisign 0.11 made for this test.
const SECRET: &str = "untrusted comment: signature key of a test\n\
    RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAMKdu73EPLXUHaUZEZXedBVCCEOaUO6+vqIWOzRZ20nTWg6sP0J5srI9OhGveB+HXvDYqF191/eFP/JHTUdQnDka3++me8sxGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const PUBLIC: &str = "untrusted comment: minisign public key 752D0F71EF6EA730\n\
    RWQwp27vcQ8tdY9OhGveB+HXvDYqF191/eFP/JHTUdQnDka3++me8sxG\n";
const OTHER: &str = "RWSY0zoi9cqLBVl0G99zrkrKsRd6Bcn8G9iFdaAnOX4J9bIYSgEXh+tU\n";

/// Returns a place with a recipe of several files, and one that is none of them.
fn place() -> Place {
    let place = Place::new(RECIPE);
    let root = place.root().display().to_string();
    for directory in ["parts", "files"] {
        fs::create_dir(place.root().join(directory)).unwrap();
    }
    for (path, text) in [
        ("parts/motd.toml", PART),
        ("parts/motd", "hello\n"),
        ("files/red", "red\n"),
        ("files/blue", "blue\n"),
        ("files/never", "never\n"),
        ("files/.hidden", "hidden\n"),
        ("private", "private\n"),
        ("k.key", SECRET),
    ] {
        fs::write(place.root().join(path), text.replace("ROOT", &root)).unwrap();
    }
    place
}

fn run(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    command.arg("--trusted-dir").arg(place.root().join("trusted.d"));
    Ran::of(&command.output().unwrap(), place.root())
}

fn trust(place: &Place, name: &str, key: &str) {
    let directory = place.root().join("trusted.d");
    fs::create_dir_all(&directory).unwrap();
    fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    fs::write(directory.join(name), key).unwrap();
    fs::set_permissions(directory.join(name), Permissions::from_mode(0o644)).unwrap();
}

/// Makes web.tar and returns its digest.
fn bundle(place: &Place, options: &[&str]) -> String {
    let ran = run(place, &[&["bundle", "web.toml"], options].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    sha256(&read(place, "web.tar"))
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn read(place: &Place, path: &str) -> Vec<u8> {
    fs::read(place.root().join(path)).unwrap()
}

/// Returns a tar with a recipe and one more entry.
fn tar_with(name: &str, kind: EntryType) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, kind) in [("web.toml", EntryType::Regular), (name, kind)] {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &b""[..]).unwrap();
    }
    tar.into_inner().unwrap()
}

fn refused(ran: &Ran, said: &[&str]) {
    assert_eq!(ran.code, 2, "{ran:?}");
    for said in said {
        assert!(ran.stderr.contains(said), "{said}\n{}", ran.stderr);
    }
}

#[test]
fn a_bundle_has_the_recipe_and_what_it_may_read_here_or_elsewhere_and_nothing_else() {
    let place = place();
    let made = run(&place, &["bundle", "web.toml"]);
    let sha256 = sha256(&read(&place, "web.tar"));
    assert_eq!(made.stderr, "");
    assert_eq!(
        made.stdout,
        format!(
            "web.tar: 6 files, 7 KiB\n  files/blue\n  files/never\n  files/red\n  parts/motd\n  parts/motd.toml\n  \
             web.toml\nsha256:{sha256}\nput it on a server, then: provision apply https://SERVER/web.tar#sha256={sha256}\n"
        )
    );
    fs::set_permissions(place.root().join("files/red"), Permissions::from_mode(0o755)).unwrap();
    fs::write(place.root().join("files/red"), "red\n").unwrap();
    assert_eq!(bundle(&place, &[]), sha256, "the same files are the same bytes");
    let again = run(&place, &["bundle", &format!("web.tar#sha256={sha256}"), "--output", "copy.tar", "--json"]);
    let said: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((said["sha256"].as_str(), said["signature"].is_null()), (Some(sha256.as_str()), true));
    assert_eq!(read(&place, "copy.tar"), read(&place, "web.tar"));
}

#[test]
fn what_a_bundle_may_lack_is_said() {
    let place = place();
    place.recipe(
        "name = \"web\"\n[vars]\nf = \"files/red\"\n\
         [[file]]\npath = \"ROOT/color\"\nsource = \"{{ f }}\"\n\
         [[file]]\nwhen = false\npath = \"ROOT/x\"\nsource = \"files/green\"\n",
    );
    let made = run(&place, &["bundle", "web.toml"]);
    assert_eq!(
        made.stderr,
        "warning: `source = \"{{ f }}\"` in web.toml may name any file: of these the bundle has those that it names here\n\
         warning: `source = \"files/green\"` in web.toml: there is no such file, so none is in it\n"
    );
    assert!(made.stdout.starts_with("web.tar: 2 files, 3 KiB\n  files/red\n  web.toml\n"), "{made:?}");
}

#[test]
fn a_recipe_that_ships_is_the_same_from_its_bundle() {
    let place = place();
    assert_eq!(run(&place, &["bundle", "eidolons"]).code, 0);
    let digest = sha256(&read(&place, "eidolons.tar"));
    let resources = |recipe: &str| {
        let ran = run(&place, &["validate", recipe]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.rsplit_once(": `").unwrap().1.to_owned()
    };
    assert_eq!(resources("eidolons"), resources(&format!("eidolons.tar#sha256={digest}")));
}

#[test]
fn a_bundle_is_applied_by_url_and_digest_and_nothing_of_it_is_left() {
    let place = place();
    let digest = bundle(&place, &[]);
    fs::remove_file(place.root().join("web.toml")).unwrap();
    let url = web::on_loopback(&[("/r/web.tar", 200, read(&place, "web.tar"))]);
    let recipe = format!("{url}/r/web.tar#sha256={digest}");
    let ran = |arguments: &[&str]| run(&place, &[arguments, &[recipe.as_str()]].concat());

    let planned = ran(&["plan"]);
    assert!(planned.stdout.starts_with(&format!("web from {recipe}\n")), "{planned:?}");
    assert!(!place.root().join("state").exists(), "a plan writes nothing");
    assert_eq!(ran(&["validate"]).stdout, format!("{recipe}: `web` is right: 2 resources\n"));
    let applied = ran(&["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    assert_eq!((read(&place, "motd"), read(&place, "color")), (b"hello\n".to_vec(), b"red\n".to_vec()));
    let again = ran(&["apply", "--yes", "--var", "color=blue"]);
    assert_eq!((again.code, read(&place, "color")), (0, b"blue\n".to_vec()), "{again:?}");
    let ledger = String::from_utf8(read(&place, "state/ledger.jsonl")).unwrap();
    assert!(ledger.contains(&format!("\"file\":\"{recipe}\"")), "the ledger knows where it came from: {ledger}");
    for command in ["status", "test"] {
        assert_eq!(ran(&[command, "--var", "color=blue"]).code, 0, "{command}");
    }
    assert_eq!(ran(&["destroy", "--yes", "--var", "color=blue"]).code, 0);
    assert!(!place.root().join("motd").exists());
}

#[test]
fn a_mistake_in_a_bundle_is_shown_at_its_place_in_it() {
    let place = place();
    fs::write(place.root().join("parts/motd.toml"), "[[file]]\npath = \"/x\"\nmoed = \"0644\"\n").unwrap();
    refused(&run(&place, &["bundle", "web.toml"]), &["unknown key `moed`"]);
    assert!(!place.root().join("web.tar").exists(), "a recipe that is wrong is not packed");
    let mut tar = tar::Builder::new(Vec::new());
    let text = b"name = \"web\"\n[[file]]\npath = \"/x\"\nmoed = \"0644\"\n";
    let mut header = Header::new_ustar();
    header.set_path("web.toml").unwrap();
    header.set_size(text.len() as u64);
    header.set_cksum();
    tar.append(&header, &text[..]).unwrap();
    let tar = tar.into_inner().unwrap();
    fs::write(place.root().join("bad.tar"), &tar).unwrap();
    let ran = run(&place, &["validate", &format!("./bad.tar#sha256={}", sha256(&tar))]);
    refused(&ran, &["unknown key `moed`", "bad.tar/web.toml:4:1"]);
}

#[test]
fn a_signed_bundle_is_taken_from_a_url_or_a_file_and_it_is_said_who_signed_it() {
    let place = place();
    let digest = bundle(&place, &["--sign", "k.key"]);
    trust(&place, "ops.pub", PUBLIC);
    let (tar, signature) = (read(&place, "web.tar"), read(&place, "web.tar.minisig"));
    let url = web::on_loopback(&[("/web.tar", 200, tar), ("/web.tar.minisig", 200, signature)]);
    for at in [format!("{url}/web.tar"), "./web.tar".to_owned()] {
        let applied = run(&place, &["apply", "--yes", &at]);
        let from = format!("{at}#sha256={digest}, signed by the key `ops`");
        assert!(applied.code == 0 && applied.stdout.starts_with(&format!("web from {from}\n")), "{applied:?}");
        let ledger = String::from_utf8(read(&place, "state/ledger.jsonl")).unwrap();
        assert!(ledger.contains(&format!("\"file\":\"{from}\"")), "{ledger}");
    }
    let report = run(&place, &["report"]);
    assert_eq!(report.code, 0, "{report:?}");
    let mut report = fs::read_dir(place.root()).unwrap().map(|entry| entry.unwrap().path());
    let report = report.find(|path| path.to_string_lossy().contains("provision-report-")).unwrap();
    let text = String::from_utf8_lossy(&fs::read(report).unwrap()).into_owned();
    assert!(text.contains("$ provision plan './web.tar#sha256=") && text.contains("planned: 0 to change"), "{text}");
}

#[test]
fn without_a_digest_and_a_signature_that_fits_a_bundle_is_refused() {
    let place = place();
    let digest = bundle(&place, &["--sign", "k.key"]);
    let (tar, signature) = (read(&place, "web.tar"), read(&place, "web.tar.minisig"));
    let mut changed = tar.clone();
    changed[600] ^= 1;
    let url = web::on_loopback(&[
        ("/web.tar", 200, tar.clone()),
        ("/web.tar.minisig", 200, signature.clone()),
        ("/changed.tar", 200, changed),
        ("/changed.tar.minisig", 200, signature),
        ("/bare.tar", 200, tar.clone()),
        ("/odd.tar", 200, tar),
        ("/odd.tar.minisig", 200, b"hello\n".to_vec()),
        ("/closed.tar", 403, b"no\n".to_vec()),
    ]);
    let validate = |at: &str| run(&place, &["validate", &at.replace("URL", &url)]);
    let by_nobody = validate("URL/web.tar");
    refused(&by_nobody, &["it comes without `#sha256=`", "there is no key in `ROOT/trusted.d`"]);
    refused(&by_nobody, &[&format!("{url}/web.tar#sha256=DIGEST"), "have it signed by a key in `ROOT/trusted.d`"]);
    trust(&place, "other.pub", OTHER);
    refused(&validate("URL/web.tar"), &["it is by none of the keys that are trusted (trusted: `other`)"]);
    trust(&place, "ops.pub", PUBLIC);
    assert_eq!(validate("URL/web.tar").code, 0);
    let changed = "it is by the key `ops`, and not of these bytes: they or the signature were changed";
    refused(&validate("URL/changed.tar"), &[changed]);
    refused(&validate("URL/bare.tar"), &[&format!("there is no signature at `{url}/bare.tar.minisig`")]);
    refused(&validate("URL/odd.tar"), &["it is not a signature of minisign"]);
    let wrong = "0".repeat(64);
    let differs = validate(&format!("URL/web.tar#sha256={wrong}"));
    refused(&differs, &[&format!("its SHA-256 is {digest}"), &format!("asked for was {wrong}"), "use neither"]);
    refused(&validate(&format!("URL/none.tar#sha256={wrong}")), &["there is no such bundle"]);
    refused(&validate(&format!("none.tar#sha256={wrong}")), &["there is no such bundle"]);
    refused(&validate("none.tar"), &["there is no signature at `none.tar.minisig`"]);
    refused(&validate("ftp://x/web.tar"), &["recipes are not fetched by `ftp`"]);
    refused(&validate("URL/web.tar#sha256=12"), &["`12` is no SHA-256"]);
    let closed = validate(&format!("URL/closed.tar#sha256={wrong}"));
    assert!(closed.code == 1 && closed.stderr.contains("the server answered 403"), "{closed:?}");
    fs::set_permissions(place.root().join("trusted.d/other.pub"), Permissions::from_mode(0o666)).unwrap();
    let writable = validate("URL/web.tar");
    assert_eq!(writable.code, 1, "{writable:?}");
    assert!(writable.stderr.contains("others than its owner can write to it (mode 0666)"), "{writable:?}");
    assert!(!place.root().join("state").exists(), "nothing was touched");
}

#[test]
fn what_a_hostile_server_may_send_is_refused_though_its_digest_is_right() {
    let place = place();
    let no_tar = "it is no tar: a bundle is one, and not compressed";
    let long = vec![0; (64 << 20) + 1];
    let kinds = [
        ("/etc/shadow", EntryType::Regular, "`/etc/shadow` is an absolute path"),
        ("../x", EntryType::Regular, "`../x` leads out of it by `..`"),
        ("x", EntryType::Symlink, "`x` is a link: a bundle has plain files alone"),
        ("x", EntryType::Link, "`x` is a link: a bundle has plain files alone"),
        ("x", EntryType::Char, "`x` is a device or a pipe"),
        ("x", EntryType::GNUSparse, "`x` is a file with holes"),
        ("web.toml", EntryType::Regular, "`web.toml` is in it twice"),
    ];
    let tars = kinds.map(|(name, kind, why)| (tar_with(name, kind), why));
    let others = [(b"\x1f\x8b\x08 compressed".to_vec(), no_tar), (vec![0; 4096], no_tar)];
    for (bytes, why) in tars.into_iter().chain(others) {
        let sha256 = sha256(&bytes);
        let url = web::on_loopback(&[("/web.tar", 200, bytes)]);
        let ran = run(&place, &["apply", "--yes", &format!("{url}/web.tar#sha256={sha256}")]);
        refused(&ran, &[why, "with `provision bundle` and use that"]);
    }
    let sha256 = sha256(&long);
    fs::write(place.root().join("long.tar"), &long).unwrap();
    let url = web::on_loopback(&[("/long.tar", 200, long)]);
    for at in [format!("{url}/long.tar"), "long.tar".to_owned()] {
        let ran = run(&place, &["apply", "--yes", &format!("{at}#sha256={sha256}")]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains("is longer than 67108864 bytes"), "{ran:?}");
    }
    assert!(!place.root().join("state").exists() && !place.root().join("motd").exists(), "nothing was touched");
}

#[test]
fn a_download_that_fails_in_passing_is_tried_again() {
    let place = place();
    let digest = bundle(&place, &[]);
    let url = web::on_loopback_failing_first(&[("/web.tar", 200, read(&place, "web.tar"))]);
    let ran = run(&place, &["validate", &format!("{url}/web.tar#sha256={digest}")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let nobody = run(&place, &["validate", &format!("http://me:pw@127.0.0.1:1/web.tar#sha256={digest}")]);
    assert!(nobody.code == 1 && nobody.stderr.contains("fetching `http://127.0.0.1:1/web.tar`"), "{nobody:?}");
    assert!(!nobody.stderr.contains("pw"), "{nobody:?}");
}

/// Without systemd it is said what else could be started again and again: the command line that a unit would have.
#[test]
fn a_bundle_is_scheduled_by_all_that_an_apply_of_it_needs_anywhere() {
    let place = place();
    let digest = bundle(&place, &["--sign", "k.key"]);
    trust(&place, "ops.pub", PUBLIC);
    let url = web::on_loopback(&[("/a%20b/web.tar", 200, read(&place, "web.tar"))]);
    let schedule = |recipe: &str| {
        let schedule = place.command(&["schedule", recipe, "--every", "30m"]);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-ec", "mount -t tmpfs none /run; exec \"$@\"", "sh"]);
        command.arg(schedule.get_program()).args(schedule.get_args()).arg("--trusted-dir").arg("trusted.d");
        Ran::of(&command.current_dir(place.root()).output().unwrap(), place.root())
    };
    for (named, whole) in [
        (format!("./web.tar#sha256={}", digest.to_uppercase()), format!("'ROOT/web.tar#sha256={digest}'")),
        ("web.tar".to_owned(), "ROOT/web.tar".to_owned()),
        (format!("{url}/a%20b/web.tar#sha256={digest}"), format!("'{url}/a%20b/web.tar#sha256={digest}'")),
    ] {
        let ran = schedule(&named);
        let line = format!(
            "provision apply {whole} --yes --wait 10m --state-dir ROOT/state --run-dir ROOT/run --trusted-dir ROOT/trusted.d`"
        );
        assert!(ran.code == 1 && ran.stderr.contains(&line), "{line}\n{ran:?}");
    }
    refused(&schedule("other.tar"), &["there is no signature at `other.tar.minisig`"]);
    let login = url.replace("://", "://me:pw@");
    let with_password = schedule(&format!("{login}/a%20b/web.tar#sha256={digest}"));
    refused(&with_password, &["its address has a password, and everybody can read the unit that would have it"]);
    assert!(!with_password.stderr.contains("pw"), "{with_password:?}");
}

#[test]
fn the_signature_of_the_bundle_before_goes_with_it() {
    let place = place();
    bundle(&place, &["--sign", "k.key"]);
    assert!(place.root().join("web.tar.minisig").exists());
    bundle(&place, &[]);
    assert!(!place.root().join("web.tar.minisig").exists());
}

#[test]
fn a_bundle_overwrites_nothing_else_and_is_signed_by_a_key_alone() {
    let place = place();
    fs::write(place.root().join("web.tar"), "mine\n").unwrap();
    refused(&run(&place, &["bundle", "web.toml"]), &["it is there already and is no bundle"]);
    assert_eq!(read(&place, "web.tar"), b"mine\n");
    refused(&run(&place, &["bundle", "web.toml", "--output", "web.zip"]), &["the name of a bundle ends in `.tar`"]);
    refused(&run(&place, &["bundle", "web.toml", "--sign", "none.key"]), &["reading the secret key `none.key`"]);
    refused(&run(&place, &["bundle", "web.toml", "--sign", "web.toml"]), &["it is not a secret key of minisign"]);
    let links: &Path = &place.root().join("link.tar");
    std::os::unix::fs::symlink("/dev/null", links).unwrap();
    refused(&run(&place, &["bundle", "web.toml", "-o", "link.tar"]), &["it is there already and is no bundle"]);
}
