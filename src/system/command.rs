//! A program to run, as argv, and what came of it.
use super::without_login;
use crate::error::{Error, Result};
use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

/// A program to run: argv, never a shell string. Its environment is empty but for PATH, HOME, USER, LOGNAME, LANG (C.UTF-8)
/// and what `env` adds; its stdin is empty but for `stdin`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// The program and its arguments; the program is looked up in the fixed PATH.
    pub argv: Vec<String>,
    /// Added to the environment.
    pub env: Vec<(String, String)>,
    /// The working directory; `/` without.
    pub cwd: Option<PathBuf>,
    /// The user as whom it runs, with that user's groups and HOME; root without.
    pub user: Option<String>,
    /// What it reads on stdin.
    pub stdin: Vec<u8>,
    /// It is ended (TERM, then KILL, with all its children) after this; never without.
    pub timeout: Option<Duration>,
    /// It is ended (TERM) when we are, by whatever: what it does half can be done again. Else it goes on to its end.
    pub tied: bool,
}

impl Command {
    /// Returns the command with these arguments.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Sets what it reads on stdin.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets the user as whom it runs.
    #[must_use]
    pub fn user(mut self, user: Option<&str>) -> Self {
        self.user = user.map(str::to_owned);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn cwd(mut self, path: Option<PathBuf>) -> Self {
        self.cwd = path;
        self
    }

    /// Bounds its time.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Returns the command as a person would type it, for errors; arguments are quoted where a shell would need it, and the
    /// login in a URL is left out.
    pub fn shown(&self) -> String {
        let words = self.argv.iter().map(|argument| shell_word(&without_login(argument)).into_owned());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// Returns a word as a person would type it to a shell: quoted where it needs that.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,~".contains(c);
    // A `~` at the beginning is somebody's home.
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
}

/// What came of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// The exit code; 128 + signal where a signal ended it; 127 where the program is not there; 126 where it can't be executed.
    pub code: i32,
    /// What it printed, bounded to the last 1 MiB.
    pub stdout: Vec<u8>,
    /// What it printed as errors, bounded likewise.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Returns stdout as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns the output where the code is 0, else an error with the command, the code and its last 20 lines.
    pub fn success(self, command: &Command) -> Result<Self> {
        if self.code == 0 {
            return Ok(self);
        }
        let printed = format!("{}\n{}", String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr));
        let code = match self.code {
            127 => "the program is not there (exit 127)".to_owned(),
            code if code > 128 && code < 160 => format!("ended by signal {}", code - 128),
            code => format!("exit {code}"),
        };
        Err(Error::new(format!("running `{}`", command.shown())).reason(code).output(&printed))
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, shell_word};

    #[test]
    fn a_login_in_a_url_is_not_shown() {
        let shown = |argument: &str| Command::new(["git", "clone", argument]).shown();
        assert_eq!(shown("https://token@example.org/x.git"), "git clone https://example.org/x.git");
        assert_eq!(shown("git@example.org:x.git"), "git clone git@example.org:x.git");
    }

    #[test]
    fn what_is_shown_of_a_command_can_be_pasted() {
        for (word, expected) in [
            ("/srv/web.toml", "/srv/web.toml"),
            ("a~", "a~"),
            ("~root", "'~root'"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(word), expected);
        }
    }
}
