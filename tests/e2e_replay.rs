//! The stand-in for Proxmox's tools (tests/support/pct) against the real ones: calls that were recorded on a real node (tests/pct)
//! are made again, in their order, and stdout, stderr, exit code and what is there afterwards must be the same.
//!
//! A file of tests/pct has for each call `## NAME`, `$` the command, `=` its exit code, `>` its stdout, `!` its stderr, `?` what
//! was asked afterwards and `|` the answer; `@` is a command that makes ready what the next calls were recorded on.
use crate::lab::{Lab, on_a_furnished_machine};
use crate::support::recorded::{Call, Seen, calls};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const TEMPLATE: &str = "/var/lib/vz/template/cache/debian-12-standard_12.7-1_amd64.tar.zst";

/// How many calls were recorded.
const RECORDED: usize = 335;

/// The recorded calls that are not made again, by their numbers, and why.
const NOT_MADE_AGAIN: &[(&str, &str)] = &[
    ("000 040 044 716", "versions, keys and the tasks of that node"),
    ("002 003 004", "the text of the help, which nobody reads but a person"),
    (
        "030 031 032 035 039 042 043 052",
        "counters of one that runs, and tables for a person: the stand-in counts nothing",
    ),
    (
        "123 142 432 714",
        "what LXC, seccomp, criu and lxc-syscalld of that node say: not Proxmox's, and not the same in a lab",
    ),
    ("130", "waits 79 seconds to show that SIGINT is not heard"),
    ("824", "where the template of then had its sshd"),
    ("124 141", "a terminal's number and echo"),
    ("126 127 138 710", "process ids, and the order of what runs side by side"),
    (
        "217 409 411 419 420 421 422 515",
        "the size of a mounted disk: the files are in a directory, of which nothing is full",
    ),
    ("233 708", "who wins a race; the lock itself is in 709"),
    ("236", "which half of the template is there depends on the order of its files"),
    ("342 343", "that node had no inotify left"),
    ("352", "the log of LXC for a VLAN on a bridge without one"),
    ("361", "whether 16 MiB are enough depends on what runs"),
    ("410", "lists the root directory of a mounted disk"),
    ("426 430 431 813 823", "how soon a container boots"),
    ("433", "the same as `050-list`"),
    ("530 531 532 533 534 535 536 537 538 539 720", "times"),
    (
        "600 603 604 605 606 607 608 608b 609 610 611 612 613 614 615 616 617 618 619 620 621 622 623 630",
        "btrfs, which a lab has not: snapshots, linked clones, moves; and the statistics of rsync",
    ),
    (
        "700 702 702b 702d 703 704 707",
        "the processes of the real tool, its worker that outlives it, and its loop devices; 701, 702c, 705 and 706 have what is left",
    ),
    ("713", "the cluster file system itself, which is mounted with fuse"),
    ("715", "a daemon of the node that spreads containers over its processors"),
];

#[test]
fn what_was_recorded_on_a_real_node_is_what_the_stand_in_does() {
    let furnish = |lab: &Lab| {
        node(lab);
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pct")) {
            lab.put(&file, &format!("/run/recorded/{}", file.file_name().unwrap().display()));
        }
    };
    let packages = ["lxc", "uidmap", "zstd", "e2fsprogs", "jq", "openssh-client"];
    let name = "e2e_replay::what_was_recorded_on_a_real_node_is_what_the_stand_in_does";
    on_a_furnished_machine(name, &packages, furnish, || {
        let only = std::env::var("CASE").unwrap_or_default();
        let (mut made, mut wrong) = (0, Vec::new());
        for file in files(Path::new("/run/recorded")) {
            // What is the same in all of a file's calls is the same here as well.
            let (mut there, mut here) = (Seen::default(), Seen::default());
            for call in calls(&fs::read_to_string(&file).unwrap()) {
                let is = again(&call);
                if call.name.is_empty() {
                    assert_eq!(is.code, 0, "{}\n{}{}\n{}", call.command, is.stdout, is.stderr, wrong.concat());
                    continue;
                }
                made += 1;
                let (expected, found) = (call.normal(&mut there), is.normal(&mut here));
                let number = call.name.split('-').next().unwrap_or_default();
                let excused = NOT_MADE_AGAIN.iter().any(|(numbers, _)| numbers.split(' ').any(|other| other == number));
                assert!(!excused, "{} is made again and in the list of those that are not", call.name);
                if expected != found && call.name.contains(&only) {
                    wrong.push(format!("{}\n{}\n", call.name, difference(&expected, &found)));
                }
            }
        }
        assert_eq!(made + NOT_MADE_AGAIN.iter().flat_map(|(numbers, _)| numbers.split(' ')).count(), RECORDED);
        assert!(wrong.is_empty(), "{} of {made} differ (- recorded, + here):\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Makes the host what the node was on which the calls were recorded.
fn node(lab: &Lab) {
    let exe = std::env::current_exe().unwrap();
    let pct = exe.parent().and_then(Path::parent).unwrap().join("examples/pct");
    assert!(pct.is_file(), "{} is missing: run `cargo build --example pct` first", pct.display());
    lab.put(&pct, "/usr/sbin/pct");
    let template = std::env::var("TEMPLATE")
        .unwrap_or_else(|_| "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst".to_owned());
    lab.put(Path::new(&template), TEMPLATE);
    // As large as the one of then: a frame that is skipped comes before it.
    lab.sh(&format!(
        "cd $(dirname {TEMPLATE}); rest=$((68893005 - 8 - $(stat -c %s {TEMPLATE})))
         hex=$(printf %08x $rest); le=$(echo $hex | sed 's/\\(..\\)\\(..\\)\\(..\\)\\(..\\)/\\\\x\\4\\\\x\\3\\\\x\\2\\\\x\\1/')
         {{ bash -c \"printf '\\\\x50\\\\x2a\\\\x4d\\\\x18$le'\"; head -c $rest /dev/zero; cat {TEMPLATE}; }} >new; mv new {TEMPLATE}"
    ));
    lab.sh(
        "for name in pvesm pveam pvesh; do ln -s pct /usr/sbin/$name; done
         hostname pve1
         mkdir -p /etc/pve/lxc /etc/pve/nodes/pve1/lxc /etc/pve/qemu-server /var/lib/vz/images
         printf 'dir: local\\n\\tpath /var/lib/vz\\n\\tcontent rootdir,images,backup,iso,snippets,vztmpl\\n' >/etc/pve/storage.cfg
         printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid
         for n in 0 1; do ip link add vmbr$n type bridge; ip link set vmbr$n up; done
         ip address add 10.0.100.1/24 dev vmbr1
         printf 'search lab\\nnameserver 10.0.100.1\\n' >/etc/resolv.conf",
    );
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Makes a call again, in root's home, and asks afterwards what was asked then.
fn again(call: &Call) -> Call {
    let run = |script: &str| {
        // Whoever runs the tests with nohup(1) has every program ignore SIGHUP.
        let mut command = Command::new("env");
        command.args(["--default-signal", "bash", "-c", script]).current_dir("/root").stdin(Stdio::null());
        command.env_clear().envs([("HOME", "/root"), ("USER", "root"), ("LANG", "C.UTF-8"), ("SHELL", "/bin/bash")]);
        command.envs([("LOGNAME", "root"), ("TERM", "linux"), ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")]);
        // Files: what a call leaves running would keep a pipe open.
        let [stdout, stderr] = ["/run/stdout", "/run/stderr"];
        let file = |path: &str| fs::File::create(path).unwrap();
        let status = command.stdout(file(stdout)).stderr(file(stderr)).status().unwrap();
        let text = |path: &str| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        (status.code().unwrap_or(-1), text(stdout), text(stderr))
    };
    // One that was killed while it unpacked is killed then, however long it takes to come so far.
    let unpacks = "for try in $(seq 600); do grep -q ^extracting /run/stdout && break; sleep 0.1; done; kill -";
    let is_killed = call.command.contains("pct create");
    let command = if is_killed { call.command.replace("kill -", unpacks) } else { call.command.clone() };
    let (code, stdout, stderr) = run(&command);
    let asked = call.asked.clone();
    let answer = asked.as_ref().map(|asked| run(&format!("exec 2>&1; {asked}")).1).unwrap_or_default();
    Call { name: call.name.clone(), command: call.command.clone(), code, stdout, stderr, asked, answer }
}

fn difference(recorded: &str, found: &str) -> String {
    let diff = similar::TextDiff::from_lines(recorded, found);
    diff.unified_diff().context_radius(2).to_string()
}
