//! To begin with: `init`, `recipes`, and what a command says of a path that is no recipe.
use crate::support::place::Place;
use std::fs;

#[test]
fn what_init_writes_is_right_plans_applies_and_is_undone() {
    let place = Place::new("");
    let wrote = place.run(&["init", "shop.toml"]);
    let said = "wrote shop.toml; `provision plan shop.toml` shows what it would do\n";
    assert_eq!((wrote.code, wrote.stdout.as_str(), wrote.stderr.as_str()), (0, said, ""));
    let directory = place.root().join("shop");
    let var = format!("directory={}", directory.display());
    let run = |arguments: &[&str]| {
        let ran = place.run(&[arguments, &["shop.toml", "--var", &var]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.stdout
    };
    assert_eq!(run(&["validate"]), "shop.toml: `shop` is right: 3 resources\n");
    assert!(run(&["plan"]).contains("planned: 2 to change (2 new), 0 in sync, 0 waiting, 0 failed, 1 test due"));
    assert!(run(&["apply", "--yes"]).contains("applied: 2 changed"));
    assert!(fs::read_to_string(directory.join("motd")).unwrap().starts_with("hello from "));
    assert!(run(&["apply", "--yes"]).contains("applied: 0 changed"));
    assert!(run(&["status"]).starts_with("        host\nFiles   ✓ 2\nChecks  ✓\n"));
    assert!(run(&["destroy", "--yes"]).contains("destroyed: 2 taken away"));
    assert!(!directory.exists());
}

#[test]
fn the_examples_that_init_leaves_in_comments_are_right() {
    let place = Place::new("");
    let printed = place.run(&["init", "-"]).stdout;
    let (_, more) = printed.split_once("# More to take from:\n").unwrap();
    let uncommented = more.lines().filter_map(|line| line.strip_prefix("# ")).filter(|line| {
        line.starts_with("[[") || line.contains(" = ") // not the sentences between
    });
    let vars = "[vars]\nmembers = [{ name = \"a\" }, { name = \"b\" }]\n";
    place.recipe(&format!("name = \"web\"\n{vars}{}\n", uncommented.collect::<Vec<_>>().join("\n")));
    fs::write(place.root().join("member.toml"), "needs = [\"name\"]\n").unwrap();
    let right = place.run(&["validate", "web.toml"]);
    assert_eq!((right.code, right.stderr.as_str()), (0, ""), "{right:?}");
}

#[test]
fn init_overwrites_nothing() {
    let place = Place::new("mine");
    let refused = place.run(&["init", "web.toml"]);
    let why = "error: writing `web.toml`\n  it is there already, and nothing is overwritten\n\
               Name another file; `provision init -` prints the recipe.\n";
    assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.as_str()), (2, "", why));
    assert_eq!(fs::read_to_string(place.root().join("web.toml")).unwrap(), "mine");
    std::os::unix::fs::symlink("nowhere", place.root().join("link.toml")).unwrap();
    assert_eq!(place.run(&["init", "link.toml"]).code, 2, "nor what a link leads to");
    assert!(!place.root().join("nowhere").exists());
    let nowhere = place.run(&["init", "not/there.toml"]);
    let why = "error: writing `not/there.toml`\n  No such file or directory (os error 2)\nMake its directory first.\n";
    assert_eq!((nowhere.code, nowhere.stderr.as_str()), (2, why));
    assert_eq!(place.run(&["init"]).stdout, "wrote recipe.toml; `provision plan recipe.toml` shows what it would do\n");
    let spaced = place.run(&["init", "my web.toml"]).stdout;
    assert_eq!(spaced, "wrote my web.toml; `provision plan 'my web.toml'` shows what it would do\n", "to be pasted");
}

#[test]
fn recipes_are_listed_with_what_they_need() {
    let place = Place::new("");
    let listed = place.run(&["recipes"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""));
    for part in [
        "eidolons  MAX Pipeline Eidolons\n  found     ships with provision\n  vars      members = a list of 7,",
        "\n  secrets   token: the environment variable GITHUB_TOKEN, in eidolon.toml\n  includes  lxc-host.toml,",
        "\nparts, which recipes include:\neidolon-base\n  found     ships with provision\n  needs     base,",
        "\neidolon\n  found     ships with provision\n  needs     role, uid,",
    ] {
        assert!(listed.stdout.contains(part), "{part}\n{}", listed.stdout);
    }
    assert!(listed.stdout.lines().all(|line| line.chars().count() <= 100), "{}", listed.stdout);
    let json = place.run(&["recipes", "--json"]).stdout;
    let lines: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let eidolons = lines.iter().find(|line| line["recipe"] == "eidolons").unwrap();
    assert_eq!(eidolons["name"], "eidolons");
    assert_eq!(eidolons["vars"][1], serde_json::json!(["mail", "\"meetmike.pro\""]));
}

#[test]
fn a_recipe_is_shown_as_it_is_written() {
    let place = Place::new("# mine\n");
    let ships = place.run(&["recipes", "show", "eidolons"]);
    assert_eq!((ships.code, ships.stdout.as_str()), (0, include_str!("../recipes/eidolons.toml")));
    assert_eq!(place.run(&["recipes", "show", "web"]).stdout, "# mine\n", "what is here comes first");
    let unknown = place.run(&["recipes", "show", "eidolon5"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.ends_with("Did you mean `eidolons`?\n") || unknown.stderr.ends_with("`eidolon`?\n"));
    fs::write(place.root().join("binary.toml"), [0xff, 0xfe]).unwrap();
    assert_eq!(place.run(&["recipes", "show", "binary.toml"]).code, 2);
}

#[test]
fn the_recipes_that_ship_are_copied_to_be_edited_and_overwrite_nothing() {
    let place = Place::new("");
    let mine = place.root().join("mine");
    let copied = place.run(&["recipes", "copy", "mine"]);
    assert_eq!((copied.code, copied.stdout.as_str()), (0, "wrote 14 files to mine\n"), "{}", copied.stderr);
    let schema = include_str!("../recipes/recipe.schema.json");
    assert_eq!(
        fs::read_to_string(mine.join("recipe.schema.json")).unwrap(),
        schema,
        "which the first line of each names"
    );
    assert_eq!(place.run(&["recipes", "show", "recipe.schema.json"]).stdout, schema, "for recipes of one's own");
    assert_eq!(fs::read_to_string(mine.join("eidolons.toml")).unwrap(), include_str!("../recipes/eidolons.toml"));
    assert_eq!(place.run(&["validate", "mine/eidolons.toml"]).code, 0, "with all files that it uses");
    assert_eq!(place.run(&["recipes", "copy", "mine"]).code, 0, "what is there already is no hindrance");
    fs::write(mine.join("files/nodesource.asc"), "another").unwrap();
    fs::remove_file(mine.join("member.toml")).unwrap();
    let refused = place.run(&["recipes", "copy", "mine"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("writing `mine/files/nodesource.asc`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("another file is there, and nothing is overwritten"), "{}", refused.stderr);
    assert!(!mine.join("member.toml").exists(), "nothing was written");
}

#[test]
fn a_directory_is_called_what_it_is() {
    let place = Place::new("");
    let directory = place.run(&["plan", "/etc"]);
    let why =
        "error: looking for the recipe `/etc`\n  it is a directory\nName a recipe, such as a `.toml` file in it.\n";
    assert_eq!((directory.code, directory.stdout.as_str(), directory.stderr.as_str()), (2, "", why));
}

#[test]
fn what_is_proposed_can_be_typed() {
    let place = Place::new("name = \"web\"\n[[gate]]\nname = \"account\"\ninstructions = \"make the account\"\n");
    let waiting = place.run(&["apply", "web"]);
    assert_eq!(waiting.code, 3);
    assert!(
        waiting.stdout.contains("\nwaiting: host/gate:account · `provision plan web` says what to do\n"),
        "{}",
        waiting.stdout
    );
}

#[test]
fn a_destroy_that_takes_nothing_away_says_what_it_kept() {
    let place = Place::new("name = \"web\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"x\\n\"\nmode = \"0644\"\n");
    fs::write(place.root().join("motd"), "x\n").unwrap();
    assert_eq!(place.run(&["apply", "web.toml"]).code, 0);
    let kept = place.run(&["destroy", "web.toml", "--yes"]);
    assert_eq!(
        (kept.code, kept.stdout.as_str()),
        (
            0,
            "web from web.toml\nhost\n  · host/file:ROOT/motd  kept: it was there before us\n\
             destroyed: 0 taken away, 1 gone or kept, 0 waiting, 0 failed\n"
        )
    );
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new(
        "name = \"web\"\n[secrets]\nkey = { file = \"ROOT/key\" }\n[[file]]\npath = \"ROOT/env\"\ncontent = \"{{ key }}\"\n",
    );
    fs::write(place.root().join("key"), "s3cr3t-value").unwrap();
    fs::set_permissions(place.root().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let warning =
        "warning: the secret in `ROOT/key` can be read by every user of this machine: `chmod 0600 ROOT/key`\n";
    for command in ["validate", "plan", "apply"] {
        let ran = place.run(&[command, "web.toml"]);
        assert!(ran.stdout.contains(warning), "{command}: {}", ran.stdout);
    }
}

#[test]
fn whoever_closes_the_pipe_is_told_nothing() {
    let place = Place::new("");
    for arguments in [&["recipes"][..], &["history"], &["init", "-"]] {
        let mut run = place.command(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
        drop(run.stdout.take());
        assert_eq!(run.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
}
