//! The pipes of a child: what it is given, and the last of what it prints.
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::VecDeque;
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::Instant;

/// How much of each stream is kept: the last of it.
const KEPT: usize = 1 << 20;

/// The last bytes of a stream.
#[derive(Default)]
pub(super) struct Tail(VecDeque<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        let over = self.0.len().saturating_sub(KEPT);
        self.0.drain(..over);
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.into()
    }

    pub(super) fn text(&self) -> String {
        let (front, back) = self.0.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }
}

/// Both ends of the pipes of one child.
pub(super) struct Streams<'a> {
    ended: OwnedFd,
    input: Option<ChildStdin>,
    to_write: &'a [u8],
    out: Option<ChildStdout>,
    err: Option<ChildStderr>,
    pub(super) stdout: Tail,
    pub(super) stderr: Tail,
}

impl<'a> Streams<'a> {
    pub(super) fn of(child: &mut Child, to_write: &'a [u8]) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let ended = pidfd_open(pid, PidfdFlags::empty())?;
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let ends = [
            input.as_ref().map(ChildStdin::as_fd),
            out.as_ref().map(ChildStdout::as_fd),
            err.as_ref().map(ChildStderr::as_fd),
        ];
        for end in ends.into_iter().flatten() {
            rustix::fs::fcntl_setfl(end, rustix::fs::OFlags::NONBLOCK)?;
        }
        Ok(Self { ended, input, to_write, out, err, stdout: Tail::default(), stderr: Tail::default() })
    }

    /// Feeds and reads until the child has ended; false where its time was up first.
    pub(super) fn listen(&mut self, end: Option<Instant>) -> io::Result<bool> {
        loop {
            let ready = self.wait(end, true)?;
            self.transfer();
            if ready.contains(PollFlags::POLLIN) {
                return Ok(true);
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
        }
    }

    /// Reads what is still to come, until nobody holds the other ends or the time is up.
    pub(super) fn drain(&mut self, end: Instant) {
        self.input = None;
        self.transfer();
        while (self.out.is_some() || self.err.is_some()) && Instant::now() < end {
            if self.wait(Some(end), false).is_err() {
                return;
            }
            self.transfer();
        }
    }

    /// Waits for anything to happen and returns what happened to the child.
    fn wait(&self, end: Option<Instant>, for_child: bool) -> io::Result<PollFlags> {
        let pipes = [
            (for_child.then(|| self.ended.as_fd()), PollFlags::POLLIN),
            (self.out.as_ref().map(ChildStdout::as_fd), PollFlags::POLLIN),
            (self.err.as_ref().map(ChildStderr::as_fd), PollFlags::POLLIN),
            (self.input.as_ref().map(ChildStdin::as_fd), PollFlags::POLLOUT),
        ];
        let open = pipes.into_iter().filter_map(|(fd, flags)| fd.map(|fd| PollFd::new(fd, flags)));
        let mut waited: Vec<PollFd<'_>> = open.collect();
        let timeout = end.map_or(PollTimeout::NONE, |end| {
            // Rounded up, so that the last wait doesn't spin.
            let left = end.saturating_duration_since(Instant::now()).as_millis().saturating_add(1);
            PollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX))
        });
        match poll(&mut waited, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let child = if for_child { waited[0].revents() } else { None };
        Ok(child.unwrap_or(PollFlags::empty()))
    }

    fn transfer(&mut self) {
        if let Some(input) = &mut self.input {
            match input.write(self.to_write) {
                Ok(written) => self.to_write = &self.to_write[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The child has closed its stdin; that is its own affair.
                Err(_) => self.to_write = &[],
            }
            if self.to_write.is_empty() {
                self.input = None;
            }
        }
        take(&mut self.out, &mut self.stdout);
        take(&mut self.err, &mut self.stderr);
    }
}

/// Reads what is there, in turns of 1 MiB; at the stream's end it is closed.
fn take<R: Read>(from: &mut Option<R>, into: &mut Tail) {
    let mut chunk = [0; 16384];
    for _ in 0..64 {
        let Some(stream) = from else { return };
        match stream.read(&mut chunk) {
            Ok(0) => *from = None,
            Ok(count) => into.push(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => *from = None,
        }
    }
}
