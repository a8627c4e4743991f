//! A terminal in memory: a program runs on a pty, what it writes is drawn by a parser of terminal sequences.
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// What is drawn in several writes is drawn once nothing came for so long.
const QUIET: Duration = Duration::from_millis(30);
const TIMEOUT: Duration = Duration::from_secs(30);

pub struct Pty {
    keyboard: File,
    output: Receiver<Vec<u8>>,
    child: Child,
    parser: vt100::Parser,
    /// All that was written so far.
    pub raw: Vec<u8>,
}

/// Which of a program's streams are the terminal; stdin always is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    Both,
    StderrAlone,
}

impl Pty {
    /// Starts a program on a terminal of that size that is its controlling one.
    pub fn start(command: &Command, columns: u16, rows: u16, on: On) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let terminal = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args());
        session.current_dir(command.get_current_dir().unwrap());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        session.stdin(terminal()).stderr(terminal());
        session.stdout(if on == On::Both { terminal() } else { Stdio::piped() });
        let child = session.spawn().unwrap();
        let keyboard = File::from(pty.master);
        let mut screen = keyboard.try_clone().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A pty whose other end is closed reads as an error.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, output, child, parser: vt100::Parser::new(some(rows), some(columns), 1000), raw: Vec::new() }
    }

    /// Waits until the terminal, drawn completely, is as wanted; fails with what it shows where that does not come.
    pub fn until(&mut self, wanted: impl Fn(&vt100::Screen) -> bool) {
        let begun = Instant::now();
        loop {
            let open = self.draw();
            if wanted(self.parser.screen()) {
                return;
            }
            let shown = self.parser.screen().contents();
            assert!(open && begun.elapsed() < TIMEOUT, "it never came:\n{shown}");
        }
    }

    /// Draws what comes until nothing does for a moment; returns whether more may come.
    fn draw(&mut self) -> bool {
        loop {
            match self.output.recv_timeout(QUIET) {
                Ok(bytes) => {
                    self.parser.process(&bytes);
                    self.raw.extend(bytes);
                }
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Types.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.draw();
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.keyboard, size).unwrap();
        self.parser.screen_mut().set_size(some(rows), some(columns));
    }

    /// Waits for the program to end; returns its exit code and what it wrote to a pipe.
    pub fn end(&mut self) -> (i32, String) {
        let mut piped = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut piped).unwrap();
        }
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        while self.draw() {}
        (code, piped)
    }
}

fn some(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
