//! The key of digests: STATE/key, made once, so that the digest of a secret can't be guessed from outside.
use super::store;
use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::path::Path;

/// Returns the key, and makes it where there is none yet.
pub(super) fn make(state_dir: &Path) -> Result<String> {
    if let Some(key) = read(state_dir)? {
        return Ok(key);
    }
    let key = fresh()?;
    store::put(&state_dir.join("key"), key.as_bytes())?;
    Ok(key)
}

/// Returns the key; where there is none yet, one for this process alone: no digest was ever recorded to compare with.
pub(super) fn read_or_lend(state_dir: &Path) -> Result<String> {
    read(state_dir)?.map_or_else(fresh, Ok)
}

/// Returns the key that plans share below RUN until the first apply makes one of it, and makes it where there is none.
pub(super) fn share(run_dir: &Path) -> Result<String> {
    store::make_state_dir(run_dir)?;
    make(run_dir)
}

/// Makes the key that plans shared that of the state directory, which has none yet.
pub(super) fn take_over(state_dir: &Path, run_dir: &Path) -> Result<()> {
    match (read(state_dir)?, read(run_dir)) {
        (None, Ok(Some(key))) => store::put(&state_dir.join("key"), key.as_bytes()),
        _ => Ok(()),
    }
}

/// Returns whether the state directory has a key.
pub(super) fn is_there(state_dir: &Path) -> bool {
    matches!(read(state_dir), Ok(Some(_)))
}

fn read(state_dir: &Path) -> Result<Option<String>> {
    let path = state_dir.join("key");
    let Some(bytes) = store::read_if_there(&path)? else { return Ok(None) };
    match String::from_utf8(bytes) {
        Ok(key) if key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Some(key)),
        _ => {
            let error = Error::new(format!("reading `{}`", path.display())).reason("it is not 64 hexadecimal digits");
            Err(error.remedy("restore it, or remove it: then what holds a secret shows as edited once"))
        }
    }
}

fn fresh() -> Result<String> {
    let bytes = store::random::<32>()?;
    Ok(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a `String` does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
