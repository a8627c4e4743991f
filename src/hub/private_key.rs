//! Private keys in a text, which take several lines (RFC 7468): which lines are of one.

/// The length of the lines of a key but for its last, which may be shorter; older tools wrote shorter ones.
const LINE: usize = 40;

/// Returns of each line whether it is of a private key. One that has no end goes on to the last line; of one that has no
/// beginning, since the text was cut off there, what looks like a line of a key is.
pub(super) fn lines_of_one(lines: &[&str]) -> Vec<bool> {
    let (mut of_one, mut begun) = (vec![false; lines.len()], None);
    for (at, line) in lines.iter().enumerate() {
        if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
            begun.get_or_insert(at);
        }
        if line.contains("-----END ") && line.contains("PRIVATE KEY") {
            let from = begun.take().unwrap_or_else(|| cut_off(lines, at));
            of_one[from..=at].fill(true);
        }
    }
    if let Some(from) = begun {
        of_one[from..].fill(true);
    }
    of_one
}

/// Returns where the lines begin that are of the key which ends at `end`.
fn cut_off(lines: &[&str], end: usize) -> usize {
    let is_of_one = |at: usize| {
        let last = lines[at].split_whitespace().next_back().unwrap_or_default();
        let is_base64 = last.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
        is_base64 && (last.len() >= LINE || at + 1 == end)
    };
    (0..end).rev().take_while(|at| is_of_one(*at)).last().unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::lines_of_one;

    #[test]
    fn the_lines_of_a_key_are_told_also_where_it_was_cut_off() {
        let body = "0123456789abcdefghijklmnopqrstuvwxyz+/0123456789";
        let shown = format!("2026-11-22 pve sh[7]: {body}");
        let (begin, end) = ("-----BEGIN RSA PRIVATE KEY-----", "  | -----END RSA PRIVATE KEY-----");
        for (lines, of_one) in [
            (&["a", begin, body, end, "b"][..], &[false, true, true, true, false][..]),
            (&["a", begin, "short", "b"], &[false, true, true, true]),
            (&["a", "to be", &shown, body, "c2hvcnQ=", end, "b"], &[false, false, true, true, true, true, false]),
            (&["no key", end], &[true, true]),
            (&["it says that", "here: ", end], &[false, false, true]),
            (&["-----BEGIN CERTIFICATE-----", body, "-----END CERTIFICATE-----"], &[false, false, false]),
            (&[body], &[false]),
            (&[], &[]),
        ] {
            assert_eq!(lines_of_one(lines), of_one, "{lines:?}");
        }
    }
}
