//! Every command block of the guides runs, in the order in which a reader meets it, each with the exit code that it names.
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
fn no_command_block_of_a_guide_is_left_out() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in std::fs::read_dir(docs).unwrap().flatten() {
        let document = entry.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for block in blocks(&text) {
            let read = |(name, titles): &&(&str, &[&str])| *name == document && titles.contains(&block.title.as_str());
            let readers = ON_DEBIAN.iter().chain(ON_A_NODE).filter(read).count();
            assert_eq!(readers, 1, "docs/{document}, {}: nobody runs\n{}", block.title, block.script);
        }
    }
}

/// A block of commands, beneath the title of its section.
struct Block {
    title: String,
    script: String,
}

impl Block {
    /// Returns the exit code that its last line names.
    fn code(&self) -> i32 {
        let last = self.script.lines().last().unwrap_or_default();
        let named = last.split_once("# exit ").and_then(|(_, rest)| rest.split(':').next());
        named.map_or(0, |code| code.parse().expect("a number"))
    }
}

/// Returns the blocks marked `sh`.
fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut title, mut open): (Vec<Block>, String, bool) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        match (open, line) {
            (false, "```sh") => {
                open = true;
                found.push(Block { title: title.clone(), script: String::new() });
            }
            (true, "```") => open = false,
            (true, _) => {
                let script = &mut found.last_mut().unwrap().script;
                script.push_str(line);
                script.push('\n');
            }
            (false, _) => {
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
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
        let text = std::fs::read_to_string(&path).unwrap();
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
