//! What the tests share: the fake machine, the cases as data, the contract that every kind keeps.
pub mod case;
pub mod contract;
pub mod fake;
pub mod real_container;
pub mod recorder;
pub mod run;
pub mod watched;
