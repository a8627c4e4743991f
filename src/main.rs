//! `provision`: put aside what was inherited, pin the name service, parse the command line, run, exit with the code the design gives.
use provision::{cli, system};
use std::process::exit;

fn main() {
    system::put_inherited_aside();
    exit(match system::pin_name_service() {
        Ok(()) => cli::main(),
        Err(why) => cli::refuse(&why),
    });
}
