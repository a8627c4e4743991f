//! A download that is tried again where the server, or the way to it, fails for a moment.
use super::{Fetch, Fetched, System};
use crate::error::Result;
use std::time::Duration;

/// How often it is tried,
const TRIES: usize = 3;
/// and how long is waited before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Returns what a server answers, the last time that it was asked.
pub fn download(sys: &dyn System, request: &Fetch<'_>) -> Result<Fetched> {
    let is_passing = |answer: &Result<Fetched>| match answer {
        Ok(answer) => answer.status >= 500 || answer.status == 429,
        Err(_) => true,
    };
    let mut answer = sys.fetch(request);
    for _again in 1..TRIES {
        if !is_passing(&answer) {
            break;
        }
        sys.sleep(PAUSE);
        answer = sys.fetch(request);
    }
    answer
}
