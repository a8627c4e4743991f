//! Patterns of ids: what `--only` names.
use crate::id::Id;

/// Returns whether a pattern with `*` and `?` names the id; `host/` may be left out.
pub fn matches(glob: &str, id: &Id) -> bool {
    fn fits(glob: &[u8], text: &[u8]) -> bool {
        match (glob.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => fits(&glob[1..], text) || (!text.is_empty() && fits(glob, &text[1..])),
            (Some(b'?'), Some(_)) => fits(&glob[1..], &text[1..]),
            (Some(a), Some(b)) if a == b => fits(&glob[1..], &text[1..]),
            _ => false,
        }
    }
    let whole = id.to_string();
    fits(glob.as_bytes(), whole.as_bytes())
        || whole.strip_prefix("host/").is_some_and(|local| fits(glob.as_bytes(), local.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_an_id_as_a_whole_and_host_may_be_left_out() {
        let id: Id = "host/file:/etc/exports".parse().unwrap();
        for glob in ["host/file:/etc/exports", "file:*", "host/*", "*", "*:/etc/export?", "*exports"] {
            assert!(matches(glob, &id), "{glob}");
        }
        for glob in ["file:/etc", "201/*", "", "?", "host/file:/etc/exports?"] {
            assert!(!matches(glob, &id), "{glob}");
        }
    }
}
