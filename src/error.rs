//! An error that names the attempt, keeps its causes and offers the remedy. It crosses the pipe from a container whole.
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

const FULL: &str = "free some space, then run again";
const READ_ONLY: &str = "mount that file system read-write, then run again";

/// What was attempted, why it failed and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// Lower case, with the path or command in backticks: "writing `/etc/exports`".
    pub attempt: String,
    /// From the nearest cause to the farthest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The last lines that a failing child printed; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// A whole sentence: "free some space, then run again".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What the kernel and programs say, as strerror(3) and apt-get(8) have it in the C locale.
const OBSTACLES: [(&str, &str); 4] = [
    ("No space left on device", FULL),
    ("Disk quota exceeded", FULL),
    ("You don't have enough free space in", FULL),
    ("Read-only file system", READ_ONLY),
];

impl Error {
    /// Returns an error that has no cause beyond what it says.
    pub fn new(attempt: impl Into<String>) -> Self {
        Self { attempt: attempt.into(), causes: Vec::new(), output: Vec::new(), remedy: None }
    }

    /// Adds a cause and everything below it, and what to do where it is a disk that can't be written.
    #[must_use]
    pub fn because(mut self, cause: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            let text = error.to_string();
            self = self.told_by(&text);
            self.causes.push(text);
            next = error.source();
        }
        self
    }

    /// Adds a cause that is only words.
    #[must_use]
    pub fn reason(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds what to do next where that is not known better.
    #[must_use]
    pub fn otherwise(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.get_or_insert_with(|| remedy.into());
        self
    }

    fn told_by(self, text: &str) -> Self {
        let told = OBSTACLES.iter().find(|(words, _)| text.contains(words));
        match told {
            Some((_, remedy)) => self.otherwise(*remedy),
            None => self,
        }
    }

    /// Adds the last 20 lines of what a child printed, and what to do where they tell of a disk that can't be written.
    #[must_use]
    pub fn output(mut self, printed: &str) -> Self {
        self = self.told_by(printed);
        let lines: Vec<&str> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
        let from = lines.len().saturating_sub(20);
        self.output = lines[from..].iter().map(|line| (*line).to_owned()).collect();
        self
    }

    /// Puts a wider attempt in front: what was `attempt` becomes the first cause.
    #[must_use]
    pub fn during(mut self, attempt: impl Into<String>) -> Self {
        let inner = std::mem::replace(&mut self.attempt, attempt.into());
        self.causes.insert(0, inner);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempt)
    }
}

impl StdError for Error {}

/// Names the attempt of a foreign result.
pub trait Attempt<T> {
    /// Wraps the failure as the cause of `attempt`.
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: StdError + 'static> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, attempt: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| match (&error as &(dyn StdError + 'static)).downcast_ref::<Error>() {
            Some(ours) => ours.clone().during(attempt()),
            None => Error::new(attempt()).because(&error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_cannot_be_written_is_known_by_the_kernels_word_or_a_childs() {
        let kernel = |code| Error::new("writing `/x`").because(&std::io::Error::from_raw_os_error(code)).remedy;
        assert_eq!((kernel(28).as_deref(), kernel(122).as_deref()), (Some(FULL), Some(FULL)));
        assert_eq!((kernel(30).as_deref(), kernel(13)), (Some(READ_ONLY), None));
        let printed = |text: &str| Error::new("running `x`").output(text).remedy;
        assert_eq!(printed("mv: cannot move: No space left on device\n").as_deref(), Some(FULL));
        assert_eq!(printed("E: You don't have enough free space in /var/cache/apt/archives/.").as_deref(), Some(FULL));
        assert_eq!(printed("touch: cannot touch 'x': Read-only file system").as_deref(), Some(READ_ONLY));
        assert_eq!(printed("out of luck"), None);
        let ours = Error::new("running `x`").remedy("do this").output("No space left on device");
        assert_eq!(ours.remedy.as_deref(), Some("do this"));
    }
}
