//! A unified diff for people: of text, bounded.
use similar::TextDiff;

/// Longer texts are not compared.
const MOST_BYTES: usize = 64 * 1024;
/// Longer diffs are cut.
const MOST_LINES: usize = 200;

/// Returns the unified diff of two texts; `None` where one of them is binary or too long.
pub(crate) fn unified(old: &[u8], new: &[u8]) -> Option<String> {
    let (old, new) = (text(old)?, text(new)?);
    let diff = TextDiff::from_lines(old, new).unified_diff().context_radius(3).to_string();
    let lines = diff.lines().count();
    if lines <= MOST_LINES {
        return Some(diff);
    }
    let cut: String = diff.lines().take(MOST_LINES).flat_map(|line| [line, "\n"]).collect();
    Some(format!("{cut}… {} more lines\n", lines - MOST_LINES))
}

fn text(bytes: &[u8]) -> Option<&str> {
    if bytes.len() > MOST_BYTES || bytes.contains(&0) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::unified;

    #[test]
    fn texts_are_compared_line_by_line() {
        assert_eq!(unified(b"a\nb\n", b"a\nc\n").unwrap(), "@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        assert_eq!(unified(b"", b"a\n").unwrap(), "@@ -0,0 +1 @@\n+a\n");
    }

    #[test]
    fn binaries_and_long_texts_are_not() {
        assert_eq!(unified(b"a\0", b"a\n"), None);
        assert_eq!(unified(b"\xff", b"a\n"), None);
        assert_eq!(unified(&b"x\n".repeat(40_000), b"a\n"), None);
    }

    #[test]
    fn a_long_diff_is_cut_and_says_so() {
        let new = "line\n".repeat(300);
        let diff = unified(b"", new.as_bytes()).unwrap();
        assert_eq!(diff.lines().count(), 201);
        assert!(diff.ends_with("… 101 more lines\n"), "{diff}");
    }
}
