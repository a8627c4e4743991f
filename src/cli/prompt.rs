//! Asks a person, on a terminal.
use crate::error::{Attempt, Result};
use std::io::{BufRead, IsTerminal, Write};

/// Returns whether there is a person to ask.
pub(super) fn is_somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Returns whether a person says yes; no answer is no.
pub(super) fn agrees(question: &str) -> Result<bool> {
    let mut out = std::io::stdout();
    write!(out, "{question} [y/N] ").and_then(|()| out.flush()).attempt(|| "asking".to_owned())?;
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer).attempt(|| "reading the answer".to_owned())?;
    if read == 0 {
        writeln!(out).attempt(|| "asking".to_owned())?;
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
