//! `self update`: another version in this program's place.
use super::own_path;
use super::print::print;
use crate::cli::Exit;
use crate::cli::options::Global;
use crate::error::Error;
use crate::release::{KEY, Source, URL, Updated, Version};
use crate::system::Real;

/// Puts the latest version in this program's place, if it is signed with the release key.
///
/// An older version is refused. Without `--url`, `PROVISION_BASE_URL` in the environment says where releases are.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  provision self update\n  provision self update --version 0.2.0 --url https://mirror.example.org/provision"
)]
pub(in crate::cli) struct Args {
    /// This version, in place of the latest.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    version: Option<Version>,
    /// Where releases are: a mirror.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

fn version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|()| "a version is three numbers, such as 0.1.0".to_owned())
}

impl Args {
    /// Runs it.
    pub(in crate::cli) fn run(&self, global: &Global) -> Result<i32, Exit> {
        let sys = Real::new(global.state_dir.clone());
        let doing = || Error::new("updating provision");
        let path = own_path(&sys, "updating", "apt-get update && apt-get install provision")?;
        let Some(url) = self.url() else {
            let error = doing().reason("this build does not say where releases are");
            return Err(Exit::Usage(error.remedy("give it by `--url`, or set PROVISION_BASE_URL")));
        };
        let source = Source::new(&url, KEY).map_err(Exit::Usage)?;
        let is = Version::own().ok_or_else(|| doing().reason("this build is no release"))?;
        print(&match source.update(&sys, &path, is, self.version)? {
            Updated::Already if self.version.is_none() => format!("provision {is} is the latest\n"),
            Updated::Already => format!("this is provision {is}\n"),
            Updated::To(version) => format!("provision {is} -> {version}: {}\n", path.display()),
        })?;
        Ok(0)
    }

    #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
    fn url(&self) -> Option<String> {
        let given = || std::env::var("PROVISION_BASE_URL").ok().filter(|url| !url.is_empty());
        self.url.clone().or_else(given).or_else(|| URL.map(str::to_owned))
    }
}
