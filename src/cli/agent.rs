//! `agent`: the far side, which the host starts inside a container. Not for people.
use super::Exit;
use crate::agent::{DIRECTORY, busy, lock, serve};
use crate::system::Real;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Works inside a container, on orders from stdin.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    /// Runs it.
    pub(super) fn run() -> Result<i32, Exit> {
        let sys = Real::new(PathBuf::from("/var/lib/provision"));
        let _lock = lock(&sys, Path::new(DIRECTORY), |what| busy(&mut std::io::stdout(), what))?;
        serve(&sys, &mut BufReader::new(std::io::stdin()), &mut std::io::stdout())?;
        Ok(0)
    }
}
