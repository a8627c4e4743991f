//! What is approved is what is put in place, and can be run before it is.
use super::*;
use crate::system::Command;

fn approved(world: &World, path: &Path, mode: u32, approve: &dyn Fn(&Path)) {
    let file = NewFile { content: b"#!/bin/sh\nexit 7\n", uid: 0, gid: 0, mode };
    let approve = |candidate: &Path| {
        approve(candidate);
        Ok(())
    };
    world.real.write(path, &file, &approve).unwrap();
}

#[test]
fn a_program_is_run_before_it_is_in_place() {
    let world = World::new();
    for path in ["home/tool", "etc/tool"] {
        approved(&world, &world.at(path), 0o755, &|candidate| {
            let run = world.real.run(&Command::new([candidate.to_str().unwrap()])).unwrap();
            assert_eq!(run.code, 7, "{run:?}");
        });
    }
}

#[test]
fn where_root_alone_writes_the_candidate_is_beside_its_place() {
    let world = World::new();
    let path = world.at("etc/tool");
    approved(&world, &path, 0o755, &|candidate| assert_eq!(candidate, world.at("etc/.tool.provision-new")));
}

#[test]
fn what_a_user_swaps_in_is_not_what_is_approved() {
    let world = World::new();
    let path = world.at("home/tool");
    let file = NewFile { content: b"ours", uid: USER, gid: USER, mode: 0o600 };
    let swapped = |candidate: &Path| {
        let beside = world.at("home/.tool.provision-new");
        std::fs::rename(&beside, world.at("home/aside")).unwrap();
        symlink(world.at("etc/shadow"), &beside).unwrap();
        assert_eq!(std::fs::read(candidate).unwrap(), b"ours");
        Ok(())
    };
    let error = world.real.write(&path, &file, &swapped).unwrap_err();
    assert!(error.causes.contains(&"somebody else is writing the same file".to_owned()), "{error:?}");
    assert!(world.real.look(&path).unwrap().is_none(), "what was swapped in is not put in place");
    world.shadow_is_untouched();
}
