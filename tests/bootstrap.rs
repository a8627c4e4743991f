//! bootstrap.sh against a real HTTPS server with a certificate authority of its own: what it installs, and what it refuses.
use crate::support::https::{Answer, NAMELESS};
use crate::support::pty::{On, Pty};
use crate::support::release::{Site, VERSION, names, program, which};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

const BINARY: &str = "/1.2.3/provision-1.2.3-x86_64-linux";
const SHELLS: [&[&str]; 3] = [&["/usr/bin/dash"], &["/usr/bin/busybox", "sh"], &["/usr/bin/bash", "--posix"]];

/// What each way of downloading leaves on the host.
const DOWNLOADERS: [(&str, &[&str]); 3] =
    [("curl", &["wget"]), ("wget", &["curl"]), ("bare wget", &["curl", "timeout"])];

#[test]
fn a_release_is_installed_and_run_by_every_shell() {
    let site = Site::new();
    for shell in SHELLS {
        site.installed(b"#!/bin/sh\nexit 1\n");
        let ran = site.bootstrap().shell(shell).installs(&program(VERSION));
        assert_eq!(ran.stderr, "bootstrap: installed provision 1.2.3 as ROOT/target/provision\n");
    }
}

#[test]
fn a_release_comes_by_curl_or_wget_also_through_a_proxy_and_where_it_is_redirected() {
    for (name, lacking) in DOWNLOADERS {
        let site = Site::new();
        site.without(lacking);
        site.bootstrap().installs(&program(VERSION));
        fs::remove_file(site.target()).unwrap();
        let elsewhere = format!("https://{NAMELESS}:{}", site.https.port);
        let proxied = site.bootstrap().set("PROVISION_BASE_URL", &elsewhere);
        proxied.fails(&format!("downloading {elsewhere}/1.2.3/SHA256SUMS failed"));
        proxied.set("HTTPS_PROXY", site.https.proxy()).installs(&program(VERSION));
        fs::remove_file(site.target()).unwrap();
        site.https.put("/moved", Answer::Page(program(VERSION)));
        site.https.put(BINARY, Answer::Redirect(format!("{}/moved", site.https.url())));
        site.bootstrap().installs(&program(VERSION));
        assert!(site.https.asked().contains(&"/moved".to_owned()), "{name}");
    }
}

#[test]
fn it_does_with_the_programs_of_busybox_curl_and_openssl() {
    let site = Site::new();
    for name in names(&site.path("bin")) {
        if !["curl", "openssl"].contains(&name.as_str()) {
            site.without(&[&name]);
            symlink("/usr/bin/busybox", site.path("bin").join(name)).unwrap();
        }
    }
    site.bootstrap().shell(&["/usr/bin/busybox", "sh"]).installs(&program(VERSION));
}

#[test]
fn the_real_program_is_installed_and_says_which_it_is() {
    let site = Site::new();
    let version = env!("CARGO_PKG_VERSION");
    let binary = fs::read(env!("CARGO_BIN_EXE_provision")).unwrap();
    site.publish(version, &binary);
    let ran = site.bootstrap().script(site.script(version)).run(&["--version"]);
    assert_eq!((ran.code, ran.stdout), (0, format!("provision {version}\n")), "{}", ran.stderr);
    assert_eq!(fs::read(site.target()).unwrap(), binary);
}

#[test]
fn run_twice_it_downloads_the_binary_once() {
    let site = Site::new();
    site.bootstrap().installs(&program(VERSION));
    assert!(site.https.asked().contains(&BINARY.to_owned()));
    let again = site.bootstrap().installs(&program(VERSION));
    assert_eq!(again.stderr, "bootstrap: ROOT/target/provision is provision 1.2.3 already\n");
    assert_eq!(site.https.asked(), ["/1.2.3/SHA256SUMS", "/1.2.3/SHA256SUMS.minisig"]);
    site.installed(b"#!/bin/sh\necho provision 1.2.3 # and half of it is missing\n");
    site.bootstrap().installs(&program(VERSION));
}

#[test]
fn without_arguments_it_installs_and_runs_nothing() {
    let site = Site::new();
    let ran = site.bootstrap().run(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert_eq!(fs::read(site.target()).unwrap(), program(VERSION));
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_another_is_at_work_on_is_not() {
    let site = Site::new();
    fs::create_dir(site.path("target/.provision.new.999999999")).unwrap();
    fs::write(site.path("target/.provision.new.999999999/provision"), "half").unwrap();
    let at_work = format!(".provision.new.{}", std::process::id());
    fs::create_dir(site.path("target").join(&at_work)).unwrap();
    assert_eq!(site.bootstrap().run(&[]).code, 0);
    assert_eq!(site.left(), [at_work.as_str(), "provision"]);
}

/// Through a pipe, as it is downloaded: on a host where each program only writes down that it was run.
#[test]
fn a_script_that_is_cut_off_does_nothing() {
    let site = Site::new();
    let whole = site.script(VERSION);
    let log = site.path("log");
    for name in names(&site.path("bin")) {
        site.with(&name, &format!("echo \"$0 $*\" >>{}", log.display()));
    }
    let last = whole.len() - whole.lines().last().unwrap().len() - 1;
    let cuts = (0..last).step_by(256).chain(last..whole.len() - 1);
    for cut in cuts {
        for shell in SHELLS {
            site.bootstrap().script(&whole[..cut]).shell(shell).run(&["apply", "x"]);
            let all = (names(&site.path("target")), names(&site.path("home")), log.exists());
            assert_eq!(all, (vec![], vec![], false), "cut at {cut}, {shell:?}: {:?}", fs::read_to_string(&log));
        }
    }
    site.bootstrap().script(whole).run(&["apply", "x"]);
    assert!(log.exists(), "the whole one does something");
}

#[test]
fn without_curl_and_gnu_wget_it_says_what_to_install() {
    let site = Site::new();
    site.without(&["curl", "wget"]);
    let neither = "there is neither `curl` nor GNU `wget` to download with\nbootstrap: install curl";
    site.bootstrap().fails(neither);
    // It looks at no certificate.
    symlink("/usr/bin/busybox", site.path("bin/wget")).unwrap();
    site.bootstrap().fails(neither);
}

#[test]
fn what_is_not_there_and_who_cannot_prove_who_it_is_are_told() {
    for (_, lacking) in DOWNLOADERS {
        let site = Site::new();
        site.without(lacking);
        let ran = site.bootstrap_without_sums().set("PROVISION_VERSION", "7.7.7").fails("/7.7.7/SHA256SUMS failed");
        assert!(ran.stderr.contains("404"), "{ran:?}");
        site.https.remove(BINARY);
        site.bootstrap().fails(&format!("{BINARY} failed"));
        let stranger = site.bootstrap().set("PROVISION_BASE_URL", format!("https://127.0.0.1:{}", site.https.port));
        stranger.fails("/1.2.3/SHA256SUMS failed");
        fs::write(site.path("ca.pem"), "").unwrap();
        site.bootstrap().fails("/1.2.3/SHA256SUMS failed");
    }
}

#[test]
fn a_server_that_hangs_is_given_up() {
    for (_, lacking) in DOWNLOADERS {
        let site = Site::new();
        site.without(lacking);
        site.https.put(BINARY, Answer::Hang(program(VERSION), 20));
        site.bootstrap().set("PROVISION_TIMEOUT", "1").fails(&format!("{BINARY} failed"));
    }
}

#[test]
fn a_download_that_fails_for_a_moment_is_tried_again() {
    for (_, lacking) in DOWNLOADERS {
        let site = Site::new();
        site.without(lacking);
        site.https.put(BINARY, Answer::Busy(program(VERSION)));
        site.bootstrap().fails(&format!("{BINARY} failed"));
        site.https.put(BINARY, Answer::Busy(program(VERSION)));
        site.bootstrap().set("PROVISION_RETRIES", "1").installs(&program(VERSION));
    }
}

#[test]
fn only_https_is_downloaded_from_also_where_it_leads_elsewhere() {
    let site = Site::new();
    let plain = format!("http://localhost:{}", site.https.port);
    for wrong in [plain.as_str(), "ftp://localhost", "/srv/mirror", "https://"] {
        site.bootstrap().set("PROVISION_BASE_URL", wrong).fails(" is no https:// address");
    }
    site.https.put(BINARY, Answer::Redirect(format!("{plain}/moved")));
    site.bootstrap().fails(&format!("{BINARY} failed"));
}

#[test]
fn each_machine_gets_its_binary_and_an_unknown_one_none() {
    let site = Site::new();
    let uname = |system: &str, machine: &str| {
        site.with("uname", &format!("case $1 in -s) echo {system} ;; -m) echo {machine} ;; esac"));
    };
    for (machine, name) in [("arm64", "aarch64"), ("aarch64", "aarch64"), ("amd64", "x86_64")] {
        uname("Linux", machine);
        site.bootstrap().installs(&program(VERSION));
        assert!(site.https.asked().contains(&format!("/1.2.3/provision-1.2.3-{name}-linux")));
        fs::remove_file(site.target()).unwrap();
    }
    uname("Linux", "riscv64");
    site.bootstrap().fails("there is no provision for a machine of the kind riscv64");
    uname("Darwin", "arm64");
    site.bootstrap().fails("provision runs on Linux, and this is Darwin");
    assert_eq!(site.https.asked(), [""; 0]);
}

#[test]
fn a_target_that_cannot_be_written_or_run_from_is_told_before_anything_is_downloaded() {
    let site = Site::new();
    let mounted = |options: &str| {
        let target = site.path("target").display().to_string();
        let script = format!("mount -t tmpfs -o {options} none {target}; exec dash \"$@\"");
        site.bootstrap().shell(&["/usr/bin/unshare", "--mount", "/bin/sh", "-ec", &script, "dash"])
    };
    for program in ["mount", "dash"] {
        symlink(which(program), site.path("bin").join(program)).unwrap();
    }
    mounted("ro").fails("ROOT/target cannot be written\nbootstrap: run this as root, or set PROVISION_INSTALL_DIR");
    mounted("noexec").fails("no program can be run from ROOT/target: is it mounted noexec?");
    let within = |target: &str| site.bootstrap().set("PROVISION_INSTALL_DIR", target);
    within("/proc/self/provision").fails("/proc/self/provision cannot be made");
    fs::create_dir(site.target()).unwrap();
    site.bootstrap().fails("ROOT/target/provision is a directory");
    assert_eq!(site.https.asked(), [""; 0]);
    fs::remove_dir(site.target()).unwrap();
    assert_eq!(mounted("mode=0755").run(&["apply"]).code, 3, "what else is mounted there is no obstacle");
}

#[test]
fn a_target_that_is_not_there_is_made_and_one_may_have_any_name() {
    let site = Site::new();
    let place = site.path("home/a place/of 'mine'");
    let ran = site.bootstrap().set("PROVISION_INSTALL_DIR", "a place/of 'mine'").run(&["apply"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(names(&place), ["provision"]);
}

#[test]
fn a_person_at_the_terminal_is_asked_though_stdin_is_the_script_and_then_the_program_has_it() {
    let site = Site::new();
    let begin = || {
        fs::write(site.path("bootstrap.sh"), site.script(VERSION)).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("exec dash -s -- apply x <{}", site.path("bootstrap.sh").display())]);
        command.current_dir(site.path("home")).envs(site.environment()).env_remove("PROVISION_NO_PROMPT");
        Pty::start(&command, 200, 24, On::Both)
    };
    for program in ["dash", "setsid"] {
        symlink(which(program), site.path("bin").join(program)).unwrap();
    }
    let question = format!("bootstrap: install provision 1.2.3 as {}? [Y/n]", site.target().display());
    let asks = |pty: &mut Pty| pty.until(|screen| screen.contents().contains(&question));
    for no in ["n\n", "what\n", "\x04"] {
        let mut pty = begin();
        asks(&mut pty);
        pty.types(no);
        assert_eq!(pty.end().0, 1);
        assert!(pty.screen().contents().contains("bootstrap: nothing was installed"));
        assert_eq!(site.left(), [""; 0]);
    }
    let mut pty = begin();
    asks(&mut pty);
    pty.types("\n");
    assert_eq!(pty.end().0, 3);
    assert!(pty.screen().contents().contains("ran: apply x\non a terminal"), "{}", pty.screen().contents());
}
