//! The npm kind on real npms, 11 and 12, and a real registry on loopback: what the fake one can't vouch for.
mod bench;
mod registry;
mod states;

use crate::lab::on_a_disposable_machine;
use std::process::Command;

const INSTALLER: &str = include_str!("../recipes/files/node-from-registry.sh");

#[test]
fn npm_packages_as_they_are_in_life() {
    on_a_disposable_machine("e2e_npm::npm_packages_as_they_are_in_life", &["curl", "ca-certificates"], || {
        for npm in ["11.19.1", "12.2.0"] {
            let arguments = ["-s", "22.23.3", "https://registry.npmjs.org", "", npm];
            let installed = run("sh", &arguments, INSTALLER);
            assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
            println!("npm {}", String::from_utf8_lossy(&run("npm", &["--version"], "").stdout).trim());
            for (what, shown) in states::ALL {
                println!("  {what}");
                shown();
            }
        }
    });
}

fn run(program: &str, arguments: &[&str], stdin: &str) -> std::process::Output {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
