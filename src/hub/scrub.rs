//! What may be recorded and shown of a text that others wrote: no secret, nothing that steers a terminal, not without end.
use crate::error::Error;
use crate::event::{Event, Outcome};
use crate::id::Id;
use crate::resource::Change;
use std::borrow::Cow;

/// A line.
const SHORT: usize = 4 * 1024;
/// A text of many lines, or a value of a field.
const LONG: usize = 64 * 1024;
/// Lines of output in an error.
const LINES: usize = 20;
/// A shorter secret would blacken ordinary words.
const SHORTEST_SECRET: usize = 4;

/// The secrets of a run, longest first.
#[derive(Default)]
pub(super) struct Scrub {
    secrets: Vec<String>,
}

impl Scrub {
    /// Returns what hides these values; of one with several lines each line that is long enough to be told from others.
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut secrets = Vec::new();
        for value in values {
            let plain = plain(value.trim(), true).into_owned();
            if plain.contains('\n') {
                let long = plain.lines().map(str::trim).filter(|line| line.len() >= 2 * SHORTEST_SECRET);
                secrets.extend(long.map(str::to_owned));
            }
            secrets.push(plain);
        }
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    /// Cleans all that an event says.
    pub(super) fn event(&self, event: &mut Event) {
        match event {
            Event::Checking { ids } | Event::Unmade { ids } => ids.iter_mut().for_each(id),
            Event::Planned { id: of, changes, phase, .. } => {
                id(of);
                self.changes(changes);
                self.optional(phase);
            }
            Event::Behind { after, ids } => {
                id(after);
                ids.iter_mut().for_each(id);
            }
            Event::Unexpected { differences, .. } => {
                for one in differences.iter_mut().flatten() {
                    id(&mut one.id);
                    self.changes(&mut one.expected);
                    self.changes(&mut one.planned);
                }
            }
            Event::Orphan { id: of, changes, because, remedy } => {
                id(of);
                self.changes(changes);
                self.optional(because);
                self.optional(remedy);
            }
            Event::Applying { ids, changes, .. } => {
                ids.iter_mut().for_each(id);
                self.changes(changes);
            }
            Event::Finished { id: of, outcome, phase, digest, .. } => {
                id(of);
                self.outcome(outcome);
                self.optional(phase);
                self.short(digest);
            }
            Event::Remark { id: of, remark } => {
                id(of);
                name(&mut remark.name);
                self.long(&mut remark.text);
            }
            Event::Said { id: of, text } => {
                id(of);
                self.long(text);
            }
            Event::Printed { id: of, program, text, .. } => {
                id(of);
                self.short(program);
                self.long(text);
            }
            Event::LaneEnded { stopped, .. } => stopped.iter_mut().for_each(id),
            Event::Identified { identity, .. } => self.short(identity),
            Event::Capacity(capacity) => {
                capacity.members.iter_mut().for_each(|member| self.short(&mut member.hostname));
                let unknown = capacity.places.iter_mut().filter_map(|place| place.unknown.as_mut());
                unknown.chain(&mut capacity.over).for_each(|text| self.long(text));
            }
            Event::Warned { text } => self.long(text),
            Event::Acked { id: of, ack } => {
                id(of);
                self.short(&mut ack.who);
                self.long(&mut ack.evidence);
            }
            Event::Started(started) => {
                self.short(&mut started.file);
                self.short(&mut started.who);
                started.vars.values_mut().for_each(|value| self.short(value));
            }
            Event::LaneStarted
            | Event::PlanEnded
            | Event::Ended(_)
            | Event::Asked { .. }
            | Event::Held { .. }
            | Event::Unknown => {}
        }
    }

    fn outcome(&self, outcome: &mut Outcome) {
        match outcome {
            Outcome::Changed { changes } => self.changes(changes),
            Outcome::Waiting { because, remedy } => {
                self.short(because);
                self.optional(remedy);
            }
            Outcome::Failed { error } => self.error(error),
            Outcome::Skipped { because } => self.short(because),
            Outcome::InSync | Outcome::Differs { .. } => {}
        }
    }

    /// Cleans an error.
    pub(super) fn error(&self, error: &mut Error) {
        self.short(&mut error.attempt);
        error.causes.truncate(LINES);
        error.causes.iter_mut().for_each(|cause| self.long(cause));
        let from = error.output.len().saturating_sub(LINES);
        error.output.drain(..from);
        error.output.iter_mut().for_each(|line| {
            // What a terminal would show of a progress bar is what came after the last return.
            if let Some(at) = line.trim_end_matches('\r').rfind('\r') {
                line.drain(..=at);
            }
            self.short(line);
        });
        self.optional(&mut error.remedy);
    }

    fn changes(&self, changes: &mut [Change]) {
        for change in changes {
            name(&mut change.name);
            self.short(&mut change.field);
            for value in [&mut change.from, &mut change.to].into_iter().flatten() {
                self.clean(value, false, LONG);
            }
            change.after.iter_mut().for_each(id);
            change.diff.iter_mut().for_each(|diff| self.long(diff));
        }
    }

    fn optional(&self, text: &mut Option<String>) {
        if let Some(text) = text {
            self.short(text);
        }
    }

    fn short(&self, text: &mut String) {
        self.clean(text, false, SHORT);
    }

    fn long(&self, text: &mut String) {
        self.clean(text, true, LONG);
    }

    /// Returns a text of any length, with its lines, without secrets and without what steers a terminal.
    pub(super) fn without(&self, text: &str) -> String {
        let mut shown = plain(text, true).into_owned();
        self.hide(&mut shown);
        shown
    }

    fn hide(&self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), "(secret)");
            }
        }
    }

    /// First what a terminal would not show, which could hide a secret in pieces; then secrets; then the length, which could
    /// leave half of one.
    fn clean(&self, text: &mut String, lines: bool, most: usize) {
        if let Cow::Owned(plain) = plain(text, lines) {
            *text = plain;
        }
        self.hide(text);
        if text.len() > most {
            let end = text.floor_char_boundary(most);
            text.truncate(end);
            text.push('…');
        }
    }
}

/// An id keeps its secrets: it is a name, and what is recorded under another one would be lost.
fn id(id: &mut Id) {
    name(&mut id.kind);
    name(&mut id.name);
}

fn name(name: &mut String) {
    if let Cow::Owned(plain) = plain(name, false) {
        *name = plain;
    }
}

/// Returns a text without escape sequences, and with other control characters and those that turn the direction of writing
/// spelled out. A line's end stays where `lines` are wanted and is a blank elsewhere.
pub(super) fn plain(text: &str, lines: bool) -> Cow<'_, str> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let is_plain = |c: char| c == '\t' || (c == '\n' && lines) || !steers(c);
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match without_sequence(rest.as_str()) {
                Some(after) => rest = after.chars(),
                None => plain.push_str("\\x1b"),
            },
            '\r' if rest.as_str().starts_with('\n') => {}
            '\n' | '\r' => plain.push(if lines { '\n' } else { ' ' }),
            c if is_plain(c) => plain.push(c),
            c => plain.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(plain)
}

/// Returns whether a character steers a terminal: a control character, or one that turns the direction of writing.
pub(crate) fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns what follows an escape sequence whose ESC was read (ECMA-48: control sequences, strings, two-character escapes);
/// `None` where it is none, or has no end.
fn without_sequence(text: &str) -> Option<&str> {
    let mut rest = text.chars();
    match rest.next()? {
        '[' => {
            let rest = rest.as_str();
            let end = rest.find(|c| !matches!(c, '\u{20}'..='\u{3f}'))?;
            let last = rest[end..].chars().next()?;
            matches!(last, '\u{40}'..='\u{7e}').then(|| &rest[end + 1..])
        }
        ']' | 'P' | 'X' | '^' | '_' => {
            let rest = rest.as_str();
            let end = rest.find(['\u{7}', '\u{1b}', '\n'])?;
            match &rest[end..] {
                end if end.starts_with('\u{7}') => Some(&end[1..]),
                end => end.strip_prefix("\u{1b}\\"),
            }
        }
        ' '..='/' => {
            let rest = rest.as_str();
            let end = rest.find(|c| !matches!(c, ' '..='/'))?;
            rest[end..].starts_with(|c| matches!(c, '0'..='~')).then(|| &rest[end + 1..])
        }
        '0'..='~' => Some(rest.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_stays() {
        for (text, one_line, lines) in [
            ("plain ünïcode\ttab", "plain ünïcode\ttab", "plain ünïcode\ttab"),
            ("two\nlines", "two lines", "two\nlines"),
            ("two\r\nlines", "two lines", "two\nlines"),
            ("10%\r20%", "10% 20%", "10%\n20%"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red", "red"),
            ("\u{1b}[?25lhidden\u{1b}[2J", "hidden", "hidden"),
            ("\u{1b}]0;title\u{7}after", "after", "after"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link", "link"),
            ("\u{1b}(Bset", "set", "set"),
            ("\u{1b}cfresh", "fresh", "fresh"),
            ("\u{1b}]0;no end", "\\x1b]0;no end", "\\x1b]0;no end"),
            ("\u{1b}[31", "\\x1b[31", "\\x1b[31"),
            ("\u{1b}", "\\x1b", "\\x1b"),
            ("bell\u{7}", "bell\\u{7}", "bell\\u{7}"),
            ("nul\0", "nul\\u{0}", "nul\\u{0}"),
            ("c1\u{9b}31m", "c1\\u{9b}31m", "c1\\u{9b}31m"),
            ("\u{202e}reversed", "\\u{202e}reversed", "\\u{202e}reversed"),
        ] {
            assert_eq!(plain(text, false), one_line, "{text:?}");
            assert_eq!(plain(text, true), lines, "{text:?}");
        }
    }

    fn cleaned(secrets: &[&str], text: &str) -> String {
        let mut event = Event::Warned { text: text.to_owned() };
        Scrub::new(secrets.iter().map(|secret| (*secret).to_owned())).event(&mut event);
        let Event::Warned { text } = event else { panic!("another event") };
        text
    }

    #[test]
    fn secrets_are_hidden_whole_in_lines_and_in_pieces() {
        for (secrets, text, expected) in [
            (&["hunter2"][..], "it is hunter2, hunter2", "it is (secret), (secret)"),
            (&["hunter2\n"], "token=hunter2", "token=(secret)"),
            (&["hunter2"], "hun\u{1b}[0mter2", "(secret)"),
            (&["abcd", "abcdefgh"], "abcdefgh abcd", "(secret) (secret)"),
            (&["-----BEGIN-----\nMIIEvQIBADAN\nend\n"], "+MIIEvQIBADAN\n+end", "+(secret)\n+end"),
            (&["abc"], "abc", "abc"),
            (&[""], "empty", "empty"),
        ] {
            assert_eq!(cleaned(secrets, text), expected);
        }
    }

    #[test]
    fn a_text_without_end_is_cut_and_no_half_secret_stays() {
        let text = format!("{}hunter2-and-more", "é".repeat((LONG - 8) / 2));
        let cut = cleaned(&["hunter2-and-more"], &text);
        assert!(cut.ends_with("(secret)") && cut.len() <= LONG + 8, "{}", &cut[cut.len() - 20..]);
        assert!(cleaned(&[], &"x".repeat(2 * LONG)).len() <= LONG + '…'.len_utf8());
    }

    #[test]
    fn an_error_keeps_its_last_lines_and_what_a_bar_showed_last() {
        let mut error = Error::new("running `npm`");
        error.output = (0..30).map(|line| format!("0%\r50%\r{line}\r")).collect();
        Scrub::default().error(&mut error);
        assert_eq!(error.output.len(), 20);
        assert_eq!(error.output[19].trim_end(), "29");
    }

    #[test]
    fn an_id_keeps_its_name_even_where_a_secret_is_like_it() {
        let of: Id = "201/user:lilly".parse().unwrap();
        let mut event =
            Event::Applying { ids: vec![of.clone()], changes: vec![Change::made("lilly", "uid lilly")], absent: false };
        Scrub::new(["lilly".to_owned()]).event(&mut event);
        assert_eq!(
            event,
            Event::Applying { ids: vec![of], changes: vec![Change::made("lilly", "uid (secret)")], absent: false }
        );
    }
}
