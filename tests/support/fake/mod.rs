//! A machine in memory: a file system and programs that are functions. It counts every write and can be killed at any of them.
mod accounts;
mod apt;
mod coreutils;
mod disk;
mod exportfs;
mod git;
mod lxc;
mod machine;
mod network;
mod npm;
mod systemctl;
mod text;

pub use machine::{FakeMachine, PowerLost};
pub use text::Table;

use provision::system::{Command, Output};

/// A program of the fake machine: reads and writes its disk, and answers.
pub type Program = fn(&FakeMachine, &Command) -> Output;

/// The programs that a fake machine has, by name.
pub const PROGRAMS: &[(&str, Program)] = &[
    ("true", |_, _| answer(0, "")),
    ("visudo", |_, _| answer(0, "")),
    ("false", |_, _| answer(1, "")),
    ("useradd", accounts::useradd),
    ("usermod", accounts::usermod),
    ("userdel", accounts::userdel),
    ("groupadd", accounts::groupadd),
    ("groupmod", accounts::groupmod),
    ("groupdel", accounts::groupdel),
    ("chroot", lxc::rootfs),
    ("chpasswd", accounts::chpasswd),
    ("cat", coreutils::cat),
    ("cp", coreutils::cp),
    ("chown", coreutils::chown),
    ("echo", coreutils::echo),
    ("exportfs", exportfs::exportfs),
    ("git", git::git),
    ("id", coreutils::id),
    ("ifdown", network::ifdown),
    ("ifup", network::ifup),
    ("ip", network::ip),
    ("nft", network::nft),
    ("lxc-attach", lxc::attach),
    ("lxc-cgroup", lxc::cgroup),
    ("lxc-start", lxc::start),
    ("lxc-stop", lxc::stop),
    ("lxc-usernsexec", lxc::usernsexec),
    ("rm", coreutils::rm),
    ("sed", lxc::sed),
    ("sh", coreutils::sh),
    ("tar", lxc::rootfs),
    ("tee", coreutils::tee),
    ("test", coreutils::test),
    ("touch", coreutils::touch),
    ("systemctl", systemctl::systemctl),
    ("journalctl", systemctl::journalctl),
    ("apt-get", apt::apt_get),
    ("apt-cache", apt::apt_cache),
    ("apt-mark", apt::apt_mark),
    ("apt-repository", apt::apt_repository),
    ("dpkg", apt::dpkg),
    ("dpkg-deb", apt::dpkg_deb),
    ("npm", npm::npm),
];

/// Returns an answer: code and stdout.
pub fn answer(code: i32, stdout: &str) -> Output {
    Output { code, stdout: stdout.as_bytes().to_vec(), stderr: Vec::new() }
}

/// Returns a failure with a message on stderr.
pub fn refuse(code: i32, stderr: &str) -> Output {
    Output { code, stdout: Vec::new(), stderr: stderr.as_bytes().to_vec() }
}
