//! The container kind through the driver of Proxmox, on a stand-in for `pct` that runs real containers (tests/support/pct).
mod fields;

use crate::lab::{Lab, on_a_furnished_machine, pct};
use crate::support::contract::{apply, run};
use crate::support::item::job;
use crate::support::watched::Watched;
use fields::{EDITED, EDITED_AGAIN};
use provision::container::driver;
use provision::engine::Mode;
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want, capacity};
use provision::system::{Command, System};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const ID: u32 = 301;
const CONF: &str = "/etc/pve/lxc/301.conf";
const TEMPLATE: &str = "/var/lib/vz/template/cache/debian-12-standard_12.7-1_amd64.tar.zst";

#[test]
fn a_container_of_proxmox_is_changed_in_place_and_nothing_is_lost() {
    let furnish = |lab: &Lab| {
        lab.put(&pct(), "/usr/sbin/pct");
        lab.sh("ln -s pct /usr/sbin/pvesm");
        lab.put(Path::new(env!("CARGO_BIN_EXE_provision")), "/usr/local/bin/provision");
        let template = std::env::var("TEMPLATE")
            .unwrap_or_else(|_| "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst".to_owned());
        lab.put(Path::new(&template), TEMPLATE);
        lab.sh(
            "mkdir -p /etc/pve/lxc /etc/pve/nodes/pve9/qemu-server /etc/pve/qemu-server /srv/a /srv/b
             printf 'dir: local\\n\\tpath /var/lib/vz\\n\\tcontent vztmpl,rootdir\\n' >/etc/pve/storage.cfg
             echo memory: 512 >/etc/pve/qemu-server/400.conf; echo memory: 512 >/etc/pve/nodes/pve9/qemu-server/401.conf
             printf 'root:100000:65536\\n' >/etc/subuid; cp /etc/subuid /etc/subgid; echo a >/srv/a/mark; echo b >/srv/b/mark
             chown 100000:100000 /srv/b
             ip link add vmbr1 type bridge; ip address add 10.77.0.1/24 dev vmbr1; ip link set vmbr1 up",
        );
    };
    let packages = ["lxc", "uidmap", "zstd", "e2fsprogs", "openssh-client"];
    on_a_furnished_machine(
        "e2e_pct::a_container_of_proxmox_is_changed_in_place_and_nothing_is_lost",
        &packages,
        furnish,
        || {
            let mut node = Node::new();
            node.made_and_booted();
            node.a_plan_in_sync_starts_nothing_and_touches_nothing();
            node.what_is_free_on_a_server_is_asked_of_pvesm();
            node.live_fields_are_live();
            node.what_waits_for_a_restart_waits();
            node.what_somebody_left_pending_is_seen();
            node.what_is_not_ours_to_know_stays();
            node.a_mount_taken_away_inside_comes_back();
            node.a_locked_one_waits();
            node.one_that_was_killed_in_the_making_is_made();
            node.one_that_is_in_the_making_is_waited_for();
            node.ids_of_others_are_refused();
            node.one_that_was_made_by_hand_is_imported_and_adopted();
            node.every_field_is_kept_while_it_runs_and_while_it_does_not();
            node.it_goes_with_its_data_alone();
        },
    );
}

/// What is said of `/srv/a`.
const FOREIGN: &str = "remark: `/srv/a` is root's, who is nobody inside: no user there can write to it; with owner = 100000 it \
                       would be root's";

struct Node {
    sys: Watched,
    known: Known,
    fields: Value,
}

impl Node {
    fn new() -> Self {
        let fields = json!({
            "id": ID, "hostname": "lilly", "template": TEMPLATE.rsplit('/').next(), "cores": 1, "memory": "256MiB",
            "disk": "4GiB", "features": { "nesting": true }, "tags": ["role"], "description": "two\nlines: é",
            "network": [{ "bridge": "vmbr1", "address": "10.77.0.31/24", "gateway": "10.77.0.1" }],
            "mounts": [{ "source": "/srv/a", "target": "/mnt/a" }],
        });
        Self { sys: Watched::new(Path::new("/var/lib/provision")), known: Known::default(), fields }
    }

    fn items(&self, want: Want) -> Vec<Item> {
        let job = JobItem { want, digest: self.fields.to_string(), ..job("container", self.fields.clone()) };
        vec![Item::receive(JobItem { timeout: Duration::from_mins(5), ..job }).unwrap()]
    }

    /// Applies what the plan names, and sees that nothing but `ends` is left.
    #[track_caller]
    fn converge(&mut self, changes: &[&str], ends: &[&str]) {
        let items = self.items(Want::Present);
        self.sys.facts().forget();
        let cut = |lines: Vec<String>| -> Vec<String> {
            lines.into_iter().map(|line| line.replace(&format!("container:{ID} "), "")).collect()
        };
        let planned = run(&items, Mode::Plan, &self.known, &self.sys).unwrap();
        assert_eq!((cut(planned.changes()), cut(planned.ends())), (owned(changes), owned(ends)), "the plan");
        let applied = apply(&items, &mut self.known, &self.sys).unwrap();
        assert_eq!((cut(applied.changes()), cut(applied.ends())), (owned(changes), owned(ends)), "the apply");
        let again = run(&items, Mode::Plan, &self.known, &self.sys).unwrap();
        assert_eq!(again.changes(), Vec::<String>::new(), "the plan after it");
    }

    fn inside(&self, script: &str) -> String {
        let argv = driver(&self.sys).unwrap().attach(ID, &["sh", "-c", script].map(str::to_owned));
        self.sys.run(&Command::new(argv)).unwrap().text().trim().to_owned()
    }

    fn host(&self, argv: &[&str]) {
        let command = Command::new(argv.iter().copied());
        self.sys.run(&command).unwrap().success(&command).unwrap();
    }

    fn made_and_booted(&mut self) {
        let made = "nothing -> lilly from debian-12-standard_12.7-1_amd64.tar.zst; 1 core; 256MiB memory; 4GiB disk; eth0 on \
                    vmbr1, address 10.77.0.31/24, gateway 10.77.0.1; /mnt/a from /srv/a";
        let items = self.items(Want::Present);
        let applied = apply(&items, &mut self.known, &self.sys).unwrap();
        assert_eq!(applied.ends(), [format!("container:{ID} {FOREIGN}")]);
        assert_eq!(applied.changes()[0], format!("container:{ID}: {made}"));
        driver(&self.sys).unwrap().ready(&self.sys, ID, Duration::from_mins(1)).unwrap();
        assert_eq!(self.inside("hostname; cat /mnt/a/mark; hostname -I"), "lilly\na\n10.77.0.31");
        let conf = conf();
        for line in ["#two", "#lines%3A %C3%A9", "unprivileged: 1", "onboot: 1", "swap: 0", "tags: role"] {
            assert!(conf.lines().any(|found| found == line), "{line}:\n{conf}");
        }
    }

    fn a_plan_in_sync_starts_nothing_and_touches_nothing(&mut self) {
        let before = (conf(), modified());
        self.sys.take_runs();
        self.converge(&[], &[]);
        assert_eq!(self.sys.take_runs(), Vec::<String>::new(), "no process at all");
        assert_eq!((conf(), modified()), before);
    }

    fn what_is_free_on_a_server_is_asked_of_pvesm(&mut self) {
        const CFG: &str = "/etc/pve/storage.cfg";
        let usual = fs::read_to_string(CFG).unwrap();
        let more = "nfs: nas\n\tpath /var/lib/vz\n\tserver nas\n\tcontent rootdir\nlvm: gone\n\tvgname gone\n\tcontent rootdir\n";
        fs::write(CFG, usual.clone() + more).unwrap();
        let on = |id: u32, storage: &str| {
            let asked =
                json!({ "id": id, "hostname": "new", "template": TEMPLATE, "disk": "4GiB", "storage": storage });
            Item::receive(job("container", asked)).unwrap()
        };
        self.sys.take_runs();
        let all = capacity([on(310, "nas"), on(311, "gone")].iter(), driver(&self.sys).unwrap(), &self.sys).unwrap();
        let asked = "/usr/sbin/pvesm status --content rootdir";
        assert_eq!(self.sys.take_runs(), [asked]);
        let [nas, gone] = &all.places[..] else { panic!("{all:?}") };
        let is = self.sys.free_space(Path::new("/var/lib/vz")).unwrap();
        assert!(nas.free.is_some_and(|free| free.abs_diff(is) < 1 << 30), "{nas:?}, and {is} are free there");
        assert_eq!(
            gone.unknown.as_deref(),
            Some(format!("reading what `{asked}` says: the storage is inactive").as_str())
        );
        fs::write(CFG, usual).unwrap();
    }

    fn live_fields_are_live(&mut self) {
        let mac = mac();
        self.fields["memory"] = json!("300MiB");
        self.fields["cores"] = json!(2);
        self.fields["disk"] = json!("5GiB");
        self.fields["onboot"] = json!(false);
        self.fields["tags"] = json!(["role", "second"]);
        self.fields["network"][0]["address"] = json!("10.77.0.32/24");
        self.fields["mounts"] =
            json!([{ "source": "/srv/a", "target": "/mnt/a" }, { "source": "/srv/b", "target": "/mnt/b" }]);
        self.converge(
            &[
                "disk: 4GiB -> 5GiB",
                "cores: 1 -> 2",
                "memory: 256MiB -> 300MiB",
                "network.eth0.address: 10.77.0.31/24 -> 10.77.0.32/24",
                "mounts./mnt/b: nothing -> /srv/b",
                "onboot: true -> false",
                "tags: role -> role, second",
            ],
            &[],
        );
        assert_eq!(mac, self::mac(), "the MAC stays");
        assert_eq!(self.inside("cat /mnt/b/mark; hostname -I"), "b\n10.77.0.32");
        let writes = "for it in a b; do touch /mnt/$it/new 2>/dev/null && echo $it; done";
        assert_eq!(self.inside(writes), "b", "as was said of the other");
    }

    fn what_waits_for_a_restart_waits(&mut self) {
        self.fields["features"] = json!({ "nesting": true, "fuse": true });
        self.fields["hostname"] = json!("second");
        self.fields["mounts"][1]["read-only"] = json!(true);
        let waits = "waiting: features.fuse, hostname, mounts./mnt/b takes effect at a restart only (run again with `--restart 301`)";
        let changes = [
            "hostname: lilly -> second",
            "mounts./mnt/b: /srv/b -> /srv/b, read-only",
            "features.fuse: nothing -> true",
        ];
        self.converge(&changes, &[waits]);
        self.converge(&[], &[waits]);
        assert_eq!(self.inside("hostname"), "lilly", "it was not restarted");
        self.known.allowed.restart.insert(ID.to_string());
        self.converge(&["running: true -> restarted"], &[]);
        self.known.allowed.restart.clear();
        driver(&self.sys).unwrap().ready(&self.sys, ID, Duration::from_mins(1)).unwrap();
        assert_eq!(self.inside("hostname; touch /mnt/b/x 2>/dev/null || echo read-only"), "second\nread-only");
        self.converge(&[], &[]);
    }

    fn what_somebody_left_pending_is_seen(&mut self) {
        self.host(&["pct", "set", "301", "--features", "nesting=1,fuse=0"]);
        self.converge(&["features.fuse: false -> true"], &[]);
        assert!(!conf().contains("pending"), "it is what is in effect again:\n{}", conf());
    }

    fn what_is_not_ours_to_know_stays(&mut self) {
        let text = conf() + "frob: 1\nlxc.cap.drop: sys_time\n";
        fs::write(CONF, text).unwrap();
        self.host(&["pct", "set", "301", "--memory", "400"]);
        self.converge(&["memory: 400MiB -> 300MiB"], &[]);
        assert!(conf().contains("frob: 1\n") && conf().contains("lxc.cap.drop: sys_time\n"), "{}", conf());
    }

    fn a_mount_taken_away_inside_comes_back(&mut self) {
        self.inside("umount /mnt/a");
        self.converge(&["mounts./mnt/a: not mounted -> /srv/a"], &[FOREIGN]);
        assert_eq!(self.inside("cat /mnt/a/mark"), "a");
    }

    fn a_locked_one_waits(&mut self) {
        self.host(&["pct", "set", "301", "--lock", "backup"]);
        self.fields["memory"] = json!("310MiB");
        self.converge(&[], &["waiting: it is locked (backup) (run again once that has ended)"]);
        self.host(&["pct", "unlock", "301"]);
        self.converge(&["memory: 300MiB -> 310MiB"], &[]);
    }

    fn one_that_was_killed_in_the_making_is_made(&mut self) {
        let mut other = Self { fields: self.fields.clone(), ..Self::new() };
        other.fields["id"] = json!(302);
        other.fields["network"] = json!([]);
        other.fields["mounts"] = json!([]);
        // Nobody writes into it: the unpacking waits until it is killed.
        other.fields["template"] = json!("/srv/slow.tar.zst");
        self.host(&["mkfifo", "/srv/slow.tar.zst"]);
        *other.sys.cut.lock().unwrap() = Some(("create 302", Duration::from_secs(1)));
        let items = other.items(Want::Present);
        let failed = apply(&items, &mut other.known, &other.sys).unwrap();
        assert!(failed.ends()[0].contains("failed: running `/usr/sbin/pct create 302"), "{:?}", failed.ends());
        *other.sys.cut.lock().unwrap() = None;
        assert_eq!(fs::read_to_string("/etc/pve/lxc/302.conf").unwrap(), "lock: create\n");

        let foreign = run(&items, Mode::Plan, &Known::default(), &other.sys).unwrap();
        assert!(foreign.ends()[0].contains("waiting: a killed run of somebody else"), "{:?}", foreign.ends());
        self.host(&["ln", "-f", TEMPLATE, "/srv/slow.tar.zst"]);
        other.sys.facts().forget();
        let made = apply(&items, &mut other.known, &other.sys).unwrap();
        assert_eq!(made.ends(), Vec::<String>::new());
        assert_eq!(made.changes()[0], "container:302: what a killed run left half made -> nothing");
        assert_eq!(run(&items, Mode::Plan, &other.known, &other.sys).unwrap().changes(), Vec::<String>::new());
        other.known.allowed.data.insert("302".to_owned());
        apply(&other.items(Want::Absent), &mut other.known, &other.sys).unwrap();
        assert!(!PathBuf::from("/etc/pve/lxc/302.conf").exists() && !PathBuf::from("/var/lib/lxc/302/rootfs").exists());
    }

    /// The run that began it was killed, the call of `pct` was not; at first it has written nothing yet.
    fn one_that_is_in_the_making_is_waited_for(&self) {
        fs::write(
            "/srv/during.toml",
            "name = \"during\"\n[[container]]\nid = 304\nhostname = \"during\"\ntemplate = \"/srv/late.tar.zst\"\nmemory = \"256MiB\"\nrunning = false\n",
        )
        .unwrap();
        let script = format!(
            "mkfifo /srv/late.tar.zst
             soon() {{ for try in $(seq 600); do grep -qs \"$@\" && return; sleep 0.1; done; exit 1; }}
             mkdir /srv/slow; printf '#!/bin/sh\\necho begun >/srv/begun; until [ -e /srv/go ]; do sleep 0.1; done; exec pct \"$@\"\\n' >/srv/slow/pct
             sh /srv/slow/pct create 304 /srv/late.tar.zst --hostname during --memory 256 --unprivileged 1 --rootfs local:4 >/dev/null &
             soon begun /srv/begun
             provision --state-dir /srv/state apply /srv/during.toml --yes --adopt 304 >/srv/said 2>&1 & run=$!
             soon 'waits for `pct create 304 /srv/late.tar.zst`, which is at work on it' /srv/said
             touch /srv/go; soon lock /etc/pve/lxc/304.conf
             cat {TEMPLATE} >/srv/late.tar.zst
             wait $run; echo $?; cat /srv/said"
        );
        let command = Command::new(["sh", "-c", &script]).timeout(Duration::from_mins(3));
        let said = self.sys.run(&command).unwrap().text();
        assert!(said.starts_with("0\n") && said.contains("host/container:304"), "{said}");
        assert!(!fs::read_to_string("/etc/pve/lxc/304.conf").unwrap().contains("lock"), "{said}");
        self.host(&["pct", "destroy", "304"]);
        fs::remove_file("/srv/late.tar.zst").unwrap();
    }

    fn ids_of_others_are_refused(&mut self) {
        for (id, why) in
            [(400, "it is the id of a virtual machine"), (401, "it is the id of something on the node `pve9`")]
        {
            let mut other = Self { fields: self.fields.clone(), ..Self::new() };
            other.fields["id"] = json!(id);
            let planned = run(&other.items(Want::Present), Mode::Plan, &Known::default(), &other.sys).unwrap();
            assert!(planned.ends()[0].contains(why), "{:?}", planned.ends());
        }
        let foreign = run(&self.items(Want::Present), Mode::Plan, &Known::default(), &self.sys).unwrap();
        assert!(foreign.ends()[0].contains("--adopt 301"), "{:?}", foreign.ends());
    }

    /// Made by `pct` alone: with what a recipe can say and with what it can't.
    #[expect(clippy::too_many_lines, reason = "one story")]
    fn one_that_was_made_by_hand_is_imported_and_adopted(&self) {
        const HAND: &str = "/etc/pve/lxc/303.conf";
        let template = format!("local:vztmpl/{}", TEMPLATE.rsplit('/').next().unwrap());
        self.host(&[
            "pct",
            "create",
            "303",
            &template,
            "--hostname",
            "by-hand",
            "--unprivileged",
            "1",
            "--rootfs",
            "local:4",
            "--memory",
            "256",
            "--cores",
            "1",
            "--features",
            "nesting=1",
            "--tags",
            "b;a",
            "--onboot",
            "0",
            "--net0",
            "name=eth0,bridge=vmbr1,ip=10.77.0.33/24,gw=10.77.0.1",
            "--mp0",
            "/srv/a,mp=/mnt/a,ro=1",
            "--description",
            "it's \"mine\":\n{{ two }} lines, 100% é",
        ]);
        fs::write(HAND, fs::read_to_string(HAND).unwrap() + "frob: 1\nlxc.cap.drop: sys_time\n").unwrap();
        self.host(&["pct", "start", "303"]);
        let look = || (fs::read_to_string(HAND).unwrap(), fs::metadata(HAND).unwrap().modified().unwrap());
        let before = look();
        let provision = |arguments: &[&str]| {
            let command = Command::new(
                ["/usr/local/bin/provision", "--state-dir", "/srv/state"].iter().chain(arguments).copied(),
            );
            let output = self.sys.run(&command).unwrap();
            (output.code, output.text(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let recipe = "/srv/hand.toml";
        let (code, said, warned) = provision(&["import", "303", "--into", recipe]);
        let wrote = "wrote /srv/hand.toml; `provision apply /srv/hand.toml --adopt 303` takes it over\n";
        assert_eq!((code, said.as_str()), (0, wrote), "{warned}");
        for note in ["frob: 1", "lxc.cap.drop: sys_time", "its template"] {
            assert!(warned.contains(&format!("warning: container 303: a recipe does not say: {note}")), "{warned}");
        }
        let text = fs::read_to_string(recipe).unwrap();
        assert!(
            text.starts_with("name = \"hand\"\n\n# Of container 303 a recipe does not say:\n#   frob: 1\n"),
            "{text}"
        );
        assert_eq!(provision(&["import", "303"]).1.split_once('\n').unwrap().1, text.split_once('\n').unwrap().1);

        let (code, said, _) = provision(&["plan", recipe]);
        assert!(code == 3 && said.contains("planned: 0 to change, 0 in sync, 1 waiting"), "{code}: {said}");
        assert!(said.contains("run again with `--adopt 303`") && !said.contains("this host"), "{said}");
        let (code, said, error) = provision(&["apply", recipe, "--yes", "--adopt", "303"]);
        assert!(
            code == 0 && said.contains("applied: 0 changed, 1 in sync, 0 waiting"),
            "{code}: {said}{error}\n{text}"
        );
        let (code, said, _) = provision(&["plan", recipe, "--check"]);
        assert!(code == 0 && said.contains("planned: 0 to change, 1 in sync, 0 waiting"), "{code}: {said}");
        assert!(!said.contains("this host"), "no container changes: {said}");
        assert_eq!(look(), before);

        // Nothing that is in a recipe is lost, and nothing comes into it twice.
        let (code, _, error) = provision(&["import", "303", "--into", recipe]);
        assert!(code == 2 && error.contains("it has host/container:303 already (/srv/hand.toml:"), "{error}");
        assert_eq!(fs::read_to_string(recipe).unwrap(), text);
        fs::write("/srv/mine.toml", "# mine\nname = \"mine\"\n[[directory]]\npath = \"/srv/d\"").unwrap();
        fs::set_permissions("/srv/mine.toml", std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let (code, _, error) = provision(&["import", "303", "301", "--into", "/srv/mine.toml"]);
        assert_eq!(code, 0, "{error}");
        let merged = fs::read_to_string("/srv/mine.toml").unwrap();
        assert!(
            merged.starts_with("# mine\nname = \"mine\"\n[[directory]]\npath = \"/srv/d\"\n\n# Of container 303"),
            "{merged}"
        );
        assert!(merged.contains("\n[[container]]\nid          = 301\n"), "{merged}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata("/srv/mine.toml").unwrap().permissions());
        assert_eq!(mode & 0o777, 0o640);
        let (code, said, error) = provision(&["validate", "/srv/mine.toml"]);
        assert!(code == 0 && said.contains("3 resources"), "{said}{error}");
        fs::write("/srv/wrong.toml", "name = \"wrong\"\ncontainer = 1\n").unwrap();
        assert_eq!(provision(&["import", "303", "--into", "/srv/wrong.toml"]).0, 2);
        assert_eq!(fs::read_to_string("/srv/wrong.toml").unwrap(), "name = \"wrong\"\ncontainer = 1\n");
        fs::remove_file("/srv/wrong.toml").unwrap();
        std::os::unix::fs::symlink("/srv/mine.toml", "/srv/link.toml").unwrap();
        let (code, _, error) = provision(&["import", "303", "--into", "/srv/link.toml"]);
        assert!(code == 2 && error.contains("it is a link"), "{error}");

        for (id, why) in [
            ("400", "it is the id of a virtual machine"),
            ("401", "it is the id of something on the node `pve9`"),
            ("404", "there is no such container on this host"),
        ] {
            let (code, said, error) = provision(&["import", id, "--into", "/srv/none.toml"]);
            assert!(code == 2 && said.is_empty() && error.contains(why), "{id}: {code} {said}{error}");
        }
        self.host(&["pct", "set", "303", "--lock", "backup"]);
        let (code, _, error) = provision(&["import", "303", "--into", "/srv/none.toml"]);
        assert!(code == 2 && error.contains("it is locked (backup)"), "{error}");
        let (code, said, _) = provision(&["plan", recipe]);
        assert!(code == 3 && said.contains("it is locked (backup)"), "{code}: {said}");
        self.host(&["pct", "unlock", "303"]);
        self.host(&["pct", "stop", "303"]);
        let stopped = fs::read_to_string(HAND).unwrap();
        fs::write(HAND, format!("{stopped}template: 1\n")).unwrap();
        let (code, _, error) = provision(&["import", "303", "--into", "/srv/none.toml"]);
        assert!(code == 2 && error.contains("it is a template"), "{error}");
        let (code, said, _) = provision(&["plan", recipe]);
        assert!(code == 3 && said.contains("it is a base, which never runs again"), "{code}: {said}");
        fs::write(HAND, format!("{stopped}\n[before]\nmemory: 1\n")).unwrap();
        let (code, said, error) = provision(&["import", "303"]);
        assert!(
            code == 0 && said.contains("#   the snapshot `before`\n") && error.contains("`before`"),
            "{said}{error}"
        );
        let (code, said, _) = provision(&["plan", recipe]);
        assert!(
            code == 0 && said.contains("planned: 1 to change") && said.contains("running: false → true"),
            "{code}: {said}"
        );
        assert!(
            said.contains("\n303 by-hand        1   256 MiB  4.0 GiB\nthis host   ")
                && said.contains("\nfree in local  "),
            "{said}"
        );
        fs::write(HAND, stopped).unwrap();
        assert!(!Path::new("/srv/none.toml").exists());
        self.host(&["pct", "destroy", "303"]);
    }

    /// Each is edited in the recipe, then changed by hand to something else; a restart is allowed.
    fn every_field_is_kept_while_it_runs_and_while_it_does_not(&mut self) {
        self.known.allowed.restart.insert(ID.to_string());
        for (running, fields) in [(true, EDITED), (false, EDITED_AGAIN)] {
            self.fields["running"] = json!(running);
            self.brought_about("running");
            for (field, value, by_hand) in fields {
                let what = format!("{field}, running: {running}");
                self.fields[*field] = serde_json::from_str(value).unwrap();
                assert_ne!(self.brought_about(&what), Vec::<String>::new(), "the edit of {what}");
                let kept = conf();
                if by_hand.is_empty() {
                    continue; // what only grows
                }
                self.host(&["bash", "-ec", by_hand]);
                assert_ne!(conf(), kept, "{what}: {by_hand}");
                assert_ne!(self.brought_about(&what), Vec::<String>::new(), "the drift of {what}");
                assert_eq!(sorted(&conf()), sorted(&kept), "{what}");
                assert_eq!(
                    driver(&self.sys).unwrap().found(&self.sys, ID).unwrap().unwrap().running,
                    running,
                    "{what}"
                );
            }
        }
        self.known.allowed.restart.clear();
    }

    /// Returns what a plan names; an apply does it, and leaves nothing.
    #[track_caller]
    fn brought_about(&mut self, what: &str) -> Vec<String> {
        let items = self.items(Want::Present);
        self.sys.facts().forget();
        let planned = run(&items, Mode::Plan, &self.known, &self.sys).unwrap().changes();
        let applied = apply(&items, &mut self.known, &self.sys).unwrap();
        let ends = |ends: Vec<String>| ends.into_iter().filter(|end| !end.contains(" remark: ")).collect::<Vec<_>>();
        assert_eq!((applied.changes(), ends(applied.ends())), (planned.clone(), Vec::new()), "{what}");
        let again = run(&items, Mode::Plan, &self.known, &self.sys).unwrap();
        assert_eq!((again.changes(), ends(again.ends())), (Vec::new(), Vec::new()), "{what}, planned again");
        planned
    }

    fn it_goes_with_its_data_alone(&mut self) {
        let absent = self.items(Want::Absent);
        let kept = apply(&absent, &mut self.known, &self.sys).unwrap();
        assert!(kept.ends()[0].contains("--data 301"), "{:?}", kept.ends());
        self.known.allowed.data.insert(ID.to_string());
        apply(&absent, &mut self.known, &self.sys).unwrap();
        assert!(!Path::new(CONF).exists() && !Path::new("/var/lib/lxc/301/rootfs").exists());
        assert_eq!(fs::read_to_string("/srv/a/mark").unwrap(), "a\n", "what was mounted stays");
    }
}

fn conf() -> String {
    fs::read_to_string(CONF).unwrap()
}

fn modified() -> SystemTime {
    fs::metadata(CONF).unwrap().modified().unwrap()
}

fn mac() -> String {
    let conf = conf();
    conf.split("hwaddr=").nth(1).unwrap()[..17].to_owned()
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// Lines in any order: what is taken away and set again comes last.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}
