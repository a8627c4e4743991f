//! What a command says that is no run.
use crate::error::{Attempt, Result};
use std::io::{ErrorKind, Write};

/// Prints a text on stdout. Who closed the pipe does not want to know.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed.attempt(|| "printing".to_owned()),
    }
}

/// Says on stderr what should be known besides.
pub(super) fn warn(text: &str) {
    // There is nobody left to tell if stderr is closed.
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}
