//! Every case of every kind keeps the contract on the fake machine.
use crate::support::case;
use crate::support::contract;

#[test]
fn every_case_keeps_the_contract_on_the_fake_machine() {
    let cases: Vec<_> = case::all().into_iter().filter(|case| case.only_real.is_none()).collect();
    let broken: Vec<String> = cases.iter().filter_map(|case| contract::on_a_fake_machine(case).err()).collect();
    assert!(broken.is_empty(), "{} of {} cases:\n\n{}", broken.len(), cases.len(), broken.join("\n\n"));
}

#[test]
fn what_the_ledger_remembers_is_enough_to_take_away_every_kind_wherever_it_is_killed() {
    let cases: Vec<_> = case::all().into_iter().filter(|case| case.only_real.is_none()).collect();
    let broken: Vec<String> = cases.iter().filter_map(|case| contract::as_orphans(case).err()).collect();
    assert!(broken.is_empty(), "{} of {} cases:\n\n{}", broken.len(), cases.len(), broken.join("\n\n"));
}
