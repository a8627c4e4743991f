//! What README.md says of releases and of recipes from elsewhere, run as it stands on a machine with servers of its own.
use crate::e2e_guides::blocks;
use crate::lab::on_a_furnished_machine;
use crate::support::https::{Answer, authority};
use crate::support::pty::{On, Pty};
use crate::support::release::{Site, sha256};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The sections, in the order in which they are read here: the last one takes provision away.
pub const TITLES: &[&str] = &["A recipe from elsewhere", "Install"];

const README: &str = include_str!("../README.md");
const VERSION: &str = env!("CARGO_PKG_VERSION");
const PROGRAM: &str = "/usr/local/bin/provision";
const BUNDLE: &str = "/root/web.tar";

#[test]
fn a_reader_of_the_readme_installs_a_release_and_has_recipes_from_elsewhere() {
    let test = "e2e_readme::a_reader_of_the_readme_installs_a_release_and_has_recipes_from_elsewhere";
    on_a_furnished_machine(
        test,
        &["ca-certificates", "curl", "minisign", "openssl", "wget"],
        |lab| {
            lab.furnish();
            for script in ["bootstrap.sh", "packaging/release-bootstrap.sh"] {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
                lab.put(&path, &path.display().to_string());
            }
        },
        || {
            let site = Site::new();
            fs::write("/usr/local/share/ca-certificates/site.crt", authority()).unwrap();
            assert!(Command::new("update-ca-certificates").output().unwrap().status.success());
            takes_recipes_from_elsewhere(&site);
            installs_a_release_and_takes_it_away(&site);
        },
    );
}

fn takes_recipes_from_elsewhere(site: &Site) {
    let (_, recipe) = README.split_once("## A recipe\n\n```toml\n").unwrap();
    fs::write("/root/web.toml", recipe.split_once("```").unwrap().0).unwrap();
    for block in scripts("A recipe from elsewhere") {
        let digest = fs::read(BUNDLE).map(|bytes| sha256(&bytes)).unwrap_or_default();
        let server = site.https.url();
        run(site, &block.replace("https://SERVER", &server).replace("DIGEST", &digest), &[]);
        for name in [BUNDLE.to_owned(), format!("{BUNDLE}.minisig")] {
            if let Ok(bytes) = fs::read(&name) {
                site.https.put(name.strip_prefix("/root").unwrap(), Answer::Page(bytes));
            }
        }
    }
}

fn installs_a_release_and_takes_it_away(site: &Site) {
    site.publish(VERSION, &site.with_own_key(fs::read(PROGRAM).unwrap()));
    fs::remove_file(PROGRAM).unwrap();
    site.https.put(&format!("/{VERSION}/bootstrap.sh"), Answer::Page(site.script(VERSION).into_bytes()));
    let recipe = "name = \"eidolons\"\n[[file]]\npath = \"/etc/motd\"\ncontent = \"hello\\n\"\n";
    fs::write("/root/eidolons.toml", recipe).unwrap();
    for block in scripts("Install") {
        let block = block.replace("URL/VERSION", &format!("{}/{VERSION}", site.https.url()));
        let said =
            run(site, &block, &["as /usr/local/bin/provision? [Y/n]", "apply these changes?", "uninstall provision?"]);
        for expected in ["applied: 1 changed", &format!("provision {VERSION} is the latest"), "is uninstalled"] {
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
    assert!(!Path::new(PROGRAM).exists());
    assert_eq!(fs::read_to_string("/etc/motd").unwrap(), "hello\n");
}

fn scripts(title: &str) -> Vec<String> {
    blocks(README).into_iter().filter(|block| block.title == title).map(|block| block.script).collect()
}

/// Runs a block at a terminal, where somebody says yes to these questions; returns what is seen there.
fn run(site: &Site, script: &str, questions: &[&str]) -> String {
    let mut command = Command::new("bash");
    // The binary that is tried here was built for another place.
    command.args(["-e", "-c", script]).current_dir("/root").env("PROVISION_BASE_URL", site.https.url());
    let mut pty = Pty::start(&command, 200, 100, On::Both);
    for question in questions {
        pty.until(|screen| screen.contents().contains(question));
        pty.types("y\n");
    }
    let (code, _) = pty.end();
    let said = pty.screen().contents();
    println!("{script}exit {code}\n{said}");
    assert_eq!(code, 0, "{script}");
    said
}
