//! Versions: whether the installed one is what is asked for. Only a tag is asked of the registry.
use super::Npm;
use crate::error::Result;
use crate::field::{NpmName, NpmVersion, Range};
use crate::resource::Remark;
use crate::system::npm::parse_manifest;
use crate::system::{Fetch, System, without_login};
use std::time::Duration;

/// How long a registry may take to say what it has under a tag.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER_AT_MOST: u64 = 8 << 20;

impl Npm {
    /// Returns the version that is asked for where the installed one is not it. What is newer than `latest` may stay.
    pub(super) fn wanted(
        &self,
        name: &NpmName,
        installed: &str,
        sys: &dyn System,
        remarks: &mut Vec<Remark>,
    ) -> Result<Option<String>> {
        match &self.version {
            None => Ok(None),
            Some(asked @ NpmVersion::Range(range)) => Ok((!range.holds(installed)).then(|| asked.to_string())),
            Some(NpmVersion::Tag(tag)) => match self.tagged(name, tag, sys)? {
                Ok(version) if version == installed => Ok(None),
                Ok(version) if tag == "latest" && Range::is_newer(installed, &version) => Ok(None),
                Ok(version) => Ok(Some(format!("{version} ({tag})"))),
                Err(why) => {
                    let text = format!("not compared with `{tag}`: {why}");
                    remarks.push(Remark { name: name.0.clone(), text });
                    Ok(None)
                }
            },
        }
    }

    /// Asks the registry what it has under a tag; why it did not say is no error: what is installed may stay.
    fn tagged(&self, name: &NpmName, tag: &str, sys: &dyn System) -> Result<Result<String, String>> {
        let settings = self.settings(sys)?;
        let of_scope = name.split().0.and_then(|scope| settings.registry_of_scope(scope));
        let given = self.registry.as_ref().map(|registry| registry.0.as_str()).or_else(|| self.setting("registry"));
        let registry = of_scope.or(given).unwrap_or(&settings.registry).trim_end_matches('/');
        let url = format!("{registry}/{}/{tag}", name.0.replace('/', "%2f"));
        let request = Fetch { url: &url, timeout: PATIENCE, limit: ANSWER_AT_MOST, whole: true, follow: true };
        Ok(match sys.fetch(&request) {
            Ok(answer) if answer.status == 200 => parse_manifest(&answer.body)
                .map(|manifest| manifest.version)
                .ok_or_else(|| format!("`{}` has no version in it", without_login(&url))),
            Ok(answer) => Err(format!("`{}` answered {}", without_login(&url), answer.status)),
            Err(error) => Err([vec![error.attempt], error.causes].concat().join(": ")),
        })
    }
}
