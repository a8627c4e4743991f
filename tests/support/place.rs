//! A directory with a recipe, in which the binary runs with a state directory of its own.
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new(recipe: &str) -> Self {
        Self::below(&std::env::temp_dir(), recipe)
    }

    pub fn below(directory: &Path, recipe: &str) -> Self {
        let place = Self { dir: tempfile::tempdir_in(directory).unwrap() };
        place.recipe(recipe);
        place
    }

    pub fn recipe(&self, recipe: &str) {
        let root = self.root().display().to_string();
        fs::write(self.root().join("web.toml"), recipe.replace("ROOT", &root)).unwrap();
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provision"));
        let state = self.root().join("state");
        command
            .args(arguments)
            .arg("--state-dir")
            .arg(state)
            .arg("--run-dir")
            .arg(self.root().join("run"))
            .current_dir(self.root())
            .stdin(Stdio::null());
        command.env_remove("NO_COLOR").env("TERM", "xterm");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap(), self.root())
    }
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Times, references and hashes are of the moment, the root is of this run.
    pub fn of(output: &Output, root: &Path) -> Self {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace(&root.display().to_string(), "ROOT");
            let cut = |line: &str| match (line.rsplit_once(" in "), line.rsplit_once("  ")) {
                (Some((head, tail)), _) if tail.contains("· head ") => format!("{head}\n"),
                // Of a step that took long enough to be told.
                (_, Some((head, tail))) if is_seconds(tail) => format!("{head}\n"),
                _ => format!("{line}\n"),
            };
            text.lines().map(cut).collect::<String>()
        };
        Self { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

fn is_seconds(text: &str) -> bool {
    text.strip_suffix(" s").is_some_and(|number| number.parse::<f64>().is_ok())
}

pub fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}
