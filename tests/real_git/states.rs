//! Checkouts as they are in life: what is in the way waits, what moved is followed, what would be lost stays.
use super::{Bench, GIT};
use serde_json::json;

/// What is done to a checkout of `main`, and what a plan then says.
const IN_THE_WAY: &[(&str, &str)] = &[
    (
        "git reset -q --hard HEAD~1; echo mine >top",
        "waiting: has changes that are not committed: top (commit them or put them away in `DIR/app`, then run again)",
    ),
    ("git reset -q --hard HEAD~1; echo mine >docs/d; git add docs/d", "has changes that are not committed: docs/d"),
    ("git reset -q --hard HEAD~1; git rm -q docs/d", "has changes that are not committed: docs/d"),
    (
        "git reset -q --hard HEAD~1; echo mine >top; git commit -qam mine; git rebase origin/main || true",
        "waiting: is in the middle of a rebase (end it in `DIR/app`, then run again)",
    ),
    ("git reset -q --hard HEAD~1; git merge -q --no-ff --no-commit origin/main", "is in the middle of a merge"),
    ("git bisect start; git checkout -q HEAD~1", "is in the middle of a bisection"),
    (
        "git reset -q --hard HEAD~1; touch .git/index.lock",
        "waiting: a git is at work in `DIR/app`, or one was killed there: there is an index.lock \
         (if no git runs there, remove `DIR/app/.git/index.lock`, then run again)",
    ),
    ("git checkout -q --detach; git commit -q --allow-empty -m mine", "is on no branch (make a branch of it in"),
    (
        "git reset -q --hard HEAD~1; git commit -q --allow-empty -m mine",
        "waiting: `main` and origin's `main` have diverged (merge or rebase in `DIR/app`, then run again)",
    ),
];

#[test]
fn what_is_in_the_way_waits_and_is_left_as_it_is() {
    for (script, expected) in IN_THE_WAY {
        let mut bench = Bench::cloned(json!({ "ref": "main" }));
        bench.app(script);
        let before = bench.app("git rev-parse HEAD; git status --porcelain; cat top");
        for said in [bench.plan(), bench.apply()] {
            assert!(said.len() == 1 && said[0].contains(expected), "{script}: {said:?}");
        }
        assert_eq!(bench.app("git rev-parse HEAD; git status --porcelain; cat top"), before, "{script}");
    }
}

#[test]
fn what_is_ahead_or_has_files_of_its_own_is_as_asked() {
    let mut bench = Bench::cloned(json!({ "ref": "main" }));
    bench.app("echo mine >untracked; echo mine >top; git commit -qam mine");
    assert_eq!(bench.apply(), [""; 0]);
    bench.app("git reset -q --hard HEAD~2");
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: main {} -> main {}", bench.one(), bench.two())]);
    assert_eq!(bench.app("cat untracked top"), "mine\ntwo");
}

#[test]
fn a_branch_that_moved_is_followed_as_far_as_it_was_fetched() {
    let mut bench = Bench::cloned(json!({ "ref": "main" }));
    let third = bench.commit_at_origin("three", "main");
    assert_eq!(bench.apply(), [""; 0], "no server is asked");
    bench.app("git fetch -q");
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: main {} -> main {third}", bench.two())]);
    // Somebody forces another history upon it.
    bench.sh("cd work && git reset -q --hard HEAD~2 && git commit -q --allow-empty -m other && git push -q -f ../repo.git main");
    bench.app("git fetch -q");
    assert!(bench.apply()[0].contains("`main` and origin's `main` have diverged"));
    assert_eq!(bench.app("git rev-parse --short=10 HEAD"), third, "never reset");
}

#[test]
fn a_tag_that_moved_is_followed_once_it_was_fetched() {
    let mut bench = Bench::cloned(json!({ "ref": "v1" }));
    bench.sh("cd work && git tag -f v1 main && git push -q -f ../repo.git v1");
    assert_eq!(bench.apply(), [""; 0]);
    bench.app("git fetch -q --tags --force");
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: {} -> v1", bench.one())]);
    assert_eq!(bench.apply(), [""; 0]);
    assert_eq!(bench.app("git rev-parse --short=10 HEAD"), bench.two());
}

#[test]
fn every_field_can_be_edited_and_left_out_again() {
    let mut bench = Bench::cloned(json!({}));
    bench.sh("git clone -q --bare repo.git other.git; git clone -q other.git o; cd o; echo other >top; git commit -qam o; git push -q");
    bench.fields = json!({ "ref": "v1" });
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: main {} -> v1", bench.two())]);
    bench.fields = json!({ "ref": "main" });
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: {} -> main", bench.one())]);
    bench.fields = json!({ "ref": bench.world.first.clone() });
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: main {} -> {}", bench.two(), bench.world.first)]);
    bench.fields = json!({});
    assert_eq!(bench.apply(), [""; 0], "without a ref whatever is there");
    bench.fields = json!({ "ref": "main", "sparse": ["docs"] });
    assert_eq!(
        bench.apply(),
        [format!("git:DIR/app ref: {} -> main", bench.one()), "git:DIR/app sparse: everything -> docs".to_owned()]
    );
    bench.fields = json!({ "ref": "main", "sparse": ["docs", "src/other"] });
    assert_eq!(bench.apply(), ["git:DIR/app sparse: docs -> docs, src/other"]);
    assert_eq!(bench.app("ls docs src src/other"), "docs:\nd\n\nsrc:\na\nother\n\nsrc/other:\no");
    bench.fields = json!({ "ref": "main", "depth": 1 });
    assert_eq!(bench.apply(), ["git:DIR/app sparse: docs, src/other -> everything"], "what is there keeps its commits");
    assert_eq!(bench.app("ls src; git status --porcelain"), "a\nmaestro\nother");
    let url = format!("file://{}/other.git", bench.dir());
    bench.fields = json!({ "ref": "main", "url": url });
    assert_eq!(bench.apply(), ["git:DIR/app url: file://DIR/repo.git -> file://DIR/other.git"]);
    assert_eq!(bench.app("cat top"), "other", "it follows the new repository");
    bench.fields = json!({ "ref": "main", "url": format!("file://{}/none.git", bench.dir()) });
    assert!(bench.apply()[0].contains("does not appear to be a git repository"));
    assert!(bench.app("git remote get-url origin").ends_with("/other.git"), "what can't be fetched is no origin");
}

#[test]
fn a_checkout_with_few_commits_goes_on_as_one_with_all() {
    let mut bench = Bench::cloned(json!({ "ref": "main", "depth": 1 }));
    for name in ["three", "four", "five"] {
        bench.commit_at_origin(name, "main");
    }
    bench.app("git checkout -q --detach");
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: {} -> main", bench.two())]);
    assert_eq!((bench.app("cat top"), bench.app("cat .git/shallow")), ("five".to_owned(), bench.world.second.clone()));
    assert_eq!(bench.apply(), [""; 0]);
}

#[test]
fn a_commit_that_was_fetched_is_nobodys_own_work_and_what_was_made_upon_it_is() {
    for fields in [json!({}), json!({ "depth": 1 }), json!({ "depth": 2 }), json!({ "sparse": ["docs"] })] {
        let with = |reference: &str| {
            let mut all = fields.clone();
            all["ref"] = json!(reference);
            all
        };
        let mut bench = Bench::new(json!({}));
        bench.sh("git -C repo.git config uploadpack.allowFilter true");
        bench.commit_at_origin("three", "side");
        let four = bench.commit_at_origin("four", "side");
        let whole = bench.sh("git -C work rev-parse HEAD");
        bench.fields = with(&whole);
        assert_eq!(bench.apply().len(), 1, "{fields}");
        bench.sh("cd work && git push -q ../repo.git :side");
        bench.app("git fetch -q --prune");
        let first = bench.world.first.clone();
        let one = bench.one().to_owned();
        for (reference, from) in [(&first, &four), (&whole, &one)] {
            bench.fields = with(reference);
            assert_eq!(bench.apply(), [format!("git:DIR/app ref: {from} -> {reference}")], "{fields}");
            assert_eq!(bench.apply(), [""; 0]);
        }
        bench.app("git commit -q --allow-empty -m mine");
        bench.fields = with(&first);
        assert!(bench.apply()[0].contains("is on no branch (make a branch of it in"), "{fields}");
        assert!(bench.leave()[0].contains("was not pushed"), "{fields}");
        bench.app("git checkout -q --detach HEAD~1");
        assert_eq!(bench.leave(), ["git:DIR/app: file://DIR/repo.git -> nothing"], "{fields}");
    }
}

#[test]
fn the_end_of_a_history_that_was_cut_off_is_nobodys_own_work() {
    let mut bench = Bench::new(json!({ "depth": 1 }));
    bench.fields["ref"] = json!(bench.world.first.clone());
    bench.apply();
    // As a version left it that noted nothing.
    bench.app("git for-each-ref --format='delete %(refname)' refs/provision | git update-ref --stdin");
    bench.fields["ref"] = json!(bench.world.second.clone());
    assert_eq!(bench.apply(), [format!("git:DIR/app ref: {} -> {}", bench.one(), bench.world.second)]);
}

#[test]
fn a_commit_of_ones_own_does_not_become_origins_where_the_recipe_asks_for_it() {
    let mut bench = Bench::cloned(json!({ "ref": "main" }));
    bench.app("git checkout -q --detach; git commit -q --allow-empty -m mine");
    let mine = bench.app("git rev-parse HEAD");
    bench.app("git checkout -q main");
    bench.fields = json!({ "ref": mine });
    assert_eq!(bench.apply().len(), 1);
    bench.fields = json!({ "ref": "main" });
    assert!(bench.apply()[0].contains("is on no branch"));
}

#[test]
fn a_checkout_of_a_repository_that_was_empty_takes_its_first_commit() {
    let mut bench = Bench::new(json!({}));
    bench.sh("git init -q --bare -b main empty.git");
    let url = json!(format!("file://{}/empty.git", bench.dir()));
    bench.fields = json!({ "url": url });
    assert_eq!(bench.apply(), ["git:DIR/app: nothing -> file://DIR/empty.git"]);
    assert_eq!(bench.apply(), [""; 0]);
    bench.sh("cd work && git push -q ../empty.git main");
    bench.fields = json!({ "url": url, "ref": "main" });
    assert_eq!(bench.apply(), ["git:DIR/app ref: main without a commit -> main"]);
    assert_eq!(bench.app("cat top"), "two");
}

#[test]
fn files_that_git_does_not_know_or_ignores_are_never_overwritten() {
    for ignored in ["", "echo .env >.git/info/exclude"] {
        let mut bench = Bench::cloned(json!({ "ref": "main" }));
        bench.sh(
            "cd work && echo theirs >.env && git add -f .env && git commit -qm env && git push -q ../repo.git main",
        );
        bench.app(&format!("{ignored}\necho mine >.env; git fetch -q"));
        for _ in 0..2 {
            let said = bench.apply();
            assert!(said[0].contains("would be overwritten by merge"), "{said:?}");
        }
        assert_eq!(bench.app("cat .env; git rev-parse --short=10 HEAD"), format!("mine\n{}", bench.two()));
        bench.app("rm .env");
        assert_eq!(bench.apply().len(), 1);
        assert_eq!(bench.app("cat .env"), "theirs");
    }
}

#[test]
fn a_ref_that_origin_does_not_have_is_named_with_the_nearest() {
    let unknown = [
        ("mian", "did you mean `main`?"),
        ("origin/main", "did you mean `main`?"),
        ("refs/tags/v1", "did you mean `v1`?"),
        ("1a2b3c4d", "if it is a commit, give the whole id: 40 digits"),
    ];
    for (reference, remedy) in unknown {
        let mut bench = Bench::new(json!({ "ref": reference }));
        assert_eq!(
            bench.fails(),
            format!("looking for `{reference}` at origin: it has no branch and no tag of that name; {remedy}")
        );
        assert_eq!(bench.sh("ls"), "repo.git\nwork", "nothing is left");
        bench.fields = json!({ "ref": "main" });
        bench.apply();
        bench.fields = json!({ "ref": reference });
        assert!(bench.fails().ends_with(remedy), "{}", bench.fails());
        assert_eq!(bench.app("git rev-parse --short=10 HEAD"), bench.two());
    }
    let mut bench = Bench::new(json!({ "ref": "1".repeat(40) }));
    assert!(bench.fails().contains("not our ref 1111111111"), "{}", bench.fails());
    assert_eq!(bench.sh("ls"), "repo.git\nwork");
}

#[test]
fn submodules_are_left_to_the_user_and_are_in_nobodys_way() {
    let mut bench = Bench::new(json!({ "ref": "main" }));
    let add = format!("{GIT} -c protocol.file.allow=always submodule -q add file://{}/repo.git sub", bench.dir());
    bench.sh(&format!("cd work && {add} && {GIT} commit -qm sub && git push -q ../repo.git main"));
    bench.apply();
    assert_eq!(bench.app("ls -A sub | wc -l"), "0");
    bench.app("git -c protocol.file.allow=always submodule -q update --init; echo mine >sub/top");
    bench.commit_at_origin("three", "main");
    bench.app("git fetch -q");
    assert_eq!(bench.apply().len(), 1, "it goes on");
    assert_eq!(bench.app("cat sub/top top"), "mine\nthree");
}

/// What is done to a checkout, and why it stays when it should go; nothing: it goes.
const KEPT: &[(&str, &str)] = &[
    ("", ""),
    ("git checkout -q -b mine; git commit -q --allow-empty -m mine; git push -q origin mine", ""),
    ("git tag here", ""),
    ("echo mine >top", "it has changes that are not committed: top"),
    ("echo mine >new", "it has changes that are not committed: new"),
    ("echo .env >.git/info/exclude; echo mine >.env", "it has files that git ignores: .env"),
    ("git update-index --skip-worktree top; echo mine >top", "git was told not to look for changes in top"),
    ("echo mine >top; git stash -q", "something is put away in its stash"),
    ("git commit -q --allow-empty -m mine", "was not pushed"),
    ("git checkout -q -b mine; git commit -q --allow-empty -m mine; git checkout -q main", "was not pushed"),
    ("git checkout -q --detach; git commit -q --allow-empty -m mine", "was not pushed"),
    (
        "git checkout -q --detach; git commit -q --allow-empty -m mine; git tag mine; git checkout -q main",
        "was not pushed",
    ),
    ("git worktree add -q ../tree main~1", "it has other work trees, which are not looked into"),
    ("git bisect start", "it is in the middle of a bisection"),
    ("touch .git/index.lock", "a git is at work in it, or one was killed there: there is an index.lock"),
];

#[test]
fn what_is_nowhere_else_keeps_the_checkout_when_it_should_go() {
    for (script, why) in KEPT {
        let mut bench = Bench::cloned(json!({ "ref": "main" }));
        bench.app(script);
        if why.is_empty() {
            assert_eq!(bench.leave(), ["git:DIR/app: file://DIR/repo.git -> nothing"], "{script}");
            assert_eq!(bench.sh("ls"), "repo.git\nwork", "{script}");
            continue;
        }
        let said = bench.leave();
        assert!(
            said.len() == 1 && said[0].starts_with("git:DIR/app remark: kept: ") && said[0].contains(why),
            "{said:?}"
        );
        assert!(said[0].ends_with("(`--data host/git:DIR/app` takes it along)"), "{said:?}");
        bench.known.allowed.data.insert(format!("host/git:{}/app", bench.dir()));
        assert_eq!(bench.leave(), ["git:DIR/app: file://DIR/repo.git -> nothing"], "{script}");
    }
}

#[test]
fn a_tag_on_no_branch_is_asked_of_origin_before_it_counts_as_ones_own() {
    let tagged = "cd work && git checkout -q --detach && git commit -q --allow-empty -m rel && git tag -a rel -m rel \
                  && git push -q ../repo.git rel && git checkout -q main";
    let mut bench = Bench::new(json!({ "ref": "main" }));
    bench.sh(tagged);
    bench.apply();
    bench.sh("mv repo.git away.git");
    assert!(bench.leave()[0].contains("was not pushed"), "nobody can say that it was");
    bench.sh("mv away.git repo.git");
    assert_eq!(bench.leave(), ["git:DIR/app: file://DIR/repo.git -> nothing"]);
}
