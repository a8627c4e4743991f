//! `exportfs -ra`: reads the exports and writes /var/lib/nfs/etab, as that of nfs-utils 2.6 does without a server in the kernel.
use super::{FakeMachine, answer, refuse};
use provision::system::exports::{escaped, parse_exports, wrong_option};
use provision::system::{Command, Output};
use std::path::Path;

const DEFAULTS: [(&str, &str); 8] = [
    ("ro", "rw"),
    ("sync", "async"),
    ("wdelay", "no_wdelay"),
    ("hide", "nohide"),
    ("secure", "insecure"),
    ("root_squash", "no_root_squash"),
    ("no_all_squash", "all_squash"),
    ("no_subtree_check", "subtree_check"),
];

pub fn exportfs(machine: &FakeMachine, command: &Command) -> Output {
    if command.argv[1..] != ["-ra"] {
        return refuse(1, &format!("exportfs: unexpected {:?}\n", command.argv));
    }
    let mut text = machine.text("/etc/exports");
    let names = machine.disk().list(Path::new("/etc/exports.d")).unwrap_or_default();
    for name in names.iter().map(|name| name.to_string_lossy()) {
        if name.ends_with(".exports") && !name.starts_with('.') {
            text.push_str(&machine.text(&format!("/etc/exports.d/{name}")));
        }
    }
    let (mut table, mut code) = (String::new(), 0);
    for export in parse_exports(&text) {
        if let Some(wrong) = export.options.iter().find(|option| wrong_option(option).is_some()) {
            return refuse(1, &format!("exportfs: unknown keyword \"{wrong}\"\n"));
        }
        if machine.disk().stat(Path::new(&export.path)).is_none() {
            code = 1;
        }
        let mut options = export.options;
        for (default, other) in DEFAULTS {
            if !options.iter().any(|option| option == default || option == other) {
                options.push(default.to_owned());
            }
        }
        let line = [&escaped(&export.path), "\t", &export.client, "(", &options.join(","), ")\n"];
        table.push_str(&line.concat());
    }
    if machine.text("/var/lib/nfs/etab") != table {
        machine.file("/var/lib/nfs/etab", &table);
    }
    if code == 0 { answer(0, "") } else { refuse(1, "exportfs: Failed to stat\n") }
}
