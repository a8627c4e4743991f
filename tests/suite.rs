//! Everything that needs no container: a module a theme.
#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test binary has no outside, shares its support and looks at the machine itself"
)]
mod accounts_and_files;
mod agent;
mod cli;
mod containers;
mod documents;
mod kinds;
mod ledger;
mod real_git;
mod report;
mod software;
mod support;
mod wrong_recipes;
