//! A wall clock that is set while programs run by it, without setting the machine's: they are traced (ptrace(2)), with all that
//! they start. At each exec the vDSO is taken out of what the kernel tells a program, so that it asks the kernel for the time, and
//! that answer is shifted. What the kernel dates itself, such as files, has the machine's time.
use nix::errno::Errno;
use nix::libc::{AT_IGNORE, AT_SYSINFO_EHDR, PTRACE_EVENT_EXEC, SYS_clock_gettime, SYS_gettimeofday, SYS_time};
use nix::libc::{CLOCK_REALTIME, CLOCK_REALTIME_COARSE};
use nix::sys::ptrace::{self, AddressType, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::Read;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// By so many seconds it differs from the machine's.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicI64>);

/// A program that goes by one.
pub struct Started {
    pid: Pid,
    said: Arc<Mutex<Vec<u8>>>,
    output: JoinHandle<Output>,
}

impl Clock {
    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }

    /// Starts a program that has it from its first call on.
    pub fn start(&self, command: &Command) -> Started {
        let (mut waiting, clock) = (waiting(command), self.clone());
        let (tell, told) = channel();
        let said = Arc::<Mutex<Vec<u8>>>::default();
        let stdout = said.clone();
        // Only the thread that traces may go on with what it traces.
        let output = thread::spawn(move || {
            #[expect(clippy::zombie_processes, reason = "it is waited for as what it starts is")]
            let mut child = waiting.spawn().unwrap();
            let pid = Pid::from_raw(child.id().try_into().unwrap());
            let followed = Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_TRACEVFORK;
            let seen = Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL;
            ptrace::seize(pid, followed | seen).unwrap();
            drop(child.stdin.take());
            let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let errors = thread::spawn(move || {
                let mut bytes = Vec::new();
                err.read_to_end(&mut bytes).map(|_| bytes).unwrap()
            });
            let saying = stdout.clone();
            let all = thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let count @ 1.. = out.read(&mut bytes).unwrap() {
                    saying.lock().unwrap().extend(&bytes[..count]);
                }
            });
            tell.send(pid).unwrap();
            let status = clock.trace(pid);
            all.join().unwrap();
            Output { status, stdout: stdout.lock().unwrap().clone(), stderr: errors.join().unwrap() }
        });
        Started { pid: told.recv().unwrap(), said, output }
    }

    pub fn run(&self, command: &Command) -> Output {
        self.start(command).wait()
    }

    /// Returns how the first of them ended, once all of them have.
    fn trace(&self, first: Pid) -> ExitStatus {
        let mut status = None;
        loop {
            let (pid, signal) = match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Err(Errno::ECHILD) => return status.unwrap(),
                Ok(WaitStatus::Exited(pid, code)) => {
                    status = status.or((pid == first).then(|| ExitStatus::from_raw(code << 8)));
                    continue;
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    status = status.or((pid == first).then(|| ExitStatus::from_raw(signal as i32)));
                    continue;
                }
                Ok(WaitStatus::PtraceEvent(pid, _, PTRACE_EVENT_EXEC)) => (pid, hide_vdso(pid).map(|()| None)),
                Ok(WaitStatus::PtraceSyscall(pid)) => (pid, self.answer(pid).map(|()| None)),
                Ok(WaitStatus::Stopped(pid, signal)) => (pid, Ok(Some(signal))),
                Ok(other) => (other.pid().unwrap(), Ok(None)),
                Err(error) => panic!("{error}"),
            };
            // Somebody may have killed it meanwhile.
            match signal.and_then(|signal| ptrace::syscall(pid, signal)) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => panic!("{pid}: {error}"),
            }
        }
    }

    /// Shifts the time that a call is about to return; where a call begins, what it returns is `ENOSYS`.
    fn answer(&self, pid: Pid) -> nix::Result<()> {
        let mut regs = ptrace::getregs(pid)?;
        let (shift, returned) = (self.0.load(Ordering::SeqCst), regs.rax.cast_signed());
        let wall = [CLOCK_REALTIME, CLOCK_REALTIME_COARSE].map(|clock| u64::from(clock.unsigned_abs()));
        let call = regs.orig_rax.cast_signed();
        let at = if call == SYS_clock_gettime && returned == 0 && wall.contains(&regs.rdi) {
            regs.rsi
        } else if call == SYS_gettimeofday && returned == 0 {
            regs.rdi
        } else if call == SYS_time && returned > 0 {
            regs.rax = regs.rax.wrapping_add_signed(shift);
            ptrace::setregs(pid, regs)?;
            regs.rdi
        } else {
            return Ok(());
        };
        // Whatever the call, the seconds come first.
        if at == 0 { Ok(()) } else { ptrace::write(pid, address(at), word(pid, at)? + shift) }
    }
}

impl Started {
    /// Kills the program, and nothing that it has started.
    pub fn kill(&self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
    }

    /// Waits until it says this.
    pub fn says(&self, text: &str) {
        let begun = Instant::now();
        while !String::from_utf8_lossy(&self.said.lock().unwrap()).contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(30), "`{text}` was never said");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns what came of it, once all that it has started has ended as well.
    pub fn wait(self) -> Output {
        self.output.join().unwrap()
    }
}

/// Returns a program, in this one's environment, that is to begin once its standard input is closed.
fn waiting(command: &Command) -> Command {
    let mut waiting = Command::new("sh");
    waiting.args(["-c", "read -r _; exec \"$@\" </dev/null", "sh"]).arg(command.get_program()).args(command.get_args());
    waiting.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    waiting.current_dir(command.get_current_dir().unwrap());
    waiting
}

/// Hides the vDSO from a program that has not begun: its stack has its arguments, its environment, and pairs of what the
/// kernel tells it.
fn hide_vdso(pid: Pid) -> nix::Result<()> {
    let mut at = ptrace::getregs(pid)?.rsp;
    at += 8 * (word(pid, at)?.unsigned_abs() + 2);
    while word(pid, at)? != 0 {
        at += 8;
    }
    at += 8;
    loop {
        match word(pid, at)?.unsigned_abs() {
            0 => return Ok(()),
            AT_SYSINFO_EHDR => return ptrace::write(pid, address(at), AT_IGNORE.cast_signed()),
            _ => at += 16,
        }
    }
}

fn word(pid: Pid, at: u64) -> nix::Result<i64> {
    ptrace::read(pid, address(at))
}

fn address(at: u64) -> AddressType {
    std::ptr::with_exposed_provenance_mut(usize::try_from(at).unwrap())
}
