//! Ends what dpkg was interrupted at.
use super::deb::{install_again, kept, shown};
use super::refusal::lacks_dependencies;
use super::{Apt, printed, quiet};
use crate::error::Result;
use crate::system::dpkg::Records;

impl Apt<'_> {
    /// Configures what is unpacked, and unpacks again what dpkg was killed at while it unpacked it.
    ///
    /// # Errors
    /// Where something stays half done, with what dpkg said.
    pub fn complete(&self) -> Result<()> {
        let configure = quiet(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"]);
        let output = self.locked(&configure)?;
        self.sys.facts().forget();
        let records = Records::read(self.sys)?;
        let broken: Vec<_> = records.packages.halfway().filter(|package| package.broken).collect();
        if !broken.is_empty() {
            return self.unpack_again(broken.into_iter().map(|package| records.packages.apt_name(package)).collect());
        }
        if output.code == 0 && records.packages.halfway().next().is_none() {
            return Ok(());
        }
        // What is unpacked may lack what it depends on.
        if output.code == 0 || lacks_dependencies(&printed(&output)) {
            return self.fix_broken();
        }
        Err(self.explain_dpkg(&configure, &output))
    }

    /// Installs what is missing of what is unpacked, and configures all of it.
    pub(super) fn fix_broken(&self) -> Result<()> {
        self.must(["install", "--no-remove", "--fix-broken"].map(str::to_owned).into_iter())
    }

    fn unpack_again(&self, broken: Vec<String>) -> Result<()> {
        let mut files = Vec::new();
        let mut arguments = vec!["--fix-broken".to_owned()];
        for name in broken {
            // What came from a URL is in no repository.
            match kept(self.sys, name.split(':').next().unwrap_or(&name))? {
                Some(file) => {
                    arguments.push(shown(&file));
                    files.push(file);
                }
                None => arguments.push(name),
            }
        }
        self.must(install_again(arguments))?;
        files.iter().try_for_each(|file| self.sys.remove_file(file))
    }
}
