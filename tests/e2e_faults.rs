//! What goes wrong under the real binary on a real machine: each fault ends in an error that says what was attempted, why it
//! failed and what to do; nothing is left half written, and the next run converges.
mod apt;
mod disk;
mod web;

use crate::lab::on_a_furnished_machine;
use crate::support::place::{Place, Ran};
use std::path::Path;

/// Runs `body` in a disposable machine that has the binary.
fn on_a_machine(test: &str, body: impl FnOnce()) {
    let binary = env!("CARGO_BIN_EXE_provision");
    on_a_furnished_machine(&format!("e2e_faults::{test}"), &[], |lab| lab.put(Path::new(binary), binary), body);
}

/// An apply of a part of the recipe, or of all of it (`*`).
fn apply(place: &Place, only: &str) -> Ran {
    place.run(&["apply", "web.toml", "--yes", "--only", only])
}

/// That it ended with 1, told the cause and, as its last word, what to do.
#[track_caller]
fn says(ran: &Ran, cause: &str, remedy: &str) {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(ran.code == 1 && said.contains(cause) && said.contains(remedy), "`{cause}`, `{remedy}`: {ran:#?}");
    assert!(!said.contains("panicked"), "{ran:#?}");
}

/// All is as the recipe says after one more run, and the run after that finds nothing to do.
#[track_caller]
fn converges(place: &Place) {
    let ran = apply(place, "*");
    assert_eq!(ran.code, 0, "{ran:#?}");
    let again = apply(place, "*");
    assert!(again.code == 0 && again.stdout.contains("\napplied: 0 changed, "), "{again:#?}");
    let verified = place.run(&["ledger", "verify"]);
    assert_eq!(verified.code, 0, "{verified:#?}");
}
