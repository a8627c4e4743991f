//! The form of a line: `{"v":1,"prev":HASH,"run":…,"time":…,"event":…,…,"sum":CHECK}`. `prev` is the SHA-256 of the line
//! before it, without its newline; `sum` begins the SHA-256 of its own bytes up to there, so that the last line, which no
//! other line vouches for, can't be changed unnoticed by accident either. `v` is the lowest version that can read the line.
use crate::event::{Envelope, Event};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The version of the form, from which on a ledger may go on from another file. A reader refuses a higher one.
pub(super) const VERSION: u32 = 2;
/// The version of a line that holds an event.
const OF_EVENTS: u32 = 1;

/// What stands for the hash of a line before the first.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const SUM: &str = ",\"sum\":\"";
const SUM_DIGITS: usize = 16;

#[derive(Serialize)]
struct Record<'a> {
    v: u32,
    prev: &'a str,
    run: &'a str,
    seq: u64,
    time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lane: Option<&'a str>,
    #[serde(flatten)]
    event: &'a Event,
}

/// Returns the line, without its newline, that holds an event and follows the line with the hash `prev`.
pub(super) fn seal(prev: &str, envelope: &Envelope) -> Result<String, serde_json::Error> {
    let Envelope { run, seq, time, lane, event, .. } = envelope;
    let record = Record { v: OF_EVENTS, prev, run, seq: *seq, time, lane: lane.as_deref(), event };
    seal_record(&record)
}

/// Returns the line of a record that has its `v` and `prev` first.
pub(super) fn seal_record(record: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut line = serde_json::to_string(record)?;
    line.pop();
    let sum = hash(line.as_bytes());
    line.push_str(SUM);
    line.push_str(&sum[..SUM_DIGITS]);
    line.push_str("\"}");
    Ok(line)
}

/// Returns whether a line's sum is that of its bytes.
pub(super) fn is_whole(line: &[u8]) -> bool {
    let Some(end) = line.len().checked_sub(SUM.len() + SUM_DIGITS + 2) else { return false };
    let (content, tail) = line.split_at(end);
    let sum = &hash(content)[..SUM_DIGITS];
    tail.strip_prefix(SUM.as_bytes()).and_then(|rest| rest.strip_suffix(b"\"}")) == Some(sum.as_bytes())
}

/// Returns the hash by which the next line names a line.
pub(crate) fn hash(line: &[u8]) -> String {
    let digest = Sha256::digest(line);
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a `String` does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Started;

    fn envelope() -> Envelope {
        let started = Started {
            recipe: "web".into(),
            file: "web.toml".into(),
            command: "apply".into(),
            version: "0.1.0".into(),
            ..Started::default()
        };
        Envelope {
            v: 1,
            run: "PROVISION-APPLY20261120-001".into(),
            seq: 1,
            time: "2026-11-20T12:00:00.000Z".into(),
            lane: None,
            event: Event::Started(started),
        }
    }

    #[test]
    fn a_line_has_its_version_first_and_its_sum_last() {
        let line = seal(GENESIS, &envelope()).unwrap();
        let expected = format!(
            "{{\"v\":1,\"prev\":\"{GENESIS}\",\"run\":\"PROVISION-APPLY20261120-001\",\"seq\":1,\
             \"time\":\"2026-11-20T12:00:00.000Z\",\"event\":\"started\",\"recipe\":\"web\",\"file\":\"web.toml\",\
             \"command\":\"apply\",\"version\":\"0.1.0\",\"sum\":\"cc3155913cccae3e\"}}"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn the_hash_is_what_sha256sum_says_of_the_line() {
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn no_bit_of_a_line_can_change_without_its_sum_telling() {
        let line = seal(GENESIS, &envelope()).unwrap().into_bytes();
        assert!(is_whole(&line));
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut bad = line.clone();
                bad[at] ^= 1 << bit;
                assert!(!is_whole(&bad), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_shorter_than_a_sum_is_not_whole() {
        for bad in ["", "{}", ",\"sum\":\"\"}"] {
            assert!(!is_whole(bad.as_bytes()));
        }
    }
}
