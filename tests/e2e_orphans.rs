//! Orphans in real containers: taken away inside, and a container with all that is in it by its own word alone.
use crate::lab::{Answer, Lab};
use serde_json::Value;
use std::path::Path;

const TEMPLATE: &str = "/var/cache/provision/templates/debian-12-standard_12.7-1_amd64.tar.zst";

const RECIPE: &str = r#"
name = "pair"
[vars]
ids = [301, 302]
[[directory]]
path = "/srv/shared"
[[container]]
for-each = { id = "{{ ids }}" }
id       = "{{ id }}"
hostname = "ct{{ id }}"
template = "debian-12-standard_12.7-1_amd64.tar.zst"
mounts   = [{ source = "/srv/shared", target = "/mnt/shared" }]
[[include]]
for-each = { id = "{{ ids }}" }
lane     = "CT{{ id }}"
in       = "{{ id }}"
recipe   = "inside.toml"
"#;

const KEPT: &str = "[[file]]\npath = \"/etc/kept\"\ncontent = \"kept\\n\"\n";
const GOES: &str = r#"
[[user]]
name = "lilly"
[[file]]
path    = "/home/lilly/hello"
content = "hello\n"
owner   = "lilly"
[[unit]]
name    = "hello.service"
content = "[Service]\nUser=lilly\nExecStart=/bin/sleep infinity\n"
active  = true
"#;

fn run(lab: &Lab, arguments: &[&str]) -> Answer {
    let answer = lab.run(&[&["provision", arguments[0], "/srv/pair.toml"], &arguments[1..]].concat());
    println!("provision {}: exit {}\n{}{}", arguments.join(" "), answer.code, answer.stdout, answer.stderr);
    answer
}

fn ids(lab: &Lab, arguments: &[&str], event: &str) -> Vec<String> {
    let answer = run(lab, &[arguments, &["--json"]].concat());
    let events = answer.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let named = events.filter(|line| line["event"] == event);
    named.map(|line| line["id"].as_str().unwrap_or_default().to_owned()).collect()
}

fn a_user_that_is_renamed_and_keeps_its_uid_waits_for_its_predecessor(lab: &Lab) {
    let named = |name: &str| {
        let owned = format!("[[file]]\npath = \"/etc/of\"\ncontent = \"of\\n\"\nowner = \"{name}\"\n");
        lab.write("/srv/inside.toml", &format!("{KEPT}[[user]]\nname = \"{name}\"\nuid = 1500\n{owned}"));
    };
    named("old");
    assert_eq!(run(lab, &["apply", "--yes"]).code, 0);
    named("new");
    let waits = run(lab, &["plan"]);
    assert!(
        waits.stdout.contains("is still that of 301/user:old, which this recipe made and no longer has"),
        "{}",
        waits.stdout
    );
    assert_eq!(run(lab, &["apply", "--yes", "--prune"]).code, 3);
    assert_eq!(run(lab, &["apply", "--yes"]).code, 0);
    for id in [301, 302] {
        lab.inside(id, "! id old; test $(stat -c %U /etc/of) = new; test $(id -u new) = 1500");
    }
    lab.write("/srv/inside.toml", KEPT);
    assert_eq!(run(lab, &["apply", "--yes", "--prune"]).code, 0);
    assert!(ids(lab, &["plan"], "orphan").is_empty());
}

/// What the recipe has by another id in a container is told there, by what the recipe sends along.
fn what_a_recipe_has_in_a_container_by_another_id_stays(lab: &Lab) {
    let text = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";
    let of = |path: &str| format!("[[file]]\npath = \"{path}\"\ncontent = '''\n{text}'''\n");
    let files = of("/etc/systemd/system/hi.service") + &of("/etc/systemd/system/hi@.service") + &of("/var/run/hi");
    let unit = |name: &str| format!("[[unit]]\nname = \"{name}\"\nenabled = true\nactive = true\n");
    let units = unit("hi.service") + &unit("hi@one.service");
    lab.write("/srv/inside.toml", &format!("{KEPT}{files}{units}"));
    assert_eq!(run(lab, &["apply", "--yes"]).code, 0);
    lab.write("/srv/inside.toml", &format!("{KEPT}{units}{}", of("/run/hi")));
    let pruned = run(lab, &["apply", "--yes", "--prune"]);
    assert_eq!(pruned.code, 0);
    let template = ["302/file:/etc/systemd/system/hi@.service", "301/file:/etc/systemd/system/hi@.service"];
    assert_eq!(ids(lab, &["plan"], "orphan"), template, "it is for both to keep, and no one's own");
    for id in [301, 302] {
        lab.inside(id, "systemctl is-active hi.service hi@one.service; test -e /run/hi");
        lab.inside(id, "test -f /etc/systemd/system/hi.service; test -f /etc/systemd/system/hi@.service");
    }
    lab.write("/srv/inside.toml", KEPT);
    assert_eq!(run(lab, &["apply", "--yes", "--prune"]).code, 0);
    for id in [301, 302] {
        lab.inside(id, "! systemctl cat hi.service hi@one.service; test ! -e /etc/systemd/system/hi.service");
        lab.inside(id, "test ! -e /etc/systemd/system/hi@.service; test ! -e /run/hi");
    }
    assert!(ids(lab, &["plan"], "orphan").is_empty(), "what was ours stayed so, by whichever id");
}

fn a_unit_is_restarted_in_the_run_that_prunes_its_drop_in(lab: &Lab) {
    let unit = "[[unit]]\nname = \"with.service\"\ncontent = \"[Service]\\nExecStart=/bin/sleep infinity\\n\"\nactive = true\nsettle = \"100ms\"\n";
    let directory = "/etc/systemd/system/with.service.d";
    let drop_in = format!(
        "[[directory]]\npath = \"{directory}\"\n[[file]]\npath = \"{directory}/a.conf\"\ncontent = \"[Service]\\nEnvironment=A=1\\n\"\n"
    );
    lab.write("/srv/inside.toml", &format!("{KEPT}{drop_in}{unit}"));
    assert_eq!(run(lab, &["apply", "--yes"]).code, 0);
    let runs_with = |text: &str| {
        format!("tr '\\0' '\\n' </proc/$(systemctl show --value -p MainPID with.service)/environ | grep -c {text}")
    };
    lab.inside(301, &runs_with("A=1"));
    lab.write("/srv/inside.toml", &format!("{KEPT}{unit}"));
    let of = |id: u32, what: &[&str]| what.iter().map(|what| format!("{id}/{what}")).collect::<Vec<_>>();
    let gone = ["file:/etc/systemd/system/with.service.d/a.conf", "directory:/etc/systemd/system/with.service.d"];
    let restarted = ["unit:with.service"];
    let planned = [of(302, &gone), of(301, &gone), of(301, &restarted), of(302, &restarted)].concat();
    assert_eq!(ids(lab, &["plan", "--prune"], "planned"), planned);
    let pruned = run(lab, &["apply", "--yes", "--prune"]);
    assert!(pruned.code == 0 && pruned.stdout.contains("applied: 6 changed"), "{}", pruned.stdout);
    for id in [301, 302] {
        lab.inside(id, &format!("! {}", runs_with("A=1")));
    }
    let again = run(lab, &["apply", "--yes", "--prune"]);
    assert!(again.stdout.contains("applied: 0 changed"), "{}", again.stdout);
    lab.write("/srv/inside.toml", KEPT);
    assert_eq!(run(lab, &["apply", "--yes", "--prune"]).code, 0);
}

/// Asks whether to destroy container 301, and has somebody put another one in its place before the answer.
const ASKED: &str = r"
mkfifo /tmp/answers
script -qefc 'provision destroy /srv/pair.toml --var ids=[301] --data 301' /tmp/said </tmp/answers >/dev/null &
exec 3>/tmp/answers
for _ in $(seq 300); do grep -qs 'take all of this away' /tmp/said && break; sleep 0.1; done
lxc-stop -k -n 301
sed -i -E 's/([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}/02:00:00:00:00:99/' /var/lib/lxc/301/config
touch /var/lib/lxc/301/rootfs/root/theirs
echo y >&3
exec 3>&-
wait
cat /tmp/said
";

fn a_container_that_somebody_puts_in_the_place_of_one_while_the_question_stands_stays(lab: &Lab) {
    lab.write("/srv/pair.toml", RECIPE);
    lab.write("/srv/inside.toml", KEPT);
    assert_eq!(run(lab, &["apply", "--yes", "--var", "ids=[301]"]).code, 0);
    let said = lab.sh(ASKED);
    assert!(said.contains("ct301 with all that is in it") && said.contains("kept: it was not made here"), "{said}");
    lab.sh("test -e /var/lib/lxc/301/rootfs/root/theirs");
}

#[test]
fn what_a_recipe_no_longer_has_goes_from_its_containers_and_a_container_by_its_own_word_alone() {
    let lab = Lab::up(&["lxc", "uidmap", "zstd"]);
    lab.put(Path::new(TEMPLATE), TEMPLATE);
    lab.furnish();
    lab.write("/srv/pair.toml", RECIPE);
    lab.write("/srv/inside.toml", &format!("{KEPT}{GOES}"));
    // As it was approved: the containers are not there yet, and both lanes go side by side.
    let digest = |arguments: &[&str]| {
        let said = run(&lab, arguments).stdout;
        said.split_once(" · digest ").map(|(_, tail)| tail[..16].to_owned()).unwrap_or_default()
    };
    let approved = digest(&["plan"]);
    assert_eq!(digest(&["plan", "--jobs", "1"]), approved);
    lab.sh("touch /srv/shared");
    let refused = run(&lab, &["apply", "--expect", &approved]);
    assert!(refused.code != 0 && refused.stdout.contains("not as expected:"), "{}", refused.stdout);
    lab.sh("rm /srv/shared; test -z \"$(ls /var/lib/lxc)\"");
    assert_eq!(run(&lab, &["apply", "--expect", &approved]).code, 0);

    // Inside: in reverse order, so that the unit is stopped before its user goes.
    lab.write("/srv/inside.toml", KEPT);
    let wrong = ids(&lab, &["plan", "--prune", "--data", "301"], "planned");
    assert_eq!(wrong.len(), 6, "what is in a container that stays does not go with it: {wrong:?}");
    let gone = ["unit:hello.service", "file:/home/lilly/hello", "user:lilly"];
    let of = |id: u32| gone.map(|what| format!("{id}/{what}"));
    assert_eq!(ids(&lab, &["plan"], "orphan"), [of(302), of(301)].concat());
    assert_eq!(run(&lab, &["apply", "--yes"]).code, 0, "without a word they stay");
    lab.inside(301, "systemctl is-active hello.service; test -e /home/lilly/hello");
    assert_eq!(ids(&lab, &["plan", "--prune"], "planned"), [of(302), of(301)].concat());
    let approved = digest(&["plan", "--prune"]);
    assert_eq!(run(&lab, &["apply", "--prune", "--expect", &approved]).code, 0);
    for id in [301, 302] {
        lab.inside(id, "! systemctl cat hello.service; ! id lilly; test ! -e /home/lilly/hello; cat /etc/kept");
    }
    assert!(ids(&lab, &["plan"], "orphan").is_empty());

    a_user_that_is_renamed_and_keeps_its_uid_waits_for_its_predecessor(&lab);
    what_a_recipe_has_in_a_container_by_another_id_stays(&lab);
    a_unit_is_restarted_in_the_run_that_prunes_its_drop_in(&lab);

    // One that does not run can't be looked at, and is not forgotten.
    lab.write("/srv/inside.toml", "");
    lab.sh("lxc-stop -n 302");
    let plan = run(&lab, &["plan", "--var", "ids=[301]"]).stdout;
    assert!(plan.contains("! host/container:302  it would go with its data\n"), "{plan}");
    assert!(plan.contains("run again with `--prune --data 302`"), "{plan}");
    assert!(plan.contains("- 301/file:/etc/kept") && !plan.contains("302/"), "what is in it goes with it: {plan}");
    let waits = run(&lab, &["apply", "--prune", "--yes", "--var", "ids=[301]"]);
    assert_eq!(waits.code, 3, "a container is data");
    lab.sh("test -e /var/lib/lxc/302/rootfs/etc/kept");
    lab.inside(301, "test ! -e /etc/kept");
    assert_eq!(run(&lab, &["apply", "--prune", "--data", "302", "--yes", "--var", "ids=[301]"]).code, 0);
    lab.sh("test ! -e /var/lib/lxc/302; test -d /srv/shared");
    assert!(ids(&lab, &["plan", "--var", "ids=[301]"], "orphan").is_empty(), "nothing of it is known any more");

    // The whole recipe, when nothing is left of it.
    lab.write("/srv/pair.toml", "name = \"pair\"\n");
    assert_eq!(ids(&lab, &["plan"], "orphan"), ["host/container:301", "host/directory:/srv/shared"]);
    assert_eq!(run(&lab, &["apply", "--prune", "--data", "301", "--yes"]).code, 0);
    lab.sh("test ! -e /var/lib/lxc/301; test ! -e /srv/shared");
    let empty = run(&lab, &["apply", "--prune", "--yes"]);
    assert!(empty.stdout.contains("applied: 0 changed"), "{}", empty.stdout);

    a_container_that_somebody_puts_in_the_place_of_one_while_the_question_stands_stays(&lab);
}
