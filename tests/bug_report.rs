//! `report`: one tar that Debian's own tar reads, with all that a bug report needs and without a secret.
use crate::support::place::Place;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

const RECIPE: &str = r#"
name = "web"
[secrets]
given = { env = "GIVEN" }
made  = { generate = 32 }
[[file]]
path    = "ROOT/env"
content = "GIVEN={{ given }}\nMADE={{ made }}\n"
[[command]]
name   = "tells"
script = "echo the answer is 42; echo ghp_0123456789abcdefghij0123456789abcdefghij; echo DB_PASSWORD=opensesame; cat 'ROOT/env'"
once   = true
[[command]]
name   = "fails"
script = "exit 7"
once   = true
"#;
const GIVEN: &str = "given-by-the-environment";

/// A place in which the recipe was applied.
fn applied() -> Place {
    let place = Place::new(RECIPE);
    let ran = place.command(&["apply", "web.toml", "--yes"]).env("GIVEN", GIVEN).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    place
}

/// Returns what is in a tar, as the machine's own `tar` unpacks it.
fn unpacked(tar: &Path) -> BTreeMap<String, String> {
    let place = tempfile::tempdir().unwrap();
    let status = Command::new("tar").arg("-C").arg(place.path()).arg("-xf").arg(tar).status().unwrap();
    assert!(status.success());
    let mut files = BTreeMap::new();
    let mut directories = vec![place.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let name = path.strip_prefix(place.path()).unwrap().components().skip(1);
                let name = name.map(|part| part.as_os_str().to_str().unwrap()).collect::<Vec<_>>().join("/");
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    files
}

#[test]
fn the_variables_of_the_run_are_in_it_and_its_plan_is_made_with_them() {
    let place = Place::new(
        "name = \"web\"\n[vars]\nrole = \"none\"\n[[file]]\npath = \"ROOT/f\"\ncontent = \"{{ role }}\\n\"\n",
    );
    assert_eq!(place.run(&["apply", "web.toml", "--yes", "--var", "role=lilly of 201"]).code, 0);
    assert_eq!(place.run(&["report", "--output", "report.tar"]).code, 0);
    let files = unpacked(&place.root().join("report.tar"));
    let plan = &files["plan.txt"];
    assert!(plan.starts_with("$ provision plan web.toml --var 'role=lilly of 201'\n"), "{plan}");
    assert!(plan.contains("planned: 0 to change, 1 in sync"), "{plan}");
    let run = files.values().find(|text| text.contains("  command  apply web, from web.toml\n")).unwrap();
    assert!(run.contains("  var      role=lilly of 201\n"), "{run}");
    assert_eq!(place.run(&["report", "--output", "other.tar", "--var", "role=mike"]).code, 0);
    let plan = &unpacked(&place.root().join("other.tar"))["plan.txt"];
    assert!(plan.contains("planned: 1 to change"), "{plan}");
}

#[test]
fn it_has_versions_the_plan_the_last_runs_and_the_state_of_the_ledger() {
    let place = applied();
    let ran = place.run(&["report"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    let name = ran.stdout.split(':').next().unwrap();
    assert!(name.starts_with("provision-report-PROVISION-APPLY2") && name.ends_with("-001.tar"), "{ran:?}");
    let tar = place.root().join(name);
    assert_eq!(fs::metadata(&tar).unwrap().permissions().mode() & 0o7777, 0o600);
    let files = unpacked(&tar);
    let reference = name.trim_start_matches("provision-report-").trim_end_matches(".tar");
    let expected = [
        "README.txt".to_owned(),
        "history.txt".to_owned(),
        "journal.txt".to_owned(),
        "ledger.txt".to_owned(),
        "plan.txt".to_owned(),
        format!("runs/{reference}.jsonl"),
        format!("runs/{reference}.txt"),
        "versions.txt".to_owned(),
    ];
    assert_eq!(files.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(files["versions.txt"].starts_with("provision 0.1.0\n"), "{}", files["versions.txt"]);
    assert!(files["versions.txt"].contains("$ uname -a\nLinux "), "{}", files["versions.txt"]);
    assert!(files["plan.txt"].contains("host/command:fails"), "{}", files["plan.txt"]);
    assert!(files["ledger.txt"].contains(" lines, whole; head "), "{}", files["ledger.txt"]);
    assert!(files["history.txt"].contains(reference));
    let run = &files[&format!("runs/{reference}.txt")];
    assert!(run.contains("failed    host/command:fails") && run.contains("  | the answer is 42\n"), "{run}");
    let lines = &files[&format!("runs/{reference}.jsonl")];
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{lines}");
    assert!(lines.lines().any(|line| line.contains("\"printed\"")), "{lines}");
}

#[test]
fn no_secret_and_nothing_that_looks_like_one_is_in_it() {
    let place = applied();
    let made = fs::read_to_string(place.root().join("state/secrets/web/made")).unwrap();
    let key = fs::read_to_string(place.root().join("state/key")).unwrap();
    // As if provision had let one slip: it is in what a program printed.
    let runs = place.root().join("state/runs");
    let file = fs::read_dir(&runs).unwrap().next().unwrap().unwrap().path();
    let leaky = fs::read_to_string(&file).unwrap().replace("the answer is", &format!("{GIVEN} {made} {key}"));
    fs::write(&file, leaky).unwrap();
    let secrets = [GIVEN, made.trim(), key.trim(), "ghp_0123456789", "opensesame"];
    let found = |tar: &str, secrets: &[&str]| -> Vec<String> {
        let bytes = fs::read(place.root().join(tar)).unwrap();
        let has = |secret: &&&str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        secrets.iter().filter(has).map(|secret| (*secret).to_owned()).collect()
    };
    let ran = place.command(&["report", "-o", "a.tar"]).env("GIVEN", GIVEN).output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(found("a.tar", &secrets), [""; 0]);
    assert!(unpacked(&place.root().join("a.tar")).values().any(|text| text.contains("(secret) (secret) (secret) 42")));

    assert!(!unpacked(&place.root().join("a.tar"))["README.txt"].contains("look twice"));
    assert_eq!(place.run(&["report", "-o", "without.tar"]).code, 0);
    let readme = unpacked(&place.root().join("without.tar")).remove("README.txt").unwrap();
    let said = "\nNot all secrets of `web.toml` were at hand when this was made: look twice.\n";
    assert!(readme.ends_with(said), "{readme}");

    fs::remove_file(place.root().join("web.toml")).unwrap();
    assert_eq!(place.run(&["report", "-o", "b.tar"]).code, 0);
    assert_eq!(found("b.tar", &secrets[1..]), [""; 0], "what was generated is known without the recipe");
    let files = unpacked(&place.root().join("b.tar"));
    let unknown =
        "`web.toml` can't be loaded (plan.txt says why), so the values of its secrets are not known: look twice.\n";
    assert!(files["README.txt"].ends_with(unknown), "{}", files["README.txt"]);
    assert!(files["plan.txt"].contains("web.toml") && files["plan.txt"].contains("exit 2"), "{}", files["plan.txt"]);
}

#[test]
fn what_anything_calls_a_secret_is_nowhere_in_it_and_what_tells_versions_apart_stays() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let printed = [
        format!("HEAD is now at {commit}, of 3d1219c7-c4c5-404a-aa1f-6d2a48adfda4"),
        "it goes on with tok-of-mike-1".to_owned(),
        "Set-Cookie: sid=c00kie-of-mike; Path=/".to_owned(),
        "curl -u mike:s3cret-of-curl https://x/y?sig=s1gnature%3D".to_owned(),
        "machine x login mike password n3trc-of-mike".to_owned(),
        "lilly:$6$0aB/.$0123456789./abcdefgh:19000:0:99999:7:::".to_owned(),
        "YXQgdGhlIGVuZCBvZiBhIGtleSB0aGF0IHdhcyBjdXQgb2Zm".to_owned(),
        "c2hvcnQ=\n-----END RSA PRIVATE KEY-----".to_owned(),
    ];
    let recipe = "name = \"web\"\n[vars]\napi_token = \"none-given-1\"\npin_password = \"Opensesame\"\n\
        [[file]]\npath = \"ROOT/env\"\ncontent = \"KEY {{ api_token }}\\nexport DB_PASSWORD=db-pw-1,2\\nPIN {{ pin_password }}\\n\"\n\
        [[command]]\nname = \"tells\"\nscript = \"cat ROOT/env ROOT/printed; echo $APP_SECRET db-pw-1,2\"\n\
        env = { APP_SECRET = \"unseen\" }\nonce = true\n";
    let place = Place::new(recipe);
    fs::write(place.root().join("printed"), printed.join("\n") + "\n").unwrap();
    assert_eq!(place.run(&["apply", "web.toml", "--yes", "--var", "api_token=tok-of-mike-1"]).code, 0);
    fs::write(place.root().join("env"), "KEY tok-of-mike-1\nAPI_TOKEN=tok-of-mike-1\n").unwrap();
    let secrets = [
        "tok-of-mike-1",
        "none-given-1",
        "Opensesame",
        "db-pw-1",
        "unseen",
        "c00kie-of-mike",
        "s3cret-of-curl",
        "s1gnature",
        "n3trc-of-mike",
        "0123456789./abcdefgh",
        "YXQgdGhl",
    ];
    assert_eq!(place.run(&["report", "-o", "a.tar"]).code, 0);
    let files = unpacked(&place.root().join("a.tar"));
    let whole: String = files.into_iter().flat_map(|(name, text)| [name, "\n".to_owned(), text]).collect();
    let found: Vec<&str> = secrets.into_iter().filter(|secret| whole.contains(secret)).collect();
    assert_eq!(found, [""; 0], "{whole}");
    assert!(whole.contains(commit) && whole.contains("3d1219c7-c4c5-404a-aa1f-6d2a48adfda4"), "{whole}");
    assert!(whole.contains("plan.txt\n$ provision plan web.toml\n") && whole.contains("+KEY (secret)\n"), "{whole}");
}

#[test]
fn it_is_about_the_run_that_is_named_and_overwrites_nothing() {
    let place = applied();
    place.run(&["apply", "web.toml", "--yes"]);
    let first = place.run(&["report", "001", "--output", "r.tar", "--json"]);
    assert_eq!(first.code, 0, "{first:?}");
    let said: serde_json::Value = serde_json::from_str(&first.stdout).unwrap();
    assert!(said["run"].as_str().unwrap().ends_with("-001"), "{said}");
    assert_eq!(said["file"], "ROOT/r.tar");
    let runs =
        |names: &[serde_json::Value]| names.iter().filter(|name| name.as_str().unwrap().starts_with("runs/")).count();
    assert_eq!(runs(said["files"].as_array().unwrap()), 2, "not those after it");

    let again = place.run(&["report", "--output", "r.tar"]);
    let why = "error: writing `r.tar`\n  it is there already\nTake it away, or name another file with --output.\n";
    assert_eq!((again.code, again.stderr.as_str()), (2, why));
    let unknown = place.run(&["report", "yesterday"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.starts_with("error: looking for the run `yesterday`\n"), "{unknown:?}");
    assert_eq!(place.run(&["report", "--output", "nowhere/r.tar"]).code, 1);
}

#[test]
fn it_changes_nothing_and_works_where_nothing_ran_yet_and_where_the_ledger_is_broken() {
    let place = Place::new(RECIPE);
    assert_eq!(place.run(&["report"]).code, 0);
    let files = unpacked(&place.root().join("provision-report.tar"));
    assert!(!place.root().join("state").exists());
    assert_eq!(files["plan.txt"], "no recipe is known; --recipe names one\n");
    let ran = place.run(&["report", "--recipe", "web.toml", "-o", "planned.tar"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(unpacked(&place.root().join("planned.tar"))["plan.txt"].contains("host/file:"));
    assert!(!place.root().join("state").exists());

    let place = applied();
    let ledger = place.root().join("state/ledger.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    fs::write(&ledger, text.replacen("web.toml", "web.tom1", 1)).unwrap();
    assert_eq!(place.run(&["report", "-o", "broken.tar"]).code, 0);
    let files = unpacked(&place.root().join("broken.tar"));
    assert!(files["ledger.txt"].contains("was changed after it was written"), "{}", files["ledger.txt"]);
}
