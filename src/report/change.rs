//! A change in words.
use super::style::{Hue, Style, indented};
use crate::event::Label;
use crate::resource::Change;

/// Returns what a change does, to the last digit: two that differ read differently.
pub(super) fn exactly(change: &Change) -> String {
    let after = change.after.as_ref().map(|after| format!(" after {after}")).unwrap_or_default();
    told(&change.field, change.from.as_deref(), change.to.as_deref()) + &after
}

/// Returns what a change does: `made: 2.39`, `content: 12 B → 30 B`.
pub(super) fn words(change: &Change) -> String {
    let (from, to) = (change.from.as_deref(), change.to.as_deref());
    // Where the size tells the two apart the digests need not.
    let sizes = (from.map(sizes), to.map(sizes));
    let (from, to) = match &sizes {
        (Some(from), Some(to)) if from == to => (change.from.as_deref(), change.to.as_deref()),
        (from, to) => (from.as_deref(), to.as_deref()),
    };
    told(&change.field, from, to)
}

fn told(field: &str, from: Option<&str>, to: Option<&str>) -> String {
    match (from, to) {
        (None, Some("")) if field.is_empty() => "made".to_owned(),
        (None, Some(to)) if field.is_empty() => format!("made: {to}"),
        (Some("") | None, None) if field.is_empty() => "removed".to_owned(),
        (Some(from), None) if field.is_empty() => format!("removed: {from}"),
        (Some(from), Some(to)) if field.is_empty() => format!("{from} → {to}"),
        (None, Some(to)) => format!("{field}: {to}"),
        (Some(from), Some(to)) => format!("{field}: {from} → {to}"),
        (Some(from), None) => format!("{field}: {from} → nothing"),
        (None, None) => field.to_owned(),
    }
}

/// Returns a value with its keyed digests left out: `30 B`, of `30 B 5f0c1d2e3a4b5c6d`.
fn sizes(value: &str) -> String {
    let is_digest = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words: Vec<&str> = value.split(' ').collect();
    let stays = |at: &usize| !(is_digest(words[*at]) && *at > 0 && words[at - 1] == "B");
    (0..words.len()).filter(stays).map(|at| words[at]).collect::<Vec<_>>().join(" ")
}

/// Returns what changes did, in few words: `made`, `content, mode`.
pub(super) fn brief(changes: &[Change]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for change in changes {
        let word = match change {
            change if change.makes() => "made",
            change if change.removes() => "removed",
            change if change.field.is_empty() => "changed",
            change => &change.field,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(", ")
}

/// Returns the sign of a resource's changes, and its color.
pub(super) fn sign<'c>(changes: impl IntoIterator<Item = &'c Change>) -> (&'static str, Hue) {
    let mut sign = ("~", Hue::Look);
    for change in changes {
        if change.makes() {
            return ("+", Hue::Good);
        }
        if change.removes() {
            sign = ("-", Hue::Bad);
        }
    }
    sign
}

/// Returns a label's word.
pub(super) fn label(label: Label) -> &'static str {
    match label {
        Label::New => "new",
        Label::Edit => "edit",
        Label::Drift => "drift",
        Label::Orphan => "orphan",
    }
}

/// So many lines of a file that is wholly new are shown, unless all is wanted: its source is there to be read.
const LINES_OF_A_NEW_FILE: usize = 12;

/// Returns a unified diff, indented.
pub(super) fn diff(diff: &str, blanks: usize, style: Style) -> String {
    let hue = |line: &str| match line.as_bytes().first() {
        Some(b'+') => Some(Hue::Good),
        Some(b'-') => Some(Hue::Bad),
        Some(b'@') => Some(Hue::Faint),
        _ => None,
    };
    let painted = |line: &str| hue(line).map_or_else(|| line.to_owned(), |hue| style.paint(hue, line));
    let lines = diff.lines().count();
    if style.verbose || !diff.starts_with("@@ -0,0 ") || lines <= LINES_OF_A_NEW_FILE + 2 {
        return indented(diff.lines().map(painted), blanks);
    }
    let rest = format!("… {} lines more; -v shows them", lines - 1 - LINES_OF_A_NEW_FILE);
    indented(diff.lines().take(1 + LINES_OF_A_NEW_FILE).map(painted).chain([rest]), blanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_from_what_to_what() {
        let text = |text: &str| Some(text.to_owned());
        for (change, expected) in [
            (Change::made("git", "2.39"), "made: 2.39"),
            (Change::made("git", ""), "made"),
            (Change::removed("git", "2.39"), "removed: 2.39"),
            (Change::removed("git", ""), "removed"),
            (Change::field("git", "", text("2.38"), text("2.39")), "2.38 → 2.39"),
            (Change::field("/x", "content", text("12 B"), text("30 B")), "content: 12 B → 30 B"),
            (Change::made("/x", "file, 8 B 8cb9dd3dc10c6af4"), "made: file, 8 B"),
            (
                Change::field("/x", "content", text("8 B 8cb9dd3dc10c6af4"), text("9 B 5f0c1d2e3a4b5c6d")),
                "content: 8 B → 9 B",
            ),
            (
                Change::field("/x", "content", text("8 B 8cb9dd3dc10c6af4"), text("8 B 5f0c1d2e3a4b5c6d")),
                "content: 8 B 8cb9dd3dc10c6af4 → 8 B 5f0c1d2e3a4b5c6d",
            ),
            (Change::field("/x", "owner", None, text("lilly")), "owner: lilly"),
            (Change::field("/x", "owner", text("lilly"), None), "owner: lilly → nothing"),
            (Change::field("/x", "owner", None, None), "owner"),
        ] {
            assert_eq!(words(&change), expected);
        }
    }

    #[test]
    fn the_sign_is_that_of_the_change_of_the_whole() {
        let field = Change::field("x", "mode", None, None);
        assert_eq!(sign([&field, &Change::made("x", "")]).0, "+");
        assert_eq!(sign([&field, &Change::removed("x", "")]).0, "-");
        assert_eq!(sign([&field]).0, "~");
        assert_eq!(brief(&[Change::made("x", ""), field.clone(), field]), "made, mode");
    }

    #[test]
    fn only_the_lines_of_a_diff_have_colors() {
        let style = Style { color: true, ..Style::plain() };
        assert_eq!(diff("@@ -1 +1 @@\n-a\n+b\n c", 2, Style::plain()), "  @@ -1 +1 @@\n  -a\n  +b\n   c\n");
        let long = "+a\n".repeat(30);
        let (new, changed) = (format!("@@ -0,0 +1,30 @@\n{long}"), format!("@@ -1,2 +1,30 @@\n{long}"));
        let shown = diff(&new, 0, Style::plain());
        assert!(shown.ends_with("+a\n… 18 lines more; -v shows them\n"), "{shown}");
        assert_eq!(diff(&new, 0, Style { verbose: true, ..Style::plain() }), new);
        assert_eq!(diff(&changed, 0, Style::plain()), changed);
        assert_eq!(diff("-a\n c", 0, style), "\u{1b}[31m-a\u{1b}[0m\n c\n");
    }
}
