//! What whoever starts a program hands on to it besides arguments and environment, where it would change what is done here.
use nix::libc::{CLOSE_RANGE_CLOEXEC, FD_CLOEXEC, SYS_close_range, c_uint, fcntl, syscall};
use nix::libc::{F_SETFD, SIG_DFL, SIGCHLD, signal};
use nix::sys::stat::{Mode, umask};

/// So many open files are kept from programs where the kernel can't do so for all (Linux before 5.11).
const FILES: i32 = 1024;

/// Puts it aside: programs are started with umask 022 and without the files that others have open, and are waited for though the
/// caller ignores its children. Belongs at the beginning of main, before any thread.
pub fn put_inherited_aside() {
    umask(Mode::from_bits_truncate(0o022));
    // SAFETY: none of these touches memory; the default for a signal runs no code of ours.
    #[expect(unsafe_code, reason = "what is open has no owner here, and a signal no safe form")]
    unsafe {
        signal(SIGCHLD, SIG_DFL);
        if syscall(SYS_close_range, 3, c_uint::MAX, CLOSE_RANGE_CLOEXEC) != 0 {
            for file in 3..FILES {
                fcntl(file, F_SETFD, FD_CLOEXEC);
            }
        }
    }
}
