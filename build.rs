//! Says how the release binary is linked: without tables for unwinding, since it ends where it panics (Cargo.toml).
#![expect(clippy::disallowed_methods, reason = "that is how cargo tells")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=packaging/no-unwinding.ld");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/no-unwinding.ld");
        println!("cargo::rustc-link-arg-bins=-T{script}");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}
