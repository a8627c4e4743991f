//! apt's lock held by others, and dpkg at work when a signal comes.
use super::{apply, converges, on_a_machine, says};
use crate::support::packages::{sh, status};
use crate::support::place::{Place, Ran, wait_for};
use crate::support::repository::make;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

const RECIPE: &str = "name = \"web\"\n[[package]]\nname = \"tool\"\ntimeout = \"2s\"\n[[file]]\npath = \"ROOT/after\"\ncontent = \"x\"\n";

#[test]
fn who_holds_the_lock_is_named_while_it_is_waited_for_and_where_that_was_in_vain() {
    on_a_machine("apt::who_holds_the_lock_is_named_while_it_is_waited_for_and_where_that_was_in_vain", || {
        make("Package: tool\nVersion: 1\nArchitecture: all\n", &[]);
        sh("apt-get update -qq");
        let place = Place::new(RECIPE);
        let path = "/var/lib/dpkg/lock-frontend";
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let l_type = nix::libc::F_WRLCK.try_into().unwrap();
        let all = nix::libc::flock { l_type, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
        fcntl(&file, FcntlArg::F_SETLK(&all)).unwrap();
        let who = format!("(pid {}), which holds `{path}`", std::process::id());
        let ran = apply(&place, "*");
        assert!(ran.stdout.contains(&who), "{ran:#?}");
        let remedy = "1 later resource was not tried. See what that process does; once it has ended, run again";
        says(&ran, "running `apt-get install --no-remove tool`\n  `e2e` (pid ", remedy);
        // It is let go once its holder was named.
        place.recipe(&RECIPE.replace("2s", "10m"));
        let mut run = place.command(&["apply", "web.toml"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(run.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(&who) {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "who is waited for was not said");
        }
        drop(file);
        said.read_to_string(&mut line).unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(0), "{line}");
        converges(&place);
    });
}

#[test]
fn a_signal_while_dpkg_is_at_work_ends_the_run_after_that() {
    on_a_machine("apt::a_signal_while_dpkg_is_at_work_ends_the_run_after_that", || {
        let slow = "until [ -e /run/quick ]; do touch /run/middle; sleep 0.1; done";
        make(&format!("Package: tool\nVersion: 1\nArchitecture: all\nPostinst: {slow}\n"), &[]);
        sh("apt-get update -qq");
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let place = Place::new(RECIPE);
            let mut run = place.command(&["apply", "web.toml"]);
            let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            wait_for(Path::new("/run/middle"));
            assert!(Command::new("kill").args(["-s", signal, &run.id().to_string()]).status().unwrap().success());
            fs::write("/run/quick", "").unwrap();
            let ran = Ran::of(&run.wait_with_output().unwrap(), place.root());
            assert_eq!(ran.code, code, "{ran:#?}");
            let why = "interrupted; host/file:ROOT/after and what comes after it were not tried";
            assert!(ran.stdout.contains(why), "{ran:#?}");
            assert_eq!(status("tool"), "1 install ok installed");
            converges(&place);
            assert_eq!(place.run(&["destroy", "web.toml", "--yes"]).code, 0);
            assert_eq!(status("tool"), "");
            sh("rm /run/quick /run/middle");
        }
    });
}
