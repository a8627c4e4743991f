//! What root cannot write over is left as it is, and said with what to do.
use super::*;
use nix::mount::{MsFlags, mount, umount};
use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};

/// Flags as chattr(1) sets them, until this is dropped.
struct Flagged(PathBuf, IFlags);

impl Flagged {
    fn new(path: PathBuf, flags: IFlags) -> Self {
        let flagged = Self(path, flags);
        flagged.set(|now| now | flags);
        flagged
    }

    fn set(&self, to: impl Fn(IFlags) -> IFlags) {
        let file = std::fs::File::open(&self.0).unwrap();
        ioctl_setflags(&file, to(ioctl_getflags(&file).unwrap())).unwrap();
    }
}

impl Drop for Flagged {
    fn drop(&mut self) {
        self.set(|now| now - self.1);
    }
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        umount(&self.0).unwrap();
    }
}

#[track_caller]
fn says(error: &Error, cause: &str, remedy: &str) {
    assert!(error.causes.iter().any(|said| said == cause), "{error:?}");
    assert_eq!(error.remedy.as_deref(), Some(remedy));
}

#[test]
fn what_is_immutable_is_left_with_how_to_unlock_it() {
    for (flag, what, letter) in [(IFlags::IMMUTABLE, "immutable", 'i'), (IFlags::APPEND, "append-only", 'a')] {
        for flagged in ["etc/shadow", "etc"] {
            let world = World::new();
            let path = world.at(flagged);
            let _until_then = Flagged::new(path.clone(), flag);
            let cause = format!("`{}` is {what} (chattr +{letter})", path.display());
            let remedy = format!("run `chattr -{letter} {}`, then run again", path.display());
            let file = world.at("etc/shadow");
            let refused = [
                world.write("etc/shadow", "x", 0, 0o600),
                world.real.symlink(Path::new("x"), &file, 0, 0),
                world.real.remove_file(&file),
                world.real.rename(&file, &world.at("home/shadow")),
                world.real.copy(&world.at("etc/shadow"), &file),
            ];
            for error in refused {
                says(&error.unwrap_err(), &cause, &remedy);
            }
            says(&world.real.chown(&path, USER, USER).unwrap_err(), &cause, &remedy);
            says(&world.real.chmod(&path, 0o666).unwrap_err(), &cause, &remedy);
            if flagged == "etc" {
                says(&world.real.make_dir(&world.at("etc/new"), 0, 0, 0o755).unwrap_err(), &cause, &remedy);
                says(&world.write("etc/new", "x", 0, 0o600).unwrap_err(), &cause, &remedy);
            }
            says(&world.real.remove_tree(&world.at("etc")).unwrap_err(), &cause, &remedy);
            world.shadow_is_untouched();
        }
    }
}

#[test]
fn a_file_on_which_something_is_mounted_is_left() {
    let world = World::new();
    let (source, target) = (world.at("home/source"), world.at("etc/shadow"));
    std::fs::write(&source, "mounted").unwrap();
    let none = None::<&str>;
    mount(Some(&source), &target, none, MsFlags::MS_BIND, none).unwrap();
    let until_then = Mounted(target.clone());
    let cause = "something is mounted there, so that nothing can take its place";
    let remedy = format!("run `umount {}`, or change what is mounted there", target.display());
    says(&world.write("etc/shadow", "x", 0, 0o600).unwrap_err(), cause, &remedy);
    says(&world.real.remove_file(&target).unwrap_err(), cause, &remedy);
    assert_eq!(world.names("etc"), ["shadow"], "no temporary");
    world.real.chmod(&target, 0o640).unwrap();
    assert_eq!(world.stat("home/source").mode, 0o640, "owner and mode are those of what is mounted");
    drop(until_then);
    world.shadow_is_untouched();
}

#[test]
fn a_directory_on_which_something_is_mounted_is_left() {
    let world = World::new();
    let target = world.at("home/mounted");
    std::fs::create_dir(&target).unwrap();
    mount(Some("none"), &target, Some("tmpfs"), MsFlags::MS_RDONLY, None::<&str>).unwrap();
    let _until_then = Mounted(target.clone());
    let remedy = format!("run `umount {}`, or change what is mounted there", target.display());
    let cause = "something is mounted there, so that nothing can take its place";
    says(&world.real.remove_dir(&target).unwrap_err(), cause, &remedy);
    let read_only = "Read-only file system (os error 30)";
    let remedy = "mount that file system read-write, then run again";
    says(&world.write("home/mounted/x", "x", 0, 0o600).unwrap_err(), read_only, remedy);
    says(&world.real.make_dir(&target.join("x"), 0, 0, 0o755).unwrap_err(), read_only, remedy);
    says(&world.real.chmod(&target, 0o700).unwrap_err(), read_only, remedy);
}

#[test]
fn a_full_disk_leaves_the_old_file_and_no_temporary() {
    let world = World::new();
    let target = world.at("home/small");
    std::fs::create_dir(&target).unwrap();
    mount(Some("none"), &target, Some("tmpfs"), MsFlags::empty(), Some("size=64k")).unwrap();
    let _until_then = Mounted(target.clone());
    world.write("home/small/x", "old", 0, 0o600).unwrap();
    let error = world.write("home/small/x", &"x".repeat(200_000), 0, 0o600).unwrap_err();
    says(&error, "No space left on device (os error 28)", "free some space, then run again");
    assert_eq!((world.names("home/small"), world.stat("home/small/x").size), (vec!["x".to_owned()], 3));
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let world = World::new();
    let pipe = world.at("etc/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.at("etc/socket")).unwrap();
    for path in ["etc/pipe", "etc/socket"] {
        let error = world.write(path, "x", 0, 0o600).unwrap_err();
        says(&error, "a device, socket or pipe is there", "remove it, or choose another path");
        assert!(world.real.symlink(Path::new("x"), &world.at(path), 0, 0).is_err());
        assert!(world.real.copy(&world.at(path), &world.at("etc/copy")).is_err());
        assert_eq!(world.real.capture(&world.at(path)).unwrap().unwrap().body, Body::Other);
    }
    assert_eq!(world.names("etc"), ["pipe", "shadow", "socket"]);
}
