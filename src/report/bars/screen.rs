//! A terminal with a block of rows beneath its lines. The cursor rests at the block's first column, so that a narrower
//! terminal, which wraps the rows anew, and a `^C` that it echoes leave nothing behind: the block is drawn from there.
use super::Terminal;

/// Clears from the cursor to the end of the screen.
const CLEAR: &str = "\u{1b}[J";
/// Clears from the cursor to the end of its row.
const CLEAR_ROW: &str = "\u{1b}[K";

pub(super) struct Screen<T> {
    terminal: T,
    /// There is a block.
    has_block: bool,
}

impl<T: Terminal> Screen<T> {
    pub(super) fn new(terminal: T) -> Self {
        Self { terminal, has_block: false }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        self.terminal.size()
    }

    /// Writes whole lines above the block and draws it anew; its rows are narrower than the terminal.
    pub(super) fn paint(&mut self, lines: &[u8], block: &[String]) {
        let mut bytes = Vec::new();
        if self.has_block {
            bytes.push(b'\r');
            if !lines.is_empty() || block.is_empty() {
                bytes.extend(CLEAR.bytes());
            }
        }
        bytes.extend(lines);
        for (number, row) in block.iter().enumerate() {
            if number > 0 {
                bytes.extend(b"\r\n");
            }
            bytes.extend(row.bytes());
            bytes.extend(CLEAR_ROW.bytes());
        }
        if !block.is_empty() {
            bytes.extend(CLEAR.bytes());
            bytes.push(b'\r');
        }
        if block.len() > 1 {
            bytes.extend(format!("\u{1b}[{}A", block.len() - 1).bytes());
        }
        self.has_block = !block.is_empty();
        // In one go, so that it does not flicker. Who closed the terminal does not want to know.
        let _ = self.terminal.write_all(&bytes).and_then(|()| self.terminal.flush());
    }
}
