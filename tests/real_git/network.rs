//! Servers that ask for a login, hang up, or can be reached through a proxy alone; and runs that are killed meanwhile.
use super::Bench;
use super::server::{Mood, Server};
use crate::support::place::Place;
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BOB: Mood = Mood::Asking("Basic Ym9iOnMzY3JldC10b2tlbg==");
const TOKEN: Mood = Mood::Asking("Basic eC1hY2Nlc3MtdG9rZW46czNjcmV0LXRva2Vu");

fn served(fields: serde_json::Value) -> (Bench, Server) {
    let mut bench = Bench::new(fields);
    let server = Server::of(bench.world.directory.path());
    bench.fields["url"] = json!(format!("{}/repo.git", server.url));
    (bench, server)
}

#[test]
fn a_credential_is_given_on_request_and_kept_nowhere() {
    for (mood, credential) in [(BOB, "bob:s3cret-token"), (TOKEN, "s3cret-token")] {
        let (mut bench, server) = served(json!({ "ref": "v1", "sparse": ["docs"], "credential": credential }));
        server.becomes(mood);
        assert_eq!(bench.apply().len(), 1);
        bench.fields["ref"] = json!("main");
        assert_eq!(bench.apply().len(), 1, "what is fetched later has it, too");
        assert_eq!(bench.app("cat top; ls docs"), "two\nd");
        assert!(!bench.sys.take_runs().join("\n").contains("s3cret"), "in no argv");
        assert_eq!(bench.sh("grep -r s3cret . || echo nowhere"), "nowhere");
    }
}

#[test]
fn a_user_in_a_url_who_may_be_a_token_is_neither_shown_nor_recorded() {
    let (bench, server) = served(json!({}));
    let url = format!("{}/repo.git", server.url).replace("://", "://t0ken@");
    let place = Place::new(&format!("name = \"web\"\n[[git]]\npath = \"ROOT/app\"\nurl = \"{url}\"\n"));
    let run = |arguments: &[&str]| {
        let ran = place.run(&[arguments, &["web.toml"]].concat());
        format!("{}{}", ran.stdout, ran.stderr)
    };
    server.becomes(Mood::Cut);
    let failed = run(&["apply", "--yes"]);
    assert!(failed.contains("running `git clone "), "{failed}");
    server.becomes(Mood::Well);
    let said = [failed, run(&["plan"]), run(&["apply", "--yes"]), run(&["destroy", "--yes"])].concat();
    assert!(said.contains("applied: 1 changed") && said.contains("destroyed: 1 taken away"), "{said}");
    let kept = Command::new("grep").args(["-r", "t0ken", "state", "run"]).current_dir(place.root()).output().unwrap();
    assert_eq!((said.contains("t0ken"), String::from_utf8_lossy(&kept.stdout).as_ref()), (false, ""));
    drop(bench);
}

#[test]
fn a_server_that_wants_a_login_is_an_error_and_no_question() {
    let cases = [
        (None, "where the repository is not public, give `credential`"),
        (Some("wr0ng-token"), "the server does not take `credential`: see that it is still valid"),
    ];
    for (credential, remedy) in cases {
        let (mut bench, server) = served(json!({ "ref": "main" }));
        server.becomes(TOKEN);
        bench.fields["credential"] = json!(credential);
        let begun = Instant::now();
        let said = bench.fails();
        assert!(said.contains("running `git clone ") && said.ends_with(remedy) && !said.contains("wr0ng"), "{said}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        assert_eq!(bench.sh("ls"), "repo.git\nwork");
        server.becomes(Mood::Well);
        bench.apply();
        server.becomes(TOKEN);
        bench.commit_at_origin("three", "new");
        bench.fields["ref"] = json!("new");
        assert!(bench.fails().ends_with(remedy), "a fetch says the same: {}", bench.fails());
    }
}

#[test]
fn a_connection_that_is_cut_leaves_nothing_and_the_next_run_is_clean() {
    let (mut bench, server) = served(json!({ "ref": "main" }));
    server.becomes(Mood::Cut);
    let said = bench.fails();
    assert!(said.contains("running `git clone "), "{said}");
    assert_eq!(bench.sh("ls"), "repo.git\nwork");
    server.becomes(Mood::Well);
    assert_eq!(bench.apply().len(), 1);
    let third = bench.commit_at_origin("three", "new");
    bench.fields["ref"] = json!("new");
    server.becomes(Mood::Cut);
    assert!(bench.fails().contains("running `git -C "));
    assert_eq!(bench.app("git rev-parse --short=10 HEAD; git status --porcelain"), bench.two());
    server.becomes(Mood::Well);
    assert_eq!(bench.apply().len(), 1);
    assert_eq!(bench.app("git rev-parse --short=10 HEAD"), third);
    assert_eq!(bench.sh("find app -name 'tmp_*' -o -name '*.lock' | wc -l"), "0");
}

#[test]
fn a_server_that_says_nothing_more_is_given_up_in_time() {
    let (mut bench, server) = served(json!({ "ref": "main" }));
    bench.timeout = Duration::from_secs(1);
    server.becomes(Mood::Stalled("git-upload-pack"));
    let said = bench.fails();
    assert!(
        said.contains("it took longer than 1s and was ended") && said.ends_with("raise `timeout` if it needs longer")
    );
    assert_eq!(bench.sh("ls"), "repo.git\nwork");
}

#[test]
fn a_server_that_is_not_there_is_said_with_what_to_look_at() {
    let mut bench = Bench::new(json!({ "url": "https://127.0.0.1:1/x.git", "credential": "s3cret-token" }));
    let said = bench.fails();
    assert!(said.starts_with("running `git clone --no-checkout -- https://127.0.0.1:1/x.git "), "{said}");
    assert!(said.contains("unable to access") && said.contains("`http.proxy`") && !said.contains("s3cret"), "{said}");
    assert_eq!(bench.sh("ls"), "repo.git\nwork");
}

#[test]
fn a_proxy_of_gits_configuration_is_used() {
    let mut bench = Bench::cloned(json!({ "ref": "main" }));
    let server = Server::of(bench.world.directory.path());
    bench.commit_at_origin("three", "main");
    bench.app(&format!("git config http.proxy {}", server.url));
    bench.fields = json!({ "ref": "main", "url": "http://git.invalid/repo.git" });
    assert_eq!(bench.apply(), ["git:DIR/app url: file://DIR/repo.git -> http://git.invalid/repo.git"]);
    assert_eq!(bench.app("cat top"), "three");
    assert!(server.asked.lock().unwrap()[0].starts_with("GET http://git.invalid/repo.git/info/refs"));
}

/// Starts an apply of the recipe in a directory of its own, with the real binary.
fn start(bench: &Bench, command: &str) -> Child {
    let dir = bench.world.directory.path();
    let mut process = Command::new(env!("CARGO_BIN_EXE_provision"));
    process.args([command, "web.toml", "--state-dir"]).arg(dir.join("state")).current_dir(dir);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_before_in_the_middle_of_and_after_its_clone_it_converges_when_it_is_run_again() {
    for point in ["info/refs", "git-upload-pack", "after"] {
        let (bench, server) = served(json!({ "ref": "main" }));
        let dir = bench.world.directory.path();
        let recipe = format!(
            "name = \"web\"\n\n[[git]]\npath = \"{}/app\"\nurl = {}\nref = \"main\"\n",
            bench.dir(),
            bench.fields["url"]
        );
        std::fs::write(dir.join("web.toml"), recipe).unwrap();
        server.becomes(if point == "after" { Mood::Well } else { Mood::Stalled(point) });
        let mut run = start(&bench, "apply");
        let reached = |point: &str| server.asked.lock().unwrap().iter().any(|request| request.contains(point));
        until("the point is reached", || if point == "after" { dir.join("app").exists() } else { reached(point) });
        if point == "git-upload-pack" {
            until("the pack is under way", || server.asked.lock().unwrap().len() >= 3);
            std::thread::sleep(Duration::from_millis(100));
        }
        run.kill().unwrap();
        run.wait().unwrap();
        server.becomes(Mood::Well);
        let again = start(&bench, "apply").wait_with_output().unwrap();
        assert_eq!(again.status.code(), Some(0), "{point}: {}", String::from_utf8_lossy(&again.stderr));
        let plan = start(&bench, "plan").wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&plan.stdout).into_owned();
        assert!(plan.status.code() == Some(0) && !said.contains("git:"), "{point}: {said}");
        assert_eq!(
            bench.sh("cat app/top; git -C app status --porcelain; ls"),
            "two\napp\nrepo.git\nstate\nweb.toml\nwork"
        );
        until("the killed run's git has ended", || {
            !bench.sh("ps -ww -eo args").contains(&format!("-- {}/", server.url))
        });
    }
}
