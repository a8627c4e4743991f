//! A stand-in for Proxmox's tools, for tests on machines that have none: it keeps its files as the cluster file system does,
//! answers as the recorded calls of the real tools show (tests/pct), traps included, and runs plain LXC containers underneath.
//! It is what it is called as: `pct`, `pvesm`, `pveam` or `pvesh`.
//!
//! What it leaves out: snapshots, linked clones, consoles, backups, and that a disk is mounted: an image has its file system
//! and its size, but the container's files are in a directory beside it.
#![allow(
    unreachable_pub,
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for tests"
)]
mod call;
mod clone;
mod conf;
mod copy;
mod create;
mod disk;
mod life;
mod lock;
mod options;
mod pause;
mod pveam;
mod pvesh;
mod pvesm;
mod resize;
mod set;
mod show;
mod under;

use std::path::Path;

/// Why a call ends: its exit code and what it says on stderr.
pub struct Refusal(pub i32, pub String);

pub type Done = Result<(), Refusal>;

pub fn refuse<T>(code: i32, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(code, text.into()))
}

/// Wrong parameters, a line each or more, as the real tool's schema says them.
pub fn wrong<T>(code: i32, problems: &str, usage: &str) -> Result<T, Refusal> {
    refuse(code, format!("400 Parameter verification failed.\n{problems}{usage}"))
}

fn main() {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let done = match Path::new(&name).file_name().and_then(|name| name.to_str()) {
        Some("pvesm") => pvesm::call(&arguments),
        Some("pveam") => pveam::call(&arguments),
        Some("pvesh") => pvesh::call(&arguments),
        _ => call::call(&arguments),
    };
    let code = match done {
        Ok(()) => 0,
        Err(Refusal(code, text)) => {
            eprintln!("{text}");
            code
        }
    };
    std::process::exit(code);
}
