//! ACLs and extended attributes over a rewrite.
use super::*;
use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};

const ACL: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";
const CAPABILITIES: &str = "security.capability";
/// `cap_net_bind_service=ep`
const NET_BIND_SERVICE: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Returns an ACL by which user 7 may read, in the kernel's form: see `linux/posix_acl_xattr.h`.
fn acl(mask: u16) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries = [(1_u16, 6_u16, nobody), (2, 4, 7), (4, 4, nobody), (16, mask, nobody), (32, 0, nobody)];
    let entries = entries.iter().flat_map(|(tag, may, id)| {
        [tag.to_le_bytes().to_vec(), may.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()].concat()
    });
    2_u32.to_le_bytes().into_iter().chain(entries).collect()
}

fn set(path: &Path, name: &str, value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

fn get(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let size = lgetxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(size);
    Some(value)
}

#[test]
fn a_file_that_is_rewritten_keeps_its_acl_and_attributes_but_no_capability() {
    let world = World::new();
    let path = world.at("etc/shadow");
    set(&path, ACL, &acl(4));
    set(&path, "user.note", b"theirs");
    set(&path, CAPABILITIES, &NET_BIND_SERVICE);
    world.write("etc/shadow", "new", 0, 0o640).unwrap();
    assert_eq!(get(&path, ACL), Some(acl(4)));
    assert_eq!(get(&path, "user.note"), Some(b"theirs".to_vec()));
    assert_eq!(get(&path, CAPABILITIES), None);
    world.write("etc/shadow", "newer", 0, 0o600).unwrap();
    assert_eq!((get(&path, ACL), world.stat("etc/shadow").mode), (Some(acl(0)), 0o600), "the mode is the ACL's mask");
}

#[test]
fn what_another_owner_allowed_is_not_handed_on() {
    let world = World::new();
    let path = world.at("home/key");
    world.write("home/key", "theirs", USER, 0o640).unwrap();
    set(&path, ACL, &acl(4));
    world.write("home/key", "secret", 0, 0o640).unwrap();
    assert_eq!(get(&path, ACL), None);
}

#[test]
fn the_acl_of_a_directory_is_for_new_files_and_never_more_than_their_mode() {
    let world = World::new();
    world.write("etc/old", "old", 0, 0o640).unwrap();
    set(&world.at("etc"), DEFAULT, &acl(4));
    world.write("etc/old", "old, again", 0, 0o640).unwrap();
    assert_eq!(get(&world.at("etc/old"), ACL), None);
    world.write("etc/new", "new", 0, 0o640).unwrap();
    assert_eq!(get(&world.at("etc/new"), ACL), Some(acl(4)));
    world.write("etc/secret", "secret", 0, 0o600).unwrap();
    assert_eq!((get(&world.at("etc/secret"), ACL), world.stat("etc/secret").mode), (Some(acl(0)), 0o600));
}

#[test]
fn a_copy_has_all_of_it() {
    let world = World::new();
    world.write("home/key", "theirs", USER, 0o4640).unwrap();
    set(&world.at("home/key"), ACL, &acl(4));
    set(&world.at("home/key"), "user.note", b"theirs");
    set(&world.at("home/key"), CAPABILITIES, &NET_BIND_SERVICE);
    world.write("etc/copy", "before", 0, 0o600).unwrap();
    world.real.copy(&world.at("home/key"), &world.at("etc/copy")).unwrap();
    let stat = world.stat("etc/copy");
    assert_eq!((stat.uid, stat.gid, stat.mode), (USER, USER, 0o4640));
    assert_eq!(get(&world.at("etc/copy"), ACL), Some(acl(4)));
    assert_eq!(get(&world.at("etc/copy"), "user.note"), Some(b"theirs".to_vec()));
    assert_eq!(get(&world.at("etc/copy"), CAPABILITIES), Some(NET_BIND_SERVICE.to_vec()));
    assert_eq!(world.real.read(&world.at("etc/copy")).unwrap(), b"theirs");
}
