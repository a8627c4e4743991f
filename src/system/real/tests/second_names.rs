//! Hard links: a user must not get at another's file through a second name of it.
use super::*;

#[test]
fn a_second_name_of_anothers_file_is_not_given_away() {
    let world = World::new();
    std::fs::hard_link(world.at("etc/shadow"), world.at("home/key")).unwrap();
    let error = world.real.chown(&world.at("home/key"), USER, USER).unwrap_err();
    assert!(error.causes.iter().any(|cause| cause.contains("second hard link")), "{error:?}");
    assert!(world.real.chmod(&world.at("home/key"), 0o666).is_err());
    assert!(world.real.capture(&world.at("home/key")).is_err(), "nor read");
    assert!(world.real.copy(&world.at("home/key"), &world.at("home/got")).is_err(), "nor kept");
    world.shadow_is_untouched();
}

#[test]
fn a_second_name_of_the_users_own_file_is_theirs() {
    let world = World::new();
    world.write("home/one", "mine", USER, 0o600).unwrap();
    std::fs::hard_link(world.at("home/one"), world.at("home/two")).unwrap();
    let there = world.real.capture(&world.at("home/two")).unwrap().unwrap();
    assert_eq!(there.body, Body::File(b"mine".to_vec()));
    world.real.chmod(&world.at("home/two"), 0o640).unwrap();
    assert_eq!(world.stat("home/one").mode, 0o640);
    world.write("home/two", "written", USER, 0o600).unwrap();
    assert_eq!(world.real.read(&world.at("home/one")).unwrap(), b"mine", "the other name keeps what it had");
}
