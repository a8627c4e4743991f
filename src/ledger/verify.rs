//! Walks the chain from the first line to the last and tells where and how it is broken.
use super::checkpoint::Checkpoint;
use super::claims::State;
use super::line::{self, GENESIS};
use super::recover::{self, Torn};
use crate::error::Error;
use serde::Deserialize;
use std::fmt;

/// How many breaks are told one by one.
const BREAKS: usize = 20;

/// What a walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many lines there are, without a torn one.
    pub lines: usize,
    /// The hash of the last line; 64 zeros where there is none.
    pub head: String,
    /// Where the chain is broken, from the first line to the last.
    pub breaks: Vec<Break>,
    /// What a killed run left at the end.
    pub torn: Option<Torn>,
    /// The checkpoint beside the ledger says something else than the lines up to it.
    pub misled: bool,
}

/// A place where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The line, counted from 1.
    pub line: usize,
    /// Where it begins, in bytes.
    pub at: usize,
    /// How it is broken.
    pub how: How,
}

/// How a chain is broken at a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is not a line of a ledger at all.
    Unreadable,
    /// It was changed after it was written.
    Changed,
    /// It does not follow the line before it: one was taken out, put in, moved or exchanged here.
    Loose,
    /// It is of a format that this version of `provision` does not know.
    Newer(u32),
}

impl Verified {
    /// Returns whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.breaks.is_empty() && self.torn.is_none() && !self.misled
    }

    /// Returns whether something is wrong that no killed run explains.
    pub fn is_broken(&self) -> bool {
        !self.breaks.is_empty() || self.misled
    }

    /// Adds what is broken, and what to do, to an error.
    #[must_use]
    pub fn into_reasons(self, error: Error) -> Error {
        let shown = self.breaks.iter().take(BREAKS).fold(error, |error, found| error.reason(found.to_string()));
        let shown = match self.breaks.len().saturating_sub(BREAKS) {
            0 => shown,
            more => shown.reason(format!("and {more} more")),
        };
        if self.breaks.is_empty() {
            let why = "its checkpoint `claims.json` says something else than the lines up to it";
            return shown.reason(why).remedy("remove `claims.json` beside it: the lines say what it should");
        }
        let remedy =
            "compare the head with the one that the last run printed; what was recorded before the break still stands";
        shown.reason(format!("{} lines, head {}", self.lines, self.head)).remedy(remedy)
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} (byte {}) ", self.line, self.at)?;
        match self.how {
            How::Unreadable => f.write_str("is not a line of a ledger"),
            How::Changed => f.write_str("was changed after it was written"),
            How::Loose => {
                f.write_str("does not follow the line before it: one was taken out, put in, moved or exchanged")
            }
            How::Newer(version) => write!(f, "is of format {version}, which this version of provision does not know"),
        }
    }
}

#[derive(Deserialize)]
struct Link {
    v: u32,
    prev: String,
}

/// Walks the chain of a whole ledger, and holds the checkpoint against it.
pub(super) fn walk(ledger: &[u8], checkpoint: Option<&Checkpoint>) -> Verified {
    let torn = recover::torn(ledger);
    let sound = &ledger[..torn.map_or(ledger.len(), |torn| torn.at)];
    let mut walked = Verified { lines: 0, head: GENESIS.to_owned(), breaks: Vec::new(), torn, misled: false };
    let (mut at, mut state) = (0, State::default());
    for text in sound.split_inclusive(|&byte| byte == b'\n') {
        let content = &text[..text.len() - 1];
        walked.lines += 1;
        if let Some(how) = flaw(content, &walked.head) {
            walked.breaks.push(Break { line: walked.lines, at, how });
        }
        walked.head = line::hash(content);
        at += text.len();
        // A line that can't be read is a break already.
        let _ = state.fold(content);
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.length == at as u64) {
            walked.misled = checkpoint.head == walked.head && checkpoint.state != state;
        }
    }
    walked
}

/// Returns what is wrong with the line that should follow the one with the hash `prev`.
pub(super) fn flaw(content: &[u8], prev: &str) -> Option<How> {
    let Ok(link) = serde_json::from_slice::<Link>(content) else { return Some(How::Unreadable) };
    if !line::is_whole(content) {
        return Some(if link.v > line::VERSION { How::Newer(link.v) } else { How::Changed });
    }
    if link.v > line::VERSION {
        return Some(How::Newer(link.v));
    }
    (link.prev != prev).then_some(How::Loose)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Envelope, Event};

    fn ledger(lines: usize) -> Vec<String> {
        let mut prev = GENESIS.to_owned();
        let seal = |number: usize| {
            let event = Event::Warned { text: format!("line {number}") };
            let (run, time) = ("PROVISION-APPLY20261120-001".to_owned(), "2026-11-20T12:00:00.000Z".to_owned());
            let sealed = line::seal(&prev, &Envelope { v: 1, run, seq: 1, time, lane: None, event }).unwrap();
            prev = line::hash(sealed.as_bytes());
            sealed + "\n"
        };
        (1..=lines).map(seal).collect()
    }

    fn breaks(lines: &[String]) -> Vec<(usize, How)> {
        walk(lines.concat().as_bytes(), None).breaks.iter().map(|found| (found.line, found.how)).collect()
    }

    #[test]
    fn an_untouched_chain_is_intact_and_its_head_is_the_hash_of_the_last_line() {
        let lines = ledger(3);
        let walked = walk(lines.concat().as_bytes(), None);
        assert!(walked.is_intact());
        assert_eq!((walked.lines, walked.head), (3, line::hash(lines[2].trim_end().as_bytes())));
    }

    #[test]
    fn an_empty_ledger_is_intact() {
        let walked = walk(b"", None);
        assert!(walked.is_intact());
        assert_eq!((walked.lines, walked.head.as_str()), (0, GENESIS));
    }

    #[test]
    fn a_line_taken_out_put_in_exchanged_or_changed_is_told_from_a_torn_end() {
        let lines = ledger(4);
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| lines[at].clone());
        let of = |lines: &[&String]| breaks(&lines.iter().map(|line| (*line).clone()).collect::<Vec<_>>());
        assert_eq!(of(&[&a, &c, &d]), [(2, How::Loose)], "taken out");
        assert_eq!(of(&[&b, &c, &d]), [(1, How::Loose)], "the first taken out");
        assert_eq!(of(&[&a, &b, &b, &c, &d]), [(3, How::Loose)], "put in");
        assert_eq!(of(&[&a, &c, &b, &d]), [(2, How::Loose), (3, How::Loose), (4, How::Loose)], "exchanged");
        let changed = b.replace("line 2", "line 9");
        assert_eq!(of(&[&a, &changed, &c, &d]), [(2, How::Changed), (3, How::Loose)]);
        let garbage = "nothing\n".to_owned();
        assert_eq!(of(&[&a, &garbage, &c, &d]), [(2, How::Unreadable), (3, How::Loose)]);
        let walked = walk(format!("{a}{b}{}", &c[..20]).as_bytes(), None);
        assert_eq!(walked.breaks, []);
        assert_eq!(walked.torn, Some(Torn { at: a.len() + b.len(), bytes: 20 }));
    }

    #[test]
    fn a_line_of_a_newer_format_is_named_as_such() {
        let newer = "{\"v\":2,\"prev\":\"\",\"something\":\"else\"}\n".to_owned();
        assert_eq!(breaks(&[newer]), [(1, How::Newer(2))]);
    }

    #[test]
    fn a_break_says_where_it_is() {
        let found = Break { line: 7, at: 1234, how: How::Changed };
        assert_eq!(found.to_string(), "line 7 (byte 1234) was changed after it was written");
    }
}
