//! What a report says of this machine and its containers: versions, settings, journals. What can't be had says why.
use super::dossier::Dossier;
use crate::cli::options::Global;
use crate::container::{What, driver};
use crate::id::Machine;
use crate::ledger::{Ledger, Run};
use crate::report::error_text;
use crate::system::{Command, Real, System};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// How long a program may take that is asked something.
const ASKED: Duration = Duration::from_secs(30);
/// What says which versions there are.
const VERSIONS: &[&[&str]] = &[
    &["uname", "-a"],
    &["cat", "/etc/os-release", "/etc/debian_version"],
    &["systemctl", "--version"],
    &["systemctl", "is-system-running"],
    &["lxc-info", "--version"],
    &["pveversion", "-v"],
    &[
        "dpkg-query",
        "-W",
        "apt",
        "dpkg",
        "lxc",
        "lxcfs",
        "pve-container",
        "git",
        "nodejs",
        "npm",
        "nfs-kernel-server",
        "ifupdown",
        "ifupdown2",
        "dnsmasq",
    ],
    &["df", "-h"],
    &["free", "-m"],
    &["uptime"],
];
const JOURNAL: [&str; 6] = ["journalctl", "--no-pager", "-n", "500", "-o", "short-iso"];

/// Returns the versions of provision, the system and the tools that it calls.
pub(super) fn versions(sys: &Real, run: Option<&Run>) -> String {
    let mut text = format!("provision {}\n", env!("CARGO_PKG_VERSION"));
    if let Some((run, started)) = run.and_then(|run| Some((run, run.started()?))) {
        text.extend([&run.reference, " was by provision ", &started.version, "\n"]);
    }
    let asked = VERSIONS.iter().map(|argv| {
        let command = Command::new(argv.iter().copied()).timeout(ASKED);
        format!("\n$ {}\n{}", command.shown(), answer(sys, &command))
    });
    text + &asked.collect::<String>()
}

/// Adds how the containers are set that the ledger knows, and the last of the journals of those that run.
pub(super) fn containers(dossier: &mut Dossier, sys: &Real, global: &Global) {
    let known = Ledger::open(&global.state_dir).map(|ledger| ledger.state().machines().collect::<BTreeSet<_>>());
    let (known, driver) = match (known, driver(sys)) {
        (Ok(known), Ok(driver)) => (known, driver),
        (Err(error), _) | (_, Err(error)) => return dossier.text("containers/none.txt", &error_text(&error, false)),
    };
    for machine in known {
        let Machine::Container(id) = machine else { continue };
        let found = match driver.found(sys, id) {
            Ok(Some(found)) => found,
            // It was taken away.
            Ok(None) => continue,
            Err(error) => {
                dossier.text(&format!("containers/{id}.txt"), &error_text(&error, false));
                continue;
            }
        };
        dossier.text(&format!("containers/{id}.conf"), &file(sys, &driver.file(id)));
        if found.running && matches!(found.what, What::Container) {
            let argv = driver.attach(id, &JOURNAL.map(str::to_owned));
            let printed = answer(sys, &Command::new(argv).timeout(ASKED));
            dossier.text(&format!("containers/{id}.journal.txt"), &printed);
        }
    }
}

/// Returns the last of this machine's journal.
pub(super) fn journal(sys: &Real) -> String {
    answer(sys, &Command::new(JOURNAL).timeout(ASKED))
}

/// Returns what a program prints, and its exit code where it fails.
pub(super) fn answer(sys: &Real, command: &Command) -> String {
    match sys.run(command) {
        Ok(output) => {
            let printed = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let exit = if output.code == 0 { String::new() } else { format!("exit {}\n", output.code) };
            printed.concat() + &exit
        }
        Err(error) => error_text(&error, false),
    }
}

fn file(sys: &Real, path: &Path) -> String {
    match sys.read(path) {
        Ok(bytes) => format!("# {}\n{}", path.display(), String::from_utf8_lossy(&bytes)),
        Err(error) => format!("reading `{}`: {error}\n", path.display()),
    }
}
