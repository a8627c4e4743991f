//! A disposable Debian host with systemd as PID 1, in which `provision` and real containers run (tests/lab/host.sh).
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub struct Lab {
    number: u32,
}

/// What a command in the lab printed, and its exit code.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Says that a machine is there to be changed.
const DISPOSABLE: &str = "/run/provision-disposable";

/// Runs `body` in a disposable host that has these packages: there, this very test (`module::name`) runs again.
pub fn on_a_disposable_machine(test: &str, packages: &[&str], body: impl FnOnce()) {
    on_a_furnished_machine(test, packages, |_| (), body);
}

/// Does so in one that `furnish` made ready from outside.
pub fn on_a_furnished_machine(test: &str, packages: &[&str], furnish: impl FnOnce(&Lab), body: impl FnOnce()) {
    if Path::new(DISPOSABLE).exists() {
        return body();
    }
    let lab = Lab::up(packages);
    furnish(&lab);
    lab.put_all(&root().join("tests/cases"));
    lab.put(&std::env::current_exe().expect("a test has a file"), "/run/e2e");
    lab.sh(&format!("touch {DISPOSABLE}"));
    let only = format!("CASE={}", std::env::var("CASE").unwrap_or_default());
    let answer = lab.run(&["env", &only, "/run/e2e", "--exact", test, "--nocapture"]);
    println!("{}", answer.stdout);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.contains("1 passed"), "`{test}` is no test of this binary");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Lab {
    /// Makes the host, with these packages; its traces go when this is dropped, and with the next one of that number
    /// (`HOST_NUMBER`, 0 without).
    pub fn up(packages: &[&str]) -> Self {
        let number = std::env::var("HOST_NUMBER").ok().and_then(|number| number.parse().ok()).unwrap_or(0);
        let lab = Self { number };
        // What a killed test of this number left.
        lab.must(&["down"]);
        let mut arguments = vec!["up"];
        arguments.extend(packages);
        lab.must(&arguments);
        lab
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(root().join("tests/lab/host.sh"));
        command.args(arguments).env("HOST_NUMBER", self.number.to_string());
        command
    }

    fn must(&self, arguments: &[&str]) {
        let status = self.script(arguments).stdin(Stdio::null()).status().expect("host.sh starts");
        assert!(status.success(), "host.sh {}: {status}", arguments.join(" "));
    }

    /// Copies the release binary, and what the recipes need that takes long to make.
    pub fn furnish(&self) {
        let binary = binary();
        assert!(binary.is_file(), "{} is missing: run `packaging/build.sh` first", binary.display());
        self.put(&binary, "/usr/local/bin/provision");
    }

    /// Copies a file into the host, with its mode.
    pub fn put(&self, file: &Path, path: &str) {
        self.sh(&format!("mkdir -p \"$(dirname {path})\""));
        self.must(&["put", &file.display().to_string(), path]);
    }

    /// Copies every file below a directory to the same path in the host.
    fn put_all(&self, directory: &Path) {
        for entry in std::fs::read_dir(directory).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() { self.put_all(&path) } else { self.put(&path, &path.display().to_string()) }
        }
    }

    /// Writes a file into the host.
    pub fn write(&self, path: &str, content: &str) {
        let mut child = self
            .script(&["run", "sh", "-c", "mkdir -p \"$(dirname \"$1\")\" && cat >\"$1\"", "sh", path])
            .stdin(Stdio::piped())
            .spawn()
            .expect("host.sh starts");
        child.stdin.take().expect("it is piped").write_all(content.as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "writing {path}");
    }

    pub fn reboot(&self) {
        self.must(&["reboot"]);
    }

    /// Runs a command in the host.
    pub fn run(&self, argv: &[&str]) -> Answer {
        let mut arguments = vec!["run"];
        arguments.extend(argv);
        let Output { status, stdout, stderr } =
            self.script(&arguments).stdin(Stdio::null()).output().expect("host.sh starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Answer { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs a shell script in the host; it must succeed.
    pub fn sh(&self, script: &str) -> String {
        let answer = self.run(&["sh", "-ec", script]);
        assert_eq!(answer.code, 0, "{script}\n{}\n{}", answer.stdout, answer.stderr);
        answer.stdout
    }

    /// Runs a shell script as root in a container of the host; it must succeed.
    pub fn inside(&self, id: u32, script: &str) -> String {
        let id = id.to_string();
        let answer = self.run(&["lxc-attach", "--clear-env", "-v", "HOME=/root", "-n", &id, "--", "sh", "-ec", script]);
        assert_eq!(answer.code, 0, "in {id}: {script}\n{}\n{}", answer.stdout, answer.stderr);
        answer.stdout
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::env::var_os("KEEP_LAB").is_none() {
            let status = self.script(&["down"]).stdin(Stdio::null()).status();
            assert!(status.is_ok_and(|status| status.success()), "the lab could not be taken down");
        }
    }
}

/// Returns where packaging/build.sh leaves the release binary.
pub fn binary() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release/provision")
}

/// Returns where cargo puts the stand-in for `pct`.
pub fn pct() -> PathBuf {
    example("pct")
}

/// Returns where cargo puts what writes the man pages and completions.
pub fn manual() -> PathBuf {
    example("manual")
}

fn example(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a test has a file");
    let path = exe.parent().and_then(Path::parent).expect("below a profile's directory").join("examples").join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --example {name}` first", path.display());
    path
}
