//! The files of a report, cleaned as they come in, and the tar that they make.
use crate::hub::Discreet;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// Of a longer text the end is kept.
const LONGEST: usize = 4 << 20;

/// The files of a report.
pub(super) struct Dossier {
    discreet: Discreet,
    files: Vec<(String, String)>,
}

impl Dossier {
    /// Returns one without files, into which no secret comes.
    pub(super) fn new(discreet: Discreet) -> Self {
        Self { discreet, files: Vec::new() }
    }

    /// Adds a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.files.push((name.to_owned(), end(self.discreet.text(text))));
    }

    /// Adds lines of JSON.
    pub(super) fn json(&mut self, name: &str, lines: &str) {
        self.files.push((name.to_owned(), end(self.discreet.json(lines))));
    }

    /// Returns the names of its files.
    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Returns them as a tar, below a directory.
    pub(super) fn tar(self, directory: &str, now: SystemTime) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        for (name, text) in self.files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_mtime(seconds);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, format!("{directory}/{name}"), text.as_bytes())?;
        }
        tar.into_inner()
    }
}

/// Returns the last lines of a text that is too long.
fn end(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let from = text.ceil_char_boundary(text.len() - LONGEST);
    text[from..].find('\n').map_or_else(String::new, |newline| text[from + newline + 1..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_whole_lines_at_its_end_are_kept() {
        assert_eq!(end("short\n".to_owned()), "short\n");
        let line = "é".repeat(499) + "\n";
        let kept = end(line.repeat(5000));
        assert!(kept.len() <= LONGEST && kept.len() > LONGEST - line.len(), "{}", kept.len());
        assert!(kept.lines().all(|kept| kept.len() == line.len() - 1));
    }
}
