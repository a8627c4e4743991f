//! `self verify`: whether a file is signed with the release key.
use super::print::print;
use crate::cli::Exit;
use crate::cli::options::Global;
use crate::error::Attempt as _;
use crate::release::KEY;
use crate::signature::{Key, beside, verify};
use crate::system::{Real, System};
use std::path::{Path, PathBuf};

/// Says whether a file, such as the SHA256SUMS of a release, is signed with the release key: FILE.minisig has the signature.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision self verify SHA256SUMS\n  provision self verify SHA256SUMS && sha256sum --check --ignore-missing SHA256SUMS"
)]
pub(in crate::cli) struct Args {
    /// The file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Another key in place of the release key: what `minisign -P` takes.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Args {
    /// Runs it.
    pub(in crate::cli) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let key = match &self.key {
            Some(key) => Key::parse("--key", key).map_err(Exit::Usage)?,
            None => Key::parse("release", KEY)?,
        };
        let read = |path: &Path| sys.read(path).attempt(|| format!("reading `{}`", path.display()));
        let bytes = read(&self.file)?;
        let signature = read(&beside(&self.file))?;
        let shown = self.file.display();
        let signed = verify(&[key], &shown.to_string(), &bytes, &String::from_utf8_lossy(&signature))?;
        print(&format!("{shown} is signed: {}\n", signed.comment.escape_debug()))?;
        Ok(0)
    }
}
