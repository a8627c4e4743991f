//! `provision`: parse the command line, run, exit with the code the design gives.
fn main() {}
