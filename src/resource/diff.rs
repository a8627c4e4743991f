//! A unified diff for people: of text, bounded.
use similar::algorithms::{Capture, Compact, Replace, myers};
use similar::udiff::UnifiedHunkHeader;
use similar::{ChangeTag, group_diff_ops};
use std::fmt::Write as _;

/// Longer texts are not compared.
const MOST_BYTES: usize = 64 * 1024;
/// Longer diffs are cut.
const MOST_LINES: usize = 200;
/// So many lines that are the same are shown around those that differ.
const CONTEXT: usize = 3;

/// Returns the unified diff of two texts; `None` where one of them is binary or too long.
pub(crate) fn unified(old: &[u8], new: &[u8]) -> Option<String> {
    let (old, new) = (text(old)?, text(new)?);
    let diff = hunks(&old.split_inclusive('\n').collect::<Vec<_>>(), &new.split_inclusive('\n').collect::<Vec<_>>());
    let lines = diff.lines().count();
    if lines <= MOST_LINES {
        return Some(diff);
    }
    let cut: String = diff.lines().take(MOST_LINES).flat_map(|line| [line, "\n"]).collect();
    Some(format!("{cut}… {} more lines\n", lines - MOST_LINES))
}

/// Returns the hunks of a unified diff. One algorithm by name, and not `TextDiff`, which links in all that there are.
fn hunks(old: &[&str], new: &[&str]) -> String {
    let mut hook = Compact::new(Replace::new(Capture::new()), old, new);
    let Ok(()) = myers::diff(&mut hook, old, 0..old.len(), new, 0..new.len());
    let mut text = String::new();
    for ops in group_diff_ops(hook.into_inner().into_inner().into_ops(), CONTEXT) {
        let _ = writeln!(text, "{}", UnifiedHunkHeader::new(&ops));
        for change in ops.iter().flat_map(|op| op.iter_changes(old, new)) {
            let line: &str = change.value();
            text.push(match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            });
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
    }
    text
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
    fn what_is_far_apart_is_in_hunks_of_its_own_and_a_missing_newline_is_said() {
        let old = (1..=20).map(|number| number.to_string() + "\n").collect::<String>();
        let new = old.replace("\n2\n", "\ntwo\n").replace("\n20\n", "\n20");
        let diff = "@@ -1,5 +1,5 @@\n 1\n-2\n+two\n 3\n 4\n 5\n\
                    @@ -17,4 +17,4 @@\n 17\n 18\n 19\n-20\n+20\n\\ No newline at end of file\n";
        assert_eq!(unified(old.as_bytes(), new.as_bytes()).unwrap(), diff);
        assert_eq!(unified(b"same\n", b"same\n").unwrap(), "");
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
