//! npm packages as they are in life: fields both ways, what is refused, what is somebody else's, and npm killed half-way.
use super::bench::Bench;
use serde_json::json;

/// Everything that is shown of one npm.
pub const ALL: &[(&str, fn())] = &[
    ("every field is made, repaired, edited and left out again", fields),
    ("with another prefix a package moves there", another_prefix),
    ("what is refused says why and what to do", refusals),
    ("of a list only what can't be installed has failed", lists),
    ("a program of somebody else's is never taken away", strangers),
    ("a program that the package does not have is not waited for", missing_programs),
    ("an engine that does not fit is told, and refused where npm is strict", engines),
    ("a broken package.json is made whole, and one of a neighbour is in nobody's way", broken),
    ("latest is followed, and what is newer stays", latest),
    ("killed before, in the middle of and after its main act it converges when it is run again", killed),
];

fn fields() {
    let mut bench = Bench::new();
    let all = json!({ "name": ["cli", "@acme/tool", "top"], "version": "1.x" });
    let made = ["npm:cli: nothing -> 1.x", "npm:@acme/tool: nothing -> 1.x", "npm:top: nothing -> 1.x"];
    assert_eq!(bench.apply(&all), made);
    assert_eq!(bench.apply(&all), [""; 0]);
    assert_eq!(bench.sh("bin/cli; readlink bin/tool"), "1.0.0\n../lib/node_modules/@acme/tool/cli.js");
    assert!(!bench.exists("lib/node_modules/@acme/tool/built"), "no script runs unasked");
    let some = json!({ "name": ["cli", "@acme/tool", "top"], "version": "1.x", "scripts": ["dep"] });
    assert_eq!(bench.apply(&some), ["npm:top scripts: nothing -> of dep, run"]);
    assert_eq!(bench.apply(&some), [""; 0]);
    assert!(bench.exists("lib/node_modules/top/node_modules/dep/built"));
    assert!(!bench.exists("lib/node_modules/@acme/tool/built"), "of no other one");
    bench.sh("rm bin/cli; rm -r lib/node_modules/@acme/tool");
    let repaired = ["npm:cli program: nothing -> PREFIX/bin/cli", "npm:@acme/tool: nothing -> 1.x"];
    assert_eq!(bench.apply(&all), repaired);
    bench.sh("ln -sf ../lib/node_modules/cli/package.json bin/cli");
    assert_eq!(bench.apply(&all), ["npm:cli program: nothing -> PREFIX/bin/cli"], "a link to another file of it");
    for (version, changes) in [
        ("2.0.0", vec!["npm:cli version: 1.0.0 -> 2.0.0"]),
        ("^1", vec!["npm:cli version: 2.0.0 -> ^1"]),
        (">=1 <3", vec![]),
    ] {
        assert_eq!(bench.apply(&json!({ "name": "cli", "version": version })), changes);
    }
    assert_eq!(bench.apply(&json!({ "name": "cli" })), [""; 0], "any version");
    assert!(bench.is_clean());
    assert_eq!(
        bench.leave(&all),
        ["npm:cli: 1.0.0 -> nothing", "npm:@acme/tool: 1.0.0 -> nothing", "npm:top: 1.0.0 -> nothing"]
    );
    assert_eq!(bench.sh("ls bin; ls -A lib/node_modules"), "");
    assert_eq!(bench.leave(&all), [""; 0]);
}

fn another_prefix() {
    let mut bench = Bench::new();
    bench.apply(&json!({ "name": ["cli", "@acme/tool"] }));
    let other = bench.directory.path().join("other");
    let said = bench.apply(&json!({ "name": ["cli", "@acme/tool"], "prefix": other }));
    assert_eq!((said.len(), bench.sh("ls bin; ls -A lib/node_modules").as_str()), (4, ""), "{said:?}");
    assert_eq!(bench.sh_outside("other/bin/cli; ls other/lib/node_modules"), "2.0.0\n@acme\ncli");
    // It is the same one, by another way.
    bench.sh_outside("ln -s other link");
    assert_eq!(bench.apply(&json!({ "name": "cli", "prefix": bench.directory.path().join("link") })), [""; 0]);
    assert_eq!(bench.leave(&json!({ "name": ["cli", "@acme/tool"], "prefix": other })).len(), 2);
    assert_eq!(bench.sh_outside("ls other/bin; ls -A other/lib/node_modules"), "");
}

fn refusals() {
    let cases = [
        (json!({ "name": "none" }), "E404", "see that the name is right, and that the registry has it"),
        (json!({ "name": "cli", "version": "^9" }), "ETARGET", "which versions and tags there are"),
        (
            json!({ "name": "cli", "registry": "http://127.0.0.1:1" }),
            "ECONNREFUSED",
            "see that the registry can be reached",
        ),
    ];
    for (fields, code, remedy) in cases {
        let mut bench = Bench::new();
        let said = bench.fails(&fields);
        assert!(
            said.starts_with("running `npm install --global ") && said.contains(code) && said.contains(remedy),
            "{said}"
        );
        assert!(bench.is_clean() && bench.apply(&json!({ "name": "cli" })).len() == 1);
    }
}

fn lists() {
    let mut bench = Bench::new();
    let said = bench.apply(&json!({ "name": ["cli", "none", "top"] }));
    assert_eq!(said[..2], ["npm:cli: nothing -> installed", "npm:top: nothing -> installed"]);
    assert!(said.len() == 3 && said[2].starts_with("npm:none failed: running `npm install --global "), "{said:?}");
    assert!(said[2].contains("E404") && bench.is_clean());
}

fn strangers() {
    let mut bench = Bench::new();
    bench.sh_outside("mkdir -p prefix/bin prefix/lib && echo mine >prefix/bin/cli");
    let said = bench.fails(&json!({ "name": "cli", "version": "1.0.0" }));
    assert!(
        said.contains("EEXIST") && said.ends_with("/bin/cli` is somebody else's: move it away, then run again"),
        "{said}"
    );
    bench.sh("rm bin/cli");
    bench.apply(&json!({ "name": "cli", "version": "1.0.0" }));
    let waits = "npm:cli waiting: `PREFIX/bin/cli` is somebody else's, and npm would take it away (move it away, then run again)";
    for put in ["rm bin/cli; echo mine >bin/cli", "ln -sf ../lib/node_modules/top/package.json bin/cli"] {
        bench.sh(put);
        let before = bench.sh("ls -l bin/cli; cat bin/cli || true");
        assert_eq!(bench.apply(&json!({ "name": "cli", "version": "2.0.0" })), [waits]);
        assert_eq!(bench.leave(&json!({ "name": "cli" })), [waits]);
        assert_eq!(bench.sh("ls -l bin/cli; cat bin/cli || true"), before);
        assert_eq!(bench.sh("ls lib/node_modules"), "cli");
    }
}

fn missing_programs() {
    let mut bench = Bench::new();
    bench.registry.publish("nobin", "1.0.0", json!({ "bin": { "nobin": "missing.js" } }), &[]);
    assert_eq!(bench.apply(&json!({ "name": "nobin" })), ["npm:nobin: nothing -> installed"]);
    assert_eq!(bench.apply(&json!({ "name": "nobin" })), [""; 0]);
}

fn engines() {
    let mut bench = Bench::new();
    bench.registry.publish("strict", "1.0.0", json!({ "engines": { "node": ">=99" } }), &[]);
    let env = json!({ "NPM_CONFIG_ENGINE_STRICT": "true" });
    let said = bench.fails(&json!({ "name": "strict", "env": env }));
    assert!(said.contains("EBADENGINE") && said.ends_with("or ask for a version that fits the one there is"), "{said}");
    let said = bench.apply(&json!({ "name": "strict" }));
    assert_eq!(said[0], "npm:strict: nothing -> installed");
    assert!(said[1].starts_with("told: `strict@1.0.0` asks for { node: '>=99' }, and here is { node: 'v"), "{said:?}");
}

fn broken() {
    let mut bench = Bench::new();
    bench.apply(&json!({ "name": ["cli", "top"], "version": "1.0.0" }));
    bench.sh("echo '{' >lib/node_modules/top/package.json; echo '{' >lib/package.json; echo '{' >package.json");
    assert_eq!(bench.apply(&json!({ "name": "cli", "version": "2.0.0" })), ["npm:cli version: 1.0.0 -> 2.0.0"]);
    let whole = json!({ "name": "top" });
    assert_eq!(bench.apply(&whole), ["npm:top installed: a broken package.json -> whole"]);
    bench.sh("rm lib/node_modules/cli/package.json");
    let whole = json!({ "name": "cli", "version": "2.0.0" });
    assert_eq!(bench.apply(&whole), ["npm:cli installed: without package.json -> whole"]);
    assert_eq!(bench.sh("bin/cli"), "2.0.0");
    bench.sh("echo '{' >lib/node_modules/cli/package.json");
    assert_eq!(bench.leave(&json!({ "name": "cli" })), ["npm:cli: a broken package.json -> nothing"]);
    assert_eq!(bench.sh("ls bin; ls lib/node_modules"), "top");
}

fn latest() {
    let mut bench = Bench::new();
    let asked = json!({ "name": ["cli", "@acme/tool"], "version": "latest" });
    assert_eq!(bench.apply(&asked).len(), 2);
    assert_eq!(bench.apply(&asked), [""; 0]);
    bench.registry.publish("@acme/tool", "1.1.0", json!({}), &[]);
    assert_eq!(bench.apply(&asked), ["npm:@acme/tool version: 1.0.0 -> 1.1.0 (latest)"]);
    bench.registry.publish("cli", "1.5.0", json!({}), &[]);
    assert_eq!(bench.apply(&asked), [""; 0], "2.0.0 is newer");
    let nothing = bench.fails(&json!({ "name": "cli", "version": "nightly" }));
    assert!(
        nothing.contains("under the tag `nightly`") && nothing.contains("npm view cli versions dist-tags"),
        "{nothing}"
    );
    let gone = json!({ "name": "cli", "version": "latest", "registry": "http://127.0.0.1:1" });
    let said = bench.apply(&gone);
    assert!(
        said.len() == 1 && said[0].starts_with("npm:cli remark: not compared with `latest`: fetching `http://"),
        "{said:?}"
    );
    assert_eq!(bench.apply(&json!({ "name": "cli", "registry": "http://127.0.0.1:1" })), [""; 0], "nobody is asked");
}

fn killed() {
    let mut bench = Bench::new();
    let many: Vec<(String, String)> = (0..2000).map(|number| (format!("f{number}"), "x".repeat(500))).collect();
    let mut files: Vec<(&str, &str)> = many.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("cli.js", "#!/usr/bin/env node\n"));
    for version in ["1.0.0", "2.0.0"] {
        bench.registry.publish("big", version, json!({ "bin": { "big": "cli.js" } }), &files);
    }
    let whole = |bench: &mut Bench, version: &str| {
        let asked = json!({ "name": "big", "version": version });
        let said = bench.apply(&asked);
        assert!(said.iter().all(|line| line.starts_with("npm:big") && line.contains(" -> ")), "{said:?}");
        assert_eq!(bench.apply(&asked), [""; 0]);
        assert_eq!(
            bench.sh("ls lib/node_modules/big | wc -l; ls -A bin lib/node_modules"),
            "2002\nbin:\nbig\n\nlib/node_modules:\nbig"
        );
        assert!(bench.is_clean());
        assert!(bench.sh("cat lib/node_modules/big/package.json").contains(version));
    };
    // Before anything is there: half of the tarball came.
    bench.registry.stall(Some("big-1.0.0"));
    bench.timeout = std::time::Duration::from_secs(5);
    assert!(bench.fails(&json!({ "name": "big", "version": "1.0.0" })).contains("it took longer than 5s"));
    bench.registry.stall(None);
    bench.timeout = std::time::Duration::from_mins(2);
    whole(&mut bench, "1.0.0");
    // In the middle: the old one is aside, the new one half there.
    let killer = bench.kill_once("lib/node_modules/.big-");
    let said = bench.fails(&json!({ "name": "big", "version": "2.0.0" }));
    killer.join().unwrap();
    assert!(said.contains("ended by signal 9") && !bench.is_clean(), "{said}");
    whole(&mut bench, "2.0.0");
    // After: all is done but the last look at it; what is left says that npm was at work.
    bench.apply(&json!({ "name": "big", "version": "1.0.0" }));
    std::fs::write(bench.directory.path().join("state/stamps/npm/big"), "{\"busy\":true}").unwrap();
    whole(&mut bench, "1.0.0");
    let killer = bench.kill_once("bin/.big-");
    bench.fails(&json!({ "name": "big", "version": "2.0.0" }));
    killer.join().unwrap();
    assert_eq!(bench.leave(&json!({ "name": "big" })).len(), 1);
    assert_eq!(bench.sh("ls -A bin lib/node_modules"), "bin:\n\nlib/node_modules:");
}
