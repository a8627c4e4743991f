//! A prefix, a registry and what is known: npm packages brought there by the real npm.
use super::registry::Registry;
use crate::support::contract;
use crate::support::item;
use crate::support::recorder::Recorder;
use crate::support::watched::Watched;
use provision::event::{Event, Outcome};
use provision::item::{Item, JobItem};
use provision::resource::{Known, Want};
use provision::system::{Command, System as _};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

pub struct Bench {
    pub directory: TempDir,
    pub registry: Registry,
    pub sys: Watched,
    pub known: Known,
    pub timeout: Duration,
}

const PROGRAM: (&str, &str) = ("cli.js", "#!/usr/bin/env node\nconsole.log(require('./package.json').version)\n");

impl Bench {
    /// Returns one with a registry that has: `cli` in two versions, `@acme/tool` with a script, `top` that stands on `dep` with
    /// a script.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open();
        for version in ["1.0.0", "2.0.0"] {
            registry.publish("cli", version, json!({ "bin": { "cli": "./cli.js" } }), &[PROGRAM]);
        }
        let script = json!({ "postinstall": "echo built >built" });
        registry.publish("@acme/tool", "1.0.0", json!({ "bin": "cli.js", "scripts": script }), &[PROGRAM]);
        registry.publish("dep", "1.0.0", json!({ "scripts": script }), &[]);
        registry.publish("top", "1.0.0", json!({ "dependencies": { "dep": "^1.0.0" } }), &[]);
        let sys = Watched::new(&directory.path().join("state"));
        Self { directory, registry, sys, known: Known::default(), timeout: Duration::from_mins(2) }
    }

    pub fn prefix(&self) -> PathBuf {
        self.directory.path().join("prefix")
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.prefix().join(path)
    }

    /// Runs a script in the prefix; what it prints is returned.
    pub fn sh(&self, script: &str) -> String {
        let command = Command::new(["sh", "-e"]).stdin(script).cwd(Some(self.prefix()));
        self.sys.run(&command).unwrap().success(&command).unwrap().text().trim_end().to_owned()
    }

    /// Does the same in the directory in which the prefix will be.
    pub fn sh_outside(&self, script: &str) -> String {
        let command = Command::new(["sh", "-e"]).stdin(script).cwd(Some(self.directory.path().to_owned()));
        self.sys.run(&command).unwrap().success(&command).unwrap().text().trim_end().to_owned()
    }

    pub fn exists(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn run(&mut self, fields: &Value, want: Want) -> Recorder {
        let env = json!({ "NPM_CONFIG_FETCH_RETRIES": "0", "BENCH": self.prefix() });
        let mut whole = json!({ "prefix": self.prefix(), "registry": self.registry.url, "env": env });
        whole.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let item = Item::receive(JobItem {
            digest: whole.to_string(),
            want,
            timeout: self.timeout,
            ..item::job("npm", whole)
        })
        .unwrap();
        contract::apply(&[item], &mut self.known, &self.sys).unwrap()
    }

    /// Returns changes and ends of a run, and what was told in it; `PREFIX` is the prefix, `REGISTRY` the registry.
    fn said(&mut self, fields: &Value, want: Want) -> Vec<String> {
        let run = self.run(fields, want);
        let told = run.events().into_iter().filter_map(|event| match event {
            Event::Said { text, .. } => Some(format!("told: {text}")),
            _ => None,
        });
        let (prefix, registry) = (self.prefix().display().to_string(), self.registry.url.clone());
        let lines = run.changes().into_iter().chain(run.ends()).chain(told);
        lines.map(|line| line.replace(&prefix, "PREFIX").replace(&registry, "REGISTRY")).collect()
    }

    pub fn apply(&mut self, fields: &Value) -> Vec<String> {
        self.said(fields, Want::Present)
    }

    pub fn leave(&mut self, fields: &Value) -> Vec<String> {
        self.said(fields, Want::Absent)
    }

    /// Returns an apply's error: attempt, causes, output, and the remedy at its end.
    pub fn fails(&mut self, fields: &Value) -> String {
        let events = self.run(fields, Want::Present).events();
        let error = events.into_iter().find_map(|event| match event {
            Event::Finished { outcome: Outcome::Failed { error }, .. } => Some(error),
            _ => None,
        });
        let error = error.expect("it fails");
        let told = [vec![error.attempt], error.causes, error.output].concat().join(": ");
        error.remedy.map_or(told.clone(), |remedy| format!("{told}; {remedy}"))
    }

    /// Nothing of a killed or finished run is left beside what is installed.
    pub fn is_clean(&self) -> bool {
        let hidden = |path: PathBuf| {
            let names = std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
            names.filter(|name| name.to_string_lossy().starts_with('.')).count()
        };
        hidden(self.at("bin")) + hidden(self.at("lib/node_modules")) == 0
            && !self.directory.path().join("state/npm-cache").exists()
    }

    /// Waits for something to be there, and then kills the npm that works on this prefix.
    pub fn kill_once(&self, there: &'static str) -> std::thread::JoinHandle<()> {
        let (path, mark) = (self.prefix(), format!("BENCH={}", self.prefix().display()));
        std::thread::spawn(move || {
            while !is_below(&path, there) {
                std::thread::yield_now();
            }
            // npm gives itself another command line.
            for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
                if String::from_utf8_lossy(&environment).split('\0').any(|word| word == mark) {
                    let pid: i32 = entry.file_name().to_string_lossy().parse().unwrap();
                    let pid = nix::unistd::Pid::from_raw(pid);
                    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
                }
            }
        })
    }
}

/// Returns whether a directory has an entry whose path begins so: `lib/node_modules/.big-`.
fn is_below(prefix: &Path, start: &str) -> bool {
    let path = prefix.join(start);
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let entries = std::fs::read_dir(path.parent().unwrap()).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|entry| entry.to_string_lossy().starts_with(&*name))
}
