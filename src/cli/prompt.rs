//! Asks a person, on a terminal.
use crate::error::{Attempt, Result};
use crate::interrupt;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

/// How often it is looked whether the run is asked to end, in milliseconds: the signal may come just before the wait.
const LOOK: u8 = 200;

/// Returns whether there is a person to ask.
pub(super) fn is_somebody_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Returns whether a person says yes; no answer is no, and so is Ctrl-C.
pub(super) fn agrees(question: &str) -> Result<bool> {
    let mut out = std::io::stdout();
    write!(out, "{question} [y/N] ").and_then(|()| out.flush()).attempt(|| "asking".to_owned())?;
    let mut answer = String::new();
    if is_answered()? {
        std::io::stdin().lock().read_line(&mut answer).attempt(|| "reading the answer".to_owned())?;
    }
    if !answer.ends_with('\n') {
        writeln!(out).attempt(|| "asking".to_owned())?;
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Waits for a line, or for a signal that asks the run to end.
fn is_answered() -> Result<bool> {
    let stdin = std::io::stdin();
    while !interrupt::is_raised() {
        match poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], PollTimeout::from(LOOK)) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error).attempt(|| "waiting for the answer".to_owned()),
        }
    }
    Ok(false)
}
