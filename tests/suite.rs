//! Everything that needs no container: a module a theme.
#![allow(unreachable_pub, missing_docs, dead_code, reason = "a test binary has no outside, and it shares its support")]
mod kinds;
mod support;
