//! Versions: whether the installed one is what is asked for. Only a tag is asked of the registry.
use super::Npm;
use crate::error::{Error, Result};
use crate::field::{NpmName, NpmVersion, Range};
use crate::resource::{Plan, Refused, Remark};
use crate::system::npm::parse_manifest;
use crate::system::{Fetch, System, without_login};
use std::time::Duration;

/// How long a registry may take to say what it has under a tag.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_AT_MOST: u64 = 8 << 20;
/// The tag that every package has.
const LATEST: &str = "latest";

/// What a registry has under a tag.
enum Tagged {
    Version(String),
    /// It has the package, and no such tag of it.
    Nothing,
    /// Why it did not say; no error, for what is installed may stay.
    Unknown(String),
}

impl Npm {
    /// Returns the version that is asked for where the installed one is not it. What is newer than `latest` may stay.
    pub(super) fn wanted(
        &self,
        name: &NpmName,
        installed: &str,
        sys: &dyn System,
        plan: &mut Plan<'_>,
    ) -> Result<Option<String>> {
        match &self.version {
            None => Ok(None),
            Some(asked @ NpmVersion::Range(range)) => Ok((!range.holds(installed)).then(|| asked.to_string())),
            Some(NpmVersion::Tag(tag)) => match self.tagged(name, tag, sys)? {
                Tagged::Version(version) if version == installed => Ok(None),
                Tagged::Version(version) if tag == LATEST && Range::is_newer(installed, &version) => Ok(None),
                Tagged::Version(version) => Ok(Some(format!("{version} ({tag})"))),
                Tagged::Nothing => {
                    let error = Error::new(format!("comparing `{name}` with `{tag}`"))
                        .reason(format!("the registry has no version of it under the tag `{tag}`"))
                        .remedy(format!(
                            "see with `npm view {name} versions dist-tags` which versions and tags there are"
                        ));
                    plan.refused.push(Refused { name: name.0.clone(), error });
                    Ok(None)
                }
                Tagged::Unknown(why) => {
                    let text = format!("not compared with `{tag}`: {why}");
                    plan.remarks.push(Remark { name: name.0.clone(), text });
                    Ok(None)
                }
            },
        }
    }

    /// Asks the registry what it has under a tag. Where it knows no such thing, it may be the package that it does not show to
    /// us; one that it shows has a `latest`.
    fn tagged(&self, name: &NpmName, tag: &str, sys: &dyn System) -> Result<Tagged> {
        let (status, tagged) = self.ask_registry(name, tag, sys)?;
        if status == Some(404) && tag != LATEST && self.ask_registry(name, LATEST, sys)?.0 == Some(200) {
            return Ok(Tagged::Nothing);
        }
        Ok(tagged)
    }

    /// Returns the status of the registry's answer as well, where there was one.
    fn ask_registry(&self, name: &NpmName, tag: &str, sys: &dyn System) -> Result<(Option<u16>, Tagged)> {
        let settings = self.settings(sys)?;
        let of_scope = name.split().0.and_then(|scope| settings.registry_of_scope(scope));
        let given = self.registry.as_ref().map(|registry| registry.0.as_str()).or_else(|| self.setting("registry"));
        let registry = of_scope.or(given).unwrap_or(&settings.registry).trim_end_matches('/');
        let url = format!("{registry}/{}/{tag}", name.0.replace('/', "%2f"));
        let shown = without_login(&url);
        let request = Fetch { url: &url, timeout: PATIENCE, limit: ANSWER_AT_MOST, whole: true, follow: true };
        Ok(match sys.fetch(&request) {
            Ok(answer) if answer.status == 200 => {
                let version = parse_manifest(&answer.body).map(|manifest| Tagged::Version(manifest.version));
                (Some(200), version.unwrap_or_else(|| Tagged::Unknown(format!("`{shown}` has no version in it"))))
            }
            Ok(answer) => (Some(answer.status), Tagged::Unknown(format!("`{shown}` answered {}", answer.status))),
            Err(error) => (None, Tagged::Unknown([vec![error.attempt], error.causes].concat().join(": "))),
        })
    }
}
