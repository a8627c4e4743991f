//! How text looks: colors where they are wanted, and the width that lines keep to.

/// Whether there are colors, how wide lines may be, and how much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Colors are wanted.
    pub color: bool,
    /// Columns.
    pub width: usize,
    /// Every lane is shown by itself.
    pub verbose: bool,
}

/// What a color says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hue {
    /// Made, or as asked.
    Good,
    /// Changed, or waiting.
    Look,
    /// Taken away, or failed.
    Bad,
    /// Less important.
    Faint,
    /// A heading.
    Strong,
}

impl Style {
    /// Returns text without colors, 100 columns wide.
    pub fn plain() -> Self {
        Self { color: false, width: 100, verbose: false }
    }

    /// Returns the text in a color, where colors are wanted.
    pub(super) fn paint(self, hue: Hue, text: &str) -> String {
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        let code = match hue {
            Hue::Good => "32",
            Hue::Look => "33",
            Hue::Bad => "31",
            Hue::Faint => "2",
            Hue::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Returns the columns that a text takes, taking every character for one.
pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Returns as much of a text as fits into so many columns; `…` says that there was more.
pub(super) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain((most > 0).then_some('…')).collect()
}

/// Returns lines, each with blanks before it.
pub(super) fn indented<T: AsRef<str>>(lines: impl IntoIterator<Item = T>, blanks: usize) -> String {
    lines.into_iter().fold(String::new(), |mut text, line| {
        text.extend(std::iter::repeat_n(' ', blanks));
        text.push_str(line.as_ref());
        text.push('\n');
        text
    })
}

/// Returns words in lines of at most `width` columns, or one word, where that is wider.
pub(super) fn wrap<'a>(words: impl IntoIterator<Item = &'a str>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
