//! Who is at the keyboard.

/// Returns the user behind sudo, else the one that runs this.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
pub(super) fn runs_this() -> String {
    let behind_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let running = || users::get_current_username().map(|name| name.to_string_lossy().into_owned());
    behind_sudo.or_else(running).unwrap_or_else(|| format!("uid {}", users::get_current_uid()))
}
