//! Every case of every kind keeps the contract on a real machine, too: a disposable one, in which this very test runs again.
use crate::lab::on_a_disposable_machine;
use crate::support::{case, contract, web};
use provision::system::Real;

#[test]
fn every_case_keeps_the_contract_on_a_real_machine() {
    let packages = ["git", "nfs-kernel-server", "nftables", "sudo"];
    on_a_disposable_machine("e2e_cases::every_case_keeps_the_contract_on_a_real_machine", &packages, || {
        let sys = Real::new("/var/lib/provision");
        let cases: Vec<_> = case::all().into_iter().filter(|case| case.only_fake.is_none()).collect();
        web::serve(&cases);
        let broken: Vec<String> = cases.iter().filter_map(|case| contract::on_this_machine(case, &sys).err()).collect();
        assert!(broken.is_empty(), "{} of {} cases:\n\n{}", broken.len(), cases.len(), broken.join("\n\n"));
        println!("{} cases kept the contract", cases.len());
    });
}
