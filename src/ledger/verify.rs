//! Walks the chain from the first line to the last and tells where and how it is broken.
use super::checkpoint::Checkpoint;
use super::claims::State;
use super::line::{self, GENESIS};
use super::recover::{self, Torn};
use super::rotate::Opening;
use crate::error::Error;
use serde::Deserialize;
use std::fmt;

/// How many breaks are told one by one.
const BREAKS: usize = 20;

/// What a walk over the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many lines there are in all files, without a torn one.
    pub lines: usize,
    /// How many files there are.
    pub files: usize,
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
    /// The name of a file that was rotated; `None`: in the one that is written.
    pub file: Option<String>,
    /// The line of the file, counted from 1.
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
    /// It is the first of its file and says something else than the lines before it add up to.
    Misstated,
    /// The whole file is not there, or empty.
    Missing,
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

    /// Returns how long a chain that is not broken is, and its head.
    pub fn sums(&self) -> String {
        let torn = self.torn.map_or(String::new(), |torn| {
            format!("; {} bytes of a line that a killed run left at its end are cut off by the next run", torn.bytes)
        });
        let files = if self.files == 1 { String::new() } else { format!(" in {} files", self.files) };
        format!("{} lines{files}, whole{torn}; head {}", self.lines, self.head)
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
        match &self.file {
            Some(file) if self.how == How::Missing => return write!(f, "`{file}` is not there, or empty"),
            Some(file) => write!(f, "line {} (byte {}) of `{file}` ", self.line, self.at)?,
            None => write!(f, "line {} (byte {}) ", self.line, self.at)?,
        }
        match self.how {
            How::Unreadable => f.write_str("is not a line of a ledger"),
            How::Changed => f.write_str("was changed after it was written"),
            How::Loose => {
                f.write_str("does not follow the line before it: one was taken out, put in, moved or exchanged")
            }
            How::Newer(version) => write!(f, "is of format {version}, which this version of provision does not know"),
            How::Misstated => f.write_str("says something else than the lines before it add up to"),
            How::Missing => f.write_str("is not there, or empty"),
        }
    }
}

#[derive(Deserialize)]
struct Link {
    v: u32,
    prev: String,
}

/// A walk over the files of a ledger, from the oldest to the newest.
pub(super) struct Walk {
    found: Verified,
    /// What the lines so far add up to; `None` where one of them could not be read.
    state: Option<State>,
    /// The file before is missing, so that nothing tells what the next one should follow.
    gap: bool,
}

impl Default for Walk {
    fn default() -> Self {
        let found =
            Verified { lines: 0, files: 0, head: GENESIS.to_owned(), breaks: Vec::new(), torn: None, misled: false };
        Self { found, state: Some(State::default()), gap: false }
    }
}

impl Walk {
    /// Walks over a file that was rotated. It was whole then, so that nothing at its end is torn.
    pub(super) fn older(&mut self, name: &str, bytes: &[u8]) {
        self.lines(Some(name), bytes, None);
    }

    /// Notes that a whole file is not there.
    pub(super) fn missing(&mut self, name: String) {
        self.found.breaks.push(Break { file: Some(name), line: 0, at: 0, how: How::Missing });
        (self.state, self.gap) = (None, true);
    }

    /// Walks over the file that is written, holds the checkpoint against it, and returns what was found.
    pub(super) fn newest(mut self, bytes: &[u8], checkpoint: Option<&Checkpoint>) -> Verified {
        let torn = recover::torn(bytes);
        let sound = &bytes[..torn.map_or(bytes.len(), |torn| torn.at)];
        if sound.is_empty() && self.found.files > 0 {
            self.missing("ledger.jsonl".to_owned());
        }
        self.lines(None, sound, checkpoint);
        Verified { torn, ..self.found }
    }

    fn lines(&mut self, file: Option<&str>, bytes: &[u8], checkpoint: Option<&Checkpoint>) {
        self.found.files += 1;
        let mut at = 0;
        for (number, text) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let whole = text.strip_suffix(b"\n");
            let content = whole.unwrap_or(text);
            self.found.lines += 1;
            let prev = if std::mem::take(&mut self.gap) { None } else { Some(self.found.head.as_str()) };
            let opening = if number == 0 { Opening::of(bytes) } else { None };
            let mut how = if whole.is_some() { flaw(content, prev) } else { Some(How::Unreadable) };
            if let Some((opening, _)) = opening {
                let known = self.state.take();
                self.state = opening.state();
                // What is told in another form can't be compared.
                if how.is_none() && known.is_some() && self.state.is_some() && known != self.state {
                    how = Some(How::Misstated);
                }
            } else if self.state.as_mut().is_some_and(|state| state.fold(content).is_err()) {
                self.state = None;
            }
            self.found.head = line::hash(content);
            if let Some(how) = how {
                self.found.breaks.push(Break { file: file.map(str::to_owned), line: number + 1, at, how });
            }
            at += text.len();
            if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.length == at as u64) {
                let differs = self.state.as_ref().is_some_and(|state| *state != checkpoint.state);
                self.found.misled = checkpoint.head == self.found.head && differs;
            }
        }
    }
}

/// Returns what is wrong with the line that should follow the one with the hash `prev`; `None`: any.
pub(super) fn flaw(content: &[u8], prev: Option<&str>) -> Option<How> {
    let Ok(link) = serde_json::from_slice::<Link>(content) else { return Some(How::Unreadable) };
    if !line::is_whole(content) {
        return Some(if link.v > line::VERSION { How::Newer(link.v) } else { How::Changed });
    }
    if link.v > line::VERSION {
        return Some(How::Newer(link.v));
    }
    prev.is_some_and(|prev| link.prev != prev).then_some(How::Loose)
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
        Walk::default()
            .newest(lines.concat().as_bytes(), None)
            .breaks
            .iter()
            .map(|found| (found.line, found.how))
            .collect()
    }

    #[test]
    fn an_untouched_chain_is_intact_and_its_head_is_the_hash_of_the_last_line() {
        let lines = ledger(3);
        let walked = Walk::default().newest(lines.concat().as_bytes(), None);
        assert!(walked.is_intact());
        assert_eq!((walked.lines, walked.head), (3, line::hash(lines[2].trim_end().as_bytes())));
    }

    #[test]
    fn an_empty_ledger_is_intact() {
        let walked = Walk::default().newest(b"", None);
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
        let walked = Walk::default().newest(format!("{a}{b}{}", &c[..20]).as_bytes(), None);
        assert_eq!(walked.breaks, []);
        assert_eq!(walked.torn, Some(Torn { at: a.len() + b.len(), bytes: 20 }));
    }

    #[test]
    fn a_line_of_a_newer_format_is_named_as_such() {
        let newer = "{\"v\":3,\"prev\":\"\",\"something\":\"else\"}\n".to_owned();
        assert_eq!(breaks(&[newer]), [(1, How::Newer(3))]);
    }

    #[test]
    fn a_break_says_where_it_is() {
        let found = Break { file: None, line: 7, at: 1234, how: How::Changed };
        assert_eq!(found.to_string(), "line 7 (byte 1234) was changed after it was written");
        let found = Break { file: Some("ledger-0001.jsonl".to_owned()), ..found };
        assert_eq!(found.to_string(), "line 7 (byte 1234) of `ledger-0001.jsonl` was changed after it was written");
    }
}
