//! What was on a real machine before us: applied over, applied again and destroyed by the real binary, it is as it was.
use crate::lab::on_a_furnished_machine;
use crate::support::packages::sh;
use crate::support::place::Place;
use crate::support::repository::make;
use std::fs;
use std::path::Path;

const BEFORE: &str = r"
printf 'theirs\n' >/etc/there.conf; chown daemon:adm /etc/there.conf; chmod 0640 /etc/there.conf
ln -s /etc/hostname /etc/link.conf
printf 'theirs\n' >/etc/file.conf
printf 'same\n' >/etc/same.conf
printf 'theirs\n' >/etc/once.conf
mkdir -m 0750 /srv/theirs /srv/shared; printf 'x\n' >/srv/theirs/x
groupadd crew; useradd --create-home --shell /bin/sh --groups crew lilly; usermod --password '*' lilly
printf '[Service]\nExecStart=/bin/sleep 1001\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/theirs.service
printf '[Service]\nExecStart=/bin/sleep 1002\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/idle.service
systemctl daemon-reload; systemctl enable --now theirs.service
apt-get install -qq tool >/dev/null 2>&1
mkdir -p /etc/exports.d
printf '/srv/theirs 10.0.0.9(ro,no_subtree_check)\n' >/etc/exports
printf '/srv/shared 10.0.0.9(ro,no_subtree_check)\n' >/etc/exports.d/srv-shared.exports
exportfs -ra
git init -q -b main /srv/origin; cd /srv/origin; git config user.name x; git config user.email x@example.org
git commit -q --allow-empty -m x; git clone -q /srv/origin /srv/checkout
";

const RECIPE: &str = r#"
name = "web"
[[file]]
path = "/etc/there.conf"
content = "ours\n"
owner = "root"
mode = "0644"
[[file]]
path = "/etc/link.conf"
content = "ours\n"
[[file]]
path = "/etc/file.conf"
link = "/etc/hosts"
[[file]]
path = "/etc/same.conf"
content = "same\n"
[[file]]
path = "/etc/once.conf"
content = "ours\n"
once = true
[[file]]
path = "/etc/new.conf"
content = "ours\n"
[[directory]]
path = "/srv/theirs"
mode = "0750"
[[directory]]
path = ["/srv/new", "/srv/new/below"]
[[group]]
name = "crew"
[[group]]
name = "ours"
[[user]]
name = "lilly"
groups = ["crew"]
shell = "/bin/sh"
[[user]]
name = "mike"
[[package]]
name = ["tool", "other"]
[[unit]]
name = "theirs.service"
content = "[Service]\nExecStart=/bin/sleep 2001\n[Install]\nWantedBy=multi-user.target\n"
enabled = true
active = true
settle = "100ms"
[[unit]]
name = "idle.service"
enabled = true
active = true
settle = "100ms"
[[unit]]
name = "ours.service"
content = "[Service]\nExecStart=/bin/sleep 2003\n[Install]\nWantedBy=multi-user.target\n"
enabled = true
active = true
settle = "100ms"
[[nfs-export]]
path = "/srv/theirs"
clients = [{ host = "10.0.0.9", options = "ro" }]
[[nfs-export]]
path = "/srv/shared"
clients = [{ host = "10.0.0.8", options = "rw" }]
[[nfs-export]]
path = "/srv/new"
clients = [{ host = "10.0.0.8", options = "rw" }]
[[git]]
path = "/srv/checkout"
url = "/srv/origin"
ref = "main"
"#;

/// What people and their programs have of this machine. A ledger and its lock stay, and what tools keep of the time before.
fn seen() -> String {
    sh(r"cd /; find etc srv home root usr/local opt -not -name .pwd.lock -not -path 'etc/*-' -not -path '*/.git*' \
            -printf '%p %y %m %u %g %l\n' | sort
        find etc srv home root usr/local opt -type f -not -name .pwd.lock -not -path 'etc/*-' -not -path '*/.git*' \
            -exec sha256sum {} + | sort -k 2
        dpkg-query -W -f '${Package} ${Version} ${Status}\n'; apt-mark showmanual
        exportfs -v; ip -brief link
        systemctl list-unit-files --no-legend --no-pager
        systemctl list-units --no-legend --no-pager --plain --type=service
        pgrep -a sleep | cut -d ' ' -f 2- | sort")
}

#[test]
fn what_was_there_is_there_again_after_apply_and_destroy() {
    let (test, packages) = ("what_was_there_is_there_again_after_apply_and_destroy", ["nfs-kernel-server", "git"]);
    let (test, binary) = (format!("e2e_adopted::{test}"), env!("CARGO_BIN_EXE_provision"));
    on_a_furnished_machine(
        &test,
        &packages,
        |lab| lab.put(Path::new(binary), binary),
        || {
            make(
                "Package: tool\nVersion: 1\nArchitecture: all\n\nPackage: other\nVersion: 1\nArchitecture: all\n",
                &[],
            );
            sh("apt-get update -qq");
            sh(BEFORE);
            let place = Place::new(RECIPE);
            let before = seen();
            let run = |arguments: &[&str], said: &str| {
                let ran = place.run(arguments);
                assert!(ran.code == 0 && ran.stdout.contains(said), "{arguments:?}: {ran:#?}");
            };
            run(&["apply", "web.toml"], "\napplied: 15 changed, ");
            run(&["apply", "web.toml"], "\napplied: 0 changed, ");
            assert_eq!(sh("cat /etc/there.conf /etc/link.conf; readlink /etc/file.conf"), "ours\nours\n/etc/hosts\n");
            run(&["destroy", "web.toml", "--yes", "--data", "user:mike"], "\ndestroyed: 15 taken away, ");
            same(&before, &seen());
            run(&["destroy", "web.toml", "--yes"], "\ndestroyed: 0 taken away, ");
            let kept = place.root().join("state/kept");
            assert_eq!(fs::read_dir(kept).unwrap().count(), 0, "what was put back is not kept any longer");
        },
    );
}

/// Fails with the lines that differ.
#[track_caller]
fn same(before: &str, after: &str) {
    let lines = |of: &str, other: &str| -> Vec<String> {
        of.lines().filter(|line| !other.lines().any(|it| it == *line)).map(str::to_owned).collect()
    };
    assert!(before == after, "before: {:#?}\nafter: {:#?}", lines(before, after), lines(after, before));
}
