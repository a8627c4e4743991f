//! Checkouts whose git was killed on its way, by a filter of the repository's: what it wrote is told from what the user did.
use super::Bench;
use serde_json::json;

impl Bench {
    /// Returns one whose git was killed in the middle of going where `fields` have it: `docs` is gone and `a` is there, `src` and
    /// `top` are still as they were.
    fn torn(fields: serde_json::Value) -> Self {
        let mut bench = Self::cloned(json!({ "ref": "main" }));
        bench.sh(
            "cd work && mkdir a && echo new >a/new && echo 'killer filter=deadly' >.gitattributes && echo k >killer
             git rm -qr docs; echo three >top; echo three >src/a; ln -s top link; git add -A; git commit -qm three; git tag v3
             git push -q ../repo.git main main:other v3",
        );
        bench.app("git fetch -q --no-tags origin main; git config filter.deadly.smudge 'kill -KILL $PPID; cat'");
        bench.fields = fields;
        let error = bench.fails();
        assert!(error.contains("signal 9"), "{error}");
        bench.app(
            "git config filter.deadly.smudge cat; test -e .git/index.lock; test -e a/new; test ! -e docs; test -d src",
        );
        bench
    }
}

/// What tells whether a checkout is whole: nothing is changed, added or locked.
const WHOLE: &str = "git status --porcelain; find . -name '*.lock'; git fsck --no-dangling 2>&1";

#[test]
fn a_checkout_whose_git_was_killed_on_its_way_goes_on_from_where_it_stood() {
    for name in ["main", "other", "v3"] {
        let mut bench = Bench::torn(json!({ "ref": name }));
        let three = bench.sh("git -C work rev-parse --short=10 HEAD");
        let said = bench.plan();
        let torn = format!("git:DIR/app files: cut off between {} and {three} -> all of {0}", bench.two());
        assert_eq!((said.len(), &said[0]), (2, &torn), "{said:?}");
        assert_eq!(bench.apply(), said);
        assert_eq!(bench.apply(), [""; 0]);
        assert_eq!(
            bench.app("cat top a/new src/a; readlink link; ls"),
            "three\nnew\nthree\ntop\na\nkiller\nlink\nsrc\ntop"
        );
        assert_eq!(bench.app(WHOLE), "");
    }
}

#[test]
fn a_recipe_that_asks_for_nothing_more_has_what_was_cut_off_taken_back() {
    let mut bench = Bench::torn(json!({ "ref": "other" }));
    bench.fields = json!({});
    assert_eq!(bench.apply().len(), 1);
    assert_eq!(
        bench.app("cat top docs/d; find * -type f | sort; git rev-parse --short=10 HEAD"),
        format!("two\none\ndocs/d\nsrc/a\nsrc/maestro/m\nsrc/other/o\ntop\n{}", bench.two())
    );
    assert_eq!((bench.app(WHOLE), bench.plan()), (String::new(), vec![]));
}

#[test]
fn what_a_user_wrote_into_a_checkout_that_was_cut_off_is_never_lost() {
    for (script, file) in
        [("echo mine >top", "top"), ("echo mine >a/new", "a/new"), ("echo mine >src/maestro/m", "src/maestro/m")]
    {
        let mut bench = Bench::torn(json!({ "ref": "main" }));
        bench.app(script);
        for said in [bench.plan(), bench.apply()] {
            assert!(said.len() == 1 && said[0].contains(&format!("not committed: {file} (")), "{script}: {said:?}");
        }
        assert_eq!(bench.app(&format!("cat {file}")), "mine");
        bench.app(&format!("rm {file}; echo mine >untracked"));
        assert_eq!(bench.apply().len(), 2);
        assert_eq!((bench.app(WHOLE), bench.app("cat untracked")), ("?? untracked".to_owned(), "mine".to_owned()));
    }
    // A git of the user's is at work there: its lock is not taken from it.
    let mut bench = Bench::torn(json!({ "ref": "main" }));
    bench.app(
        "cp $(command -v sleep) git-asleep; (exec ./git-asleep 60) >/dev/null 2>&1 & echo $! >.git/asleep
         until grep -q git-asleep /proc/$(cat .git/asleep)/comm; do sleep 0.01; done",
    );
    assert!(bench.apply()[0].contains("waiting: a git is at work in `DIR/app`"));
    bench.app(
        "pid=$(cat .git/asleep); kill $pid; rm .git/asleep git-asleep; while grep -qs git-asleep /proc/$pid/comm; do sleep 0.01; done",
    );
    assert_eq!(bench.apply().len(), 2);
    // A user who has put it right is not disturbed.
    let mut bench = Bench::torn(json!({ "ref": "main" }));
    bench.app("rm .git/index.lock; rm -r a .gitattributes; git reset -q --hard; git merge -q --ff-only origin/main; echo mine >top");
    assert_eq!(bench.apply().len(), 1);
    assert_eq!((bench.app("cat top"), bench.plan()), ("mine".to_owned(), vec![]));
}

#[test]
fn a_sparse_checkout_that_was_cut_off_is_set_again() {
    let mut bench = Bench::cloned(json!({ "ref": "main", "sparse": ["src"] }));
    bench.app(
        "mkdir -p .git/info; echo 'd filter=deadly' >.git/info/attributes; git config filter.deadly.smudge 'kill -KILL $PPID; cat'",
    );
    bench.fields = json!({ "ref": "main", "sparse": ["docs", "src"] });
    assert!(bench.fails().contains("signal 9"));
    bench.app("git config filter.deadly.smudge cat; test -e .git/index.lock");
    assert_eq!(bench.apply().len(), 2);
    assert_eq!((bench.app("cat docs/d"), bench.app(WHOLE), bench.apply()), ("one".to_owned(), String::new(), vec![]));
}
