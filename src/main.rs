//! `provision`: put aside what was inherited, pin the name service, parse the command line, run, exit with the code the design gives.
use provision::{cli, system};
use std::process::exit;

/// That of musl gives memory back to the kernel and takes it again at each turn: a tenth of a run that changes nothing
/// (benches/host.sh).
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() {
    system::put_inherited_aside();
    exit(match system::pin_name_service() {
        Ok(()) => cli::main(),
        Err(why) => cli::refuse(&why),
    });
}
