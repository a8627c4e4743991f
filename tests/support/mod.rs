//! What the tests share: the fake machine, the cases as data, the contract that every kind keeps.
pub mod act;
pub mod book;
pub mod case;
pub mod contract;
pub mod deed;
pub mod fake;
pub mod killed;
pub mod mortal;
pub mod place;
pub mod pristine;
pub mod pty;
pub mod real_container;
pub mod recorder;
pub mod run;
pub mod sight;
pub mod watched;
pub mod web;
