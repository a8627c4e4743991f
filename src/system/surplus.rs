//! Of many files that are kept the newest are: which of them go.
use std::path::PathBuf;
use std::time::SystemTime;

/// Returns which of these files, with the times at which they were written, go, so that `kept` are left: the oldest. What is
/// newer than the clock was there before that was set back, and goes first.
pub(crate) fn surplus(mut files: Vec<(SystemTime, PathBuf)>, now: SystemTime, kept: usize) -> Vec<PathBuf> {
    files.sort_by_key(|(written, path)| (*written <= now, *written, path.clone()));
    files.truncate(files.len().saturating_sub(kept));
    files.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::surplus;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    #[test]
    fn the_oldest_go_after_what_is_newer_than_the_clock() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let files = || [("c", 30), ("a", 10), ("later", 99), ("b", 10)].map(|(name, s)| (at(s), PathBuf::from(name)));
        for (kept, gone) in
            [(0, &["later", "a", "b", "c"][..]), (2, &["later", "a"]), (3, &["later"]), (4, &[]), (9, &[])]
        {
            assert_eq!(surplus(files().into(), at(30), kept), gone.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }
}
