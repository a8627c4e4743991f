//! Patterns of ids: what `--only` names.
use crate::id::Id;
use crate::wildcard::fits;

/// Returns whether a pattern with `*` and `?` names the id; `host/` may be left out.
pub fn matches(glob: &str, id: &Id) -> bool {
    let whole = id.to_string();
    fits(glob, &whole) || whole.strip_prefix("host/").is_some_and(|local| fits(glob, local))
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
