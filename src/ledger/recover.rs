//! What a killed run leaves at the end of the ledger: a line without its newline, or one that is no JSON. That is cut off.
use serde::de::IgnoredAny;

/// The end of a ledger that a killed run left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Where it begins: the length of the ledger without it.
    pub at: usize,
    /// How many bytes it has.
    pub bytes: usize,
}

/// Returns what is torn at the end of a ledger, if anything is. Only the last line is looked at.
pub(super) fn torn(ledger: &[u8]) -> Option<Torn> {
    let from = |at: usize| Some(Torn { at, bytes: ledger.len() - at });
    let Some((b'\n', lines)) = ledger.split_last() else {
        return if ledger.is_empty() { None } else { from(start_of_last_line(ledger)) };
    };
    let start = start_of_last_line(lines);
    if serde_json::from_slice::<IgnoredAny>(&lines[start..]).is_ok() { None } else { from(start) }
}

fn start_of_last_line(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_can_be_torn() {
        for (ledger, expected) in [
            ("", None),
            ("{}\n", None),
            ("{}\n{}\n", None),
            ("{", Some((0, 1))),
            ("\n", Some((0, 1))),
            ("{}\n{}", Some((3, 2))),
            ("{}\n{\n", Some((3, 2))),
            ("{}\n{\"a\":1", Some((3, 6))),
            ("{}\n\0\0\0\0", Some((3, 4))),
            ("{\n{}\n", None),
        ] {
            let expected = expected.map(|(at, bytes)| Torn { at, bytes });
            assert_eq!(torn(ledger.as_bytes()), expected, "{ledger:?}");
        }
    }
}
