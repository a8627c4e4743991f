//! `[[test]]`: changes nothing; in sync where it passes, an error where it fails.
use super::probe::{Http, answer, wrong_argv};
use super::{Ask, Mistake, Plan, Resource, Want};
use crate::error::{Error, Result};
use crate::field::{Text, UserName};
use crate::system::{Command, System};
use serde::Deserialize;

/// Something that should be so. It changes nothing. `test` and `status` run it always, `apply` where something in
/// its lane has changed or it has not passed since, `plan` never. A test that fails ends no lane; the exit code is
/// 1.
///
/// ```toml
/// [[test]]
/// name   = "lilly-is-lilly"
/// user   = "lilly"
/// argv   = ["id", "-un"]
/// prints = "lilly"
///
/// [[test]]
/// name = "site"
/// http = { url = "http://localhost:8080/", contains = "hello" }
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Test {
    /// What it goes by on its machine.
    name: Text,
    /// A program that should exit 0.
    argv: Option<Vec<Text>>,
    /// A URL that should answer: with any of 200 to 299, or `status`; with a body that `contains` a text. One of `argv`
    /// and `http` is required.
    http: Option<Http>,
    /// Default: `root`. As whom the program runs.
    user: Option<UserName>,
    /// What its output must contain.
    prints: Option<Text>,
}

impl Resource for Test {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        if ask.want == Want::Absent {
            return Ok(Plan::in_sync());
        }
        match (&self.argv, &self.http) {
            (Some(argv), _) => self.run(argv, ask, sys)?,
            (None, Some(http)) => http.ask(sys, ask.timeout)?,
            (None, None) => {}
        }
        Ok(Plan::in_sync())
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        match (&self.argv, &self.http) {
            (None, None) => mistakes.push(Mistake::new("a test needs `argv` or `http`")),
            (Some(_), Some(_)) => mistakes.push(Mistake::at("http", "`argv` and `http` exclude each other")),
            (Some(argv), None) => mistakes.extend(wrong_argv("argv", argv)),
            (None, Some(http)) => mistakes.extend(http.mistakes("http")),
        }
        for (key, given) in [("user", self.user.is_some()), ("prints", self.prints.is_some())] {
            if given && self.argv.is_none() {
                mistakes.push(Mistake::at(key, format!("`{key}` is for the program in `argv`")));
            }
        }
        mistakes
    }
}

impl Test {
    fn run(&self, argv: &[Text], ask: &Ask<'_>, sys: &dyn System) -> Result<()> {
        let printed = answer(argv, sys, self.user.as_ref().map(|user| user.0.as_str()), ask.timeout)?.text();
        match &self.prints {
            Some(expected) if !printed.contains(&expected.0) => {
                let shown = Command::new(argv.iter().map(|part| part.0.clone())).shown();
                let found = if printed.trim().is_empty() { "it printed nothing" } else { "it printed something else" };
                Err(Error::new(format!("running `{shown}`"))
                    .reason(format!("it should print `{}`", expected.0))
                    .reason(found)
                    .output(&printed))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(fields: &str) -> Vec<String> {
        let test: Test = toml::from_str(&format!("name = \"x\"\n{fields}")).unwrap();
        test.mistakes().into_iter().map(|mistake| mistake.message).collect()
    }

    #[test]
    fn a_test_is_a_program_or_a_url() {
        assert_eq!(mistakes("argv = [\"true\"]\nprints = \"x\"\nuser = \"lilly\""), Vec::<String>::new());
        assert_eq!(mistakes("http = { url = \"http://x/\", status = 204, contains = \"ok\" }"), Vec::<String>::new());
        assert_eq!(mistakes("").len(), 1);
        assert_eq!(mistakes("argv = [\"true\"]\nhttp = { url = \"http://x/\" }").len(), 1);
        assert_eq!(mistakes("http = { url = \"http://x/\" }\nprints = \"x\"\nuser = \"lilly\"").len(), 2);
    }
}
