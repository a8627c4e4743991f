//! `schedule`: the units that it writes, that it takes away again, and that it lists; on a machine in memory.
use crate::support::fake::{FakeMachine, PowerLost};
use crate::support::place::Place;
use provision::schedule::{self, Schedule, When};
use provision::system::System;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::Duration;

const SERVICE: &str = "/etc/systemd/system/provision-web.service";
const TIMER: &str = "/etc/systemd/system/provision-web.timer";

fn web(minutes: u64) -> Schedule {
    let argv = ["/usr/local/bin/provision", "apply", "/srv/web.toml", "--yes"].map(str::to_owned).to_vec();
    Schedule { recipe: "web".to_owned(), argv, when: When::Every(Duration::from_mins(minutes)) }
}

fn machine() -> FakeMachine {
    let machine = FakeMachine::debian();
    machine.dir("/etc/systemd/system");
    machine
}

/// Returns all that a schedule can leave on a machine.
fn traces(machine: &FakeMachine) -> Vec<String> {
    let below = |directory: &str| machine.list(Path::new(directory)).unwrap_or_default();
    let all = ["/etc/systemd/system", "/etc/systemd/system/timers.target.wants", "/var/lib/systemd/timers"].map(below);
    let names = all.concat().into_iter().filter_map(|name| name.into_string().ok());
    names.filter(|name| name.contains("provision")).collect()
}

#[test]
fn a_recipe_is_scheduled_once_and_again_where_the_words_are_others() {
    let machine = machine();
    assert_eq!(schedule::set(&machine, &web(30)), Ok(true));
    let service = machine.text(SERVICE);
    assert!(service.contains("\nExecStart=/usr/local/bin/provision apply /srv/web.toml --yes\n"), "{service}");
    assert!(service.contains("\nSuccessExitStatus=3 5\n"), "{service}");
    assert!(machine.text(TIMER).contains("\nOnUnitActiveSec=30m\nRandomizedDelaySec=3m\n"));
    let calls = machine.calls();
    assert_eq!(schedule::set(&machine, &web(30)), Ok(false));
    let reads = machine.take_runs().into_iter().skip_while(|run| !run.contains("restart")).skip(1).collect::<Vec<_>>();
    assert!(reads.iter().all(|run| run.contains("systemctl show")), "{reads:?}");
    assert!(machine.calls() - calls <= reads.len(), "nothing is written");
    assert_eq!(schedule::set(&machine, &web(60)), Ok(true));
    assert!(machine.text(TIMER).contains("\nOnUnitActiveSec=1h\n"));
}

#[test]
fn what_is_scheduled_is_listed_and_ended() {
    let machine = machine();
    assert_eq!(schedule::list(&machine), Ok(vec![]));
    schedule::set(&machine, &web(30)).unwrap();
    schedule::set(&machine, &Schedule { recipe: "db".to_owned(), when: When::Calendar("daily".to_owned()), ..web(30) })
        .unwrap();
    let listed = schedule::list(&machine).unwrap();
    let said: Vec<(&str, &str)> = listed.iter().map(|one| (one.recipe.as_str(), one.when.as_str())).collect();
    assert_eq!(said, [("db", "at daily"), ("web", "every 30m")]);
    assert!(listed.iter().all(|one| one.next.is_some() && one.last.is_none() && one.succeeded), "{listed:?}");
    let of = |program: &str| schedule::of_program(&machine, Path::new(program)).unwrap();
    assert_eq!(of("/usr/local/bin/provision"), ["db", "web"]);
    assert_eq!(of("/usr/local/bin"), [""; 0]);
    assert_eq!(schedule::off(&machine, "db"), Ok(true));
    assert_eq!(schedule::off(&machine, "db"), Ok(false));
    assert_eq!(schedule::off_all(&machine), Ok(vec!["web".to_owned()]));
    assert_eq!((traces(&machine), schedule::list(&machine)), (vec![], Ok(vec![])));
}

#[test]
fn a_recipe_that_is_scheduled_is_known_by_what_is_applied_also_once_it_is_gone() {
    let machine = machine();
    let of = |named: &str| schedule::of_recipe(&machine, named).unwrap();
    assert_eq!(of("/srv/web.toml"), None);
    schedule::set(&machine, &web(30)).unwrap();
    let argv = ["/usr/local/bin/provision", "apply", "/srv/a 50%/db.toml", "--yes"].map(str::to_owned).to_vec();
    schedule::set(&machine, &Schedule { recipe: "db".to_owned(), argv, ..web(30) }).unwrap();
    assert_eq!(of("/srv/web.toml").as_deref(), Some("web"));
    assert_eq!(of("/srv/a 50%/db.toml").as_deref(), Some("db"));
    assert_eq!((of("web.toml"), of("--yes"), of("/srv/web")), (None, None, None));
}

#[test]
fn a_timer_that_was_stopped_or_changed_is_put_right() {
    let machine = machine();
    schedule::set(&machine, &web(30)).unwrap();
    let timer = machine.text(TIMER);
    let command = |argv: &[&str]| provision::system::Command::new(argv.iter().copied());
    machine.run(&command(&["systemctl", "stop", "provision-web.timer"])).unwrap();
    assert_eq!(schedule::set(&machine, &web(30)), Ok(true));
    machine.file(TIMER, &timer.replace("30m", "31m"));
    assert_eq!(schedule::set(&machine, &web(30)), Ok(true));
    assert_eq!(machine.text(TIMER), timer);
    assert_eq!(schedule::set(&machine, &web(30)), Ok(false));
}

#[test]
fn units_that_somebody_else_wrote_are_left_alone() {
    for path in [SERVICE, TIMER] {
        let machine = machine();
        machine.file(path, "[Unit]\nDescription=mine\n");
        let error = schedule::set(&machine, &web(30)).unwrap_err();
        assert_eq!(error.causes, [format!("`{path}` was not written by `provision schedule`")]);
        assert_eq!(machine.text(path), "[Unit]\nDescription=mine\n");
        schedule::off(&machine, "web").unwrap();
        assert_eq!(machine.text(path), "[Unit]\nDescription=mine\n");
        assert_eq!(schedule::list(&machine), Ok(vec![]));
    }
}

#[test]
fn without_systemd_nothing_is_scheduled_and_the_error_says_what_to_do() {
    let machine = machine();
    machine.remove_dir(Path::new("/run/systemd/system")).unwrap();
    let error = schedule::set(&machine, &web(30)).unwrap_err();
    assert_eq!((error.attempt.as_str(), error.causes[0].as_str()), ("scheduling `web`", "systemd does not run here"));
    let remedy =
        "let what starts programs here, such as cron, run `/usr/local/bin/provision apply /srv/web.toml --yes`";
    assert_eq!(error.remedy.as_deref(), Some(remedy));
    assert_eq!(traces(&machine), [""; 0]);
}

/// Runs it with a power loss at each point, then again, and looks.
fn killed_anywhere(prepared: &FakeMachine, act: impl Fn(&FakeMachine), holds: impl Fn(&FakeMachine, usize)) {
    let whole = prepared.copy();
    whole.kill_at(None);
    act(&whole);
    let count = whole.calls();
    assert!(count > 3, "{count}");
    for point in 0..count * 2 {
        let machine = prepared.copy();
        machine.kill_at(Some(point));
        let ended = catch_unwind(AssertUnwindSafe(|| act(&machine)));
        match ended {
            Err(why) if !why.is::<PowerLost>() => resume_unwind(why),
            _ => {}
        }
        machine.kill_at(None);
        act(&machine);
        holds(&machine, point);
    }
}

#[test]
fn killed_anywhere_and_run_again_it_is_scheduled() {
    killed_anywhere(
        &machine(),
        |machine| {
            schedule::set(machine, &web(30)).unwrap();
        },
        |machine, point| {
            assert_eq!(schedule::set(machine, &web(30)), Ok(false), "point {point}");
            assert_eq!(schedule::list(machine).unwrap().len(), 1, "point {point}");
        },
    );
}

#[test]
fn killed_anywhere_and_run_again_it_is_ended() {
    let scheduled = machine();
    schedule::set(&scheduled, &web(30)).unwrap();
    killed_anywhere(
        &scheduled,
        |machine| drop(schedule::off_all(machine).unwrap()),
        |machine, point| assert_eq!(traces(machine), [""; 0], "point {point}"),
    );
}

/// As `self uninstall` ends them, which is of one program.
#[test]
fn killed_anywhere_and_run_again_all_of_a_program_are_ended() {
    let scheduled = machine();
    schedule::set(&scheduled, &web(30)).unwrap();
    killed_anywhere(
        &scheduled,
        |machine| {
            for recipe in schedule::of_program(machine, Path::new("/usr/local/bin/provision")).unwrap() {
                schedule::off(machine, &recipe).unwrap();
            }
        },
        |machine, point| assert_eq!(traces(machine), [""; 0], "point {point}"),
    );
}

#[test]
fn what_others_can_write_is_found() {
    let machine = machine();
    machine.dir("/home/lilly/recipes");
    machine.file("/home/lilly/recipes/web.toml", "");
    let open = || schedule::open_to_others(&machine, Path::new("/home/lilly/recipes/web.toml"));
    assert_eq!(open(), None);
    machine.chown(Path::new("/home/lilly"), 1000, 1000).unwrap();
    assert_eq!(open().as_deref(), Some(Path::new("/home/lilly")));
    machine.chown(Path::new("/home/lilly"), 0, 0).unwrap();
    machine.chmod(Path::new("/home/lilly/recipes/web.toml"), 0o666).unwrap();
    assert_eq!(open().as_deref(), Some(Path::new("/home/lilly/recipes/web.toml")));
}

#[test]
fn wrong_words_are_refused_before_anything_is_touched() {
    let place = Place::new(
        "name = \"web\"\n[vars]\napi_token = \"\"\n[[file]]\npath = \"ROOT/motd\"\ncontent = \"hello {{ api_token }}\\n\"\n",
    );
    for (words, expected) in [
        (&["web.toml"][..], "--every <PERIOD>|--calendar <TIME>|--off"),
        (&["--every", "30m"], "<RECIPE>"),
        (&["web.toml", "--every", "30x"], "`30x` is not a time: expected a whole number and ms, s, m, h or d"),
        (&["web.toml", "--every", "0s"], "a second is the least"),
        (&["web.toml", "--every", "30m", "--calendar", "daily"], "cannot be used with"),
        (&["web.toml", "--every", "30m", "--off"], "cannot be used with"),
        (&["web.toml", "--calendar", "whenever"], "`whenever` is no time to systemd"),
        (&["nowhere.toml", "--every", "30m"], "nowhere.toml"),
        (&["web.toml", "--every", "30m", "--var", "port=1"], "port"),
        (
            &["web.toml", "--every", "30m", "--var", "api_token=hunter"],
            "its value is taken for a secret, and everybody can read the unit",
        ),
        (&["web.toml", "--every", "30m", "--only", "directory:*"], "no resource of `web` fits that pattern"),
        (&["web.toml", "--every", "30m", "--config", "no.toml"], "reading `no.toml`"),
        (&["./nowhere.toml", "--off"], "it is not scheduled, and no recipe is there"),
    ] {
        let ran = place.run(&[&["schedule"], words].concat());
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{words:?}: {}", ran.stderr);
    }
    assert!(!place.root().join("state").exists());
}

#[test]
fn a_directory_whose_name_is_not_utf_8_is_refused_before_anything_is_touched() {
    let outer = tempfile::tempdir().unwrap();
    let named = outer.path().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&named).unwrap();
    let place = Place::below(&named, "name = \"web\"\n");
    let ran = place.run(&["schedule", "web.toml", "--every", "30m"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran:?}");
    let said =
        "  its name is not UTF-8, and a unit would have another one\nGive it, and what it is in, another name.\n";
    assert!(ran.stderr.starts_with("error: scheduling `ROOT/web.toml`\n") && ran.stderr.ends_with(said), "{ran:?}");
}
