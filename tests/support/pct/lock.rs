//! The lock that every call takes which changes a container: flock(2), ten seconds, then it gives up.
use crate::{Refusal, refuse};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, create_dir_all};
use std::time::{Duration, Instant};

pub fn lock(id: u32) -> Result<Flock<File>, Refusal> {
    let path = format!("/run/lock/lxc/pve-config-{id}.lock");
    create_dir_all("/run/lock/lxc").expect("/run is there");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("/run/lock can be written");
    let begun = Instant::now();
    let mut said = false;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, _)) => file,
        };
        if !said {
            eprintln!("trying to acquire lock...");
            said = true;
        }
        if begun.elapsed() > Duration::from_secs(10) {
            return refuse(4, format!("can't lock file '{path}' - got timeout"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
