//! What a user can do to root's writes: nothing.
#![expect(clippy::disallowed_methods, reason = "the tests look at the machine themselves")]
mod attributes;
mod obstacles;
mod second_names;
mod validators;

use crate::error::{Error, Result};
use crate::system::{Body, FileKind, NewFile, Real, Stat, System as _};
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A user of whom nothing here needs to know more than the number.
const USER: u32 = 54_321;

/// A directory of root's with one of a user's in it, and a file of root's that the user would like to have.
struct World {
    root: TempDir,
    real: Real,
}

impl World {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        let world = Self { root, real: Real::new("/nonexistent") };
        world.real.make_dir(&world.at("home"), USER, USER, 0o755).unwrap();
        world.real.make_dir(&world.at("etc"), 0, 0, 0o755).unwrap();
        world.write("etc/shadow", "root's", 0, 0o600).unwrap();
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, content: &str, owner: u32, mode: u32) -> Result<()> {
        let file = NewFile { content: content.as_bytes(), uid: owner, gid: owner, mode };
        self.real.write(&self.at(name), &file, &|_| Ok(()))
    }

    fn stat(&self, name: &str) -> Stat {
        self.real.lstat(&self.at(name)).unwrap().unwrap()
    }

    fn names(&self, name: &str) -> Vec<String> {
        let names = self.real.list(&self.at(name)).unwrap();
        names.into_iter().map(|name| name.into_string().unwrap()).collect()
    }

    #[track_caller]
    fn shadow_is_untouched(&self) {
        let stat = self.stat("etc/shadow");
        assert_eq!((stat.uid, stat.gid, stat.mode, stat.size), (0, 0, 0o600, 6));
        assert_eq!(self.names("etc"), ["shadow"]);
    }
}

#[test]
fn owner_and_mode_are_set_before_the_file_is_in_place() {
    let world = World::new();
    let path = world.at("home/key");
    let file = NewFile { content: b"new", uid: USER, gid: 7, mode: 0o4750 };
    let approve = |candidate: &Path| {
        assert!(world.real.lstat(&path).unwrap().is_none(), "not in place yet");
        assert_eq!(world.names("home"), [".key.provision-new"]);
        let stat = world.stat("home/.key.provision-new");
        assert_eq!((stat.kind, stat.uid, stat.gid, stat.mode), (FileKind::File, USER, 7, 0o4750));
        assert_eq!(world.real.read(candidate).unwrap(), b"new");
        Ok(())
    };
    world.real.write(&path, &file, &approve).unwrap();
    assert_eq!((world.stat("home/key").mode, world.names("home")), (0o4750, vec!["key".to_owned()]));
}

#[test]
fn a_candidate_that_is_not_approved_leaves_the_old_file_and_no_temporary() {
    let world = World::new();
    world.write("home/key", "old", USER, 0o600).unwrap();
    let file = NewFile { content: b"new", uid: USER, gid: USER, mode: 0o600 };
    let error = world.real.write(&world.at("home/key"), &file, &|_| Err(Error::new("checking"))).unwrap_err();
    assert_eq!(error.causes, ["checking"]);
    assert_eq!(world.real.read(&world.at("home/key")).unwrap(), b"old");
    assert_eq!(world.names("home"), ["key"]);
}

#[test]
fn what_a_killed_run_left_is_replaced_whatever_it_is() {
    let world = World::new();
    let left = world.at("home/.key.provision-new");
    for make in [
        |left: &Path| std::fs::write(left, "half").unwrap(),
        |left: &Path| symlink("/etc/passwd", left).unwrap(),
        |left: &Path| nix::unistd::mkfifo(left, nix::sys::stat::Mode::S_IRWXU).unwrap(),
        |left: &Path| std::fs::create_dir(left).unwrap(),
    ] {
        make(&left);
        world.write("home/key", "whole", USER, 0o600).unwrap();
        assert_eq!(world.names("home"), ["key"]);
        make(&left);
        world.real.symlink(Path::new("there"), &world.at("home/key"), USER, USER).unwrap();
        assert_eq!(world.names("home"), ["key"]);
        world.real.remove_file(&world.at("home/key")).unwrap();
        make(&left);
        world.real.make_dir(&world.at("home/key"), USER, USER, 0o2750).unwrap();
        let stat = world.stat("home/key");
        assert_eq!((stat.kind, stat.uid, stat.mode), (FileKind::Directory, USER, 0o2750));
        world.real.remove_dir(&world.at("home/key")).unwrap();
        assert_eq!(world.names("home"), [""; 0]);
    }
}

#[test]
fn a_lock_that_a_user_holds_holds_nobody_up() {
    let world = World::new();
    let left = std::fs::File::create(world.at("home/.key.provision-new")).unwrap();
    left.lock().unwrap();
    world.write("home/key", "whole", USER, 0o600).unwrap();
    assert_eq!(world.names("home"), ["key"]);
}

#[test]
fn names_that_are_not_utf8_are_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new();
    std::fs::create_dir(world.at("home/tree")).unwrap();
    let odd = world.at("home/tree").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&odd).unwrap();
    world.real.write(&odd.join("x"), &NewFile { content: b"x", uid: 0, gid: 0, mode: 0o600 }, &|_| Ok(())).unwrap();
    let there = world.real.capture(&world.at("home/tree")).unwrap().unwrap();
    assert_eq!(there.body, Body::Directory(vec![odd.file_name().unwrap().to_owned()]));
    let error = world.real.remove_dir(&world.at("home/tree")).unwrap_err();
    assert!(error.causes[0].contains("not empty"), "{error:?}");
    world.real.remove_tree(&world.at("home/tree")).unwrap();
}

#[test]
fn a_directory_is_not_put_over_anything() {
    let world = World::new();
    symlink("/etc", world.at("home/link")).unwrap();
    world.write("home/file", "x", USER, 0o600).unwrap();
    std::fs::create_dir(world.at("home/empty")).unwrap();
    for path in ["home/link", "home/file", "home/empty"] {
        let error = world.real.make_dir(&world.at(path), 0, 0, 0o755).unwrap_err();
        assert_eq!(error.causes, ["something is there already"]);
    }
    assert_eq!(world.names("home"), ["empty", "file", "link"]);
}

#[test]
fn two_writers_of_one_file_do_not_mix() {
    let world = World::new();
    let file = NewFile { content: b"first", uid: 0, gid: 0, mode: 0o600 };
    let second = |_: &Path| {
        let error = world.write("etc/shadow", "second", 0, 0o600).unwrap_err();
        assert!(error.causes.contains(&"somebody else is writing the same file".to_owned()), "{error:?}");
        Ok(())
    };
    world.real.write(&world.at("etc/shadow"), &file, &second).unwrap();
    assert_eq!(world.real.read(&world.at("etc/shadow")).unwrap(), b"first");
}

#[test]
fn a_name_of_255_bytes_can_be_written() {
    let world = World::new();
    let name = format!("home/{}", "n".repeat(255));
    world.write(&name, "x", 0, 0o600).unwrap();
    world.write(&name, "y", 0, 0o600).unwrap();
    assert_eq!(world.names("home").len(), 1);
}

#[test]
fn a_file_over_a_directory_is_refused() {
    let world = World::new();
    let error = world.write("home", "x", 0, 0o600).unwrap_err();
    assert_eq!(error.attempt, format!("writing `{}`", world.at("home").display()));
    assert_eq!(error.causes, ["a directory is there"]);
    assert!(world.real.symlink(Path::new("x"), &world.at("home"), 0, 0).is_err());
}

#[test]
fn a_link_in_a_users_directory_is_never_followed() {
    let world = World::new();
    let real = &world.real;
    symlink(world.at("etc"), world.at("home/sub")).unwrap();
    symlink(world.at("etc/shadow"), world.at("home/key")).unwrap();
    let below = world.at("home/sub/shadow");
    let file = NewFile { content: b"theirs", uid: USER, gid: USER, mode: 0o666 };
    assert!(real.write(&below, &file, &|_| Ok(())).is_err());
    assert!(real.make_dir(&world.at("home/sub/new"), USER, USER, 0o755).is_err());
    assert!(real.symlink(Path::new("x"), &world.at("home/sub/new"), USER, USER).is_err());
    assert!(real.chown(&below, USER, USER).is_err() && real.chmod(&below, 0o666).is_err());
    assert!(real.rename(&below, &world.at("home/got")).is_err());
    assert!(real.rename(&world.at("home/key"), &below).is_err());
    assert!(real.look(&below).is_err() && real.capture(&below).is_err());
    assert!(real.copy(&below, &world.at("home/got")).is_err());
    assert!(real.copy(&world.at("home/key"), &below).is_err());
    assert!(real.remove_file(&below).is_err() && real.remove_tree(&world.at("home/sub/x")).is_err());
    assert!(real.remove_tree(&world.at("home/sub")).is_err(), "a link is no tree");
    world.shadow_is_untouched();

    assert!(real.chmod(&world.at("home/key"), 0o666).is_err(), "a link has no mode");
    real.chown(&world.at("home/key"), USER, USER).unwrap();
    assert_eq!(world.stat("home/key").uid, USER, "the link itself");
    world.write("home/key", "mine", USER, 0o600).unwrap();
    assert_eq!(world.stat("home/key").kind, FileKind::File, "the link is replaced");
    world.shadow_is_untouched();
}

#[test]
fn a_link_that_a_user_swaps_in_is_never_written_through() {
    let world = World::new();
    std::fs::create_dir(world.at("home/sub")).unwrap();
    chown(world.at("home/sub"), Some(USER), Some(USER)).unwrap();
    symlink(world.at("etc"), world.at("home/trap")).unwrap();
    let (sub, trap, aside) = (world.at("home/sub"), world.at("home/trap"), world.at("home/aside"));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                std::fs::rename(&sub, &aside).unwrap();
                std::fs::rename(&trap, &sub).unwrap();
                std::fs::rename(&sub, &trap).unwrap();
                std::fs::rename(&aside, &sub).unwrap();
            }
        });
        let mut written = 0;
        for _ in 0..300 {
            written += usize::from(world.write("home/sub/shadow", "theirs", USER, 0o666).is_ok());
            let _swapped = world.real.chmod(&world.at("home/sub/shadow"), 0o666);
            let _swapped = world.real.remove_file(&world.at("home/sub/shadow"));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(written > 0, "the race is run both ways");
    });
    world.shadow_is_untouched();
}

#[test]
fn a_link_of_roots_is_followed_but_not_into_a_users_links() {
    let world = World::new();
    // The temporary directory itself may be anybody's: begin where only root writes.
    let root = TempDir::new_in("/var/lib").unwrap();
    let at = |name: &str| root.path().join(name);
    let file = NewFile { content: b"x", uid: 0, gid: 0, mode: 0o600 };
    world.real.make_dir(&at("true"), 0, 0, 0o755).unwrap();
    world.real.make_dir(&at("user"), USER, USER, 0o755).unwrap();
    symlink("true", at("relative")).unwrap();
    symlink(at("user/../true"), at("absolute")).unwrap();
    symlink("../../../../..", at("root")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink(at("true"), at("user/link")).unwrap();
    symlink("user/link", at("through")).unwrap();
    world.real.write(&at("relative/a"), &file, &|_| Ok(())).unwrap();
    assert_eq!(world.real.list(&at("true")).unwrap(), ["a"]);
    for bad in ["loop", "user/link", "through"] {
        assert!(world.real.write(&at(bad).join("b"), &file, &|_| Ok(())).is_err(), "{bad}");
    }
    let error = world.real.look(&at("through/a")).unwrap_err();
    let reason = format!("`{}` is a link that others than root can have put there", at("user/link").display());
    assert_eq!(error.causes, [format!("opening `{}`", at("through").display()), reason]);
    assert_eq!(world.real.list(&at("true")).unwrap(), ["a"]);
    // What is passed on the way up is left again.
    world.real.write(&at("absolute/c"), &file, &|_| Ok(())).unwrap();
    assert_eq!(world.real.list(&at("true")).unwrap(), ["a", "c"]);
    assert!(world.real.look(&at("root/etc/passwd")).unwrap().is_some(), "above / is /");
    assert!(world.real.look(Path::new("/")).unwrap().is_some_and(|is| is.kind == FileKind::Directory));
    assert!(world.real.write(Path::new("/proc/self/root/b"), &file, &|_| Ok(())).is_err(), "a link of /proc");
}

#[test]
fn in_a_directory_as_tmp_what_is_roots_is_roots_and_no_link_is_followed() {
    let world = World::new();
    let tmp = world.at("tmp");
    world.real.make_dir(&tmp, 0, 0, 0o1777).unwrap();
    world.real.make_dir(&tmp.join("roots"), 0, 0, 0o755).unwrap();
    world.real.make_dir(&tmp.join("users"), USER, USER, 0o755).unwrap();
    for inside in ["roots", "users"] {
        symlink(world.at("etc"), tmp.join(inside).join("link")).unwrap();
    }
    symlink(world.at("etc"), tmp.join("link")).unwrap();
    let shadow = |link: &str| world.real.look(&tmp.join(link).join("shadow"));
    assert!(shadow("roots/link").unwrap().is_some());
    assert!(shadow("users/link").is_err() && shadow("link").is_err());
    world.shadow_is_untouched();
}

#[test]
fn a_tree_is_removed_without_what_its_links_point_to() {
    let world = World::new();
    std::fs::create_dir_all(world.at("home/tree/a/b")).unwrap();
    std::fs::write(world.at("home/tree/a/b/file"), "x").unwrap();
    symlink(world.at("etc"), world.at("home/tree/link")).unwrap();
    world.real.remove_tree(&world.at("home/tree")).unwrap();
    world.real.remove_tree(&world.at("home/tree")).unwrap();
    assert_eq!(world.names("home"), [""; 0]);
    world.shadow_is_untouched();
}

#[test]
fn a_tree_with_a_mount_in_it_is_left_whole() {
    use nix::mount::{MsFlags, mount, umount};
    let world = World::new();
    std::fs::create_dir_all(world.at("home/tree/mounted")).unwrap();
    std::fs::write(world.at("home/tree/file"), "x").unwrap();
    let none = None::<&str>;
    mount(Some(&world.at("etc")), &world.at("home/tree/mounted"), none, MsFlags::MS_BIND, none).unwrap();
    let refused = world.real.remove_tree(&world.at("home/tree"));
    umount(&world.at("home/tree/mounted")).unwrap();
    let error = refused.unwrap_err();
    assert!(error.causes.iter().any(|cause| cause.ends_with("is mounted there")), "{error:?}");
    assert_eq!(world.names("home/tree"), ["file", "mounted"]);
    world.shadow_is_untouched();
}

#[test]
fn what_is_not_there_is_removed_already() {
    let world = World::new();
    for path in ["none", "none/below", "etc/shadow/below"] {
        let path = world.at(path);
        world.real.remove_file(&path).unwrap();
        world.real.remove_dir(&path).unwrap();
        world.real.remove_tree(&path).unwrap();
        assert_eq!(world.real.lstat(&path).unwrap(), None);
        assert_eq!(world.real.read(&path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}

#[test]
fn files_of_every_size_are_read_whole() {
    let world = World::new();
    for size in [0, 1, 4096, 100_000] {
        let content = "x".repeat(size);
        world.write("home/sized", &content, 0, 0o600).unwrap();
        assert_eq!(world.real.read(&world.at("home/sized")).unwrap(), content.as_bytes());
    }
    assert!(world.real.read(Path::new("/proc/self/status")).unwrap().len() > 100);
    assert!(world.real.read(Path::new("/proc/sys/kernel/hostname")).unwrap().ends_with(b"\n"));
    nix::unistd::mkfifo(&world.at("home/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(world.real.read(&world.at("home/pipe")).is_err(), "a pipe is not waited for");
}
