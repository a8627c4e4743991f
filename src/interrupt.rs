//! Ctrl-C and SIGTERM: a flag, so that a run ends after the step that is running.
use crate::error::{Attempt, Result};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
static SIGNAL: AtomicI32 = AtomicI32::new(0);

extern "C" fn note(signal: i32) {
    SIGNAL.store(signal, Ordering::Relaxed);
    if let Some(flag) = FLAG.get() {
        flag.store(true, Ordering::Relaxed);
    }
}

/// Returns the flag that SIGINT, SIGTERM and SIGHUP raise from now on.
pub fn flag() -> Result<Arc<AtomicBool>> {
    let flag = FLAG.get_or_init(Arc::default).clone();
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        #[expect(unsafe_code, reason = "sigaction(2) has no safe form; the handler only stores to atomics")]
        let set = unsafe { sigaction(signal, &action) };
        set.attempt(|| format!("catching {signal}"))?;
    }
    Ok(flag)
}

/// Returns whether the flag is raised.
pub fn is_raised() -> bool {
    FLAG.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Returns the exit code of a run that a signal ended: 130, 143, 129; `None` where there was none.
pub fn exit_code() -> Option<i32> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => None,
        signal => Some(128 + signal),
    }
}
