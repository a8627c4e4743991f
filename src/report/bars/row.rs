//! A row of the block, laid out by indicatif: a name, an age, perhaps a bar, and as much of a text as fits.
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What stands in a row.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) age: Duration,
    /// How much of how much is done, and the columns for a bar that shows it.
    pub(super) done: Option<(u64, u64, usize)>,
    pub(super) text: &'a str,
}

impl Row<'_> {
    /// Returns it in at most that many columns.
    pub(super) fn in_columns(&self, columns: usize) -> String {
        let line = Line { columns: u16::try_from(columns).unwrap_or(u16::MAX), text: Arc::default() };
        let template = match self.done {
            Some((_, _, columns)) => format!("{{prefix}} {{age:>6}} [{{bar:{columns}}}] {{wide_msg}}"),
            None => "{prefix} {age:>6} {wide_msg}".to_owned(),
        };
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
        let age = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            // Writing to memory does not fail.
            let _ = to.write_str(&short(state.elapsed()));
        };
        let (at, of) = self.done.map_or((0, None), |(at, of, _)| (at, Some(of)));
        let bar = ProgressBar::with_draw_target(of, ProgressDrawTarget::term_like(Box::new(line.clone())))
            .with_style(style.with_key("age", age).progress_chars("=> "))
            .with_prefix(self.name.to_owned())
            .with_message(self.text.to_owned())
            .with_position(at)
            .with_elapsed(self.age);
        bar.tick();
        line.taken()
    }
}

/// Returns `45s`, `3m20s`, `1h05m`.
fn short(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}

/// A line in memory, on which indicatif draws.
#[derive(Debug, Clone)]
struct Line {
    columns: u16,
    text: Arc<Mutex<String>>,
}

impl Line {
    /// Returns what was drawn, without the blanks that fill its line.
    fn taken(&self) -> String {
        let text = std::mem::take(&mut *self.text.lock().unwrap_or_else(PoisonError::into_inner));
        text.trim_end().to_owned()
    }
}

impl TermLike for Line {
    fn width(&self) -> u16 {
        self.columns
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str, columns: usize) -> String {
        Row { name: "CT201", age: Duration::from_secs(200), done: None, text }.in_columns(columns)
    }

    #[test]
    fn a_row_has_its_name_its_age_and_as_much_of_its_text_as_fits() {
        assert_eq!(row("+ 201/package:git", 40), "CT201  3m20s + 201/package:git");
        assert_eq!(row("+ 201/package:git", 19), "CT201  3m20s + 201/");
        assert_eq!(row("", 40), "CT201  3m20s");
        assert_eq!(row("漢字漢字", 18), "CT201  3m20s 漢字", "two columns each");
    }

    #[test]
    fn a_bar_shows_how_much_is_done() {
        let row = Row { name: "total", age: Duration::from_secs(5), done: Some((3, 6, 10)), text: "3 of 6 done" };
        assert_eq!(row.in_columns(60), "total     5s [=====>    ] 3 of 6 done");
    }

    #[test]
    fn an_age_keeps_to_six_columns() {
        for (seconds, expected) in [(0, "0s"), (59, "59s"), (60, "1m00s"), (3599, "59m59s"), (3900, "1h05m")] {
            assert_eq!(short(Duration::from_secs(seconds)), expected);
        }
    }
}
