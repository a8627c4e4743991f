//! `bundle`: a recipe and its files as one tar, for `apply URL#sha256=…` on another machine.
use super::Exit;
use super::find::find;
use super::options::{Global, RecipeArgs};
use super::print::{print, warn};
use super::session::options;
use crate::error::{Attempt as _, Error};
use crate::recipe::{self, Bundle, EXTENSION, SecretsMode};
use crate::signature::{SecretKey, beside, verify};
use crate::system::fingerprint::sha256;
use crate::system::{NewFile, Real, System as _};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Packs a recipe, all that it includes and all files that it names into one tar, and prints its digest.
///
/// The same files make the same bytes. `apply` and its like take it by URL or file, with `#sha256=` or signed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision bundle eidolons.toml\n  provision bundle web.toml --sign ~/.minisign/minisign.key\n  \
                        provision bundle web.toml --output /srv/www/web.tar"
)]
pub(super) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Signs it with this secret key of minisign, one without a password; the signature lies beside it as FILE.minisig.
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
    /// The file to write, `.tar` at its end; without, one named for the recipe, here.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Args {
    /// Runs it.
    pub(super) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let key = self.sign.as_deref().map(|path| secret_key(path, &sys)).transpose()?;
        let found = find(&self.recipe.recipe, global, &sys)?;
        let gathered = recipe::gather(&found, &options(global, &self.recipe, &sys, "", SecretsMode::AtHand))?;
        let bytes = gathered.bundle.tar().map_err(Exit::Usage)?;
        let name = gathered.bundle.recipe.trim_end_matches(".toml");
        let output = self.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}{EXTENSION}")));
        let path = writable(&output, &sys)?;
        let file = |content: &[u8], path: &Path| {
            let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            sys.write(path, &NewFile { content, uid, gid, mode: 0o644 }, &|_| Ok(()))
        };
        // One of what stands there so far does not hold for what comes.
        let signature = beside(&path);
        if sys.look(&signature).attempt(|| format!("looking at `{}`", signature.display()))?.is_some() {
            sys.remove_file(&signature)?;
        }
        file(&bytes, &path)?;
        if let Some(key) = &key {
            let shown = path.file_name().unwrap_or_default().to_string_lossy();
            let text = key.sign(&shown, &bytes);
            verify(&[key.public("it")?], &shown, &bytes, &text)?;
            file(text.as_bytes(), &signature)?;
        }
        for note in &gathered.notes {
            warn(note);
        }
        let (sha256, files) = (sha256(&bytes), gathered.bundle.files.keys().collect::<Vec<_>>());
        print(&if global.json {
            let signature = key.as_ref().map(|_| &signature);
            let size = bytes.len();
            let said = json!({
                "v": 1, "file": path, "sha256": sha256, "size": size, "files": files, "signature": signature,
            });
            format!("{said}\n")
        } else {
            let listed: Vec<&str> = files.iter().map(|file| file.as_str()).collect();
            let (shown, signature) = (output.display(), beside(&output));
            let signed = key.map(|_| format!("signed: {}\n", signature.display())).unwrap_or_default();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!(
                "{shown}: {} files, {} KiB\n  {}\nsha256:{sha256}\n{signed}\
                 put it on a server, then: provision apply https://SERVER/{name}#sha256={sha256}\n",
                files.len(),
                bytes.len().div_ceil(1024),
                listed.join("\n  "),
            )
        })?;
        Ok(0)
    }
}

fn secret_key(path: &Path, sys: &Real) -> Result<SecretKey, Exit> {
    let shown = path.display().to_string();
    let bytes = sys.read(path).attempt(|| format!("reading the secret key `{shown}`")).map_err(Exit::Usage)?;
    SecretKey::parse(&shown, &String::from_utf8_lossy(&bytes)).map_err(Exit::Usage)
}

/// Returns the whole path of a file that may be written: there is none, or another bundle.
fn writable(output: &Path, sys: &Real) -> Result<PathBuf, Exit> {
    let attempt = || format!("writing `{}`", output.display());
    let refused = |why: &str, remedy: &str| Err(Exit::Usage(Error::new(attempt()).reason(why).remedy(remedy)));
    if output.extension().is_none_or(|extension| extension != "tar") {
        return refused("the name of a bundle ends in `.tar`", "give it such a name");
    }
    let path = std::path::absolute(output).attempt(attempt)?;
    if sys.lstat(&path).attempt(attempt)?.is_some() {
        let is_bundle = sys.read(&path).is_ok_and(|bytes| Bundle::read("", &bytes).is_ok());
        if !is_bundle {
            return refused("it is there already and is no bundle", "take it away, or name another file with --output");
        }
    }
    Ok(path)
}
