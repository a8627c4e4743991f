//! Finds the recipe that the command line names. A bundle is taken only by its digest, or signed by a key that this machine
//! trusts; it is held in memory and leaves nothing behind.
#![expect(clippy::disallowed_methods, reason = "a recipe is read before there is a machine to converge")]
use super::Exit;
use super::options::Global;
use crate::error::{Attempt as _, Error, Result};
use crate::recipe::{self, Address, At, Bundle, Found, MOST, Origin};
use crate::signature::{trusted, verify};
use crate::system::fingerprint::sha256;
use crate::system::{self, Fetch, Fetched, System, without_login};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::time::Duration;

/// How long a download may take.
const PATIENCE: Duration = Duration::from_mins(5);
/// A signature is not longer.
const SIGNATURE: u64 = 4096;

/// Returns the recipe of a name, a path, or the address of a bundle.
pub(super) fn find(name: &str, global: &Global, sys: &dyn System) -> Result<Found, Exit> {
    let Some(address) = Address::parse(name).map_err(Exit::Usage)? else {
        return recipe::find(name).map_err(Exit::Usage);
    };
    let at = address.at.to_string();
    let (bytes, by) = match &address.sha256 {
        Some(expected) => (by_digest(&address.at, expected, sys)?, None),
        None => by_signature(&address.at, &global.trusted_dir, sys).map(|(bytes, by)| (bytes, Some(by)))?,
    };
    let bundle = Bundle::read(&at, &bytes).map_err(Exit::Usage)?;
    Ok(Found {
        path: Path::new(&address.at.file_name()).join(&bundle.recipe),
        files: Box::new(bundle.files),
        origin: Origin::Bundle { at, sha256: sha256(&bytes), by },
    })
}

fn by_digest(at: &At, expected: &str, sys: &dyn System) -> Result<Vec<u8>, Exit> {
    let bytes = get(at, MOST, sys)?.ok_or_else(|| Exit::Usage(taking(at).reason("there is no such bundle")))?;
    let found = sha256(&bytes);
    if found == expected {
        return Ok(bytes);
    }
    let error = taking(at).reason(format!("its SHA-256 is {found}")).reason(format!("asked for was {expected}"));
    let remedy = "take the digest from whom made the bundle; while the two differ, use neither";
    Err(Exit::Usage(error.remedy(remedy)))
}

/// Returns a bundle with the name of the key that signed it.
fn by_signature(at: &At, trusted_dir: &Path, sys: &dyn System) -> Result<(Vec<u8>, String), Exit> {
    let refused = |why: String| {
        let by_key = format!("have it signed by a key in `{}`", trusted_dir.display());
        let remedy = format!("give the digest that `provision bundle` printed, as `{at}#sha256=DIGEST`, or {by_key}");
        Exit::Usage(taking(at).reason("it comes without `#sha256=`").reason(why).remedy(remedy))
    };
    let keys = trusted(trusted_dir)?;
    if keys.is_empty() {
        return Err(refused(format!("there is no key in `{}` that it could be signed by", trusted_dir.display())));
    }
    let beside = at.signature();
    let signature = get(&beside, SIGNATURE, sys)?;
    let signature = signature.ok_or_else(|| refused(format!("there is no signature at `{beside}`")))?;
    let bytes = get(at, MOST, sys)?.ok_or_else(|| Exit::Usage(taking(at).reason("there is no such bundle")))?;
    let signed = verify(&keys, &at.to_string(), &bytes, &String::from_utf8_lossy(&signature)).map_err(Exit::Usage)?;
    Ok((bytes, signed.by))
}

fn taking(at: &At) -> Error {
    Error::new(format!("taking the recipe from `{at}`"))
}

/// Returns the bytes of what is at a place; `None` where nothing is.
fn get(at: &At, limit: u64, sys: &dyn System) -> Result<Option<Vec<u8>>> {
    match at {
        At::Url(url) => download(url, limit, sys),
        At::File(path) => {
            let attempt = || format!("reading `{at}`");
            let file = match File::open(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                file => file.attempt(attempt)?,
            };
            if !file.metadata().attempt(attempt)?.is_file() {
                return Err(Error::new(attempt()).reason("it is not a regular file"));
            }
            let mut bytes = Vec::new();
            file.take(limit + 1).read_to_end(&mut bytes).attempt(attempt)?;
            if bytes.len() as u64 > limit {
                return Err(Error::new(attempt()).reason(format!("it is longer than {limit} bytes")));
            }
            Ok(Some(bytes))
        }
    }
}

fn download(url: &str, limit: u64, sys: &dyn System) -> Result<Option<Vec<u8>>> {
    // One byte more tells that it is too long, which is no reason to try again.
    let request = Fetch { url, timeout: PATIENCE, limit: limit + 1, whole: false, follow: true };
    let unwell = "see whether that server is well and can be reached from here, then run again";
    let Fetched { status, body } = system::download(sys, &request).map_err(|error| error.remedy(unwell))?;
    let error = |why: String| Error::new(format!("fetching `{}`", without_login(url))).reason(why);
    match status {
        200 if body.len() as u64 > limit => Err(error(format!("it is longer than {limit} bytes"))),
        200 => Ok(Some(body)),
        404 | 410 => Ok(None),
        status => {
            Err(error(format!("the server answered {status}")).remedy("see why it does not give it, then run again"))
        }
    }
}
