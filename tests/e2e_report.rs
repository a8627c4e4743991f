//! `history` and `report` where a real container is: what its programs printed, how it is set, its journal; and no secret.
use crate::lab::Lab;
use std::path::Path;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

const RECIPE: &str = r#"
name = "reported"
[secrets]
made = { generate = 32 }
[[bridge]]
name    = "br8"
address = "10.88.0.1/24"
[[include]]
for-each = { id = "{{ [201] }}" }
lane     = "CT{{ id }}"
recipe   = "member.toml"
vars     = { id = "{{ id }}", made = "{{ made }}" }
"#;

const MEMBER: &str = r#"
needs = ["id", "made"]
[[container]]
id       = "{{ id }}"
hostname = "lilly"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
network  = [{ bridge = "br8", address = "10.88.0.31/24", gateway = "10.88.0.1" }]
[[include]]
in     = "{{ id }}"
recipe = "inside.toml"
vars   = { made = "{{ made }}" }
"#;

/// What a program lets slip here is in the container's journal and among the outputs.
const INSIDE: &str = r#"
needs = ["made"]
[[file]]
path    = "/etc/made"
content = "{{ made }}\n"
[[command]]
name   = "slip"
script = "echo from inside; cat /etc/made; echo slipped $(cat /etc/made) | systemd-cat -t slip; journalctl --sync"
once   = true
"#;

#[test]
fn a_report_has_what_happened_in_a_container_how_it_is_set_and_its_journal_and_no_secret() {
    let lab = Lab::up(&["lxc", "uidmap", "zstd", "nftables", "ifupdown"]);
    lab.put(Path::new(env!("CARGO_BIN_EXE_provision")), "/usr/local/bin/provision");
    lab.put(Path::new(TEMPLATE), TEMPLATE);
    for (name, text) in [("reported", RECIPE), ("member", MEMBER), ("inside", INSIDE)] {
        lab.write(&format!("/srv/{name}.toml"), text);
    }
    lab.sh("cd /srv; provision apply reported.toml --yes >&2");

    let shown = lab.sh("provision history show last --lane CT201");
    assert!(shown.contains("CT201  printed   201/command:slip  `sh -s`\n  | from inside\n  | (secret)\n"), "{shown}");
    assert!(!shown.contains("host/bridge:br8"), "{shown}");
    assert!(lab.sh("provision history --lane CT201").contains("-001 "));

    let made = lab.sh("cat /var/lib/provision/secrets/reported/made").trim().to_owned();
    assert!(lab.inside(201, "journalctl -t slip").contains(&made), "it did slip");
    let said = lab.sh("cd /srv; provision report --output /tmp/report.tar");
    assert!(said.starts_with("/tmp/report.tar: "), "{said}");
    lab.sh("mkdir /tmp/report; tar -C /tmp/report --strip-components=1 -xf /tmp/report.tar");
    let file = |name: &str| lab.sh(&format!("cat /tmp/report/{name}"));
    let config = file("containers/201.conf");
    assert!(config.contains("# /var/lib/lxc/201/config\n") && config.contains("lxc.uts.name = lilly\n"), "{config}");
    let journal = file("containers/201.journal.txt");
    assert!(journal.contains("slipped (secret)\n"), "{journal}");
    assert!(file("journal.txt").contains("systemd"), "this machine's journal");
    assert!(file("plan.txt").contains("planned: 0 to change, "), "{}", file("plan.txt"));
    assert!(file("versions.txt").contains("$ lxc-info --version\n5."), "{}", file("versions.txt"));
    assert_eq!(lab.run(&["grep", "-raF", &made, "/tmp/report", "/tmp/report.tar"]).code, 1, "no secret is in it");
    lab.sh("cd /srv; provision destroy reported.toml --yes --data 201 >&2");
    assert!(!lab.sh("cd /srv; provision report --output /tmp/gone.tar; tar -tf /tmp/gone.tar").contains("201.conf"));
}
