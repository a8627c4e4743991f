//! The main job on real containers: all seven members, in a disposable host with systemd as PID 1.
#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::type_complexity,
    reason = "a test binary has no outside, shares its support, looks at the machine itself, says how far it is, and gives fields \
              and steps where they are used"
)]
mod e2e_accounts;
mod e2e_adopted;
mod e2e_apt;
mod e2e_apt_killed;
mod e2e_binary;
mod e2e_bootstrap;
mod e2e_cases;
mod e2e_clone;
// It reads the registers of this processor.
#[cfg(target_arch = "x86_64")]
mod e2e_clock;
mod e2e_container;
mod e2e_cut;
mod e2e_deb;
mod e2e_documents;
mod e2e_each_call;
mod e2e_faults;
mod e2e_guides;
mod e2e_hostile;
mod e2e_job;
mod e2e_killed;
mod e2e_network;
mod e2e_npm;
mod e2e_orphans;
mod e2e_pct;
mod e2e_random;
mod e2e_readme;
mod e2e_release;
mod e2e_replay;
mod e2e_report;
mod e2e_rotation;
mod e2e_schedule;
mod e2e_torture;
mod e2e_units;
#[path = "support/lab.rs"]
mod lab;
mod support;
