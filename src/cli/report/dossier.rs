//! The files of a report, and the tar that they make once they are clean: what one of them calls a secret is taken out of all.
use crate::hub::Discreet;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// Of a longer text the end is kept.
const LONGEST: usize = 4 << 20;

/// The files of a report.
pub(super) struct Dossier {
    secrets: Vec<String>,
    files: Vec<File>,
}

/// A file as it was found.
struct File {
    name: String,
    found: String,
    /// It has lines of JSON.
    is_json: bool,
}

impl Dossier {
    /// Returns one without files, out of which none of these secrets comes.
    pub(super) fn new(secrets: Vec<String>) -> Self {
        Self { secrets, files: Vec::new() }
    }

    /// Adds a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.add(name, text, false);
    }

    /// Adds lines of JSON.
    pub(super) fn json(&mut self, name: &str, lines: &str) {
        self.add(name, lines, true);
    }

    fn add(&mut self, name: &str, found: &str, is_json: bool) {
        self.files.push(File { name: name.to_owned(), found: found.to_owned(), is_json });
    }

    /// Returns the names of its files.
    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.name.clone()).collect()
    }

    /// Returns them as a tar, below a directory, without secrets.
    pub(super) fn tar(self, directory: &str, now: SystemTime) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let told = self.files.iter().filter(|file| !file.is_json).flat_map(|file| Discreet::told_by(&file.found));
        let discreet = Discreet::new(told.chain(self.secrets));
        for File { name, found, is_json } in &self.files {
            let text = end(if *is_json { discreet.json(found) } else { discreet.text(found) });
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
