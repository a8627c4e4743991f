//! A recipe with every local kind, killed at every call by which it changes something, on the host and in the agent, and run
//! again: as if nothing had been; and so is an update of the program itself. `CASE=every` kills as well where the same calls came before, and in more turns, each over the
//! whole recipe.
use crate::lab::{binary, on_a_furnished_machine};
use crate::support::https::authority;
use crate::support::release::Site;
use crate::support::sweep::{Sweep, Turn, Victim, sh, trace_agent};
use std::fs;
use std::path::Path;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

/// The paths of others, some of which are taken over.
const FILES: &str = r#"
name = "files"

[[directory]]
path  = ["/srv/t/made", "/srv/t/made/inner"]
owner = 1234
group = 27
mode  = "2770"

[[directory]]
path = "/srv/t/there"
mode = "0700"
owner = 1234

[[file]]
path    = "/srv/t/made/new"
content = "new"
owner   = 1234
mode    = "4750"

[[file]]
path    = "/srv/t/theirs"
content = "ours"

[[file]]
path = "/srv/t/made/link"
link = "new"

[[file]]
path = "/srv/t/theirs-link"
link = "elsewhere"

[[file]]
path  = "/srv/t/metadata"
owner = 1234
mode  = "0600"
"#;

/// The same recipe, of which nothing is left.
const REST: &str = "name = \"files\"\n";

/// Makes the world before, in which another has left things at some of the paths.
const THEIRS: &str = "
rm -rf /srv/t /var/lib/provision
mkdir -p /srv/t/there
printf theirs >/srv/t/theirs; chown 7:8 /srv/t/theirs; chmod 2640 /srv/t/theirs
ln -s theirs /srv/t/theirs-link
printf x >/srv/t/metadata; chmod 0666 /srv/t/metadata
";

/// What a machine by itself can have; in a container as well.
const LOCAL: &str = r#"
needs = ["text"]

[[group]]
name = "sweepers"
gid  = 4400

[[user]]
name     = "sweeper"
uid      = 4401
groups   = ["sweepers"]
ssh-keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE sweeper"]

[[directory]]
path = "/srv/s"

[[directory]]
path  = "/srv/s/shared"
owner = "sweeper"
group = "sweepers"
mode  = "2770"

[[file]]
path     = "/srv/s/conf"
content  = "{{ text }}\n"
validate = ["test", "-s"]

[[file]]
path    = "/srv/s/shared/theirs"
content = "theirs\n"
owner   = "sweeper"

[[file]]
path = "/srv/s/link"
link = "conf"

[[command]]
name  = "copy"
argv  = ["cp", "/srv/s/conf", "/srv/s/copied"]
watch = ["/srv/s/conf"]

[[unit]]
name    = "sweep.service"
content = """
[Service]
ExecStartPre=/bin/cp /srv/s/conf /srv/s/started
ExecStart=/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""
watch   = ["/srv/s/conf"]
enabled = true
active  = true
settle  = "0s"

[[gate]]
name         = "copied"
instructions = "wait until it is there"
done-when    = ["test", "-e", "/srv/s/copied"]

[[test]]
name = "restarted"
argv = ["cmp", "/srv/s/conf", "/srv/s/started"]
"#;

/// What only a host has.
const HOST: &str = r#"
name = "host"
[vars]
text = "one"

[[include]]
recipe = "local.toml"
vars   = { text = "{{ text }}" }

[[git]]
path = "/srv/s/app"
url  = "/srv/upstream"
ref  = "main"

[[nfs-export]]
path    = "/srv/s/shared"
clients = [{ host = "10.9.0.0/24", options = ["rw", "sync"] }]

[[bridge]]
name    = "sweepbr"
address = "10.9.0.1/24"
nat     = true

[[container]]
id       = 410
hostname = "tiny"
template = "/srv/tiny.tar"
running  = false
"#;

const INSIDE: &str = r#"
name = "inside"
[vars]
text = "one"

[[container]]
id       = 401
hostname = "swept"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
memory   = "256MiB"

[[include]]
in     = 401
recipe = "local.toml"
vars   = { text = "{{ text }}" }
"#;

/// What there must be for it on a host.
const SUPPLIES: &str = "
mkdir -p /srv/tiny/etc /srv/upstream
tar -C /srv/tiny -cf /srv/tiny.tar .
cd /srv/upstream
git init -q -b main; git config user.name x; git config user.email x
for it in one two; do echo $it >file; git add file; git commit -q -m $it; done
printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid
";

const ACCOUNTS: &str = "userdel -rf sweeper >/dev/null 2>&1 || true; groupdel sweepers 2>/dev/null || true";
const UNIT: &str = "systemctl -q disable --now sweep.service 2>/dev/null || true
                    rm -rf /etc/systemd/system/sweep.service /srv/s/started /var/lib/provision/stamps/unit
                    systemctl daemon-reload";
const CHECKOUT: &str = "rm -rf /srv/s/app";
const BEHIND: &str = "cd /srv/s/app && git reset -q --hard HEAD~1";
const EXPORT: &str = "rm -f /etc/exports.d/*; exportfs -ra";
const BRIDGE: &str = "ifdown sweepbr 2>/dev/null || true; ip link delete dev sweepbr 2>/dev/null || true
                      nft delete table ip provision_sweepbr 2>/dev/null || true; rm -f /etc/network/interfaces.d/sweepbr";
const CONTAINER: &str = "rm -rf /var/lib/lxc/410";

/// What somebody undoes of what a machine has by itself, how, and which resources that is.
const ALONE: &[(&str, &str, &str)] = &[
    ("accounts", ACCOUNTS, "group:* user:*"),
    ("files", "rm -rf /srv/s/shared /srv/s/link", "directory:* file:*"),
    ("a command", "rm -rf /var/lib/provision/stamps/command /srv/s/copied", "command:*"),
    ("a unit", UNIT, "unit:* test:*"),
];

#[test]
fn what_is_killed_at_any_call_and_run_again_is_as_if_nothing_had_been() {
    on_a_furnished_machine(
        "e2e_each_call::what_is_killed_at_any_call_and_run_again_is_as_if_nothing_had_been",
        &["strace", "git", "nfs-kernel-server", "nftables", "lxc", "uidmap", "zstd", "curl", "openssl", "wget"],
        |lab| {
            lab.put(&binary(), "/usr/local/bin/provision");
            lab.put(Path::new(TEMPLATE), TEMPLATE);
        },
        || {
            let every = std::env::var("CASE").is_ok_and(|case| case == "every");
            for (name, text) in [("files", FILES), ("rest", REST), ("local", LOCAL), ("host", HOST), ("inside", INSIDE)]
            {
                fs::write(format!("/srv/{name}.toml"), text).unwrap();
            }
            sh(SUPPLIES).unwrap();
            let sweeps = [paths_of_others, every_local_kind, in_a_container, while_an_agent_works, the_program_itself];
            let swept: Vec<Sweep> = sweeps.iter().map(|sweep| sweep(every)).collect();
            let broken: Vec<String> = swept.iter().flat_map(|sweep| sweep.broken.clone()).collect();
            assert!(broken.is_empty(), "{} broken:\n\n{}", broken.len(), broken.join("\n\n"));
            println!("killed {} times", swept.iter().map(|sweep| sweep.kills).sum::<usize>());
        },
    );
}

fn paths_of_others(every: bool) -> Sweep {
    let mut sweep = Sweep::new(every, Victim::Host, &["/"]);
    let apply = "apply --yes /srv/files.toml";
    sweep.over(&Turn { what: "files of others: the apply", before: THEIRS, run: apply });
    let before = format!("{THEIRS}\nprovision {apply}");
    for (what, run) in [
        ("files of others: the destroy", "destroy --yes /srv/files.toml"),
        ("files of others: the prune", "apply --prune --yes /srv/rest.toml"),
    ] {
        sweep.over(&Turn { what, before: &before, run });
        let back = sh("cd /srv/t; cat theirs; readlink theirs-link; stat -c '%a %u:%g' theirs; ls -A").unwrap();
        assert_eq!(back, "theirstheirs\n2640 7:8\nmetadata\ntheirs\ntheirs-link\nthere\n", "{what}");
    }
    sh("rm -rf /srv/t /var/lib/provision").unwrap();
    sweep
}

fn every_local_kind(every: bool) -> Sweep {
    let mut sweep = Sweep::new(every, Victim::Host, &["/"]);
    let apply = "apply --yes /srv/host.toml";
    let nothing = format!(
        "{ACCOUNTS}; {UNIT}; {CHECKOUT}; rm -rf /srv/s; {EXPORT}; {BRIDGE}; {CONTAINER}; rm -rf /var/lib/provision"
    );
    if every {
        sweep.over(&Turn { what: "everything", before: &nothing, run: apply });
    }
    sh(&format!("provision {apply}")).unwrap();
    for (what, before, only) in [
        ALONE,
        &[
            ("a checkout", CHECKOUT, "git:*"),
            ("a checkout that is behind", BEHIND, "git:*"),
            ("an export", EXPORT, "nfs-export:*"),
            ("a bridge", BRIDGE, "bridge:*"),
            ("a container", CONTAINER, "container:*"),
        ],
    ]
    .concat()
    {
        sweep.over(&Turn { what, before, run: &of(apply, every, only) });
    }
    edited(&mut sweep, every, apply, "");
    if every {
        let (before, run) = (format!("provision {apply}"), "destroy --yes /srv/host.toml --data host/container:410");
        sweep.over(&Turn { what: "everything goes", before: &before, run });
    }
    sh(&nothing).unwrap();
    sweep
}

/// Returns the arguments of a run over a part of the recipe, or over all of it.
fn of(apply: &str, every: bool, only: &str) -> String {
    let only = only.split(' ').filter(|_| !every).map(|glob| format!(" --only {glob}"));
    std::iter::once(apply.to_owned()).chain(only).collect()
}

/// A file is edited, on which a command and a unit hang.
fn edited(sweep: &mut Sweep, every: bool, apply: &str, of_machine: &str) {
    let only =
        ["file:/srv/s/conf", "command:*", "unit:*", "test:*"].map(|glob| format!("{of_machine}{glob}")).join(" ");
    let run = of(apply, every, &only);
    sweep.over(&Turn { what: "an edit", before: &format!("provision {run} --var text=two"), run: &run });
    let said = sh(&format!("provision {apply}")).unwrap();
    assert!(said.contains("applied: 0 changed"), "{said}");
}

fn in_a_container(every: bool) -> Sweep {
    let apply = "apply --yes /srv/inside.toml";
    sh(&format!("provision {apply}")).unwrap();
    trace_agent(401);
    let mut sweep = Sweep::new(every, Victim::Agent, &["/", "/var/lib/lxc/401/rootfs"]);
    for (what, damage, _) in ALONE.iter().filter(|_| every) {
        let before = format!("lxc-attach --clear-env -n 401 -- sh -ec '{damage}'");
        sweep.over(&Turn { what, before: &before, run: apply });
    }
    edited(&mut sweep, every, apply, "401/");
    sweep
}

/// The host is killed, and its agent ends after the step that it is at.
fn while_an_agent_works(every: bool) -> Sweep {
    let mut sweep = Sweep::new(every, Victim::Host, &["/", "/var/lib/lxc/401/rootfs"]);
    edited(&mut sweep, every, "apply --yes /srv/inside.toml", "401/");
    sweep
}

/// The newer version says what is asked of it here. The last one: it takes the place of the program.
fn the_program_itself(every: bool) -> Sweep {
    let site = Site::new();
    site.publish(
        "9.9.9",
        b"#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'provision 9.9.9'; else echo 'provision 9.9.9 is the latest'; fi\n",
    );
    fs::write("/usr/local/share/ca-certificates/site.crt", authority()).unwrap();
    sh("update-ca-certificates >/dev/null 2>&1").unwrap();
    fs::write("/srv/older", site.with_own_key(fs::read("/usr/local/bin/provision").unwrap())).unwrap();
    let mut sweep = Sweep::new(every, Victim::Host, &["/"]);
    let run = format!("self update --url {}", site.https.url());
    sweep.over(&Turn { what: "an update", before: "install -m 0755 /srv/older /usr/local/bin/provision", run: &run });
    sweep
}
