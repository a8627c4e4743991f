//! Bars: beneath the lines of a run, a line for each lane that is at work, with its step and the step's age, and the sums.
//! One thread owns the terminal; lines and bars come to it as orders.
mod block;
mod lanes;
mod row;
mod screen;

use super::{Reporter, Style};
use crate::event::{Envelope, Event};
use lanes::Lanes;
use screen::Screen;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A run that is over sooner shows no bars.
const DELAY: Duration = Duration::from_millis(400);
/// How long bars stay as they are.
const TICK: Duration = Duration::from_millis(100);

/// Where bars are drawn.
pub trait Terminal: Write + Send {
    /// Returns its columns and rows, as they are now.
    fn size(&self) -> (usize, usize);
}

/// Shows a run as another reporter does, and bars beneath its lines for as long as something is at work.
pub struct Bars {
    orders: Sender<Order>,
    reporter: Box<dyn Reporter>,
    thread: Option<JoinHandle<()>>,
}

/// What another reporter writes so comes above the bars.
#[derive(Debug)]
pub struct Above(Sender<Order>);

#[derive(Debug)]
enum Order {
    /// Lines.
    Write(Vec<u8>),
    /// Something has happened.
    Take(Box<Envelope>),
    /// The bars go until something is at work again; who waits for that is told.
    Rest(Sender<()>),
    /// The bars go for good.
    End,
}

impl Bars {
    /// Returns bars on a terminal for a run with so many lanes. `is_interrupted` tells whether it is asked to end.
    pub fn new(
        terminal: impl Terminal + 'static,
        style: Style,
        lanes: usize,
        is_interrupted: fn() -> bool,
        reporter: impl FnOnce(Above) -> Box<dyn Reporter>,
    ) -> Self {
        let (orders, taken) = channel();
        let reporter = reporter(Above(orders.clone()));
        let lanes = Lanes::new(style, lanes, is_interrupted);
        let thread = thread::spawn(move || own(Screen::new(terminal), lanes, &taken));
        Self { orders, reporter, thread: Some(thread) }
    }

    /// Takes the bars away and returns once they are gone: somebody may be asked something then.
    fn rest(&self) {
        let (done, gone) = channel();
        if self.orders.send(Order::Rest(done)).is_ok() {
            let _ = gone.recv();
        }
    }
}

impl Reporter for Bars {
    fn event(&mut self, envelope: &Envelope) {
        self.reporter.event(envelope);
        // Where nobody takes it there are no bars any more.
        let _ = self.orders.send(Order::Take(Box::new(envelope.clone())));
        if matches!(envelope.event, Event::PlanEnded | Event::Ended(_)) {
            self.rest();
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::End);
        self.thread.take().map(JoinHandle::join);
    }
}

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(Order::Write(bytes.to_vec()));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Owns a terminal until it is told to end: writes lines as they come, and the bars beneath them.
fn own<T: Terminal>(mut screen: Screen<T>, mut lanes: Lanes, orders: &Receiver<Order>) {
    // When the bars are to be drawn next; not while nothing is at work.
    let mut due: Option<Instant> = None;
    let mut is_shown = false;
    loop {
        let order = match due {
            Some(due) => orders.recv_timeout(due.saturating_duration_since(Instant::now())),
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let (mut text, mut waits, mut ends) = (Vec::new(), None, false);
        match order {
            Ok(Order::Write(bytes)) => text = bytes,
            Ok(Order::Take(envelope)) => lanes.take(&envelope, Instant::now()),
            Ok(Order::Rest(done)) => {
                lanes.rest();
                waits = Some(done);
            }
            Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => ends = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        let goes = is_shown && (ends || !lanes.are_at_work());
        let is_due = due.is_some_and(|due| now >= due);
        due = match due {
            _ if ends || !lanes.are_at_work() => None,
            None => Some(now + DELAY),
            Some(_) if is_due => Some(now + TICK),
            later => later,
        };
        is_shown = due.is_some() && (is_shown || is_due);
        if !text.is_empty() || is_due || goes {
            let (columns, rows) = screen.size();
            let block = if is_shown { lanes.block(columns, rows, now) } else { Vec::new() };
            screen.paint(&text, &block);
        }
        if let Some(done) = waits {
            let _ = done.send(());
        }
        if ends {
            return;
        }
    }
}
