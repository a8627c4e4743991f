//! The release binary in strange roots: one with nothing but a static busybox, and Debian 11, 12 and 13 with name services
//! that a static program must not load (tests/lab/roots.sh makes them). One for a target that musl is not there for has glibc.
use crate::lab::binary;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROOTS: &str = "/var/cache/provision/roots";

/// A root of its own with the binary as `/provision`.
struct Root(tempfile::TempDir);

/// What ran in a root did: the exit code, none where a signal ended it, and all that it printed.
type Ran = (Option<i32>, String);

impl Root {
    fn new(provision: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/roots.sh");
        let made = Command::new(script).arg(ROOTS).stdin(Stdio::null()).status().expect("roots.sh starts");
        assert!(made.success(), "the roots could not be made");
        let root = Self(tempfile::tempdir().expect("a directory"));
        std::fs::copy(provision, root.path("provision")).expect("the binary is there");
        root
    }

    fn busybox() -> Self {
        let root = Self::new(&binary());
        for directory in ["bin", "tmp"] {
            std::fs::create_dir(root.path(directory)).unwrap();
        }
        std::fs::copy(format!("{ROOTS}/busybox"), root.path("bin/busybox")).unwrap();
        std::os::unix::fs::symlink("busybox", root.path("bin/sh")).unwrap();
        std::os::unix::fs::symlink("busybox", root.path("bin/touch")).unwrap();
        root
    }

    fn debian(release: &str, provision: &Path) -> Self {
        let root = Self::new(provision);
        let tar = format!("{ROOTS}/{release}.tar");
        let code = Command::new("tar").arg("-C").arg(root.0.path()).args(["-xf", &tar]).status().unwrap();
        assert!(code.success());
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap();
    }

    /// Runs a program in the root, without /proc and /dev.
    fn run(&self, argv: &[&str]) -> Ran {
        let mut command = Command::new("chroot");
        command.arg(self.0.path()).args(argv).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), None, "{argv:?}: {text}");
        (output.status.code(), text.into_owned())
    }
}

#[test]
fn a_root_with_nothing_but_a_static_busybox_is_enough() {
    let root = Root::busybox();
    root.write(
        "web.toml",
        "name = \"web\"\n\
         [[directory]]\npath = [\"/srv\", \"/srv/web\"]\nowner = 1000\n\
         [[file]]\npath = \"/srv/web/index\"\ncontent = \"hello\\n\"\nowner = \"root\"\n\
         [[command]]\nname = \"touch\"\nscript = \"touch /srv/web/touched\"\ncreates = \"/srv/web/touched\"\n",
    );
    assert_eq!(root.run(&["/provision", "--version"]), (Some(0), "provision 0.1.0\n".to_owned()));
    let (code, said) = root.run(&["/provision", "validate", "/web.toml"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = root.run(&["/provision", "plan", "/web.toml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("planned: 4 to change"), "{said}");
    let (code, said) = root.run(&["/provision", "apply", "/web.toml"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(std::fs::read_to_string(root.path("/srv/web/index")).unwrap(), "hello\n");
    assert!(root.path("/srv/web/touched").exists());
    let (code, said) = root.run(&["/provision", "apply", "/web.toml"]);
    assert!(code == Some(0) && said.contains("applied: 0 changed, 4 in sync"), "{said}");
    let (code, said) = root.run(&["/provision", "report", "--output", "/tmp/report.tar"]);
    assert_eq!(code, Some(0), "{said}");
    let unpack = |tar: &str| Command::new("tar").args(["-xOf", tar, "--wildcards", "*/versions.txt"]).output().unwrap();
    let versions = unpack(root.path("/tmp/report.tar").to_str().unwrap());
    assert!(String::from_utf8_lossy(&versions.stdout).contains("uname: no such program"), "{versions:?}");
}

#[test]
fn a_machine_that_has_lost_its_id_is_no_other_one() {
    let root = Root::busybox();
    std::fs::create_dir(root.path("etc")).unwrap();
    root.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    root.write("web.toml", "name = \"web\"\n[[file]]\npath = \"/a\"\ncontent = \"a\"\n");
    let (code, said) = root.run(&["/provision", "apply", "/web.toml"]);
    assert_eq!(code, Some(0), "{said}");
    root.write("etc/machine-id", "");
    for command in [&["plan"][..], &["apply"], &["destroy", "--yes"]] {
        let (code, said) = root.run(&[&["/provision"], command, &["/web.toml"]].concat());
        let why = "it is missing or empty, and the ledger is of the machine 0123456789abcdef";
        assert!(code == Some(1) && said.contains(why), "{command:?}: {said}");
    }
    root.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let (code, said) = root.run(&["/provision", "destroy", "/web.toml", "--yes"]);
    assert!(code == Some(0) && !root.path("a").exists(), "{said}");
}

#[test]
fn what_a_root_lacks_is_said() {
    let root = Root::busybox();
    root.write("user.toml", "name = \"user\"\n[[user]]\nname = \"lilly\"\nshell = \"/bin/sh\"\nsystem = true\n");
    let (code, said) = root.run(&["/provision", "apply", "/user.toml", "--yes"]);
    assert!(code == Some(1) && said.contains("useradd: no such program"), "{said}");
    root.write("nobody.toml", "name = \"nobody\"\n[[file]]\npath = \"/a\"\ncontent = \"a\"\nowner = \"lilly\"\n");
    let (code, said) = root.run(&["/provision", "apply", "/nobody.toml", "--yes"]);
    assert!(code == Some(1) && said.contains("`lilly`"), "{said}");
    assert!(!root.path("/a").exists());
}

#[test]
fn a_user_that_does_not_exist_is_looked_up_on_every_debian_with_every_name_service() {
    let recipe = "name = \"nobody\"\n\
        [[file]]\npath = \"/tmp/a\"\ncontent = \"a\"\nowner = \"nobody-here\"\n";
    let command = "name = \"as\"\n\
        [[command]]\nname = \"as\"\nuser = \"nobody-here\"\nargv = [\"/bin/true\"]\nonce = true\n";
    let known = "name = \"known\"\n[[file]]\npath = \"/tmp/b\"\ncontent = \"b\"\nowner = \"daemon\"\n";
    let with_glibc = PathBuf::from(env!("CARGO_BIN_EXE_provision"));
    let releases = ["bullseye", "bookworm", "trixie"];
    for (release, provision) in releases.iter().flat_map(|release| [(release, binary()), (release, with_glibc.clone())])
    {
        let root = Root::debian(release, &provision);
        for (name, text) in [("owner", recipe), ("command", command), ("known", known)] {
            root.write(&format!("{name}.toml"), text);
        }
        for services in ["files", "files systemd", "compat", "files sss", "compat systemd sss"] {
            root.write("etc/nsswitch.conf", &format!("passwd: {services}\ngroup: {services}\nshadow: {services}\n"));
            let about = |said: &str| format!("{release}, `passwd: {services}`, {}: {said}", provision.display());
            for name in ["owner", "command"] {
                for verb in ["plan", "apply", "status"] {
                    let (code, said) = root.run(&["/provision", verb, &format!("/{name}.toml")]);
                    assert_eq!(code, Some(1), "{name}, {verb}, {}", about(&said));
                    assert!(said.contains("nobody-here"), "{name}, {verb}, {}", about(&said));
                }
            }
            let _ = std::fs::remove_file(root.path("tmp/b"));
            let (code, said) = root.run(&["/provision", "apply", "/known.toml"]);
            assert_eq!(code, Some(0), "{}", about(&said));
            let owner = std::os::unix::fs::MetadataExt::uid(&root.path("tmp/b").metadata().unwrap());
            assert_eq!(owner, 1, "{}", about(&said));
        }
    }
}

/// Against /bin/true side by side, so that a slow machine slows both.
#[test]
fn it_starts_within_a_millisecond() {
    let time = |program: &Path, argument: &str| {
        let began = std::time::Instant::now();
        let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success());
        began.elapsed()
    };
    let binary = binary();
    let mut more: Vec<f64> = (0..201)
        .map(|_| {
            let floor = time(Path::new("/bin/true"), "");
            (time(&binary, "--version").as_secs_f64() - floor.as_secs_f64()) * 1e3
        })
        .collect();
    more.sort_by(f64::total_cmp);
    let median = more[more.len() / 2];
    println!("`provision --version` takes {median:.2} ms longer than /bin/true");
    assert!(median < 1.0, "`provision --version` takes {median:.2} ms longer than /bin/true");
}
