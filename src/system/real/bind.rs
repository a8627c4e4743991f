//! Showing something of this machine to a running container: a mount is cloned here and attached in its namespace.
#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "the tests look at the machine themselves"))]
use crate::error::{Attempt as _, Error, Result};
use crate::system::Bind;
use nix::sched::{CloneFlags, setns, unshare};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, chownat, mkdirat, open, openat, stat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags};
use rustix::mount::{mount_bind, mount_change, mount_remount, move_mount, open_tree};
use std::os::fd::OwnedFd;
use std::path::Path;

/// Mounts `bind.source` at `bind.target` as the process sees its files. Missing directories on the way are made.
pub(super) fn bind_into(bind: &Bind<'_>) -> Result<()> {
    let attempt =
        || format!("mounting `{}` at `{}` for process {}", bind.source.display(), bind.target.display(), bind.pid);
    let path = format!("/proc/{}/ns/mnt", bind.pid);
    let namespace =
        open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).attempt(|| format!("opening `{path}`"))?;
    // A thread of its own: it leaves our root directory and mounts behind, and ends with that.
    let attached = std::thread::scope(|scope| scope.spawn(|| attach(bind, &namespace)).join());
    attached.unwrap_or(Err(Errno::IO)).map_err(|errno| {
        Error::new(attempt()).because(&errno).remedy("see whether the target can be made inside, then run again")
    })
}

fn attach(bind: &Bind<'_>, namespace: &OwnedFd) -> Result<(), Errno> {
    unshare(CloneFlags::CLONE_FS).map_err(from_nix)?;
    if bind.read_only {
        // In a namespace of our own, so that it is never writable where it is going.
        unshare(CloneFlags::CLONE_NEWNS).map_err(from_nix)?;
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        mount_bind(bind.source, bind.source)?;
        mount_remount(bind.source, MountFlags::BIND | MountFlags::RDONLY, "")?;
    }
    let tree = open_tree(CWD, bind.source, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    let is_directory = FileType::from_raw_mode(stat(bind.source)?.st_mode) == FileType::Directory;
    setns(namespace, CloneFlags::CLONE_NEWNS).map_err(from_nix)?;
    make_target(bind.target, is_directory)?;
    move_mount(&tree, "", CWD, bind.target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Makes what something can be mounted on, as root inside would: it belongs to whom `/` belongs.
fn make_target(target: &Path, is_directory: bool) -> Result<(), Errno> {
    let root = stat("/")?;
    let (uid, gid) = (rustix::fs::Uid::from_raw(root.st_uid), rustix::fs::Gid::from_raw(root.st_gid));
    let mut parts: Vec<&Path> = target.ancestors().filter(|part| part.parent().is_some()).collect();
    parts.reverse();
    for part in parts {
        let made = if part == target && !is_directory {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(CWD, part, flags, Mode::from(0o644)).map(drop)
        } else {
            mkdirat(CWD, part, Mode::from(0o755))
        };
        match made {
            Ok(()) => chownat(CWD, part, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn from_nix(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// A process with a mount namespace of its own, as a container's first process has.
    struct Elsewhere(Child);

    impl Elsewhere {
        fn new() -> Self {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private", "sleep", "60"]);
            let child = command.stdout(Stdio::null()).spawn().unwrap();
            let ours = std::fs::read_link("/proc/self/ns/mnt").unwrap();
            let theirs = format!("/proc/{}/ns/mnt", child.id());
            for _ in 0..500 {
                if std::fs::read_link(&theirs).is_ok_and(|theirs| theirs != ours) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            Self(child)
        }

        fn sees(&self, path: &Path) -> bool {
            std::fs::metadata(format!("/proc/{}/root{}", self.0.id(), path.display())).is_ok()
        }
    }

    impl Drop for Elsewhere {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn what_is_bound_into_a_namespace_is_seen_there_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("source"), dir.path().join("a/b"));
        std::fs::create_dir(&source).unwrap();
        std::fs::write(source.join("mark"), "x").unwrap();
        let elsewhere = Elsewhere::new();
        let bind = Bind { pid: elsewhere.0.id(), source: &source, target: &target, read_only: false };
        bind_into(&bind).unwrap();
        assert!(elsewhere.sees(&target.join("mark")), "it is mounted there");
        assert!(!target.join("mark").exists(), "and not here");
    }

    #[test]
    fn what_is_read_only_there_stays_writable_here() {
        let dir = tempfile::tempdir().unwrap();
        let (source, target) = (dir.path().join("file"), dir.path().join("seen"));
        std::fs::write(&source, "x").unwrap();
        let elsewhere = Elsewhere::new();
        bind_into(&Bind { pid: elsewhere.0.id(), source: &source, target: &target, read_only: true }).unwrap();
        let there = format!("/proc/{}/root{}", elsewhere.0.id(), target.display());
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "x");
        let refused = std::fs::write(&there, "y").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(Errno::ROFS.raw_os_error()));
        std::fs::write(&source, "z").unwrap();
    }

    #[test]
    fn a_source_that_is_missing_is_an_error_that_names_it() {
        let bind = Bind {
            pid: std::process::id(),
            source: Path::new("/nonexistent/x"),
            target: Path::new("/mnt"),
            read_only: false,
        };
        let error = bind_into(&bind).unwrap_err();
        assert!(error.attempt.contains("/nonexistent/x") && error.causes[0].contains("No such file"), "{error:?}");
    }
}
