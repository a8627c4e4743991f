//! A release on an HTTPS server: signed, with a bootstrap.sh of its own; and a host on which that is run.
use super::https::{Answer, Https, authority};
use super::place::Ran;
use super::signing::SigningKey;
use provision::system::fingerprint::hex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What is served, unless a test serves something else.
pub const VERSION: &str = "1.2.3";

/// What the script may find on a machine. What a test takes away is not in PATH.
const PROGRAMS: &[&str] = &[
    "chmod",
    "cp",
    "curl",
    "dirname",
    "mkdir",
    "mv",
    "openssl",
    "rm",
    "sh",
    "sha256sum",
    "sync",
    "tail",
    "timeout",
    "uname",
    "wget",
];

pub struct Site {
    pub https: Https,
    pub key: SigningKey,
    dir: tempfile::TempDir,
}

/// Returns a program that says that it is this version, and what it is run with.
pub fn program(version: &str) -> Vec<u8> {
    format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'provision {version}'; exit; fi\n\
         echo \"ran: $*\"\n[ -t 0 ] && echo 'on a terminal'\nexit 3\n"
    )
    .into_bytes()
}

impl Site {
    /// Serves a release, and makes a host with all programs.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let site = Self { https: Https::start(), key: SigningKey::new(), dir };
        for made in ["bin", "home", "target"] {
            fs::create_dir(site.path(made)).unwrap();
        }
        fs::write(site.path("ca.pem"), authority()).unwrap();
        fs::write(site.path("wgetrc"), format!("ca_certificate = {}\n", site.path("ca.pem").display())).unwrap();
        for name in PROGRAMS {
            symlink(which(name), site.path("bin").join(name)).unwrap();
        }
        site.publish(VERSION, &program(VERSION));
        site
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Puts a release up for both machines.
    pub fn publish(&self, version: &str, binary: &[u8]) {
        let names = ["x86_64", "aarch64"].map(|machine| format!("provision-{version}-{machine}-linux"));
        let sums = names.each_ref().map(|name| format!("{}  {name}\n", sha256(binary))).concat();
        for name in names {
            self.https.put(&format!("/{version}/{name}"), Answer::Page(binary.to_vec()));
        }
        self.sums(version, &sums);
        self.https.put("/latest", Answer::Page(format!("{version}\n").into_bytes()));
    }

    /// Returns a program as if it had been built for another key: that of the release that is up.
    pub fn with_own_key(&self, mut program: Vec<u8>) -> Vec<u8> {
        let built_for = provision::release::KEY.lines().nth(1).unwrap();
        let places = program.windows(built_for.len()).enumerate().filter(|(_, bytes)| *bytes == built_for.as_bytes());
        for at in places.map(|(at, _)| at).collect::<Vec<_>>() {
            program[at..at + built_for.len()].copy_from_slice(self.key.public().as_bytes());
        }
        program
    }

    /// Puts up which sums a release has, signed.
    pub fn sums(&self, version: &str, sums: &str) {
        let signature = self.key.sign(sums.as_bytes(), &format!("provision {version}"));
        self.https.put(&format!("/{version}/SHA256SUMS"), Answer::Page(sums.as_bytes().to_vec()));
        self.https.put(&format!("/{version}/SHA256SUMS.minisig"), Answer::Page(signature.into_bytes()));
    }

    /// Returns the bootstrap.sh that is made for what is up as this version.
    pub fn script(&self, version: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::write(self.path("sums"), self.https.page(&format!("/{version}/SHA256SUMS"))).unwrap();
        let mut command = Command::new(root.join("packaging/release-bootstrap.sh"));
        let made =
            command.args([version, &self.https.url()]).arg(self.path("sums")).arg(self.key.file()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    }

    /// Returns one that knows where releases are, and the sums of none that is up.
    pub fn script_without_sums(&self) -> String {
        let nothing = |line: &str| {
            ["version", "x86_64", "aarch64"].iter().any(|it| line.starts_with(&format!("\trelease_{it}=")))
        };
        let blank = |line: &str| match line.split_once('=') {
            Some((name, _)) if nothing(line) => format!("{name}=''\n"),
            _ => format!("{line}\n"),
        };
        self.script(VERSION).lines().map(blank).collect()
    }

    /// Takes programs from the host.
    pub fn without(&self, programs: &[&str]) -> &Self {
        for name in programs {
            fs::remove_file(self.path("bin").join(name)).unwrap();
        }
        self
    }

    /// Puts a program on the host in place of another.
    pub fn with(&self, name: &str, script: &str) -> &Self {
        let path = self.path("bin").join(name);
        let _ = fs::remove_file(&path);
        executable(&path, format!("#!/bin/sh\n{script}\n").as_bytes());
        self
    }

    /// Installs a predecessor.
    pub fn installed(&self, binary: &[u8]) -> &Self {
        executable(&self.target(), binary);
        self
    }

    /// Where the binary is installed.
    pub fn target(&self) -> PathBuf {
        self.path("target/provision")
    }

    /// What a script is run with.
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        let path = |name: &str| self.path(name).display().to_string();
        BTreeMap::from([
            ("PATH", path("bin")),
            ("HOME", path("home")),
            ("CURL_CA_BUNDLE", path("ca.pem")),
            ("WGETRC", path("wgetrc")),
            ("PROVISION_INSTALL_DIR", path("target")),
            ("PROVISION_NO_PROMPT", "1".to_owned()),
            ("PROVISION_RETRIES", "0".to_owned()),
        ])
    }

    /// Returns a bootstrap of the release that is up.
    pub fn bootstrap(&self) -> Bootstrap<'_> {
        Bootstrap {
            site: self,
            script: self.script(VERSION),
            shell: vec!["/usr/bin/dash".into()],
            environment: self.environment(),
        }
    }

    /// Returns a bootstrap by a script that has the sums of no release.
    pub fn bootstrap_without_sums(&self) -> Bootstrap<'_> {
        Bootstrap { script: self.script_without_sums(), ..self.bootstrap() }
    }

    /// Returns what is in the target directory.
    pub fn left(&self) -> Vec<String> {
        names(&self.path("target"))
    }
}

/// One run of bootstrap.sh, through a pipe, on a host whose environment is only what is given here.
#[must_use]
pub struct Bootstrap<'s> {
    site: &'s Site,
    pub script: String,
    shell: Vec<String>,
    environment: BTreeMap<&'static str, String>,
}

impl Bootstrap<'_> {
    pub fn shell(mut self, shell: &[&str]) -> Self {
        self.shell = shell.iter().map(|&word| word.to_owned()).collect();
        self
    }

    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.insert(name, value.into());
        self
    }

    pub fn script(mut self, script: impl Into<String>) -> Self {
        self.script = script.into();
        self
    }

    /// Returns the command that reads the script from stdin.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.shell[0]);
        command.args(&self.shell[1..]).arg("-s").arg("--").args(arguments);
        command.current_dir(self.site.path("home")).env_clear().envs(&self.environment);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let path = self.site.path("bootstrap.sh");
        fs::write(&path, &self.script).unwrap();
        let output = self.command(arguments).stdin(Stdio::from(fs::File::open(path).unwrap())).output().unwrap();
        Ran::of(&output, self.site.root())
    }

    /// It must fail with these words, leave what was in the target directory, and run nothing.
    pub fn fails(&self, words: &str) -> Ran {
        let before = self.site.left();
        let installed = fs::read(self.site.target()).ok();
        let ran = self.run(&["apply", "x"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
        assert!(ran.stderr.contains(words), "{words}: {ran:?}");
        assert_eq!((self.site.left(), fs::read(self.site.target()).ok()), (before, installed), "{ran:?}");
        ran
    }

    /// It must install this binary, run it with these arguments and end with its code.
    pub fn installs(&self, binary: &[u8]) -> Ran {
        let ran = self.run(&["apply", "a b"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (3, "ran: apply a b\n"), "{ran:?}");
        assert!(fs::read(self.site.target()).unwrap() == binary, "{ran:?}");
        assert_eq!(fs::metadata(self.site.target()).unwrap().permissions().mode() & 0o7777, 0o755);
        assert_eq!(self.site.left(), ["provision"], "{ran:?}");
        ran
    }
}

/// Returns the names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Writes a program. Another process does, else a child of another test's thread could hold it open while it is started.
pub fn executable(path: &Path, content: &[u8]) {
    let written = path.with_extension("written");
    fs::write(&written, content).unwrap();
    let installed = Command::new("install").args(["-m", "0755", "-T"]).args([&written, path]).status().unwrap();
    assert!(installed.success());
    fs::remove_file(written).unwrap();
}

/// Returns the SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Returns where a program is.
pub fn which(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap();
    let mut places = path.split(':').chain(["/usr/sbin", "/sbin"]).map(|directory| Path::new(directory).join(name));
    places.find(|place| place.is_file()).unwrap_or_else(|| panic!("`{name}` is missing: tests/run installs it"))
}
