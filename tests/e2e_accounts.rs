//! Users and groups as they are in life, on the real tools of shadow: a disposable machine, in which this very test runs again.
use crate::lab::on_a_disposable_machine;
use crate::support::here::{Here, item};
use provision::item::Item;
use serde_json::json;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me";

/// A process of a user; it ends when this is dropped.
struct Sleeper(Child);

impl Sleeper {
    fn of(uid: u32) -> Self {
        Self(Command::new("sleep").arg("600").uid(uid).gid(uid).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn user(fields: serde_json::Value) -> Item {
    item("user", &fields)
}

#[test]
fn accounts_as_they_are_in_life() {
    let packages = ["libnss-extrausers", "openssh-client", "sudo", "whois"];
    on_a_disposable_machine("e2e_accounts::accounts_as_they_are_in_life", &packages, || {
        let steps: &[(&str, fn(&mut Here))] = &[
            ("another uid, and its home follows", another_uid),
            ("a user at work keeps its uid, and what belongs to it waits", busy),
            ("passwords: locked, set, expired", passwords),
            ("shells: nologin, none, unlisted", shells),
            ("homes: of root, of a system user, a file", homes),
            ("keys: sshd's own reader sees them; no link is followed", keys),
            ("accounts that are kept elsewhere", elsewhere),
            ("a lock that somebody holds", locked),
            ("a group that was there before its user stays", group_before),
            ("sudoers that visudo refuses", sudoers),
        ];
        for (what, step) in steps {
            println!("{what}");
            step(&mut Here::new());
        }
    });
}

fn another_uid(here: &mut Here) {
    here.sh("useradd --create-home --uid 1500 --shell /bin/bash ann; touch /home/ann/a /srv/outside; \
             chown ann: /home/ann/a /srv/outside; ln -s /srv/outside /home/ann/link; chown -h ann: /home/ann/link");
    let ann = user(json!({ "name": "ann", "uid": 1600 }));
    let file = item("file", &json!({ "path": "/srv/of-ann", "content": "x", "owner": "ann" }));
    assert_eq!(
        here.plan(&[ann, file]),
        [
            "user:ann uid: 1500 -> 1600",
            "file:/srv/of-ann: nothing -> file, 1 B after user:ann",
            "user:ann remark: files in its home get uid 1600; files of uid 1500 elsewhere keep it",
        ]
    );
    let ann = user(json!({ "name": "ann", "uid": 1600 }));
    here.apply(std::slice::from_ref(&ann));
    here.in_sync(&[ann]);
    assert_eq!(here.sh("stat -c %u /home/ann /home/ann/a /home/ann/link /srv/outside"), "1600\n1600\n1600\n1500");
    // A change that was cut off right behind the account.
    here.sh("chown -R -h --from=1600 1500 /home/ann; mkdir -p /var/lib/provision/stamps/user; \
             printf 1500:1500 >/var/lib/provision/stamps/user/ann");
    let ann = [user(json!({ "name": "ann", "uid": 1600 })), user(json!({ "name": "ben", "uid": 1600 }))];
    assert_eq!(
        here.apply(&ann),
        [
            "user:ann files in its home: some may have uid 1500, gid 1500 -> uid 1600, gid 1500",
            "user:ben failed: giving uid 1600 to the user `ben`: the user `ann` has it ",
        ]
    );
    assert_eq!(here.sh("stat -c %u /home/ann /home/ann/a /home/ann/link /srv/outside"), "1600\n1600\n1600\n1500");
}

fn busy(here: &mut Here) {
    here.sh("useradd --create-home --uid 1510 --shell /bin/sh bea; touch /srv/of-bea; chown bea: /srv/of-bea");
    let sleeper = Sleeper::of(1510);
    let pid = sleeper.0.id();
    let items = || {
        vec![
            user(json!({ "name": "bea", "uid": 1610 })),
            item("file", &json!({ "path": "/srv/of-bea", "content": "x", "owner": "bea" })),
            item("directory", &json!({ "path": "/srv/dir-of-bea", "owner": "bea" })),
            item(
                "command",
                &json!({ "name": "as-bea", "user": "bea", "argv": ["touch", "/tmp/as-bea"], "creates": "/tmp/as-bea" }),
            ),
        ]
    };
    let waits = [
        "user:bea shell: /bin/sh -> /bin/bash".to_owned(),
        format!(
            "user:bea waiting: its uid is not changed while its processes run: {pid} sleep (stop them, then run again)"
        ),
        "file:/srv/of-bea waiting: waits for host/user:bea".to_owned(),
        "directory:/srv/dir-of-bea waiting: waits for host/user:bea".to_owned(),
        "command:as-bea waiting: waits for host/user:bea".to_owned(),
    ];
    assert_eq!(here.plan(&items()), waits);
    assert_eq!(here.apply(&items()), waits);
    drop(sleeper);
    here.apply(&items());
    here.in_sync(&items());
    assert_eq!(here.sh("stat -c %u /srv/of-bea /srv/dir-of-bea /tmp/as-bea"), "1610\n1610\n1610");
    let own = || [user(json!({ "name": "own", "uid": 1611 }))];
    here.apply(&own());
    let sleeper = Sleeper::of(1611);
    assert_eq!(
        here.destroy(&own()),
        [format!(
            "user:own waiting: it is not taken away while its processes run: {} sleep (stop them, then run again)",
            sleeper.0.id()
        )]
    );
    drop(sleeper);
    assert_eq!(
        here.destroy(&own()),
        [
            "user:own: user, uid 1611 -> nothing",
            "user:own remark: its home `/home/own` stays; `--data host/user:own` takes it away as well",
        ]
    );
}

fn passwords(here: &mut Here) {
    let hash = here.sh("mkpasswd -m sha512crypt secret saltsalt");
    here.sh(&format!(
        "useradd --uid 1520 --shell /bin/bash pat; usermod --password '!{hash}' pat; usermod --expiredate 1 pat"
    ));
    here.converges(
        &[user(json!({ "name": "pat" }))],
        &["user:pat remark: its account has expired: `chage --expiredate -1 pat` lets it log in again"],
    );
    assert_eq!(here.sh("getent shadow pat | cut -d: -f2"), format!("!{hash}"), "no password asked: it stays locked");
    let pat = || [user(json!({ "name": "pat", "password": hash.clone() }))];
    here.sh("usermod --expiredate '' pat");
    here.converges(&pat(), &["user:pat password: locked -> (secret)"]);
    assert_eq!(here.sh("getent shadow pat | cut -d: -f2"), hash);
    here.sh("passwd --lock pat");
    here.converges(&pat(), &["user:pat password: locked -> (secret)"]);
    here.sh("passwd --delete pat");
    here.converges(&pat(), &["user:pat password: none -> (secret)"]);
    here.converges(&[user(json!({ "name": "pat", "password": "!" }))], &["user:pat password: another one -> (secret)"]);
    here.sh("sed -i /^pat:/d /etc/shadow");
    here.converges(&[user(json!({ "name": "pat" }))], &["user:pat password: nothing -> locked"]);
    // Made without: it can't log in with one.
    here.apply(&[user(json!({ "name": "paul", "uid": 1521 }))]);
    assert_eq!(here.sh("passwd --status paul | cut -d' ' -f2"), "L");
}

fn shells(here: &mut Here) {
    let with = |shell: &str| [user(json!({ "name": "sam", "uid": 1530, "shell": shell }))];
    assert_eq!(
        here.plan(&with("/usr/bin/fish")),
        ["user:sam failed: looking for the program `/usr/bin/fish`: it is not there "]
    );
    here.converges(
        &with("/usr/sbin/nologin"),
        &["user:sam: nothing -> user, uid 1530, home /home/sam, shell /usr/sbin/nologin"],
    );
    here.sh("cp /bin/dash /usr/local/bin/mysh");
    assert_eq!(
        here.apply(&with("/usr/local/bin/mysh")),
        [
            "user:sam shell: /usr/sbin/nologin -> /usr/local/bin/mysh",
            "user:sam remark: its shell `/usr/local/bin/mysh` is not in `/etc/shells`: some services let nobody in with it",
        ]
    );
    here.converges(&with("/usr/local/bin/mysh"), &[]);
    here.sh("rm /usr/local/bin/mysh");
    let package = item("package", &json!({ "name": "zsh" }));
    let [sam] = with("/usr/bin/zsh");
    assert_eq!(here.plan(&[package, sam])[1], "user:sam shell: /usr/local/bin/mysh -> /usr/bin/zsh after package:zsh");
}

fn homes(here: &mut Here) {
    here.sh("mkdir /home/rae; : >/home/file");
    here.converges(
        &[user(json!({ "name": "rae", "uid": 1540 }))],
        &[
            "user:rae: nothing -> user, uid 1540, home /home/rae, shell /bin/bash",
            "user:rae remark: its home `/home/rae` belongs to root and is left as it is; a [[directory]] with `owner` gives it",
        ],
    );
    here.converges(
        &[
            user(json!({ "name": "rae", "uid": 1540 })),
            item("directory", &json!({ "path": "/home/rae", "owner": "rae", "mode": "0700" })),
        ],
        &[
            "directory:/home/rae owner: root -> rae",
            "directory:/home/rae mode: 0755 -> 0700",
            "user:rae remark: its home `/home/rae` belongs to root and is left as it is; a [[directory]] with `owner` gives it",
        ],
    );
    here.converges(
        &[user(
            json!({ "name": "svc", "system": true, "uid": 480, "home": "/home/rae", "shell": "/usr/sbin/nologin" }),
        )],
        &["user:svc: nothing -> user, uid 480, home /home/rae, shell /usr/sbin/nologin"],
    );
    assert_eq!(here.sh("stat -c %U /home/rae"), "rae", "many system users may share a home");
    assert_eq!(
        here.apply(&[user(json!({ "name": "fay", "home": "/home/file" }))]),
        ["user:fay failed: looking for the home `/home/file`: it is no directory "]
    );
    here.sh("useradd --no-create-home --home-dir /nonexistent --shell /bin/bash gus");
    assert_eq!(
        here.apply(&[user(json!({ "name": "gus", "ssh-keys": [KEY] }))]),
        ["user:gus failed: putting keys into the home of `gus`: `/nonexistent` is not there "]
    );
}

fn keys(here: &mut Here) {
    here.sh(
        "ssh-keygen -q -t ed25519 -N '' -C kay@desk -f /root/kay; ssh-keygen -q -t rsa -b 2048 -N '' -f /root/rsa; \
             ssh-keygen -q -t ecdsa -N '' -f /root/ec",
    );
    let public = |name: &str| here.sh(&format!("cat /root/{name}.pub"));
    let asked = [public("kay"), format!("from=\"10.0.0.0/8\",command=\"echo a b\" {}", public("rsa")), public("ec")];
    let kay = || [user(json!({ "name": "kay", "uid": 1550, "ssh-keys": asked }))];
    here.converges(&kay(), &["user:kay: nothing -> user, uid 1550, home /home/kay, shell /bin/bash, 3 ssh keys"]);
    assert_eq!(here.sh("ssh-keygen -lf /home/kay/.ssh/authorized_keys | wc -l"), "3");
    assert_eq!(here.sh("stat -c '%a %U:%G' /home/kay/.ssh /home/kay/.ssh/authorized_keys"), "700 kay:kay\n600 kay:kay");
    // Links of the user's own.
    here.sh("cp -p /etc/shadow /root/shadow; rm -r /home/kay/.ssh; ln -s /root /home/kay/.ssh");
    assert!(here.apply(&kay())[0].contains("failed: reading `/home/kay/.ssh`: it is a link"));
    here.sh("rm /home/kay/.ssh; install -d -o kay -g kay -m 700 /home/kay/.ssh; ln -s /etc/shadow /home/kay/.ssh/authorized_keys");
    assert!(here.apply(&kay())[0].contains("failed: reading `/home/kay/.ssh/authorized_keys`: it is a link"));
    here.sh("rm /home/kay/.ssh/authorized_keys; mkfifo /home/kay/.ssh/authorized_keys");
    assert!(here.apply(&kay())[0].contains("failed: reading `/home/kay/.ssh/authorized_keys`: it is a link, or not"));
    // Root's, which its user can't read.
    here.sh("rm /home/kay/.ssh/authorized_keys; install -m 600 /dev/null /home/kay/.ssh/authorized_keys");
    assert!(here.apply(&kay())[0].contains("it belongs to uid 0, so nobody could log in"));
    here.sh("cmp /etc/shadow /root/shadow; chmod 644 /home/kay/.ssh/authorized_keys");
    here.converges(&kay(), &["user:kay ssh-keys: 0 of 3 -> 3 of 3"]);
    assert_eq!(here.sh("stat -c '%a %U' /home/kay/.ssh/authorized_keys"), "644 root", "as somebody hardened it");
}

fn elsewhere(here: &mut Here) {
    here.sh(
        "cp /etc/nsswitch.conf /root/; sed -i 's/^\\(passwd\\|group\\):.*/\\1: files extrausers/' /etc/nsswitch.conf; \
             echo 'dora:x:7001:7001::/home/dora:/bin/bash' >/var/lib/extrausers/passwd; \
             echo 'staffx:x:7001:dan' >/var/lib/extrausers/group",
    );
    for (asked, said) in [
        (
            user(json!({ "name": "dora" })),
            "user:dora failed: making the user `dora`: the name service knows it already, though /etc/passwd does not: it is kept elsewhere ",
        ),
        (
            user(json!({ "name": "dan", "uid": 7001 })),
            "user:dan failed: giving uid 7001 to the user `dan`: the user `dora` has it ",
        ),
        (
            user(json!({ "name": "eve", "groups": ["staffx"] })),
            "user:eve failed: adding the user `eve` to the group `staffx`: the name service knows that group, though /etc/group does not: it is kept elsewhere ",
        ),
        (
            item("group", &json!({ "name": "staffx" })),
            "group:staffx failed: making the group `staffx`: the name service knows it already, though /etc/group does not: it is kept elsewhere ",
        ),
        (
            item("group", &json!({ "name": "other", "gid": 7001 })),
            "group:other failed: giving gid 7001 to the group `other`: the group `staffx` has it ",
        ),
    ] {
        assert_eq!(here.plan(std::slice::from_ref(&asked)), [said]);
        assert_eq!(here.apply(&[asked]), [said]);
    }
    here.converges(
        &[user(json!({ "name": "dan", "uid": 1560, "groups": ["staffx"] }))],
        &["user:dan: nothing -> user, uid 1560, home /home/dan, shell /bin/bash"],
    );
    here.converges(
        &[item("file", &json!({ "path": "/srv/of-dora", "content": "x", "owner": "dora" }))],
        &["file:/srv/of-dora: nothing -> file, 1 B"],
    );
    here.sh("cp /root/nsswitch.conf /etc/");
}

fn locked(here: &mut Here) {
    let pid = std::process::id();
    std::fs::write("/etc/passwd.lock", pid.to_string()).unwrap();
    let lou = || [user(json!({ "name": "lou", "uid": 1570 }))];
    let said = here.apply(&lou());
    assert!(
        said[0].contains("failed: running `useradd") && said[0].contains(&format!("held by process {pid} ")),
        "{said:?}"
    );
    // It ends while we wait.
    let release = std::thread::spawn(|| {
        std::thread::sleep(std::time::Duration::from_millis(2500));
        std::fs::remove_file("/etc/passwd.lock").unwrap();
    });
    here.apply(&lou());
    release.join().unwrap();
    here.in_sync(&lou());
    // A power cut may leave an empty one, at which shadow gives up.
    here.sh(": >/etc/group.lock; printf 4194303 >/etc/shadow.lock");
    here.converges(&lou(), &["user:lou left by a killed program: /etc/group.lock, /etc/shadow.lock -> nothing"]);
}

fn group_before(here: &mut Here) {
    here.sh("groupadd --gid 1580 gwen");
    let gwen = || [user(json!({ "name": "gwen", "uid": 1581 }))];
    here.converges(
        &gwen(),
        &[
            "user:gwen: nothing -> user, uid 1581, home /home/gwen, shell /bin/bash",
            "user:gwen existing group: nothing -> gwen",
        ],
    );
    here.destroy(&gwen());
    assert_eq!(
        here.sh("getent group gwen; ! getent passwd gwen; ls /var/lib/provision/stamps/group-of-user"),
        "gwen:x:1580:"
    );
    // One that came with the user goes with it, whatever the machine's settings are.
    here.sh("sed -i 's/^USERGROUPS_ENAB.*/USERGROUPS_ENAB no/' /etc/login.defs");
    let gil = || [user(json!({ "name": "gil", "uid": 1582 }))];
    here.apply(&gil());
    assert_eq!(here.sh("id -gn gil"), "gil");
    here.destroy(&gil());
    here.sh("! getent group gil; sed -i 's/^USERGROUPS_ENAB.*/USERGROUPS_ENAB yes/' /etc/login.defs");
}

fn sudoers(here: &mut Here) {
    let drop_in = |content: &str| {
        let fields =
            json!({ "path": "/etc/sudoers.d/ops", "content": content, "mode": "0440", "validate": ["visudo", "-cf"] });
        [item("file", &fields)]
    };
    here.converges(&drop_in("root ALL=(ALL) ALL\n"), &["file:/etc/sudoers.d/ops: nothing -> file, 19 B"]);
    let said = here.apply(&drop_in("root ALL=(ALL ALL\n"));
    assert!(said[0].contains("failed: ") && said[0].contains("visudo") && said[0].contains("syntax error"), "{said:?}");
    assert_eq!(
        here.sh("cat /etc/sudoers.d/ops; stat -c %a /etc/sudoers.d/ops; ls -A /etc/sudoers.d; visudo -c >/dev/null"),
        "root ALL=(ALL) ALL\n440\nREADME\nops"
    );
}

#[test]
fn a_tool_that_is_killed_anywhere_leaves_what_the_next_run_completes() {
    let packages = ["strace"];
    let name = "e2e_accounts::a_tool_that_is_killed_anywhere_leaves_what_the_next_run_completes";
    on_a_disposable_machine(name, &packages, || {
        let here = &mut Here::new();
        let files = ["useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "chpasswd", "chown"];
        for program in files {
            here.may_be_killed(program);
        }
        here.sh("groupadd --gid 1700 crew; cp -a /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/subuid /etc/subgid /root/");
        let calls = &["rename", "unlink"][..];
        let fresh = |here: &mut Here| {
            here.sh("for file in passwd shadow group gshadow subuid subgid; do cp -a /root/$file /etc/; done; \
                     rm -rf /home/lilly /var/lib/provision /etc/*.lock");
            here.known.claims.clear();
        };
        let asked = |uid: u32, gid: u32| {
            [
                item("group", &json!({ "name": "crew2", "gid": gid })),
                user(
                    json!({ "name": "lilly", "uid": uid, "groups": ["crew", "crew2"], "password": "$6$salt$hash", "ssh-keys": [KEY] }),
                ),
            ]
        };
        let first = |here: &mut Here| here.apply(&asked(1701, 1702));
        let second = |here: &mut Here| here.apply(&asked(1711, 1712));
        let gone = |here: &mut Here| here.destroy(&asked(1701, 1702));
        let made = |here: &mut Here| {
            fresh(here);
            first(here);
        };
        let tidy = |here: &Here| {
            assert_eq!(
                here.sh(
                    "cd /etc; ls | grep -E '^(passwd|shadow|group|gshadow|subuid|subgid)([.+]|$)' | sort | tr '\\n' ' '"
                ),
                "group gshadow passwd shadow subgid subuid"
            );
            assert_eq!(here.sh("find /var/lib/provision/stamps -type f 2>/dev/null || true"), "");
            here.sh("grpck -qr; pwck -qr || [ $? = 2 ]");
        };
        let whole = |uid: u32, gid: u32| {
            move |here: &mut Here| {
                tidy(here);
                let seen = here.sh("id lilly; stat -c %u /home/lilly /home/lilly/.ssh/authorized_keys; getent shadow lilly | cut -d: -f2");
                let groups = format!("uid={uid}(lilly) gid=1701(lilly) groups=1701(lilly),1700(crew),{gid}(crew2)");
                assert_eq!(seen, format!("{groups}\n{uid}\n{uid}\n$6$salt$hash"));
            }
        };
        let nothing = |here: &mut Here| {
            tidy(here);
            here.sh("! grep -E '[:,]lilly|^lilly:|^crew2:' /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/subuid /etc/subgid");
        };
        for program in ["groupadd", "useradd", "chpasswd"] {
            let kills = here.killed_at_each((program, calls), &fresh, &first, &whole(1701, 1702));
            println!("{program}: killed {kills} times");
            assert!(kills > 3, "{program} {kills}");
        }
        for (program, calls) in [("usermod", calls), ("usermod", &["fchownat"][..]), ("groupmod", calls)] {
            let kills = here.killed_at_each((program, calls), &made, &second, &whole(1711, 1712));
            println!("{program}: killed {kills} times");
            assert!(kills > 1, "{program} {kills}");
        }
        for program in ["userdel", "groupdel"] {
            let kills = here.killed_at_each((program, calls), &made, &gone, &nothing);
            println!("{program}: killed {kills} times");
            assert!(kills > 3, "{program} {kills}");
        }
    });
}
