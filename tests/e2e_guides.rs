//! Every command block of the documents runs, in the order in which a reader meets it, each with the exit code that it names.
//! Those of README.md that need a release or a server run in `e2e_readme`.
use crate::e2e_job::{NETWORK, RECIPE};
use crate::e2e_readme;
use crate::lab::{Lab, pct};
use std::path::Path;
use std::time::Instant;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";
const TEMPLATE_OF_NODE: &str = "/var/lib/vz/template/cache/debian-12-standard_12.7-1_amd64.tar.zst";

/// What is read on a Debian machine, and what on a node of Proxmox: a document and the titles of its sections.
const ON_DEBIAN: &[(&str, &[&str])] = &[
    ("getting-started.md", &["On a laptop", "A container on the same machine"]),
    ("events.md", &["The ledger"]),
    ("security.md", &["The ledger"]),
    // The last one: it takes provision away.
    ("operations.md", &["Schedule", "Metrics", "Hook", "History", "Restore", "Uninstall"]),
];
const ON_A_NODE: &[(&str, &[&str])] = &[("getting-started.md", &["On a Proxmox host"])];

/// What shows, with what is printed, what another test does: how such a block begins, and that test.
const RECORDED: &[(&str, &str, &str, &str)] = &[
    ("README.md", "packaging/from-source.sh apply ", "e2e_job", "the_seven_members_come_up_stay_and_are_repaired"),
    ("README.md", "# provision plan eidolons\n", "e2e_job", "the_seven_members_come_up_stay_and_are_repaired"),
    ("README.md", "# provision status eidolons\n", "e2e_job", "the_seven_members_come_up_stay_and_are_repaired"),
    ("README.md", "# provision apply eidolons --yes\n", "e2e_job", "the_seven_members_come_up_stay_and_are_repaired"),
    (
        "packaging/README.md",
        "packaging/release.sh --key ",
        "e2e_release",
        "a_release_made_elsewhere_has_the_same_bytes_and_is_whole_or_not_there",
    ),
    (
        "docs/recipes.md",
        "# provision import 201 --into web.toml\n",
        "e2e_pct",
        "a_container_of_proxmox_is_changed_in_place_and_nothing_is_lost",
    ),
    (
        "docs/recipes.md",
        "# provision plan web.toml\n...\nplanned: ",
        "approval",
        "what_was_not_expected_is_said_and_nothing_is_changed",
    ),
    (
        "docs/recipes.md",
        "# provision plan web.toml\norphans: ",
        "orphans",
        "what_a_recipe_no_longer_has_is_shown_by_every_plan_and_left_alone",
    ),
];

#[test]
fn a_reader_on_a_debian_machine_comes_to_the_end() {
    // What the recipe would install first.
    let packages = ["lxc", "uidmap", "debootstrap", "zstd", "nftables", "iproute2", "ifupdown", "ca-certificates"];
    let lab = Lab::up(&packages);
    lab.furnish();
    lab.put(Path::new(TEMPLATE), TEMPLATE);
    read(&lab, ON_DEBIAN);
}

#[test]
fn a_reader_on_a_node_of_proxmox_comes_to_the_end() {
    let lab = Lab::up(&["lxc", "uidmap", "zstd", "e2fsprogs", "openssh-client"]);
    lab.furnish();
    lab.put(&pct(), "/usr/sbin/pct");
    lab.put(Path::new(TEMPLATE), TEMPLATE_OF_NODE);
    lab.sh(
        "mkdir -p /etc/pve/lxc /etc/pve/nodes /etc/pve/qemu-server
         printf 'dir: local\\n\\tpath /var/lib/vz\\n\\tcontent vztmpl,rootdir\\n' >/etc/pve/storage.cfg
         printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid
         ip link add vmbr1 type bridge; ip address add 10.0.100.1/24 dev vmbr1; ip link set vmbr1 up
         pct create 101 local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst --hostname byhand --memory 512 --rootfs local:4 \
             --unprivileged 1 --net0 name=eth0,bridge=vmbr1,ip=10.0.100.101/24,gw=10.0.100.1
         pct start 101",
    );
    read(&lab, ON_A_NODE);
}

#[test]
fn no_command_block_of_a_document_is_left_out() {
    let guides = std::fs::read_dir(root().join("docs")).unwrap().flatten();
    let guides = guides.map(|entry| format!("docs/{}", entry.file_name().into_string().unwrap()));
    // Of this docs/recipes.md is made.
    let guides = guides.filter(|document| document != "docs/recipes.in.md");
    let others = ["README.md", "ARCHITECTURE.md", "packaging/README.md", "tests/cases/README.md"].map(str::to_owned);
    for document in guides.chain(others) {
        for block in blocks(&text_of(&document)) {
            let of_a_guide = |(name, titles): &&(&str, &[&str])| {
                document.strip_prefix("docs/") == Some(*name) && titles.contains(&block.title.as_str())
            };
            let of_a_recording = |(name, begin, module, test): &&(&str, &str, &str, &str)| {
                let is_there = || text_of(&format!("tests/{module}.rs")).contains(&format!("fn {test}()"));
                *name == document && block.script.starts_with(begin) && is_there()
            };
            let readers = ON_DEBIAN.iter().chain(ON_A_NODE).filter(of_a_guide).count()
                + RECORDED.iter().filter(of_a_recording).count()
                + usize::from(document == "README.md" && e2e_readme::TITLES.contains(&block.title.as_str()));
            assert_eq!(readers, 1, "{document}, {}: nobody runs\n{}", block.title, block.script);
        }
    }
}

/// The first is on a machine like those of the job, all of whose applies have these words; the job hands in what makes it
/// smaller besides. That packaging/from-source.sh builds, installs and hands its words on is seen where tests/run builds by it.
#[test]
fn what_the_readme_begins_with_is_what_continuous_integration_does() {
    let apply = format!("packaging/from-source.sh apply {RECIPE} --yes");
    let begin: Vec<String> = blocks(&text_of("README.md")).into_iter().take(2).map(|block| block.script).collect();
    let without_remarks = |line: &str| line.split("  #").next().unwrap_or_default().trim_end().to_owned();
    let first: Vec<String> = begin[0].lines().map(without_remarks).collect();
    assert_eq!(first, [apply.as_str(), "./tests/run"]);
    assert_eq!(begin[1], format!("{apply} \\\n  --var '{NETWORK}'\n"));
    assert!(text_of(".ci/run").ends_with("exec tests/run\n"));
    assert!(text_of("tests/run").contains(" packaging/from-source.sh "));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap()
}

/// A block of commands, beneath the title of its section.
pub struct Block {
    pub title: String,
    pub script: String,
}

impl Block {
    /// Returns the exit code that its last line names.
    fn code(&self) -> i32 {
        let last = self.script.lines().last().unwrap_or_default();
        let named = last.split_once("# exit ").and_then(|(_, rest)| rest.split(':').next());
        named.map_or(0, |code| code.parse().expect("a number"))
    }
}

/// Returns the blocks that are marked `sh`, and those that are not marked at all.
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut title, mut inside): (Vec<Block>, String, Option<bool>) = (Vec::new(), String::new(), None);
    for line in text.lines() {
        match (inside, line.strip_prefix("```")) {
            (Some(_), Some(_)) => inside = None,
            (Some(false), None) => {}
            (Some(true), None) => {
                let script = &mut found.last_mut().unwrap().script;
                script.push_str(line);
                script.push('\n');
            }
            (None, Some(mark)) => {
                let is_commands = matches!(mark, "sh" | "");
                inside = Some(is_commands);
                if is_commands {
                    found.push(Block { title: title.clone(), script: String::new() });
                }
            }
            (None, None) => {
                if let Some(new) = line.strip_prefix("## ") {
                    new.clone_into(&mut title);
                }
            }
        }
    }
    found
}

fn read(lab: &Lab, documents: &[(&str, &[&str])]) {
    for (document, titles) in documents {
        let text = text_of(&format!("docs/{document}"));
        let mut run = 0;
        for block in blocks(&text).iter().filter(|block| titles.contains(&block.title.as_str())) {
            let begun = Instant::now();
            let answer = lab.run(&["sh", "-c", "cd /root && exec bash -e -c \"$1\"", "sh", &block.script]);
            println!(
                "{document}: {}: exit {}, {:.1?}",
                block.script.lines().last().unwrap_or_default(),
                answer.code,
                begun.elapsed()
            );
            assert_eq!(
                answer.code,
                block.code(),
                "docs/{document}, {}:\n{}\n{}\n{}",
                block.title,
                block.script,
                answer.stdout,
                answer.stderr
            );
            run += 1;
        }
        assert!(run >= titles.len(), "docs/{document}: {run} blocks in {titles:?}");
    }
}
