//! Patterns in which `*` stands for any text and `?` for any character.

/// Returns whether a pattern fits a text as a whole, in time that grows with the two of them alone.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut of) = (0, 0);
    // The last `*`, and how far the text was when it took nothing.
    let mut star: Option<(usize, usize)> = None;
    while of < text.len() {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, of));
                at += 1;
            }
            (Some(wanted), _) if *wanted == '?' || *wanted == text[of] => (at, of) = (at + 1, of + 1),
            (_, Some((stands, taken))) => {
                star = Some((stands, taken + 1));
                (at, of) = (stands + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_fits_a_text_as_a_whole() {
        for (pattern, text) in
            [("", ""), ("*", ""), ("a*c", "abbc"), ("a*bc*", "abxbc"), ("?é", "xé"), ("22.*", "22.1-1")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a", ""), ("?", ""), ("a*c", "abcd"), ("*b", "abc"), ("a?c", "ac")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"a*".repeat(40), &"a".repeat(39)), "many of them take no longer");
    }
}
