//! As whom git runs, and who it never runs for.
use super::Bench;
use serde_json::json;

const HOOK: &str = "for hook in post-checkout post-merge reference-transaction pre-auto-gc; do \
                    printf '#!/bin/sh\nid -u >>DIR/ran\n' >.git/hooks/$hook; chmod +x .git/hooks/$hook; done; \
                    git config core.fsmonitor 'id -u >>DIR/ran; false'";

#[test]
fn a_checkout_is_its_users_and_no_hook_of_it_runs() {
    let mut bench = Bench::new(json!({ "ref": "main", "user": "nobody" }));
    bench.sh("chmod 755 . && chown -R nobody repo.git && touch ran && chmod 666 ran");
    assert_eq!(bench.apply(), ["git:DIR/app: nothing -> file://DIR/repo.git at main"]);
    assert_eq!(bench.sh("find app ! -user nobody | wc -l"), "0");
    bench.sh("chown -R root app");
    bench.app(&HOOK.replace("DIR", &bench.dir()));
    bench.sh("chown -R nobody app");
    bench.sh("su -s /bin/sh nobody -c 'git -C app -c core.hooksPath=/dev/null -c core.fsmonitor=false checkout -q --detach HEAD~1'");
    bench.sh(": >ran");
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: {} -> main", bench.one())]);
    assert_eq!(bench.sh("cat ran; find app ! -user nobody | wc -l"), "0");
}

#[test]
fn root_looks_at_a_checkout_of_a_user_and_starts_nothing_there() {
    let mut bench = Bench::cloned(json!({ "ref": "main" }));
    bench.app("git checkout -q --detach HEAD~1");
    bench.app(&HOOK.replace("DIR", &bench.dir()));
    bench.sh("chmod 755 . && chown -R nobody app; rm -f ran");
    let waits = "git:DIR/app waiting: `DIR/app` belongs to nobody, and git runs as root \
                 (give it `user = \"nobody\"`, or make root its owner)";
    assert_eq!(bench.apply(), [waits]);
    assert_eq!(bench.leave(), ["git:DIR/app remark: kept: `DIR/app` belongs to nobody, and git runs as root"]);
    assert!(!std::path::Path::new(&bench.dir()).join("ran").exists());
    bench.sh("chown -R nobody repo.git");
    bench.fields = json!({ "ref": "main", "user": "nobody" });
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: {} -> main", bench.one())]);
}

#[test]
fn another_user_in_the_recipe_waits_until_the_files_are_his() {
    let mut bench = Bench::cloned(json!({ "ref": "main" }));
    bench.fields = json!({ "ref": "main", "user": "nobody" });
    let waits = "git:DIR/app waiting: `DIR/app` belongs to root, and git runs as nobody \
                 (run `chown -R nobody DIR/app`, or name `root` as `user`)";
    assert_eq!(bench.apply(), [waits]);
    bench.sh("chown -R nobody app");
    assert_eq!(bench.apply(), [""; 0]);
}

#[test]
fn roots_git_does_not_work_below_a_users_directory() {
    let mut bench = Bench::new(json!({ "ref": "main" }));
    bench.sh("mkdir home && chown nobody home");
    bench.fields = json!({ "ref": "main", "path": format!("{}/home/app", bench.dir()) });
    let said = bench.fails().replace(&bench.dir(), "DIR");
    assert_eq!(
        said,
        "looking whether root's git may write `DIR/home/app`: `DIR/home` belongs to nobody, or others may write there: \
         root's git would follow a link that they put in its way; say with `user` as whom git runs, such as user = \"nobody\""
    );
    assert_eq!(bench.sh("ls home"), "");
}

#[test]
fn an_empty_directory_is_filled_where_it_is_the_users() {
    let mut bench = Bench::new(json!({ "ref": "main" }));
    bench.sh("mkdir -m 0750 app && chown nobody:games app");
    assert!(bench.apply()[0].contains("`DIR/app` belongs to nobody, and git runs as root"));
    bench.sh("chown root app");
    assert_eq!(bench.apply(), ["git:DIR/app: nothing -> file://DIR/repo.git at main"]);
    assert_eq!(bench.sh("stat -c '%a %U %G' app"), "750 root games", "mode and group stay");
}
