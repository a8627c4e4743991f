//! Orphans: what an earlier form of a recipe made and this one no longer has. Shown by a plan, taken away by `--prune` alone.
use crate::support::place::{Place, Ran};
use crate::support::run::{make, start};
use crate::support::web;
use provision::engine::Tally;
use provision::id::Machine;
use provision::ledger::Ledger;
use provision::report::Silent;
use std::fs;
use std::os::unix::fs::DirBuilderExt;

/// A directory, a file in it, and a file that was there before.
const ALL: &str = "name = \"web\"\n\
    [[directory]]\npath = \"ROOT/srv\"\n\
    [[file]]\npath = \"ROOT/srv/a\"\ncontent = \"a\\n\"\n\
    [[file]]\npath = \"ROOT/theirs\"\ncontent = \"ours\\n\"\n\
    [[file]]\npath = \"ROOT/stays\"\ncontent = \"stays\\n\"\n";
const REST: &str = "name = \"web\"\n[[file]]\npath = \"ROOT/stays\"\ncontent = \"stays\\n\"\n";

const SHOWN: &str = "orphans: this recipe made them and has them no more; `--prune` takes them away\n\
    \x20 ~ host/file:ROOT/theirs  content: file, 5 B → as it was before us\n\
    \x20 - host/file:ROOT/srv/a  removed: file, 2 B\n\
    \x20 - host/directory:ROOT/srv  removed: directory  after host/file:ROOT/srv/a\n";

fn made(recipe: &str) -> Place {
    let place = Place::new(recipe);
    fs::write(place.root().join("theirs"), "theirs\n").unwrap();
    converge(&place, &["apply", "web.toml"]);
    place
}

fn converge(place: &Place, arguments: &[&str]) -> Ran {
    let ran = place.run(arguments);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

fn is_there(place: &Place, name: &str) -> bool {
    place.root().join(name).symlink_metadata().is_ok()
}

fn has_orphans(ran: &Ran) -> bool {
    ran.stdout.contains("orphan")
}

#[test]
fn what_a_recipe_no_longer_has_is_shown_by_every_plan_and_left_alone() {
    let place = made(ALL);
    assert!(!has_orphans(&place.run(&["plan", "web.toml"])));
    place.recipe(REST);
    let plan = format!("web from web.toml\n{SHOWN}planned: 0 to change, 1 in sync, 0 waiting, 0 failed\n");
    for _ in 0..2 {
        assert_eq!(place.run(&["plan", "web.toml", "--check"]).stdout, plan);
        let apply = converge(&place, &["apply", "web.toml"]);
        let line = apply.stdout.lines().find(|line| line.starts_with("orphans: host/file:ROOT/theirs, "));
        assert!(
            line.is_some_and(|line| line.ends_with(" · `provision plan web.toml` says what they are")),
            "{apply:?}"
        );
    }
    assert!(is_there(&place, "srv/a"));
}

#[test]
fn prune_takes_away_the_newest_first_what_is_ours_and_gives_back_what_was_there() {
    let place = made(ALL);
    place.recipe(REST);
    let plan = place.run(&["plan", "web.toml", "--prune", "--check"]);
    assert_eq!(plan.code, 4, "with the option they are differences");
    assert!(plan.stdout.contains("  removed: directory  after host/file:ROOT/srv/a  (orphan)\n"), "{plan:?}");
    assert!(plan.stdout.contains("planned: 3 to change (3 orphans), 1 in sync"), "{plan:?}");
    let pruned = converge(&place, &["apply", "web.toml", "--prune"]);
    let order: Vec<&str> = pruned.stdout.lines().filter_map(|line| line.strip_prefix("host  changed  ")).collect();
    let wanted =
        ["host/file:ROOT/theirs  content", "host/file:ROOT/srv/a  removed", "host/directory:ROOT/srv  removed"];
    assert_eq!(order, wanted);
    assert!(!is_there(&place, "srv") && is_there(&place, "stays"));
    assert_eq!(fs::read_to_string(place.root().join("theirs")).unwrap(), "theirs\n");
    assert!(!has_orphans(&place.run(&["plan", "web.toml"])));
    let again = converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(again.stdout.contains("applied: 0 changed, 1 in sync"), "{again:?}");
    place.recipe(ALL);
    assert!(place.run(&["plan", "web.toml"]).stdout.contains("(3 new)"), "it is known no more");
}

#[test]
fn what_when_leaves_out_and_what_only_does_not_name_is_no_orphan() {
    let place = made(ALL);
    for when in ["when = false\n", "when = \"{{ host.cores == 0 }}\"\n"] {
        place.recipe(&ALL.replace("]]\n", &format!("]]\n{when}")));
        assert!(!has_orphans(&place.run(&["plan", "web.toml"])), "{when}");
        converge(&place, &["apply", "web.toml", "--prune"]);
    }
    place.recipe(REST);
    assert!(!has_orphans(&place.run(&["plan", "web.toml", "--only", "file:*"])));
    let both = place.run(&["apply", "web.toml", "--only", "file:*", "--prune"]);
    assert_eq!(both.code, 2, "{both:?}");
    assert!(is_there(&place, "srv/a"));
}

#[test]
fn what_is_in_an_include_or_a_loop_that_when_leaves_out_is_no_orphan() {
    let looped = "name = \"web\"\n[vars]\non = true\nnames = [\"a\", \"b\"]\n\
        [[directory]]\nfor-each = { name = \"{{ names }}\" }\nwhen = \"{{ on or name == 'a' }}\"\npath = \"ROOT/{{ name }}\"\n\
        [[include]]\nwhen = \"{{ on }}\"\nfor-each = { name = \"{{ names }}\" }\nrecipe = \"part.toml\"\nvars = { name = \"{{ name }}\" }\n";
    let place = Place::new(looped);
    let part = format!(
        "needs = [\"name\"]\n[[file]]\npath = \"{}//f-{{{{ name }}}}\"\ncontent = \"x\"\n",
        place.root().display()
    );
    fs::write(place.root().join("part.toml"), part).unwrap();
    converge(&place, &["apply", "web.toml"]);
    assert!(is_there(&place, "b") && is_there(&place, "f-b"));
    place.recipe(&looped.replace("on = true", "on = false"));
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(is_there(&place, "b") && is_there(&place, "f-b"));
    // A member that is gone is gone, whatever is left out.
    place.recipe(&looped.replace("on = true", "on = false").replace(", \"b\"", ""));
    let pruned = converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(pruned.stdout.contains("2 changed"), "{pruned:?}");
    assert!(!is_there(&place, "b") && !is_there(&place, "f-b") && is_there(&place, "a") && is_there(&place, "f-a"));
}

#[test]
fn what_may_be_among_what_when_leaves_out_stays() {
    let place = made(ALL);
    // Which file it would be can't be told.
    place.recipe(&format!("{REST}[[file]]\nwhen = false\npath = \"{{{{ nowhere }}}}\"\n"));
    let plan = place.run(&["plan", "web.toml"]);
    assert!(plan.stdout.contains("  · host/directory:ROOT/srv  kept: it is not empty"), "{plan:?}");
    assert!(!plan.stdout.contains("file:"), "{plan:?}");
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(is_there(&place, "srv/a"));
}

#[test]
fn what_another_recipe_has_stays_until_that_one_has_it_no_more() {
    let place = made(ALL);
    let other = ALL.replace("\"web\"", "\"other\"").replace("ROOT", &place.root().display().to_string());
    fs::write(place.root().join("other.toml"), &other).unwrap();
    converge(&place, &["apply", "other.toml"]);
    place.recipe(REST);
    assert!(!has_orphans(&place.run(&["plan", "web.toml"])), "the other one has all of it");
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(is_there(&place, "srv/a"));
    // Whoever has it last takes it away, and gives back what was there.
    let rest = REST.replace("\"web\"", "\"other\"").replace("ROOT", &place.root().display().to_string());
    fs::write(place.root().join("other.toml"), rest).unwrap();
    let pruned = converge(&place, &["apply", "other.toml", "--prune"]);
    assert!(pruned.stdout.contains("3 changed"), "{pruned:?}");
    assert!(!is_there(&place, "srv"));
    assert_eq!(fs::read_to_string(place.root().join("theirs")).unwrap(), "theirs\n");
}

#[test]
fn destroy_leaves_what_another_recipe_has() {
    let place = made(ALL);
    let other = REST.replace("\"web\"", "\"other\"").replace("ROOT", &place.root().display().to_string());
    fs::write(place.root().join("other.toml"), &other).unwrap();
    converge(&place, &["apply", "other.toml"]);
    let destroyed = converge(&place, &["destroy", "web.toml", "--yes"]);
    assert!(destroyed.stdout.contains("host/file:ROOT/stays  kept: recipe `other` has it as well"), "{destroyed:?}");
    assert!(is_there(&place, "stays") && !is_there(&place, "srv"));
    converge(&place, &["destroy", "other.toml", "--yes"]);
    assert!(!is_there(&place, "stays"));
}

#[test]
fn destroy_leaves_what_another_recipe_has_by_another_way() {
    let place = Place::new("");
    fs::create_dir_all(place.root().join("usr/bin")).unwrap();
    std::os::unix::fs::symlink("usr/bin", place.root().join("bin")).unwrap();
    let recipe = |name: &str, text: &str| {
        let text = format!("name = \"{name}\"\n{text}").replace("ROOT", &place.root().display().to_string());
        fs::write(place.root().join(format!("{name}.toml")), text).unwrap();
    };
    let (file, lists) = (
        "[[file]]\npath = \"ROOT/AT/x\"\ncontent = \"x\\n\"\n",
        "[[directory]]\npath = [\"ROOT/AT/d\", \"ROOT/AT/OF\"]\n",
    );
    recipe("web", &[file, lists].concat().replace("AT", "usr/bin").replace("OF", "web"));
    recipe("other", &[file, lists].concat().replace("AT", "bin").replace("OF", "other"));
    converge(&place, &["apply", "web.toml"]);
    converge(&place, &["apply", "other.toml"]);
    let destroyed = converge(&place, &["destroy", "web.toml", "--yes"]);
    for name in
        ["file:ROOT/usr/bin/x  kept: recipe `other` has it as host/file:ROOT/bin/x", "directory:ROOT/usr/bin/d  kept: "]
    {
        assert!(destroyed.stdout.contains(name), "{name}: {destroyed:?}");
    }
    let there = ["x", "d", "web", "other"].map(|name| is_there(&place, &format!("usr/bin/{name}")));
    assert_eq!(there, [true, true, false, true], "{destroyed:?}");
    // Whose it is goes last.
    converge(&place, &["destroy", "other.toml", "--yes"]);
    converge(&place, &["destroy", "web.toml", "--yes"]);
    assert_eq!(fs::read_dir(place.root().join("usr/bin")).unwrap().count(), 0);
}

#[test]
fn what_somebody_changed_or_took_away_meanwhile_is_not_taken() {
    let place = made(ALL);
    fs::write(place.root().join("srv/a"), "mine\n").unwrap();
    fs::remove_file(place.root().join("theirs")).unwrap();
    place.recipe(REST);
    let plan = place.run(&["plan", "web.toml"]);
    assert!(plan.stdout.contains("  · host/file:ROOT/srv/a  kept: changed since we wrote it\n"), "{plan:?}");
    assert!(plan.stdout.contains("  · host/directory:ROOT/srv  kept: it is not empty"), "{plan:?}");
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert_eq!(fs::read_to_string(place.root().join("srv/a")).unwrap(), "mine\n");
    // What is gone is ours no more, even if the same is made by somebody else.
    fs::remove_dir_all(place.root().join("srv")).unwrap();
    converge(&place, &["apply", "web.toml"]);
    fs::create_dir(place.root().join("srv")).unwrap();
    fs::write(place.root().join("srv/a"), "a\n").unwrap();
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(is_there(&place, "srv/a"));
}

#[test]
fn what_was_there_before_us_and_somebody_changed_since_is_told_before_it_is_nobodys() {
    for option in [&[][..], &["--prune"]] {
        let place = made(ALL);
        fs::write(place.root().join("theirs"), "edited\n").unwrap();
        place.recipe(REST);
        let said = "warning: host/file:ROOT/theirs: this recipe changed it and has it no more; it stays as it is, and no plan names \
                    it again: changed since we wrote it; what was there before us is in `ROOT/state/kept/";
        for command in ["plan", "apply"] {
            let ran = place.run(&[&[command, "web.toml"], option].concat());
            assert!(ran.stdout.contains(said) || ran.stderr.contains(said), "{ran:?}");
        }
        assert_eq!(fs::read_to_string(place.root().join("theirs")).unwrap(), "edited\n");
        assert!(!place.run(&["plan", "web.toml"]).stdout.contains("theirs"), "it was the last word");
    }
}

#[test]
fn a_renamed_resource_says_that_its_predecessor_is_still_there() {
    let place = made(ALL);
    place.recipe(&ALL.replace("ROOT/stays", "ROOT/moved"));
    let plan = place.run(&["plan", "web.toml"]);
    let said =
        "  · host/file:ROOT/moved  its predecessor host/file:ROOT/stays is still there: `--prune` takes it away\n";
    assert!(plan.stdout.contains(said), "{plan:?}");
    assert!(plan.stdout.contains("  - host/file:ROOT/stays  removed: file, 6 B\n"), "{plan:?}");
    converge(&place, &["apply", "web.toml"]);
    let later = place.run(&["plan", "web.toml"]);
    assert!(!later.stdout.contains("predecessor") && has_orphans(&later), "it is new no more: {later:?}");
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(!is_there(&place, "stays") && is_there(&place, "moved"));
}

#[test]
fn after_a_failure_nothing_is_pruned() {
    let place = made(ALL);
    place.recipe(&format!("{REST}[[file]]\npath = \"ROOT/nowhere/x\"\ncontent = \"x\"\n"));
    let failed = place.run(&["apply", "web.toml", "--prune"]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(is_there(&place, "srv/a"));
}

#[test]
fn the_json_of_a_plan_has_the_orphans() {
    let place = made(ALL);
    place.recipe(REST);
    let plan = place.run(&["plan", "web.toml", "--json"]);
    let events: Vec<serde_json::Value> = plan.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let orphans: Vec<_> = events.iter().filter(|event| event["event"] == "orphan").collect();
    assert_eq!(orphans.len(), 3);
    assert_eq!(orphans[1]["id"], "host/file:ROOT/srv/a");
    assert_eq!(orphans[1]["changes"][0]["from"], "file, 2 B");
}

#[test]
fn what_an_older_version_made_is_taken_away_where_its_name_is_enough_and_else_says_what_to_do() {
    let place = Place::new(REST);
    let id = fs::read_to_string("/etc/machine-id").unwrap();
    // A ledger without the fields of a recipe, as one wrote it before they were kept.
    let hub = start(&place.root().join("state"), "apply", Box::new(Silent));
    hub.identify(Machine::Host, id.trim()).unwrap();
    let srv = place.root().join("srv");
    make(&*hub, &format!("directory:{}", srv.display()));
    make(&*hub, "git:/srv/somewhere");
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);
    fs::create_dir(&srv).unwrap();
    let plan = place.run(&["plan", "web.toml"]);
    assert!(plan.stdout.contains("  - host/directory:ROOT/srv  removed: directory\n"), "{plan:?}");
    assert!(plan.stdout.contains("  · host/git:/srv/somewhere  an older version of provision made it"), "{plan:?}");
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(!srv.exists());
}

#[test]
fn what_is_already_there_when_provision_is_upgraded_is_kept_by_the_next_apply() {
    let place = Place::new("name = \"web\"\n[[directory]]\npath = \"ROOT/srv\"\nmode = \"0750\"\n");
    let id = fs::read_to_string("/etc/machine-id").unwrap();
    let (state, srv) = (place.root().join("state"), place.root().join("srv"));
    let hub = start(&state, "apply", Box::new(Silent));
    hub.identify(Machine::Host, id.trim()).unwrap();
    make(&*hub, &format!("directory:{}", srv.display()));
    hub.end(0, &Tally::default()).unwrap();
    drop(hub);
    fs::DirBuilder::new().mode(0o750).create(&srv).unwrap();
    converge(&place, &["apply", "web.toml"]);
    let ledger = Ledger::open(&state).unwrap();
    let (_, claim) = ledger.state().claims("web").next().unwrap();
    assert_eq!(claim.asked.as_ref().unwrap()["mode"], "0750");
    converge(&place, &["apply", "web.toml"]);
    let last = fs::read_to_string(state.join("ledger.jsonl")).unwrap();
    assert!(!last.lines().last().unwrap().contains("asked"), "once is enough: {last}");
}

#[test]
fn no_secret_no_login_and_nothing_large_is_kept_of_what_a_recipe_asks() {
    let large = "x".repeat(2000);
    let url = web::on_loopback(&[("/f", 200, b"fetched\n".to_vec())]).replace("://", "://lilly:opensesame@");
    let sum = "f6e379b0639054c51806fd5d67948cbcaebd354b0e91a7683932b043c5c3ba32";
    let place = Place::new(&format!(
        "name = \"web\"\n[secrets]\nword = {{ generate = 32 }}\n\
         [[file]]\npath = \"ROOT/secret\"\ncontent = \"{{{{ word }}}}\"\nmode = \"0600\"\n\
         [[file]]\npath = \"ROOT/large\"\ncontent = \"{large}\"\nmode = \"0640\"\n\
         [[file]]\npath = \"ROOT/fetched\"\nurl = \"{url}/f\"\nsha256 = \"{sum}\"\n\
         [[file]]\npath = \"ROOT/database\"\ncontent = \"DATABASE=postgres://lilly:opensesame@db/x\\n\"\n"
    ));
    converge(&place, &["apply", "web.toml"]);
    let ledger = fs::read_to_string(place.root().join("state/ledger.jsonl")).unwrap();
    let secret = fs::read_to_string(place.root().join("secret")).unwrap();
    assert!(ledger.contains("\"asked\"") && !ledger.contains(&secret) && !ledger.contains(&large), "{ledger}");
    assert!(ledger.contains("postgres://db/x") && !ledger.contains("opensesame"), "{ledger}");
    place.recipe("name = \"web\"\n");
    converge(&place, &["apply", "web.toml", "--prune"]);
    for name in ["secret", "large", "fetched", "database"] {
        assert!(!is_there(&place, name), "{name}");
    }
}

#[test]
fn what_a_recipe_has_by_another_path_is_kept_and_is_shown_once() {
    let by = |path: &str| format!("name = \"web\"\n[[file]]\npath = \"ROOT/{path}/f\"\ncontent = \"f\\n\"\n");
    let place = Place::new(&by("link"));
    fs::create_dir(place.root().join("real")).unwrap();
    std::os::unix::fs::symlink("real", place.root().join("link")).unwrap();
    converge(&place, &["apply", "web.toml"]);
    place.recipe(&by("real"));
    let said = "  · host/file:ROOT/link/f  kept: host/file:ROOT/real/f has it\n";
    for arguments in [["plan", "web.toml"].as_slice(), &["plan", "web.toml", "--prune"]] {
        let plan = place.run(arguments);
        assert!(plan.stdout.contains(said) && plan.stdout.contains("0 to change, 1 in sync"), "{plan:?}");
    }
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(is_there(&place, "real/f"));
    let later = place.run(&["plan", "web.toml", "--check"]);
    assert!(later.code == 0 && !later.stdout.contains("link/f"), "{later:?}");
    // What is ours is so by the other path, and an edit keeps no copy of what we wrote.
    place.recipe(&by("link").replace("f\\n", "edited\\n"));
    converge(&place, &["apply", "web.toml"]);
    converge(&place, &["destroy", "web.toml", "--yes"]);
    assert!(!is_there(&place, "real/f"));
}

/// Two recipes, one after the other, each with its form of a file that is there before both.
fn destroyed_one_after_the_other(a: &str, b: &str, between: impl Fn(&Place)) -> (Place, Ran) {
    let of = |name: &str, fields: &str| format!("name = \"{name}\"\n[[file]]\npath = \"ROOT/f\"\n{fields}\n");
    let place = Place::new(&of("a", a));
    fs::write(place.root().join("f"), "theirs\n").unwrap();
    converge(&place, &["apply", "web.toml"]);
    let destroyed = converge(&place, &["destroy", "web.toml", "--yes"]);
    assert!(destroyed.stdout.contains("host/file:ROOT/f  kept: it was there before us"), "{destroyed:?}");
    between(&place);
    place.recipe(&of("b", b));
    converge(&place, &["apply", "web.toml"]);
    let destroyed = converge(&place, &["destroy", "web.toml", "--yes"]);
    (place, destroyed)
}

#[test]
fn what_a_recipe_left_when_it_was_destroyed_another_one_can_make_and_take_away() {
    let remove = |place: &Place| fs::remove_file(place.root().join("f")).unwrap();
    let (place, destroyed) = destroyed_one_after_the_other("content = \"theirs\\n\"", "content = \"b\\n\"", remove);
    assert!(!is_there(&place, "f"), "{destroyed:?}");
}

#[test]
fn what_was_there_before_two_recipes_is_as_it_was_once_both_are_destroyed() {
    let (place, destroyed) = destroyed_one_after_the_other("mode = \"0600\"", "content = \"b\\n\"", |_| {});
    assert_eq!(fs::read_to_string(place.root().join("f")).unwrap(), "theirs\n", "{destroyed:?}");
}

#[test]
fn what_a_destroy_leaves_is_taken_away_by_the_next_one_that_can() {
    let place = made(ALL);
    fs::write(place.root().join("srv/theirs"), "").unwrap();
    let left = converge(&place, &["destroy", "web.toml", "--yes"]);
    assert!(left.stdout.contains("host/directory:ROOT/srv  kept: it is not empty (1 inside)"), "{left:?}");
    fs::remove_file(place.root().join("srv/theirs")).unwrap();
    converge(&place, &["destroy", "web.toml", "--yes"]);
    assert!(!is_there(&place, "srv"));
}

#[test]
fn a_destroy_names_the_orphans_that_it_passes_over() {
    let place = made(ALL);
    place.recipe(REST);
    let destroyed = converge(&place, &["destroy", "web.toml", "--yes"]);
    let said = "  · host/file:ROOT/srv/a  stays: an earlier form of this recipe made or changed it; `apply --prune` before a \
                destroy takes it away\n";
    assert!(destroyed.stdout.contains(said) && is_there(&place, "srv/a"), "{destroyed:?}");
    let again = converge(&place, &["destroy", "web.toml", "--yes"]);
    assert!(again.stdout.contains("host/file:ROOT/srv/a  stays"), "{again:?}");
    converge(&place, &["apply", "web.toml", "--prune"]);
    assert!(!converge(&place, &["destroy", "web.toml", "--yes"]).stdout.contains("stays:"));
}
