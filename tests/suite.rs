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
mod aftermath;
mod agent;
mod approval;
mod bars;
mod begin;
mod bootstrap;
mod bootstrap_trust;
mod bug_report;
mod bundles;
mod cli;
mod completions;
mod containers;
mod documents;
mod faults;
mod heirs;
mod history;
mod import;
mod itself;
mod json_schema;
mod kinds;
mod labels;
mod ledger;
mod ledger_on_disk;
mod ledger_properties;
mod ledger_rotation;
mod manual;
mod orphans;
mod preflight;
mod real_git;
mod release;
mod report;
mod schedule;
mod software;
mod support;
mod wrong_recipes;
