//! Recorded calls: how they are kept, and what of them can be the same on another machine and day.
use std::collections::HashMap;

/// A call and what came of it.
#[derive(Debug, Default)]
pub struct Call {
    pub name: String,
    pub command: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub asked: Option<String>,
    pub answer: String,
}

/// Reads calls; one without a name makes something ready.
pub fn calls(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        if mark == "##" || mark == "@" {
            calls.push(Call::default());
        }
        let call = calls.last_mut().expect("a file begins with a name");
        let add = |text: &mut String| text.extend([rest, "\n"]);
        match mark {
            "##" => rest.clone_into(&mut call.name),
            "@" | "$" => add(&mut call.command),
            "=" => call.code = rest.parse().expect("a code is a number"),
            ">" => add(&mut call.stdout),
            "!" => add(&mut call.stderr),
            "?" => add(call.asked.get_or_insert_default()),
            "|" => add(&mut call.answer),
            other => panic!("`{other}` begins no line"),
        }
    }
    calls
}

/// What was seen of that which is another on each machine, in its order: the first MAC is `MAC1`, wherever it comes again.
#[derive(Default)]
pub struct Seen(HashMap<String, String>, HashMap<&'static str, usize>);

impl Seen {
    fn name(&mut self, kind: &'static str, text: &str) -> String {
        let Self(names, counts) = self;
        let next = || {
            let count = counts.entry(kind).or_default();
            *count += 1;
            format!("{kind}{count}")
        };
        names.entry(text.to_owned()).or_insert_with(next).clone()
    }
}

impl Call {
    /// Returns all that came of it, without what cannot be the same.
    pub fn normal(&self, seen: &mut Seen) -> String {
        let mut text = format!("exit {}\n", self.code);
        for (name, part) in [("stdout", &self.stdout), ("stderr", &self.stderr), ("afterwards", &self.answer)] {
            text.extend([name, ":\n", &normal(part, seen).join("\n"), "\n"]);
        }
        text
    }
}

fn normal(text: &str, seen: &mut Seen) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut keys: Vec<String> = Vec::new();
    for line in text.lines() {
        // Three keys, in the order of a hash.
        if line.starts_with("Creating SSH host key") {
            keys.push(line.to_owned());
        } else if let Some(rest) = line.strip_prefix("done: SHA256:") {
            let last = keys.last_mut().expect("it is said before");
            last.push_str(rest.split_once(' ').map(|(_, name)| name).unwrap_or_default());
            if keys.len() == 3 {
                keys.sort();
                lines.append(&mut keys);
            }
        } else if !["real\t", "user\t", "sys\t"].iter().any(|time| line.starts_with(time)) {
            lines.push(json(line).unwrap_or_else(|| words(line, seen)));
        }
    }
    lines.append(&mut keys);
    if lines.iter().any(|line| line == "container=lxc") {
        lines.sort();
        lines.retain(|line| !line.starts_with("SHLVL="));
    }
    // Wrong parameters come in the order of a hash.
    if let Some(first) = lines.iter().position(|line| line == "400 Parameter verification failed.") {
        lines[first..].sort();
    }
    lines
}

/// Returns a list in JSON in an order of its own, without digests.
fn json(line: &str) -> Option<String> {
    let mut value: serde_json::Value = serde_json::from_str(line).ok().filter(serde_json::Value::is_array)?;
    let list = value.as_array_mut()?;
    for one in list.iter_mut().filter(|one| one["key"] == "digest") {
        one["value"] = "DIGEST".into();
    }
    for one in list.iter_mut().filter(|one| one.get("digest").is_some()) {
        one["digest"] = "DIGEST".into();
    }
    list.sort_by_key(ToString::to_string);
    Some(value.to_string())
}

/// Names the words of a line that cannot be the same, and leaves all else as it is.
fn words(line: &str, seen: &mut Seen) -> String {
    const ENDS: [char; 9] = [' ', ',', '=', '"', '\t', '(', ')', '@', '$'];
    let used = |line: &str| {
        ["local ", "Total bytes read", "total "].iter().any(|start| line.starts_with(start))
            || line.contains("% non-contiguous")
    };
    let loose = |line: &str| {
        used(line)
            || ["127.0.0.1", "::1"].iter().any(|it| line.starts_with(it))
            || line.contains("@if")
            || line.starts_with("bash: line 1:")
    };
    let mut text = String::new();
    for piece in line.split_inclusive(ENDS) {
        let word = piece.trim_end_matches(ENDS);
        let rest = &piece[word.len()..];
        let is_hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
        let mac = word.len() == 17
            && word.split(':').count() == 6
            && word.split(':').all(|part| part.len() == 2 && is_hex(part));
        if mac {
            text.push_str(&seen.name("MAC", &word.to_ascii_uppercase()));
        } else if word.len() == 36 && word.split('-').count() == 5 {
            text.push_str(&seen.name("UUID", word));
        } else if word.len() == 68 && word.starts_with("AAAA") {
            text.push_str(&seen.name("KEY", word));
        } else if word.len() == 64 && is_hex(word) {
            text.push_str(&seen.name("SUM", word));
        } else if word.len() == 10 && word.starts_with("17") && word.parse::<u64>().is_ok() {
            text.push_str(&seen.name("TIME", word));
        } else if word.len() == 40 && is_hex(word) {
            text.push_str(&seen.name("DIGEST", word));
        } else if used(line) && !word.contains("/vm-") && word.starts_with(|c: char| c.is_ascii_digit()) {
            text.push('N');
        } else if word.len() > 2 && word.starts_with("if") && word[2..].parse::<u32>().is_ok() {
            text.push_str("ifN");
        } else if line.contains("] rc=")
            && word.contains('.')
            && let Ok(seconds) = word.parse::<f64>()
        {
            text.push_str(if seconds > 9.0 { "TEN" } else { "SHORT" });
        } else if (line.contains(" sleep ") && text.is_empty() || line.starts_with("bash: line 1:"))
            && word.parse::<u32>().is_ok()
        {
            text.push_str("PID");
        } else if word.starts_with("fe80::") {
            text.push_str("LINK");
        } else {
            text.push_str(word);
        }
        text.push_str(rest);
    }
    if loose(line) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { dated(&text, seen) }
}

/// Names the date that `ls -l` shows, and the size of a directory, which is the file system's.
fn dated(text: &str, seen: &mut Seen) -> String {
    let mut parts: Vec<&str> = text.split_whitespace().collect();
    let is_time =
        |word: &str| word.len() == 5 && word.as_bytes()[2] == b':' && word.starts_with(|c: char| c.is_ascii_digit());
    let Some(at) = parts.iter().position(|word| is_time(word)).filter(|at| *at >= 7) else { return text.to_owned() };
    if !text.contains('-') {
        return text.to_owned();
    }
    let inode = if parts[0].parse::<u64>().is_ok() { seen.name("INODE", parts[0]) } else { parts[0].to_owned() };
    parts[0] = &inode;
    parts.splice(at - 2..=at, ["DATE"]);
    if text.starts_with('d') {
        parts[at - 3] = "N";
    }
    parts.join(" ")
}
