//! Every case of every kind keeps the contract on a real machine, too: a disposable one, in which this very test runs again.
use crate::lab::Lab;
use crate::support::{case, contract};
use provision::system::Real;
use std::path::Path;

/// Says that a machine is there to be changed.
const DISPOSABLE: &str = "/run/provision-disposable";

#[test]
fn every_case_keeps_the_contract_on_a_real_machine() {
    if Path::new(DISPOSABLE).exists() {
        on_this_machine();
    } else {
        in_a_disposable_one();
    }
}

fn on_this_machine() {
    let sys = Real::new("/var/lib/provision");
    let cases: Vec<_> = case::all().into_iter().filter(|case| case.only_fake.is_none()).collect();
    let broken: Vec<String> = cases.iter().filter_map(|case| contract::on_this_machine(case, &sys).err()).collect();
    assert!(broken.is_empty(), "{} of {} cases:\n\n{}", broken.len(), cases.len(), broken.join("\n\n"));
    println!("{} cases kept the contract", cases.len());
}

fn in_a_disposable_one() {
    let lab = Lab::up(&["git", "nfs-kernel-server", "nftables", "sudo"]);
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    for kind in std::fs::read_dir(&cases).unwrap().flatten().filter(|kind| kind.path().is_dir()) {
        for file in std::fs::read_dir(kind.path()).unwrap().flatten() {
            lab.put(&file.path(), &file.path().display().to_string());
        }
    }
    lab.put(&std::env::current_exe().unwrap(), "/run/e2e");
    lab.sh(&format!("touch {DISPOSABLE}"));
    let answer =
        lab.run(&["/run/e2e", "--exact", "e2e_cases::every_case_keeps_the_contract_on_a_real_machine", "--nocapture"]);
    println!("{}", answer.stdout);
    assert_eq!(answer.code, 0, "{}\n{}", answer.stdout, answer.stderr);
}
