//! The binary in a container: `/run/provision/HASH`, so that one that runs is never written over.
use super::Driver;
use crate::error::{Error, Result};
use crate::system::fingerprint::sha256;
use crate::system::{Command, System};
use std::time::Duration;

/// The binary that runs, as it is pushed.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Its SHA-256 in hex, which is its name inside.
    pub hash: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Binary {
    /// Returns a binary with its hash.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { hash: sha256(&bytes), bytes }
    }
}

const DIR: &str = "/run/provision";

/// Where it goes if nothing in `/run` can be executed; `/run/provision/HASH` is a link to it then.
const FALLBACK: &str = "/var/lib/provision/bin";

/// How long pushing may take.
const TIME: Duration = Duration::from_mins(2);

/// Returns the argv that starts the agent inside; 127 says that the binary is not there.
pub fn agent_argv(hash: &str) -> Vec<String> {
    vec![format!("{DIR}/{hash}"), "agent".to_owned()]
}

/// Puts the binary into a running container, whole and checked, and takes older ones away.
pub fn push(sys: &dyn System, driver: &dyn Driver, id: u32, binary: &Binary) -> Result<()> {
    let argv = ["sh", "-c", SCRIPT, "sh", DIR, FALLBACK, &binary.hash].map(str::to_owned);
    let command = Command::new(driver.attach(id, &argv)).stdin(binary.bytes.clone()).timeout(TIME);
    let output = sys.run(&command)?;
    if output.code == 0 {
        return Ok(());
    }
    let printed = format!("{}\n{}", output.text(), String::from_utf8_lossy(&output.stderr));
    Err(Error::new(format!("copying `provision` into container {id}"))
        .reason(format!("exit {}", output.code))
        .output(&printed)
        .remedy("see whether the container runs and has space left"))
}

/// Arguments: directory, fallback, hash; the binary on stdin. The digest is checked before the name is given. However it
/// ends, it leaves no temporary; only one that was killed does, for the next one.
const SCRIPT: &str = r#"
set -e
umask 022
dir=$1 fallback=$2
trap 'rm -f "$dir/.new.$$" "$fallback/.new.$$"' EXIT
trap 'exit 1' HUP INT TERM
put() {
    mkdir -p "$1"
    cat >"$1/.new.$$"
    printf '%s  %s\n' "$2" "$1/.new.$$" | sha256sum -c >/dev/null
    chmod 755 "$1/.new.$$"
    mv -f "$1/.new.$$" "$1/$2"
}
tidy() {
    rm -f "$1"/.new.*
    for old in "$1"/*; do
        name=${old##*/}
        [ ${#name} -ne 64 ] || [ "$name" = "$2" ] || rm -f "$old"
    done
}
mkdir -p "$1"
printf '#!/bin/sh\n' >"$1/.new.$$"
chmod 755 "$1/.new.$$"
if "$1/.new.$$" 2>/dev/null; then
    put "$1" "$3"
    [ ! -d "$2" ] || tidy "$2" ""
else
    put "$2" "$3"
    tidy "$2" "$3"
    ln -sf "$2/$3" "$1/$3"
fi
tidy "$1" "$3"
"#;
