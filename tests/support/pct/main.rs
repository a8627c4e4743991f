//! A stand-in for Proxmox's `pct`, for tests on machines that have none: it keeps its files as the cluster file system does,
//! answers as the recorded calls of the real tool show, traps included, and runs plain LXC containers underneath.
//!
//! What it leaves out: snapshots, linked clones, consoles, backups, and the disks themselves (an image is an empty file beside a
//! directory that holds the container's files).
#![allow(
    unreachable_pub,
    missing_docs,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for tests"
)]
mod clone;
mod conf;
mod create;
mod life;
mod lock;
mod options;
mod set;
mod under;

use conf::Conf;

/// Why a call ends: its exit code and what it says on stderr.
pub struct Refusal(pub i32, pub String);

pub type Done = Result<(), Refusal>;

pub fn refuse<T>(code: i32, text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(code, text.into()))
}

/// A wrong parameter, as the real tool's schema says it.
pub fn wrong<T>(code: i32, problems: &str, usage: &str) -> Result<T, Refusal> {
    refuse(code, format!("400 Parameter verification failed.\n{problems}\npct {usage}"))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let code = match call(&arguments) {
        Ok(()) => 0,
        Err(Refusal(code, text)) => {
            eprintln!("{text}");
            code
        }
    };
    std::process::exit(code);
}

fn call(arguments: &[String]) -> Done {
    let Some((command, rest)) = arguments.split_first() else { return refuse(255, "ERROR: no command specified") };
    if command == "list" {
        return life::list();
    }
    let usage = match command.as_str() {
        "create" => "create <vmid> <ostemplate> [OPTIONS]",
        "set" => "set <vmid> [OPTIONS]",
        "config" => "config <vmid> [OPTIONS]",
        "resize" => "resize <vmid> <disk> <size> [OPTIONS]",
        other => &format!("{other} <vmid> [OPTIONS]"),
    };
    let Some((id, rest)) = rest.split_first() else {
        return refuse(2, format!("400 not enough arguments\npct {usage}"));
    };
    let Ok(number) = id.parse::<u32>() else {
        return wrong(2, &format!("vmid: type check ('integer') failed - got '{id}'"), usage);
    };
    if number < 100 {
        return wrong(2, "vmid: invalid format - value does not look like a valid VM ID\n", usage);
    }
    match command.as_str() {
        "create" => create::create(number, rest),
        "set" => set::set(number, rest),
        "resize" => set::resize(number, rest),
        "config" => config(number, rest),
        "pending" => pending(number),
        "status" => life::status(number),
        "start" => life::start(number),
        "stop" => life::stop(number),
        "shutdown" => life::shutdown(number, rest),
        "destroy" => life::destroy(number, rest),
        "unlock" => life::unlock(number),
        "exec" => life::exec(number, rest),
        "clone" => clone::clone(number, rest),
        "template" => clone::template(number),
        "mount" => clone::mount(number),
        "unmount" => clone::unmount(number),
        other => refuse(255, format!("ERROR: unknown command 'pct {other}'")),
    }
}

fn config(id: u32, rest: &[String]) -> Done {
    let conf = Conf::read(id)?;
    let active = rest.iter().any(|option| option == "--current");
    print!("{}", conf.shown(!active));
    Ok(())
}

fn pending(id: u32) -> Done {
    let conf = Conf::read(id)?;
    let mut keys: Vec<&String> = conf.now.keys().chain(conf.pending.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let gone = conf.going.contains(key);
        match (conf.now.get(key), gone) {
            (Some(value), true) => println!("del {key}: {value}"),
            (Some(value), false) => println!("cur {key}: {value}"),
            (None, _) => {}
        }
        if let Some(value) = conf.pending.get(key) {
            println!("new {key}: {value}");
        }
    }
    Ok(())
}
