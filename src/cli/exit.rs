//! How a command ends: an exit code, and what is said about it.
use crate::error::Error;
use crate::interrupt;
use crate::ledger::LockError;
use crate::recipe::Mistakes;
use crate::report::error_text;
use std::io::Write;

/// Why a command ended without doing what it is for.
#[derive(Debug)]
pub(super) enum Exit {
    /// Something failed: 1.
    Failed(Error),
    /// The recipe is wrong, nothing was touched: 2.
    Mistakes(Mistakes),
    /// The command line, or what it names, is wrong: 2.
    Usage(Error),
    /// Another run holds the lock: 5.
    Locked(Error),
    /// A signal ended it before it began: 130, 143, 129.
    Interrupted(Error),
}

impl Exit {
    /// Returns the exit code.
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::Failed(_) => 1,
            Self::Mistakes(_) | Self::Usage(_) => 2,
            Self::Locked(_) => 5,
            Self::Interrupted(_) => interrupt::exit_code().unwrap_or(130),
        }
    }

    /// Says it on stderr and returns the code.
    pub(super) fn say(&self, color: bool) -> i32 {
        let text = match self {
            Self::Mistakes(mistakes) => mistakes.render(color),
            Self::Failed(error) | Self::Usage(error) | Self::Locked(error) | Self::Interrupted(error) => {
                error_text(error, color)
            }
        };
        // There is nobody left to tell if stderr is closed.
        drop(writeln!(std::io::stderr(), "{}", text.trim_end()));
        self.code()
    }
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<LockError> for Exit {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(_) => Self::Locked(error.into()),
            LockError::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<Mistakes> for Exit {
    fn from(mistakes: Mistakes) -> Self {
        Self::Mistakes(mistakes)
    }
}
