//! An error that names the attempt, keeps its causes and offers the remedy. It crosses the pipe from a container whole.
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

impl Error {
    /// Returns an error that has no cause beyond what it says.
    pub fn new(attempt: impl Into<String>) -> Self {
        Self { attempt: attempt.into(), causes: Vec::new(), output: Vec::new(), remedy: None }
    }

    /// Adds a cause and everything below it.
    #[must_use]
    pub fn because(mut self, cause: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            self.causes.push(error.to_string());
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

    /// Adds the last 20 lines of what a child printed.
    #[must_use]
    pub fn output(mut self, printed: &str) -> Self {
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
