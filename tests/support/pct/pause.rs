//! Where a call stands still as long as a test wants it to, so that it can be cut off right there.
use std::path::Path;
use std::time::Duration;

/// Stands still while there is a `/run/pct.pause/POINT`, and says so in `/run/pct.paused`.
pub fn here(point: &str) {
    here_until(point, || false);
}

/// Does so until `ended` says that it is to end, and returns what that says.
pub fn here_until(point: &str, mut ended: impl FnMut() -> bool) -> bool {
    while Path::new("/run/pct.pause").join(point).exists() {
        std::fs::write("/run/pct.paused", std::process::id().to_string()).expect("/run can be written");
        if ended() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    ended()
}
