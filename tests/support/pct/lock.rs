//! The lock that every call takes which changes a container: flock(2), ten seconds, then it gives up.
use crate::{Refusal, refuse};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, create_dir_all};
use std::time::{Duration, Instant};

/// Where a call says that it waits: one that works in a task of its own says all on stdout.
#[derive(Clone, Copy, PartialEq)]
pub enum Says {
    Out,
    Err,
}

pub fn lock(id: u32, says: Says) -> Result<Flock<File>, Refusal> {
    let path = format!("/run/lock/lxc/pve-config-{id}.lock");
    create_dir_all("/run/lock/lxc").expect("/run is there");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("/run/lock can be written");
    let say = |text: &str| if says == Says::Out { println!("{text}") } else { eprintln!("{text}") };
    let begun = Instant::now();
    let mut waited = false;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                if waited {
                    say(" OK");
                }
                return Ok(lock);
            }
            Err((file, _)) => file,
        };
        if !waited {
            say("trying to acquire lock...");
            waited = true;
        }
        if begun.elapsed() > Duration::from_secs(10) {
            return refuse(if says == Says::Out { 255 } else { 4 }, format!("can't lock file '{path}' - got timeout"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
