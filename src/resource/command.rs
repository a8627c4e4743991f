//! `[[command]]`: a program or script that runs until its guard says that it is done.
mod guard;

use self::guard::{Due, Guard};
use super::probe::wrong_argv;
use super::secret::Secrets;
use super::{Ask, Change, Mistake, Plan, Resource, Step, Thing, Want, keyed_digest};
use crate::error::{Error, Result};
use crate::field::{AbsPath, Names, Text, UserName};
use crate::system::{self, Output, System, state};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// How much of what it printed is kept: the last of it.
const KEPT: usize = 64 << 10;

/// A program or script that runs until its guard says that it is done.
///
/// Exactly one of the last five is required. The guard is asked again afterwards: a command that did not do what
/// its guard waits for has failed. The last 64 KiB that it printed are kept in the state directory, unless it was
/// given a secret. It has no opposite: `destroy` passes it over.
///
/// ```toml
/// [[command]]
/// name    = "ready"
/// user    = "lilly"
/// argv    = ["touch", "/home/lilly/ready"]
/// creates = "/home/lilly/ready"
///
/// [[command]]
/// name   = "cache"
/// watch  = "/etc/hostname"
/// script = """
/// rm -rf /srv/cache
/// touch /srv/cache-is-empty
/// """
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Command {
    /// What it goes by on its machine.
    name: Text,
    /// A program and its arguments; never a secret.
    argv: Option<Vec<Text>>,
    /// Given to `sh` on stdin; one of `argv` and `script` is required.
    script: Option<Text>,
    /// Default: `root`. The user as whom it runs; root without.
    user: Option<UserName>,
    /// Default: `/`. Where it runs; `/` without.
    cwd: Option<AbsPath>,
    /// Added to its environment.
    #[serde(default)]
    env: BTreeMap<String, Text>,
    /// What it reads.
    stdin: Option<Text>,
    /// Due while nothing is there.
    creates: Option<AbsPath>,
    /// Due unless this program exits 0; it must only read.
    unless: Option<Vec<Text>>,
    /// Due as long as this program exits 0; it must only read.
    only_if: Option<Vec<Text>>,
    /// Due until it has succeeded once on this machine.
    #[serde(default)]
    once: bool,
    /// Due when one of these, or the command itself, is not what it was when it last succeeded here.
    watch: Option<Names<AbsPath>>,
}

impl Resource for Command {
    fn names(&self) -> Vec<String> {
        vec![self.name.0.clone()]
    }

    fn check<'a>(&'a self, ask: &Ask<'_>, sys: &dyn System) -> Result<Plan<'a>> {
        let Some(guard) = self.guard().filter(|_| ask.want == Want::Present) else { return Ok(Plan::in_sync()) };
        let command = self.command(ask);
        let own = self.digest(ask);
        let secrets = self.secrets(ask);
        let due = guard.due(&self.name, own.as_deref(), &command, ask, sys);
        let (why, mut needs) = match due.map_err(|error| secrets.hide_in(error))? {
            Due::No => return self.without_torn_output(sys),
            Due::Yes { why, needs } => (why, needs),
        };
        needs.command(&command, ask, sys)?;
        let supplies: Vec<Thing> = self.creates.iter().flat_map(supplied).collect();
        if let Some(waiting) = needs.waiting(&self.name, supplies.clone()) {
            return Ok(Plan { waiting: vec![waiting], ..Plan::default() });
        }
        let change = Change::field(&self.name.0, "run", why, Some(self.shown())).after(needs.after);
        let apply = move |sys: &dyn System| {
            guard.begin(&self.name, sys)?;
            self.run(sys, &command, &secrets)?;
            guard.settle(&self.name, own.as_deref(), sys)
        };
        Ok(Plan::step(Step::new(vec![change], apply).supplies(supplies).opaque()))
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        match (&self.argv, &self.script) {
            (None, None) => mistakes.push(Mistake::new("a command needs `argv` or `script`")),
            (Some(_), Some(_)) => mistakes.push(Mistake::at("script", "`argv` and `script` exclude each other")),
            _ => {}
        }
        if self.script.is_some() && self.stdin.is_some() {
            mistakes.push(Mistake::at("stdin", "`sh` reads `script` on stdin: `stdin` can't be given as well"));
        }
        for (key, argv) in [("argv", &self.argv), ("unless", &self.unless), ("only-if", &self.only_if)] {
            mistakes.extend(argv.as_ref().and_then(|argv| wrong_argv(key, argv)));
        }
        if let Some(name) = self.env.keys().find(|name| !is_variable(name)) {
            let message = format!("`{name}` is not a name of an environment variable");
            mistakes.push(Mistake::at("env", message));
        }
        if let Some((name, _)) = self.env.iter().find(|(_, value)| value.contains('\0')) {
            mistakes.push(Mistake::at("env", format!("the value of `{name}` has a NUL character in it")));
        }
        mistakes.extend(self.wrong_guards());
        mistakes
    }
}

impl Command {
    fn guards(&self) -> Vec<(&'static str, Guard<'_>)> {
        let mut guards = Vec::new();
        guards.extend(self.creates.as_ref().map(|path| ("creates", Guard::Creates(path))));
        guards.extend(self.unless.as_ref().map(|argv| ("unless", Guard::Unless(argv))));
        guards.extend(self.only_if.as_ref().map(|argv| ("only-if", Guard::OnlyIf(argv))));
        guards.extend(self.once.then_some(("once", Guard::Once)));
        guards.extend(self.watch.as_ref().map(|paths| ("watch", Guard::Watch(&paths.0))));
        guards
    }

    fn guard(&self) -> Option<Guard<'_>> {
        self.guards().pop().map(|(_, guard)| guard)
    }

    fn wrong_guards(&self) -> Option<Mistake> {
        match self.guards().as_slice() {
            [_] => None,
            [] => Some(Mistake::new(
                "a command needs a guard that says when it is done: one of `creates`, `unless`, `only-if`, `once`, `watch`",
            )),
            [(first, _), (second, _), ..] => Some(Mistake::at(
                second,
                format!("`{first}` and `{second}` exclude each other: a command has one guard"),
            )),
        }
    }

    fn command(&self, ask: &Ask<'_>) -> system::Command {
        let (argv, stdin) = match (&self.argv, &self.script) {
            (Some(argv), _) => (argv.iter().map(|part| part.0.clone()).collect(), self.stdin.as_ref()),
            (None, script) => (vec!["sh".to_owned(), "-s".to_owned()], script.as_ref()),
        };
        system::Command {
            argv,
            env: self.env.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect(),
            cwd: self.cwd.as_ref().map(|path| path.path().to_owned()),
            user: self.user.as_ref().map(|user| user.0.clone()),
            stdin: stdin.map(|text| text.0.clone().into_bytes()).unwrap_or_default(),
            timeout: Some(ask.timeout),
            tied: false,
        }
    }

    /// Returns the digest of what it does, for its stamp; `None` where a secret in it is not at hand.
    fn digest(&self, ask: &Ask<'_>) -> Option<String> {
        if ask.is_unknown("env") || ask.is_unknown("stdin") {
            return None;
        }
        let env: Vec<(&str, &str)> = self.env.iter().map(|(name, value)| (name.as_str(), value.0.as_str())).collect();
        let argv: Option<Vec<&str>> = self.argv.as_ref().map(|argv| argv.iter().map(|part| part.0.as_str()).collect());
        let (user, cwd) = (self.user.as_ref().map(|user| &user.0), self.cwd.as_ref().map(|cwd| &cwd.0));
        let (script, stdin) = (self.script.as_deref(), self.stdin.as_deref());
        let whole = serde_json::json!([argv, script, user, cwd, env, stdin]).to_string();
        // Without a secret no key is needed, and a stamp outlives the ledger that has the key.
        let secret = ask.is_secret("env") || ask.is_secret("stdin");
        Some(keyed_digest(if secret { &ask.known.key } else { "" }, whole.as_bytes()))
    }

    fn secrets(&self, ask: &Ask<'_>) -> Secrets {
        let env = self.env.iter().filter(|(name, _)| ask.is_secret(&format!("env.{name}")));
        let stdin = self.stdin.iter().filter(|_| ask.is_secret("stdin"));
        Secrets::of(env.map(|(_, value)| value).chain(stdin).map(|text| text.0.as_str()))
    }

    /// A run that was killed after the command itself may have left half of its output.
    fn without_torn_output<'a>(&self, sys: &dyn System) -> Result<Plan<'a>> {
        let Some(torn) = state::torn_output(sys, "command", &self.name)? else { return Ok(Plan::in_sync()) };
        let change = Change::field(&self.name.0, "output", Some("half kept by a run that was killed".to_owned()), None);
        Ok(Plan::step(Step::new(vec![change], move |sys| sys.remove_file(&torn))))
    }

    fn run(&self, sys: &dyn System, command: &system::Command, secrets: &Secrets) -> Result<()> {
        let attempt = || sys.run(command).and_then(|output| self.keep(sys, output, secrets)?.success(command));
        let ran = attempt().map(drop).map_err(|error| secrets.hide_in(error));
        match &self.script {
            Some(script) => {
                ran.map_err(|error| Error { attempt: format!("running {}", shown_script(script)), ..error })
            }
            None => ran,
        }
    }

    /// Keeps what it printed; of a command that was given a secret nothing is kept.
    fn keep(&self, sys: &dyn System, output: Output, secrets: &Secrets) -> Result<Output> {
        if !secrets.is_empty() {
            state::drop_output(sys, "command", &self.name)?;
            return Ok(output);
        }
        let mut printed = output.stdout.clone();
        printed.extend(&output.stderr);
        let from = printed.len().saturating_sub(KEPT);
        state::keep_output(sys, "command", &self.name, &printed[from..])?;
        Ok(output)
    }

    fn shown(&self) -> String {
        match (&self.argv, &self.script) {
            (Some(argv), _) => shortened(&system::Command::new(argv.iter().map(|part| part.0.clone())).shown()),
            (None, script) => shown_script(script.as_deref().unwrap_or_default()),
        }
    }
}

fn supplied(path: &AbsPath) -> Vec<Thing> {
    let mut things = vec![Thing::Path(path.path().to_owned())];
    let in_path = path
        .path()
        .parent()
        .is_some_and(|parent| system::program::PATH.split(':').any(|directory| Path::new(directory) == parent));
    let name = path.path().file_name().filter(|_| in_path);
    things.extend(name.map(|name| Thing::Program(name.to_string_lossy().into_owned())));
    things
}

fn shown_script(script: &str) -> String {
    let tells = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("set -");
    let first = script.lines().map(str::trim).find(tells).unwrap_or_default();
    format!("script `{}`, {} B", shortened(first), script.len())
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 100;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.chars().count() <= LONGEST { line } else { line.chars().take(LONGEST).chain("…".chars()).collect() }
}

fn is_variable(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(fields: &str) -> Command {
        toml::from_str(&format!("name = \"x\"\n{fields}")).unwrap()
    }

    fn mistakes(fields: &str) -> Vec<String> {
        command(fields).mistakes().into_iter().map(|mistake| mistake.message).collect()
    }

    #[test]
    fn a_command_has_exactly_one_guard() {
        assert!(mistakes("argv = [\"true\"]")[0].contains("needs a guard"));
        assert!(mistakes("argv = [\"true\"]\nonce = true\ncreates = \"/x\"")[0].contains("`creates` and `once`"));
        assert!(mistakes("argv = [\"true\"]\nonce = false")[0].contains("needs a guard"), "once = false is none");
        for guard in ["once = true", "creates = \"/x\"", "unless = [\"a\"]", "only-if = [\"a\"]", "watch = \"/x\""] {
            assert_eq!(mistakes(&format!("argv = [\"true\"]\n{guard}")), Vec::<String>::new());
        }
    }

    #[test]
    fn every_mistake_is_said() {
        let found = mistakes("script = \"a\"\nargv = []\nstdin = \"b\"\nunless = [\"\"]\nenv = { \"1A\" = \"c\" }");
        assert_eq!(found.len(), 5, "{found:?}");
    }

    #[test]
    fn a_script_is_shown_by_its_first_line_and_size() {
        let script = command("script = \"#!/bin/sh\\nset -e\\n\\necho hello\\necho more\\n\"\nonce = true");
        assert_eq!(script.shown(), "script `echo hello`, 39 B");
    }

    #[test]
    fn what_it_makes_in_path_is_a_program() {
        let made = AbsPath("/usr/local/bin/claude".into());
        assert_eq!(supplied(&made)[1], Thing::Program("claude".into()));
        assert_eq!(supplied(&AbsPath("/opt/x".into())).len(), 1);
    }
}
